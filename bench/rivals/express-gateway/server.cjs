// The keys first, by its own services, then the gateway.
const { readFileSync } = require("node:fs");

const gateway = require("express-gateway");
const services = require("express-gateway/lib/services");

// It reads all credentials of a user to add one, so nobody has many.
const KEYS_OF_A_USER = 10;

async function main() {
  const keys = readFileSync(`${process.env.KEYS}/keys.txt`, "latin1").trim().split("\n");
  let user;
  for (const [i, keyId] of keys.entries()) {
    if (i % KEYS_OF_A_USER === 0)
      user = await services.user.insert({ username: `race${i}`, firstname: "race", lastname: "race", email: `race${i}@bench.example` });
    await services.credential.insertCredential(user.id, "key-auth", { keyId, keySecret: "race" });
  }
  await gateway().load(process.env.EG_CONFIG_DIR).run();
}

main();
