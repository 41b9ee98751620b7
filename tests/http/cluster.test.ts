/** Several servers on one PostgreSQL: what one changes is known to the others, also through trouble. */
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import type { IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { operations } from "./harness/contract.js";
import { Management } from "./harness/management.js";
import { readPage, valueOf } from "./harness/metrics.js";
import * as postgres from "./harness/postgres.js";
import { field, json, type Answer } from "./harness/raw.js";
import { Instance, onPostgres, type Server, type Settings } from "./harness/server.js";
import { eventually, newTenant, refusedWith, type Tenant } from "./harness/util.js";

/** Nothing but the stream makes a node look again, so what is not announced is never seen. */
const HEARD_WITHIN_MS = 5000;

/** Servers that share a store, and how each answers for a key. */
class Cluster {
  readonly nodes: Server[] = [];
  root!: Sallyport;
  tenant!: Tenant;
  gateToken!: string;

  static async start(n: number, settings: Settings = {}): Promise<Cluster> {
    const cluster = new Cluster();
    const first = new Instance({ metrics_listen: "127.0.0.1:0", ...settings });
    cluster.nodes.push(await first.start());
    for (let i = 1; i < n; i++) cluster.nodes.push(await cluster.another(settings).start());
    cluster.root = await cluster.nodes[0]!.admin();
    cluster.tenant = await newTenant(cluster.nodes[0]!);
    cluster.gateToken = (await cluster.root.createGateToken("tests")).token;
    return cluster;
  }

  get database(): string {
    return this.nodes[0]!.instance.database;
  }

  /** One more on the same store; removing it must leave the database. */
  another(settings: Settings = {}): Instance {
    return new Instance({ metrics_listen: "127.0.0.1:0", ...settings, key_file: this.nodes[0]!.instance.keyFile }, this.database);
  }

  makeKey(more: object = {}): Promise<IssuedApiKey> {
    return this.tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: null, ...more });
  }

  /** Asks the gate of one node; a key that it knows is judged in its memory. */
  ask(node: Server, key: string | IssuedApiKey, token = this.gateToken): Promise<Answer> {
    const text = typeof key === "string" ? key : key.rawKey;
    return node.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: text } });
  }

  /** "VALID", or the code of the refusal, whether of the key or of the question. */
  async verdict(node: Server, key: string | IssuedApiKey, token?: string): Promise<string> {
    return json(await this.ask(node, key, token)).code;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.halt();
    for (const node of this.nodes) await node.stop();
  }
}

const ready = async (node: Server): Promise<any> => json(await node.call({ target: "/readyz" }));

async function metrics(node: Server): Promise<ReturnType<typeof readPage>> {
  const address = /"event":"metrics.listening","address":"([^"]+)"/.exec(node.log)?.[1];
  return readPage(await (await fetch(`http://${address}/metrics`)).text());
}

const becomes = (cluster: Cluster, node: Server, key: string | IssuedApiKey, code: string, withinMs = HEARD_WITHIN_MS): Promise<boolean> =>
  eventually(async () => (await cluster.verdict(node, key)) === code, withinMs, `${code} on the other node`);

/** Done by one node; then the other one's verdict on a key that it had in memory. */
type Change = [operation: string, change: (c: Cluster, key: IssuedApiKey) => Promise<unknown>, verdict: string];

const changes: Change[] = [
  ["updateApiKey", (c, key) => c.tenant.admin.updateApiKey(key.id, { status: "inactive" }), "API_KEY_INACTIVE"],
  ["updateApiKey", (c, key) => c.tenant.admin.updateApiKey(key.id, { allowedIpCidrs: ["192.0.2.0/24"] }), "API_KEY_IP_NOT_ALLOWED"],
  ["rotateApiKey", (c, key) => c.tenant.admin.rotateApiKey(key.id, 0), "API_KEY_REVOKED"],
  ["revokeApiKey", (c, key) => c.tenant.admin.revokeApiKey(key.id), "API_KEY_REVOKED"],
  ["updateEmployer", (c) => c.root.updateEmployer(c.tenant.employerId, { isApproved: false }), "EMPLOYER_NOT_APPROVED"],
  ["updateEmployer", (c) => c.root.updateEmployer(c.tenant.employerId, { isApproved: true, status: "inactive" }), "EMPLOYER_INACTIVE"],
  ["updateUser", (c, key) => deactivateCreator(c, key), "API_KEY_REVOKED"],
];

/** Nothing of these is kept in memory between two calls. */
const unannounced: Record<string, string[]> = {
  "new things, which no memory has yet": [
    "createApiKey", "createEmployer", "createUser", "createGateToken", "uploadCohort", "createManagedKey", "createOrganization", "createManagedUser", "createPlan",
  ],
  "sessions, passwords and links, which are read at each call": [
    "login", "logout", "resetPassword", "createResetLink", "changePassword", "endSession", "endUserSession", "endUserSessions", "revokeSession",
  ],
  "no change": ["verifyKey", "verifyKeys", "introspectKey", "archiveAudit", "verifyManagedKey"],
  "the instance key, which each server has in a file of its own": ["rotateInstanceKey"],
};

/** Tests of their own below. */
const elsewhere = [
  "revokeGateToken", "importApiKeys", "setGateRules",
  "registerApi", "updateApi", "deleteApi", "createApiScope", "updateApiScope", "deleteApiScope", "updateOrganization", "updateManagedUser", "updatePlan", "deletePlan",
  "importManagedKeys", "updateManagedKey", "rotateManagedKey", "revokeManagedKey", "revokeManagedKeys",
];

async function deactivateCreator(c: Cluster, key: IssuedApiKey): Promise<void> {
  const { users } = await c.root.listUsers({ employerId: c.tenant.employerId });
  const creator = users.find((user) => user.email === c.tenant.adminEmail)!;
  assert.equal(key.createdBy, creator.id);
  await c.root.updateUser(creator.id, { status: "inactive" });
}

if (onPostgres) {
  let cluster: Cluster;
  let a: Server;
  let b: Server;
  before(async () => {
    cluster = await Cluster.start(2);
    [a, b] = cluster.nodes as [Server, Server];
    for (const node of cluster.nodes) await eventually(async () => (await ready(node)).changeStream?.status === "current", 5000, "following");
  });
  after(() => cluster.stop());

  test("every change that a memory may have missed is heard by the other node", async () => {
    for (const [operation, change, verdict] of changes) {
      const own = Object.assign(Object.create(cluster) as Cluster, { tenant: await newTenant(a) });
      const key = await own.makeKey();
      assert.equal(await own.verdict(b, key), "VALID", operation);
      // Longer than the second that a node believes a key without the stream: it is in memory now.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      assert.equal(await own.verdict(b, key), "VALID", operation);
      await change(own, key);
      assert.equal(await own.verdict(a, key), verdict, `${operation}: here, at once`);
      await becomes(own, b, key, verdict);
    }
  });

  test("no operation is forgotten in that list", () => {
    const known = [...changes.map(([operation]) => operation), ...Object.values(unannounced).flat(), ...elsewhere];
    const changing = operations.filter((each) => each.method !== "GET").map((each) => each.id);
    assert.deepEqual([...new Set(known)].sort(), changing.sort());
  });

  test("a gate token that is revoked is refused by the other node", async () => {
    const key = await cluster.makeKey();
    const { id, token } = await cluster.root.createGateToken("short");
    assert.equal(await cluster.verdict(b, key, token), "VALID");
    await cluster.root.revokeGateToken(id);
    await eventually(async () => (await cluster.verdict(b, key, token)) === "GATE_TOKEN_INVALID", HEARD_WITHIN_MS, "revoked");
  });

  test("rules of method and path are in force on the other node within a second or so", async () => {
    const key = await cluster.makeKey();
    const asked = async (path: string): Promise<string> =>
      json(
        await b.call({
          method: "POST",
          target: "/gate/verify",
          fields: { authorization: `Bearer ${cluster.gateToken}` },
          body: { key: key.rawKey, method: "GET", path },
        }),
      ).code;
    const set = async (text: string): Promise<void> => assert.equal((await a.cli(["gate-rules", "set", "-"], text)).code, 0);
    assert.equal(await asked("/reports"), "VALID");
    await set("GET /orders\n");
    await eventually(async () => (await asked("/reports")) === "NO_RULE_MATCHES", HEARD_WITHIN_MS, "refused by the new rules");
    assert.equal(await asked("/orders"), "VALID");
    await set("");
    await eventually(async () => (await asked("/reports")) === "VALID", HEARD_WITHIN_MS, "no rules any more");
  });

  test("what is changed of APIs, plans and their keys is heard by the other node", async () => {
    const here = await Management.root(a);
    const there = new Management(b, here.fields);
    const { plan } = await here.good("POST", "/plans", { name: randomUUID() });
    const org_code = await here.makeOrganization();
    const api = await here.makeApi(["read:x"]);
    const { scopes } = await here.good("GET", `/apis/${api}/scopes`);
    const made = await here.makeKey({ api_id: api, org_code, scope_ids: ["read:x"], rate_limit: null });
    const user_id = await here.makeUser(org_code);
    const own = await here.makeKey({ api_id: api, user_id });
    let key = made.key;
    const told = async (asked = key): Promise<string> => (await there.verify(asked)).code;
    const heard = (what: string, is: () => Promise<boolean>): Promise<unknown> => eventually(is, HEARD_WITHIN_MS, what);
    const change = (status: string): Promise<any> => here.good("PATCH", `/api_keys/${made.id}`, { status });

    await heard("a new API", async () => (await there.call("GET", `/apis/${api}`)).status === 200);
    await heard("its keys", async () => (await told()) === "API_KEY_VERIFIED" && (await told(own.key)) === "API_KEY_VERIFIED");
    await here.good("PATCH", `/apis/${api}`, { name: "other" });
    await heard("another name", async () => (await there.good("GET", `/apis/${api}`)).api.name === "other");
    await here.good("PATCH", `/apis/${api}/scopes/${scopes[0].id}`, { description: "other" });
    await heard("another description", async () => (await there.good("GET", `/apis/${api}/scopes`)).scopes[0].description === "other");
    await change("inactive");
    await heard("inactive", async () => (await told()) === "API_KEY_INACTIVE");
    await change("active");
    await heard("active", async () => (await told()) === "API_KEY_VERIFIED");
    key = (await here.good("PUT", `/api_keys/${made.id}`)).api_key.key;
    await heard("rotated", async () => (await told(made.key)) === "API_KEY_REVOKED" && (await told()) === "API_KEY_VERIFIED");
    await here.good("PATCH", `/organizations/${org_code}`, { plan_id: plan.id });
    await heard("a plan without the API", async () => (await there.verify(key)).scopes.length === 0);
    await here.good("PATCH", `/plans/${plan.id}`, { apis: [{ api_id: api }] });
    await heard("a plan with it", async () => (await there.verify(key)).scopes.length === 1);
    await here.good("PATCH", `/users/${user_id}`, { status: "inactive" });
    await heard("a user inactive", async () => (await told(own.key)) === "USER_INACTIVE");
    await here.good("DELETE", `/apis/${api}/scopes/${scopes[0].id}?force=true`);
    await heard("a scope deleted", async () => (await there.verify(key)).scopes.length === 0);
    const old = `legacy-${randomUUID()}`;
    await here.good("POST", "/api_keys/import", { keys: [{ name: "old", api_id: api, org_code, sha512: createHash("sha512").update(old).digest("base64") }] });
    await heard("imported", async () => (await told(old)) === "API_KEY_VERIFIED");
    await here.good("DELETE", `/api_keys/${made.id}`);
    await heard("revoked", async () => (await told()) === "API_KEY_REVOKED");
    await here.good("POST", "/api_keys/revoke", { org_code });
    await heard("all revoked", async () => (await told(old)) === "API_KEY_REVOKED");
    await here.good("DELETE", `/apis/${api}`);
    await heard("an API deleted", async () => (await there.call("GET", `/apis/${api}`)).status === 404);
    await here.good("PATCH", `/organizations/${org_code}`, { plan_id: null });
    await here.good("DELETE", `/plans/${plan.id}`);
    await heard("a plan deleted", async () => (await there.call("GET", `/plans/${plan.id}`)).status === 404);
  });

  test("keys of another system are looked up by the other node once some were imported", async () => {
    const old = `legacy-${randomUUID()}`;
    assert.equal(await cluster.verdict(b, old), "INVALID_API_KEY");
    await cluster.root.importApiKeys([{ name: "old", scopes: ["cohort:read"], key: old }]);
    await becomes(cluster, b, old, "VALID");
  });

  test("from its acknowledgement on, a revoked key passes nowhere here, and soon nowhere at all", async () => {
    for (let round = 0; round < 20; round++) {
      const key = await cluster.makeKey();
      const passedAfter = { a: 0, b: 0 };
      let revokedAt = Infinity;
      let stops = false;
      const load = async (node: Server, name: "a" | "b"): Promise<void> => {
        while (!stops) {
          const asked = performance.now();
          const code = await cluster.verdict(node, key);
          if (code === "VALID" && asked > revokedAt) passedAfter[name] = Math.max(passedAfter[name], asked - revokedAt);
          if (code === "API_KEY_REVOKED" && asked > revokedAt) return;
          assert.ok(code === "VALID" || code === "API_KEY_REVOKED", code);
        }
      };
      const loads = [load(a, "a"), load(b, "b"), load(b, "b")];
      setTimeout(() => (stops = true), 10_000).unref();
      await new Promise((resolve) => setTimeout(resolve, 30));
      await cluster.tenant.admin.revokeApiKey(key.id);
      revokedAt = performance.now();
      await Promise.all(loads);
      assert.equal(passedAfter.a, 0, "on the node that revoked it");
      assert.equal(await cluster.verdict(b, key), "API_KEY_REVOKED");
    }
  });

  test("a notification that is lost costs a second", async () => {
    const key = await cluster.makeKey();
    assert.equal(await cluster.verdict(b, key), "VALID");
    a.instance.sql(`UPDATE api_key SET revoked_at_ms = 1 WHERE id = '${key.id}';
      INSERT INTO change SELECT coalesce(max(number), 0) + 1, 'key', '${key.id}', 0 FROM change`);
    await becomes(cluster, b, key, "API_KEY_REVOKED", 3000);
  });

  test("ten thousand changes in a burst, and the one after them", async () => {
    const key = await cluster.makeKey();
    assert.equal(await cluster.verdict(b, key), "VALID");
    const before = valueOf(await metrics(b), "sallyport_changes_applied_total");
    a.instance.sql("SELECT count(change_announce('key', 'key_' || i)) FROM generate_series(1, 10000) AS i");
    await cluster.tenant.admin.revokeApiKey(key.id);
    await becomes(cluster, b, key, "API_KEY_REVOKED");
    assert.ok(valueOf(await metrics(b), "sallyport_changes_applied_total") >= before + 10_001);
  });

  test("a node whose stream is cut again and again misses nothing, and says that it is lost", async () => {
    const cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sallyport changes' AND datname = current_database()";
    let lost = 0;
    for (let round = 0; round < 10; round++) {
      const key = await cluster.makeKey();
      assert.equal(await cluster.verdict(b, key), "VALID");
      a.instance.sql(cut);
      await cluster.tenant.admin.revokeApiKey(key.id);
      a.instance.sql(cut);
      const state = await ready(b);
      assert.equal(state.status, "ready");
      lost += Number(state.changeStream.status === "lost");
      await becomes(cluster, b, key, "API_KEY_REVOKED");
    }
    assert.ok(lost > 0, "the state was never told");
    await eventually(async () => (await ready(b)).changeStream.status === "current", 5000, "following again");
    const page = await metrics(b);
    assert.ok(valueOf(page, "sallyport_stream_lost_total") > 0);
    assert.equal(valueOf(page, "sallyport_stream_begins_total"), 1, "it went on where it had been");
  });

  test("without the stream a node reads keys each second, whatever the silence, and says so", async () => {
    const name = new URL(cluster.database.replace("@/", "@localhost/")).pathname.slice(1);
    const outside = cluster.database.replace(name, "postgres");
    const strict = await cluster.another({ stream_max_silence: "1s", stream_silence: "refuse" }).start();
    const key = await cluster.makeKey();
    // Connections enough are open before no more are let in.
    await Promise.all(Array.from({ length: 12 }, () => strict.call({ target: "/readyz" })));
    await Promise.all(Array.from({ length: 12 }, () => a.call({ target: "/readyz" })));
    try {
      postgres.sql(outside, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      postgres.sql(outside, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sallyport changes' AND datname = '${name}'`);
      await eventually(async () => (await ready(strict)).changeStream.status === "lost", 5000, "lost");
      for (let i = 0; i < 4; i++) {
        assert.equal(await cluster.verdict(strict, key), "VALID", "PostgreSQL answers");
        await new Promise((resolve) => setTimeout(resolve, 600));
      }
      const { findings } = (await strict.cli(["doctor", "--json"])).json();
      const found = findings.find(({ check }: { check: string }) => check === "server.stream");
      assert.equal(found.level, "warning");
      assert.match(found.message, /has lost the change stream/);
      await cluster.tenant.admin.revokeApiKey(key.id);
      await becomes(cluster, strict, key, "API_KEY_REVOKED", 3000);
    } finally {
      postgres.sql(outside, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    }
    await eventually(async () => (await ready(strict)).changeStream.status === "current", 5000, "following again");
    const { findings } = (await strict.cli(["doctor", "--json"])).json();
    assert.equal(findings.find(({ check }: { check: string }) => check === "server.stream").level, "ok");
    await strict.halt();
  });

  test("where changes were swept before they were read, nothing in memory is believed", async () => {
    const key = await cluster.makeKey();
    assert.equal(await cluster.verdict(b, key), "VALID");
    const begins = valueOf(await metrics(b), "sallyport_stream_begins_total");
    a.instance.sql(`UPDATE api_key SET revoked_at_ms = 1 WHERE id = '${key.id}';
      UPDATE change SET number = number + 1000 WHERE number = (SELECT max(number) FROM change);
      DELETE FROM change WHERE number < (SELECT max(number) FROM change)`);
    await becomes(cluster, b, key, "API_KEY_REVOKED");
    assert.equal(valueOf(await metrics(b), "sallyport_stream_begins_total"), begins + 1);
  });

  test("a node that is killed and started again knows what it missed", async () => {
    const third = cluster.another();
    const key = await cluster.makeKey();
    let c = await third.start();
    assert.equal(await cluster.verdict(c, key), "VALID");
    await c.kill();
    await cluster.tenant.admin.revokeApiKey(key.id);
    c = await third.start();
    try {
      assert.equal(await cluster.verdict(c, key), "API_KEY_REVOKED");
    } finally {
      await c.halt();
    }
  });

  for (const [how, begin, end] of [["dead", postgres.kill, postgres.start], ["frozen", postgres.freeze, postgres.thaw]] as const)
    test(`keys in memory outlive a PostgreSQL that is ${how} for stream_max_silence, and then as stream_silence says`, async () => {
      const own = await postgres.ownCluster();
      const nodes: Cluster[] = [];
      let isAway = false;
      try {
        nodes.push(await Cluster.start(1, { stream_max_silence: "4s", stream_silence: "refuse" }));
        nodes.push(await Cluster.start(1, { stream_max_silence: "4s", stream_silence: "go_on" }));
        const keys = await Promise.all(nodes.map((each) => each.makeKey()));
        const [strict, lenient] = nodes as [Cluster, Cluster];
        const ask = (of: Cluster): Promise<Answer> => of.ask(of.nodes[0]!, keys[nodes.indexOf(of)]!);
        const code = async (of: Cluster): Promise<string> => json(await ask(of)).code;
        for (const each of nodes) assert.equal(await code(each), "VALID");

        begin();
        isAway = true;
        const since = Date.now();
        // Judged in memory, without waiting for a store that does not answer. The silence may have begun
        // a second before, with the last poll.
        while (Date.now() - since < 2000)
          for (const each of nodes) {
            const began = Date.now();
            assert.equal(await code(each), "VALID", `after ${began - since} ms`);
            assert.ok(Date.now() - began < 1000, `waited ${Date.now() - began} ms`);
          }
        await eventually(async () => (await code(strict)) === "KEYS_NOT_CURRENT", 5000, "not vouched for");
        const refusal = await ask(strict);
        refusedWith(refusal, "KEYS_NOT_CURRENT");
        assert.match(field(refusal, "retry-after") ?? "", /^[1-9][0-9]*$/);
        refusedWith(await strict.nodes[0]!.withKey(keys[0]!), "KEYS_NOT_CURRENT");
        assert.equal(await code(lenient), "VALID", "told to go on");

        end();
        isAway = false;
        for (const each of nodes) await eventually(async () => (await code(each)) === "VALID", 20_000, "again");
        for (const each of nodes)
          await eventually(async () => (await ready(each.nodes[0]!)).changeStream?.status === "current", 20_000, "following again");
      } finally {
        if (isAway) end();
        for (const each of nodes) await each.stop();
        await own.stop();
      }
    });
}
