/**
 * Real gateways with the files of docs/gateways as they are shipped: what sallyport decides is what
 * their clients get, and what the service behind them hears.
 */
import assert from "node:assert/strict";
import { randomBytes, createHash } from "node:crypto";
import { after, before, test } from "node:test";

import type { ApiKeyDraft, IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { reach } from "./harness/contract.js";
import { Gateway, kinds, Service, Wire, type Ask, type Kind, type Passed, type Reached } from "./harness/gateways.js";
import { Management } from "./harness/management.js";
import { json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, type Tenant } from "./harness/util.js";

interface Setup {
  gateway: Gateway;
  wire: Wire;
}

let server: Server;
let root: Sallyport;
let tenant: Tenant;
const service = new Service();
const setups = new Map<Kind, Setup>();

before(async () => {
  server = await startServer({ guess_limit: 0, log_level: "warn" });
  root = await server.admin();
  tenant = await newTenant(server);
  await service.start();
  for (const kind of Object.keys(kinds) as Kind[]) {
    const wire = new Wire();
    await wire.open(server.url);
    const { token } = await root.createGateToken(kind);
    setups.set(kind, { wire, gateway: await Gateway.start(kind, wire.address, service.address, token) });
  }
});
after(async () => {
  for (const { gateway, wire } of setups.values()) {
    await gateway.stop();
    await wire.close();
  }
  await service.stop();
  await server.stop();
});

const makeKey = (more: Partial<ApiKeyDraft> = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read", "export:create"], rateLimit: null, ...more });

/** One test a gateway; what the gateway said is shown if it fails. */
function through(what: string, run: (setup: Setup) => Promise<void>): void {
  for (const kind of Object.keys(kinds) as Kind[])
    test(`${kind}: ${what}`, async () => {
      const setup = setups.get(kind)!;
      const logged = setup.gateway.log.length;
      try {
        await run(setup);
      } catch (error) {
        console.log(setup.gateway.log.slice(logged).slice(-4000));
        throw error;
      }
    });
}

/** It passed; what the service heard. */
async function passes(gateway: Gateway, ask: Ask): Promise<Reached> {
  const answer = await gateway.ask(ask);
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.headers["x-service"], "1");
  return JSON.parse(answer.body);
}

/** It was refused, and the service heard nothing of it. */
async function refusedAt(gateway: Gateway, ask: Ask): Promise<Passed & { problem: any }> {
  const before = service.reached.length;
  const answer = await gateway.ask(ask);
  assert.equal(service.reached.length, before, "the service was reached");
  assert.equal(answer.headers["x-service"], undefined);
  assert.equal(answer.headers["content-type"], "application/problem+json", answer.body);
  const problem = JSON.parse(answer.body);
  assert.equal(problem.status, answer.status);
  return { ...answer, problem };
}

through("a good key passes, and the service hears whose it is and not the key", async ({ gateway }) => {
  const key = await makeKey({ rateLimit: { requests: 10, windowSeconds: 60 } });
  const heard = await passes(gateway, { target: "/orders?a=b%20c", key: key.rawKey });
  assert.equal(heard.target, "/orders?a=b%20c");
  assert.deepEqual(heard.headers["x-auth-key-id"], [key.id]);
  assert.deepEqual(heard.headers["x-auth-employer-id"], [tenant.employerId]);
  assert.deepEqual(heard.headers["x-auth-scopes"], ["export:create fhir:read"]);
  for (const name of ["x-api-key", "x-gate-token"]) assert.equal(heard.headers[name], undefined, name);
  assert.ok(!JSON.stringify(heard).includes(key.rawKey));
  const { headers } = await gateway.ask({ key: key.rawKey });
  assert.equal(headers["ratelimit-policy"], '"key";q=10;w=60');
  assert.match(String(headers["ratelimit"]), /^"key";r=8;t=\d+$/);
});

through("a key without a limit has no fields of one", async ({ gateway }) => {
  const { headers } = await gateway.ask({ key: (await makeKey()).rawKey });
  assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith("ratelimit")), []);
});

through("a refusal is the door's own: status, code, detail and hint", async ({ gateway }) => {
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  const inactive = await makeKey();
  await tenant.admin.updateApiKey(inactive.id, { status: "inactive" });
  const expired = await makeKey({ expiresAt: new Date(Date.now() + 1000).toISOString() });
  const placed = await makeKey({ allowedIpCidrs: ["203.0.113.0/24"] });
  await new Promise((done) => setTimeout(done, 1100));
  for (const [code, key] of [
    ["INVALID_API_KEY", inventedKey()],
    ["INVALID_API_KEY", "nonsense"],
    ["API_KEY_REVOKED", revoked.rawKey],
    ["API_KEY_INACTIVE", inactive.rawKey],
    ["API_KEY_EXPIRED", expired.rawKey],
    ["API_KEY_IP_NOT_ALLOWED", placed.rawKey],
  ] as const) {
    const { status, problem, headers } = await refusedAt(gateway, { key });
    const door = json(await server.withKey(key));
    assert.equal(problem.code, code);
    for (const member of ["type", "title", "status", "detail", "hint", "code"]) assert.equal(problem[member], door[member], `${code} ${member}`);
    assert.equal(headers["www-authenticate"] !== undefined, status === 401, `${code}: ${headers["www-authenticate"]}`);
    assert.equal(headers["x-request-id"], problem.requestId);
    assert.equal(headers["cache-control"], "no-store");
  }
});

through("no key: 401, with the field to send", async ({ gateway }) => {
  const { status, problem, headers } = await refusedAt(gateway, {});
  assert.equal(status, 401);
  assert.equal(problem.code, "MISSING_CREDENTIALS");
  assert.match(String(headers["www-authenticate"]), /header="x-api-key"/);
});

through("the path's scope: 403 names what is needed and what the key holds", async ({ gateway }) => {
  const reader = await makeKey({ scopes: ["fhir:read"] });
  const other = await makeKey({ scopes: ["export:create"] });
  await passes(gateway, { target: "/fhir/Patient", key: reader.rawKey });
  await passes(gateway, { target: "/orders", key: other.rawKey });
  for (const target of ["/fhir/Patient", "/fhir/", "/%66hir/Patient"]) {
    const { status, problem } = await refusedAt(gateway, { target, key: other.rawKey });
    assert.equal(status, 403);
    assert.equal(problem.code, "INSUFFICIENT_SCOPE");
    assert.deepEqual(problem.requiredScopes, ["fhir:read"]);
    assert.deepEqual(problem.keyScopes, ["export:create"]);
  }
});

through("another spelling of a path is no way around its scope", async ({ gateway }) => {
  const other = await makeKey({ scopes: ["export:create"] });
  for (const target of ["//fhir/Patient", "/orders/../fhir/Patient", "/orders/%2e%2e/fhir/Patient", "/orders/..%2ffhir/Patient", "/./fhir/Patient"]) {
    const before = service.reached.length;
    const answer = await gateway.ask({ target, key: other.rawKey });
    assert.ok([400, 403, 404].includes(answer.status), `${target}: ${answer.status} ${answer.body}`);
    assert.equal(service.reached.length, before, target);
  }
});

through("past the limit: a real 429 with its body, Retry-After and the limit", async ({ gateway }) => {
  const key = await makeKey({ rateLimit: { requests: 2, windowSeconds: 60 } });
  await passes(gateway, { key: key.rawKey });
  await passes(gateway, { key: key.rawKey });
  const { status, problem, headers } = await refusedAt(gateway, { key: key.rawKey });
  assert.equal(status, 429);
  assert.equal(problem.code, "RATE_LIMITED");
  const wait = Number(headers["retry-after"]);
  assert.ok(wait >= 28 && wait <= 30, `Retry-After: ${headers["retry-after"]}`);
  assert.equal(headers["ratelimit-policy"], '"key";q=2;w=60');
  assert.match(String(headers["ratelimit"]), /^"key";r=0;t=\d+$/);
});

through("what a client says in sallyport's own fields is not heard", async ({ gateway }) => {
  const key = await makeKey();
  const placed = await makeKey({ allowedIpCidrs: ["203.0.113.0/24"] });
  const { token } = await root.createGateToken("a client's");
  const lies = {
    "x-auth-key-id": "key_mine", "X-AUTH-EMPLOYER-ID": "emp_mine", "x-auth-scopes": "everything", "x-auth-status": "200",
    "x-auth-code": "VALID", "x-auth-body": "{}", "x_auth_key_id": "key_mine", "x-gate-token": token,
    "x-original-method": "DELETE", "x-original-uri": "/fhir/x", "x-real-ip": "203.0.113.9",
    "x-forwarded-method": "DELETE", "x-forwarded-uri": "/fhir/x", "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9",
    "x-api-version": "banana",
  };
  const heard = await passes(gateway, { key: key.rawKey, headers: lies });
  assert.deepEqual(heard.headers["x-auth-key-id"], [key.id]);
  assert.deepEqual(heard.headers["x-auth-employer-id"], [tenant.employerId]);
  assert.deepEqual(heard.headers["x-auth-scopes"], ["export:create fhir:read"]);
  for (const name of ["x-auth-status", "x-auth-code", "x-auth-body", "x_auth_key_id", "x-gate-token"]) assert.equal(heard.headers[name], undefined, name);
  const { problem } = await refusedAt(gateway, { key: placed.rawKey, headers: lies });
  assert.equal(problem.code, "API_KEY_IP_NOT_ALLOWED");
  assert.equal((await refusedAt(gateway, { headers: lies })).problem.code, "MISSING_CREDENTIALS");
});

through("rules of method and path decide what a request needs, however its path is spelt", async ({ gateway }) => {
  const reader = (await makeKey({ scopes: ["fhir:read"] })).rawKey;
  const maker = (await makeKey({ scopes: ["export:create"] })).rawKey;
  const set = async (rules: string): Promise<void> => assert.equal((await server.cli(["gate-rules", "set", "-"], rules)).code, 0);
  await set("GET /orders/{id} fhir:read\nPOST /orders export:create\nGET /open/**\n");
  try {
    await passes(gateway, { target: "/orders/7?all=1", key: reader });
    await passes(gateway, { target: "/orders/a%20b", key: reader });
    await passes(gateway, { method: "POST", target: "/orders", key: maker, body: Buffer.from("{}") });
    await passes(gateway, { target: "/open/a/b", key: maker });
    const short = await refusedAt(gateway, { target: "/orders/7", key: maker });
    assert.deepEqual([short.status, short.problem.code, short.problem.requiredScopes], [403, "INSUFFICIENT_SCOPE", ["fhir:read"]]);
    for (const ask of [{ target: "/orders", key: reader }, { method: "DELETE", target: "/orders/7", key: reader }, { target: "/orders/7/lines", key: reader }])
      assert.equal((await refusedAt(gateway, ask)).problem.code, "NO_RULE_MATCHES");
    for (const target of ["/open/%2e%2e/orders/7", "/open/..%2forders/7", "/open/../orders/7", "/open//orders", "/open/;/orders", "/open/%5c..%5corders"]) {
      const before = service.reached.length;
      const answer = await gateway.ask({ target, key: maker });
      // One that has cleaned the path itself may let it pass as what it then is.
      const isPlain = answer.status === 200 && JSON.parse(answer.body).target.startsWith("/open/") && !/[.;\\]|%2e|%2f|%5c|\/\//i.test(JSON.parse(answer.body).target);
      if (!isPlain) assert.ok([400, 403, 404].includes(answer.status) && service.reached.length === before, `${target}: ${answer.status} ${answer.body}`);
    }
  } finally {
    await set("");
  }
});

through("the gate's own locations are closed to clients", async ({ gateway }) => {
  const key = (await makeKey()).rawKey;
  for (const target of ["/_sallyport/any", "/_sallyport/fhir-read"]) {
    const answer = await gateway.ask({ target, key });
    assert.ok(answer.status === 404 || answer.headers["x-service"] === "1", `${target}: ${answer.status}`);
  }
});

through("of two keys, none that was not judged is heard", async ({ gateway }) => {
  const key = (await makeKey()).rawKey;
  assert.equal((await refusedAt(gateway, { key: [inventedKey(), key] })).status, 401);
  const answer = await gateway.ask({ key: [key, inventedKey()] });
  if (answer.status === 200) assert.equal(JSON.parse(answer.body).headers["x-api-key"], undefined);
  else assert.equal(JSON.parse(answer.body).code, "INVALID_API_KEY");
});

through("what the service answers comes through as it is", async ({ gateway }) => {
  const key = (await makeKey()).rawKey;
  for (const status of [201, 400, 401, 403, 404, 429, 500, 502, 503]) {
    const answer = await gateway.ask({ target: `/orders?answer=${status}`, key });
    assert.equal(answer.status, status);
    assert.equal(answer.headers["x-service"], "1", `${status}: ${answer.body}`);
  }
});

through("a large body reaches the service whole, and the gate not at all", async ({ gateway, wire }) => {
  const key = (await makeKey()).rawKey;
  const body = randomBytes(8 * 1024 * 1024);
  const before = wire.bytes;
  const heard = await passes(gateway, { method: "POST", key, body });
  assert.equal(heard.method, "POST");
  assert.equal(heard.bytes, body.length);
  assert.equal(heard.sha256, createHash("sha256").update(body).digest("hex"));
  assert.ok(wire.bytes - before < 4096, `${wire.bytes - before} bytes went to the gate`);
  const chunked = await passes(gateway, { method: "PUT", key, headers: { "transfer-encoding": "chunked" }, body });
  assert.equal(chunked.bytes, body.length);
  assert.ok(wire.bytes - before < 8192, `${wire.bytes - before} bytes went to the gate`);
});

through("a thousand requests at once, on connections that are kept", async ({ gateway, wire }) => {
  const key = await makeKey();
  await passes(gateway, { key: key.rawKey });
  const before = wire.connections;
  const heard = await Promise.all(Array.from({ length: 1000 }, (_, i) => passes(gateway, { target: `/orders/${i}`, key: key.rawKey })));
  assert.deepEqual(heard.map((each) => each.target), Array.from({ length: 1000 }, (_, i) => `/orders/${i}`));
  const opened = wire.connections - before;
  assert.ok(opened <= 200, `${opened} connections for 1000 requests`);
});

through("without sallyport nothing passes, and the answer says why; with it again, all does", async ({ gateway, wire }) => {
  const key = (await makeKey()).rawKey;
  await passes(gateway, { key });
  await wire.close();
  try {
    for (const ask of [{ key }, { key, method: "POST", body: Buffer.from("{}") }, {}]) {
      const { status, problem, headers } = await refusedAt(gateway, ask);
      assert.equal(status, 503);
      assert.equal(problem.code, "GATE_UNREACHABLE");
      reach(problem.code);
      assert.match(problem.detail, /cannot be checked/);
      assert.equal(headers["retry-after"], "5");
    }
  } finally {
    await wire.open(server.url);
  }
  await new Promise((done) => setTimeout(done, 200));
  await passes(gateway, { key });
});

// ---- an API of one's own ----

for (const [kind, file] of [["nginx", "own-api.conf"], ["caddy", "own-api.Caddyfile"]] as const)
  test(`${kind}: a registered API, whose keys come as Bearer`, async () => {
    const management = await Management.root(server);
    const api = await management.makeApi(["read:orders", "write:orders"], { audience: "https://orders.example" });
    const wire = new Wire();
    await wire.open(server.url);
    const gateway = await Gateway.start(kind, wire.address, service.address, (await root.createGateToken(kind)).token, file);
    const ask = (key: string, more: Ask = {}): Ask => ({ ...more, headers: { authorization: `Bearer ${key}`, "x-auth-user-id": "user_mine" } });
    try {
      const key = await management.makeKey({ api_id: api, org_code: tenant.employerId, scope_ids: ["read:orders"], rate_limit: null });
      const person = await management.makeUser(tenant.employerId);
      const own = await management.makeKey({ api_id: api, user_id: person, scope_ids: ["read:orders"], rate_limit: null });
      const foreign = await management.makeKey({ api_id: await management.makeApi(["read:orders"]), org_code: tenant.employerId, scope_ids: ["read:orders"] });

      const heard = await passes(gateway, ask(key.key));
      assert.deepEqual(heard.headers["x-auth-key-id"], [key.id]);
      assert.deepEqual(heard.headers["x-auth-employer-id"], [tenant.employerId]);
      assert.deepEqual(heard.headers["x-auth-scopes"], ["read:orders"]);
      assert.ok(!heard.headers["x-auth-user-id"]?.[0], "a client names itself");
      assert.equal(heard.headers["authorization"], undefined);
      assert.ok(!JSON.stringify(heard).includes(key.key));
      assert.deepEqual((await passes(gateway, ask(own.key))).headers["x-auth-user-id"], [person]);

      for (const [code, each] of [["INVALID_API_KEY", ask(foreign.key)], ["INVALID_API_KEY", ask((await makeKey()).rawKey)], ["INVALID_API_KEY", ask("nonsense")], ["MISSING_CREDENTIALS", {}], ["MISSING_CREDENTIALS", { key: key.key }]] as const)
        assert.equal((await refusedAt(gateway, each)).problem.code, code);

      const rules = [{ method: "GET", path: "/orders", scopes: "read:orders" }, { method: "POST", path: "/orders", scopes: "write:orders" }];
      const { status, body } = await server.call({ method: "PUT", target: "/api/admin/gate-rules?api=https://orders.example", fields: { cookie: `sallyport_session=${root.sessionCookie}` }, body: { rules } });
      assert.equal(status, 200, body);
      await passes(gateway, ask(key.key));
      const poor = await refusedAt(gateway, ask(key.key, { method: "POST" }));
      assert.deepEqual([poor.status, poor.problem.requiredScopes, poor.problem.keyScopes], [403, ["write:orders"], ["read:orders"]]);
      assert.equal((await refusedAt(gateway, ask(key.key, { target: "/other" }))).problem.code, "NO_RULE_MATCHES");

      const renewed = await management.good("PUT", `/api_keys/${key.id}`);
      assert.equal((await refusedAt(gateway, ask(key.key))).problem.code, "API_KEY_REVOKED");
      await passes(gateway, ask(renewed.api_key.key));
      await management.good("PATCH", `/users/${person}`, { status: "inactive" });
      assert.equal((await refusedAt(gateway, ask(own.key))).problem.code, "USER_INACTIVE");
      await management.good("DELETE", `/apis/${api}?force=true`);
      // The question is about an API that is no more: that is for the operator.
      assert.equal((await refusedAt(gateway, ask(renewed.api_key.key))).problem.code, "GATE_QUESTION_INVALID");
    } catch (error) {
      console.log(gateway.log.slice(-4000));
      throw error;
    } finally {
      await gateway.stop();
      await wire.close();
    }
  });
