// The keys first, by its own services, then the gateway.
const { readFileSync } = require("node:fs");

const gateway = require("express-gateway");
const services = require("express-gateway/lib/services");

async function main() {
  const user = await services.user.insert({ username: "race", firstname: "race", lastname: "race", email: "race@bench.example" });
  for (const keyId of readFileSync(`${process.env.KEYS}/keys.txt`, "latin1").trim().split("\n"))
    await services.credential.insertCredential(user.id, "key-auth", { keyId, keySecret: "race" });
  await gateway().load(process.env.EG_CONFIG_DIR).run();
}

main();
