// As many would build it: the digest of the key is looked up in SQLite for each request.
import cluster from "node:cluster";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import Database from "better-sqlite3";
import fastify from "fastify";

const { KEYS, PORT } = process.env;

if (cluster.isPrimary) {
  const store = new Database("keys.db");
  store.pragma("journal_mode = WAL");
  store.exec("CREATE TABLE key (digest TEXT PRIMARY KEY, scopes TEXT NOT NULL) WITHOUT ROWID");
  const insert = store.prepare("INSERT INTO key VALUES (?, 'cohort:read')");
  store.transaction(() => {
    for (const digest of readFileSync(`${KEYS}/digests.txt`, "latin1").trim().split("\n")) insert.run(digest);
  })();
  store.close();
  cluster.fork();
  cluster.fork();
} else {
  const find = new Database("keys.db", { readonly: true }).prepare("SELECT scopes FROM key WHERE digest = ?");
  const app = fastify();
  app.addHook("onRequest", async (request, reply) => {
    const key = request.headers["x-api-key"];
    const found = key && find.get(createHash("sha256").update(key).digest("hex"));
    if (!found?.scopes.split(" ").includes("cohort:read")) return reply.code(401).send({ error: "invalid key" });
  });
  app.get("/", async () => "ok");
  await app.listen({ host: "127.0.0.1", port: Number(PORT) });
}
