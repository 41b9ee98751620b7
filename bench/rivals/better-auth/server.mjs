// auth.api.verifyApiKey behind a plain node:http server, which is the least one can put around it. Its
// own limit on keys is on: it is what sallyport does too.
import cluster from "node:cluster";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";

const { KEYS, PORT } = process.env;
const store = new Database("keys.db");
store.pragma("journal_mode = WAL");
store.pragma("busy_timeout = 5000");
const options = {
  database: store,
  secret: randomBytes(32).toString("hex"),
  baseURL: `http://127.0.0.1:${PORT}`,
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey()],
};

// As its defaultKeyHasher has it.
const digest = (key) => createHash("sha256").update(key).digest("base64url");
const lines = (name) => readFileSync(`${KEYS}/${name}`, "latin1").trim().split("\n");

async function fill() {
  await (await getMigrations(options)).runMigrations();
  const now = new Date().toISOString();
  store.prepare("INSERT INTO user (id, name, email, emailVerified, createdAt, updatedAt) VALUES ('u', 'u', 'u@bench.example', 1, ?, ?)").run(now, now);
  const insert = store.prepare(`INSERT INTO apikey (id, configId, name, referenceId, key, enabled, rateLimitEnabled, rateLimitTimeWindow,
    rateLimitMax, requestCount, expiresAt, createdAt, updatedAt) VALUES (?, 'default', 'race', 'u', ?, 1, 1, ?, ?, 0, ?, ?, ?)`);
  const until = new Date("2099-12-31").toISOString();
  store.transaction(() => {
    let n = 0;
    for (const [name, window, most] of [["keys.txt", 60_000, 1_000_000], ["limited.txt", 86_400_000, 1]])
      for (const key of lines(name)) insert.run(`k${n++}`, digest(key), window, most, until, now, now);
  })();
}

if (cluster.isPrimary) {
  await fill();
  store.close();
  cluster.fork();
  cluster.fork();
} else {
  const auth = betterAuth(options);
  const server = createServer(async (request, response) => {
    const { valid, error } = await auth.api.verifyApiKey({ body: { key: request.headers["x-api-key"] ?? "" } });
    response.statusCode = valid ? 200 : error?.code === "RATE_LIMITED" ? 429 : 401;
    response.end(valid ? "ok" : String(error?.code));
  });
  server.listen(Number(PORT), "127.0.0.1");
}
