/** Keys that do not exist: however many are tried, the store is read for few of them only. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Management } from "./harness/management.js";
import { metricOf } from "./harness/metrics.js";
import { startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, newTenant } from "./harness/util.js";

const READS_A_SECOND = 20;
const WITHIN_MS = 15_000;

const SETTINGS = { metrics_listen: "127.0.0.1:0", log_format: "json" };

const metric = (server: Server, name: string): Promise<number> => metricOf(server, `sallyport_key_${name}`);

test("random well-formed keys cause no more reads of the store than are allowed", async () => {
  const server = await startServer({ ...SETTINGS, guess_limit: 0, unknown_reads_per_s: READS_A_SECOND });
  try {
    const root = await server.admin();
    const gate = server.client({ token: (await root.createGateToken("tests")).token });
    const tenant = await newTenant(server);
    const before = await tenant.admin.createApiKey({ name: "before", scopes: ["fhir:read"], rateLimit: null });
    await eventually(async () => (await metric(server, "filter_bytes")) > 0, WITHIN_MS, "the filter is built");
    const from = await metric(server, "reads_absent_total");
    const began = Date.now();
    for (let round = 0; round < 10; round++) {
      const keys = Array.from({ length: 500 }, () => inventedKey());
      const results = await gate.verifyKeys(keys.map((key) => ({ key })));
      assert.deepEqual([...new Set(results.map((result) => result.code))], ["INVALID_API_KEY"]);
    }
    const seconds = (Date.now() - began) / 1000;
    const read = (await metric(server, "reads_absent_total")) - from;
    // What may be read at once, and then in each second; and what the filter takes for known.
    assert.ok(read <= READS_A_SECOND * (seconds + 1) + 5000 * 0.01, `${read} reads in ${seconds} s`);
    assert.ok((await metric(server, "reads_saved_total")) >= 5000 - read - 5000 * 0.01);
    // Meanwhile keys that exist are found, those made now as well.
    assert.equal((await gate.verifyKey({ key: before.rawKey })).valid, true);
    const now = await tenant.admin.createApiKey({ name: "now", scopes: ["fhir:read"], rateLimit: null });
    assert.equal((await gate.verifyKey({ key: now.rawKey })).valid, true);
    const rotated = await tenant.admin.rotateApiKey(now.id);
    assert.equal((await gate.verifyKey({ key: rotated.rawKey })).valid, true);
  } finally {
    await server.stop();
  }
});

test("a key that is none of the asker's costs no more reads than one that does not exist", async () => {
  const server = await startServer({ ...SETTINGS, guess_limit: 0, unknown_reads_per_s: READS_A_SECOND });
  try {
    const root = await Management.root(server);
    const org_code = await root.makeOrganization();
    const mine = await root.makeApi(), foreign = await root.makeApi();
    const there: string[] = [];
    for (let i = 0; i < 20; i++) there.push((await root.makeKey({ api_id: foreign, org_code })).key);
    await eventually(async () => (await metric(server, "filter_bytes")) > 0, WITHIN_MS, "the filter is built");
    const readsFor = async (keys: string[]): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 1100)); // the allowance is whole again
      const from = await metric(server, "reads_absent_total"), began = Date.now();
      for (let round = 0; round < 20; round++)
        await Promise.all(keys.map(async (key) => assert.equal((await root.verify(key, { api_id: mine })).code, "INVALID_API_KEY")));
      const read = (await metric(server, "reads_absent_total")) - from, seconds = (Date.now() - began) / 1000;
      assert.ok(read <= there.length + READS_A_SECOND * (seconds + 1), `${read} reads in ${seconds} s`);
      return read;
    };
    assert.ok((await readsFor(there.map(() => inventedKey("k_live_")))) > 0);
    assert.ok((await readsFor(there)) > 0);
  } finally {
    await server.stop();
  }
});

test("a full table goes on deciding, and forgets no use", async () => {
  const server = await startServer({ ...SETTINGS, key_cache_max: 1000, api_key_limit: 5000 });
  try {
    const root = await server.admin();
    const gate = server.client({ token: (await root.createGateToken("tests")).token });
    const raw = Array.from({ length: 1500 }, () => inventedKey());
    await root.importApiKeys(raw.map((key, i) => ({ name: `k${i}`, scopes: ["fhir:read"], key })));
    for (let round = 0; round < 2; round++)
      for (let at = 0; at < raw.length; at += 500) {
        const results = await gate.verifyKeys(raw.slice(at, at + 500).map((key) => ({ key })));
        assert.ok(results.every((result) => result.valid));
      }
    assert.equal(await metric(server, "table_keys"), 1000);
    assert.ok((await metric(server, "table_evictions_total")) >= 500);
    await eventually(
      async () => {
        let used = 0;
        for (let cursor: string | undefined, more = true; more; ) {
          const page = await root.listApiKeys({ limit: 100, ...(cursor ? { cursor } : {}) });
          used += page.keys.reduce((sum, key) => sum + key.requestCount, 0);
          cursor = page.nextCursor ?? undefined;
          more = cursor !== undefined;
        }
        return used === 2 * raw.length;
      },
      WITHIN_MS,
      "every use is written down",
    );
  } finally {
    await server.stop();
  }
});
