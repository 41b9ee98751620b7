/** APIs of one's own, their scopes, organizations, users and plans, under /api/v1. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import { Management, refusedByManagement } from "./harness/management.js";
import { field, json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, type Tenant } from "./harness/util.js";

let server: Server;
let root: Management;
let tenant: Tenant;
let boss: Management; // an EMPLOYER_ADMIN
before(async () => {
  server = await startServer();
  root = await Management.root(server);
  tenant = await newTenant(server);
  boss = Management.withCookie(server, tenant.admin.sessionCookie!);
});
after(() => server.stop());

const audience = (): string => `https://${randomBytes(6).toString("hex")}.example`;

// ---- who may call ----

test("without a credential 401, with a malformed one 400, and never anything worse", async () => {
  const nobody = new Management(server, {});
  const missing = await nobody.call("GET", "/apis");
  assert.equal(refusedByManagement(missing, 401, "MISSING_CREDENTIALS").message, "Authentication failed");
  assert.match(field(missing, "www-authenticate") ?? "", /^Bearer /);
  for (const authorization of ["Basic dTpw", "Bearer", "Bearer  x", "Bearer a b", "Bearer a,b", "x"]) {
    const error = await nobody.bad(400, "MALFORMED_REQUEST", "GET", "/apis", undefined, { authorization });
    assert.equal(error.message, "Malformed request");
  }
  const twice = await server.call({ target: "/api/v1/apis", fields: { authorization: ["Bearer a", "Bearer b"] } });
  assert.equal(twice.status, 400);
});

test("a key that is not good is an invalid key, whatever is the matter with it", async () => {
  const nobody = new Management(server, {});
  const enterprise = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  for (const key of [inventedKey("mk_live_"), inventedKey("mk_test_"), enterprise.rawKey, "mk_live_", "x".repeat(300)]) {
    const error = await nobody.bad(401, "INVALID_API_KEY", "GET", "/apis", undefined, { authorization: `Bearer ${key}` });
    assert.equal(error.message, "Invalid API key");
  }
  const misplaced = await nobody.bad(401, "INVALID_API_KEY", "GET", "/apis", undefined, { "x-api-key": inventedKey("mk_live_") });
  assert.match(misplaced.hint, /Authorization: Bearer mk_live_/);
  const made = await root.makeKey({ api_id: "management", org_code: tenant.employerId, scope_ids: ["read:apis"] });
  await Management.withKey(server, made.key).good("GET", "/apis");
  await root.good("DELETE", `/api_keys/${made.id}`);
  assert.equal((await Management.withKey(server, made.key).bad(401, "API_KEY_REVOKED", "GET", "/apis")).message, "Invalid API key");
  await nobody.bad(401, "TOKEN_ISSUER_UNKNOWN", "GET", "/apis", undefined, { authorization: "Bearer eyJhbGciOiJSUzI1NiJ9.e30.x" });
});

test("a scope that a key lacks is named", async () => {
  const made = await root.makeKey({ api_id: "management", org_code: tenant.employerId, scope_ids: ["read:apis"] });
  const reader = Management.withKey(server, made.key);
  const error = await reader.bad(403, "INSUFFICIENT_SCOPE", "GET", "/api_keys");
  assert.equal(error.message, "Scope missing");
  assert.deepEqual(error.requiredScopes, ["read:api_keys"]);
  assert.deepEqual(error.keyScopes, ["read:apis"]);
});

test("what concerns the whole instance takes an ADMIN, or a key made for that", async () => {
  const all = (await root.good("GET", "/apis/management/scopes")).scopes.map((scope: any) => scope.key);
  const made = await root.makeKey({ api_id: "management", org_code: tenant.employerId, scope_ids: all });
  for (const caller of [boss, Management.withKey(server, made.key)]) {
    for (const [method, path, body] of [
      ["POST", "/apis", { name: "x", audience: audience() }],
      ["POST", "/organizations", { name: "x" }],
      ["GET", "/plans", undefined],
      ["POST", "/users", { email: "x@users.test", org_code: tenant.employerId }],
    ] as const)
      assert.equal((await caller.bad(403, "INSUFFICIENT_ROLE", method, path, body)).message, "Access denied");
    assert.deepEqual((await caller.good("GET", "/organizations")).organizations.map((each: any) => each.code), [tenant.employerId]);
    assert.equal((await caller.good("GET", "/users")).users.length, 2);
    await caller.bad(404, "EMPLOYER_NOT_FOUND", "GET", `/organizations/${await root.makeOrganization()}`);
  }
  const clerk = Management.withCookie(server, tenant.member.sessionCookie!);
  await clerk.bad(403, "INSUFFICIENT_ROLE", "GET", "/apis");
});

test("a key that manages the whole instance is made by an ADMIN for the own organization alone", async () => {
  const draft = { name: "k", api_id: "management", scope_ids: ["read:apis"], instance: true };
  await boss.bad(403, "INSUFFICIENT_ROLE", "POST", "/api_keys", { ...draft, org_code: tenant.employerId });
  await root.bad(403, "INSUFFICIENT_ROLE", "POST", "/api_keys", { ...draft, org_code: tenant.employerId });
  const api = await root.makeApi();
  await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys", { ...draft, api_id: api, scope_ids: [], org_code: tenant.employerId });
});

test("the contract's one odd name of a scope is taken for the regular one", async () => {
  const { api_key } = await root.good("POST", "/api_keys", { name: "k", api_id: "management", org_code: await root.makeOrganization(), scope_ids: ["delete:apis_scopes"] });
  assert.deepEqual((await root.good("GET", `/api_keys/${api_key.id}`)).api_key.scopes, ["delete:api_scopes"]);
});

test("no key gives more of the management API than it holds", async () => {
  const made = await root.makeKey({ api_id: "management", org_code: tenant.employerId, scope_ids: ["create:api_keys", "read:apis"] });
  const maker = Management.withKey(server, made.key);
  const draft = { name: "k", api_id: "management", org_code: tenant.employerId };
  await maker.good("POST", "/api_keys", { ...draft, scope_ids: ["read:apis"] }, 201);
  await maker.bad(403, "INSUFFICIENT_ROLE", "POST", "/api_keys", { ...draft, scope_ids: ["delete:api_keys"] });
});

test("calls beyond a management key's limit are told when to come back", async () => {
  const made = await root.makeKey({ api_id: "management", org_code: tenant.employerId, scope_ids: ["read:apis"], rate_limit: { requests: 1, window_seconds: 60 } });
  const caller = Management.withKey(server, made.key);
  await caller.good("GET", "/apis");
  const answer = await caller.call("GET", "/apis");
  assert.equal(refusedByManagement(answer, 429, "RATE_LIMITED").message, "Rate limit exceeded");
  assert.match(field(answer, "ratelimit-reset") ?? "", /^[1-9][0-9]*$/);
  assert.equal(field(answer, "ratelimit-reset"), field(answer, "retry-after"));
});

// ---- APIs ----

test("the built-in APIs are there from the first start, and stay as they are", async () => {
  const { apis } = await root.good("GET", "/apis?expand=scopes");
  const enterprise = apis.find((api: any) => api.id === "enterprise");
  const management = apis.find((api: any) => api.id === "management");
  assert.equal(enterprise.is_management_api, false);
  assert.equal(management.is_management_api, true);
  assert.equal(management.audience, `${server.url}/api`);
  assert.ok(management.scopes.some((scope: any) => scope.key === "read:api_keys"));
  assert.ok(management.scopes.every((scope: any) => /^api_scope_[0-9a-f]{32}$/.test(scope.id)));
  for (const id of ["enterprise", "management"]) {
    await root.bad(400, "API_BUILT_IN", "DELETE", `/apis/${id}`);
    await root.bad(400, "API_BUILT_IN", "PATCH", `/apis/${id}`, { name: "x" });
    await root.bad(400, "API_BUILT_IN", "POST", `/apis/${id}/scopes`, { key: "x" });
  }
  await root.bad(400, "API_BUILT_IN", "DELETE", `/apis/management/scopes/${management.scopes[0].id}`);
  await root.bad(400, "API_BUILT_IN", "PATCH", `/apis/management/scopes/${management.scopes[0].id}`, { description: "x" });
});

test("an API is registered, read, changed and deleted", async () => {
  const its = audience();
  const answer = await root.call("POST", "/apis", { name: "Orders", audience: its });
  assert.equal(answer.status, 200);
  const made = json(answer);
  assert.equal(made.code, "OK");
  assert.match(made.api.id, /^[0-9a-f]{32}$/);
  const { api } = await root.good("GET", `/apis/${made.api.id}`);
  assert.deepEqual({ ...api, created_on: "" }, {
    id: made.api.id,
    name: "Orders",
    audience: its,
    is_management_api: false,
    is_built_in: false,
    key_prefix: "k",
    credential_header: "authorization",
    places: null,
    holds_imported_keys: false,
    created_on: "",
    scopes: [],
  });
  await root.good("PATCH", `/apis/${api.id}`, { name: "Orders 2", key_prefix: "ord", credential_header: "X-Orders-Key" });
  const changed = (await root.good("GET", `/apis/${api.id}`)).api;
  assert.deepEqual([changed.name, changed.key_prefix, changed.credential_header], ["Orders 2", "ord", "x-orders-key"]);
  assert.equal((await root.good("DELETE", `/apis/${api.id}`)).code, "API_DELETED");
  for (const method of ["GET", "DELETE"]) await root.bad(404, "API_NOT_FOUND", method, `/apis/${api.id}`);
  await root.good("POST", "/apis", { name: "Orders", audience: its }, 200);
});

test("the list is by name", async () => {
  for (const name of ["zz last", "aa first"]) await root.makeApi([], { name });
  const names = (await root.good("GET", "/apis")).apis.map((api: any) => api.name);
  assert.deepEqual(names, [...names].sort());
  await root.bad(400, "INVALID_REQUEST", "GET", "/apis?expand=keys");
});

test("what an API cannot be", async () => {
  const its = audience();
  await root.makeApi([], { audience: its });
  for (const draft of [
    {},
    { name: "x" },
    { audience: audience() },
    { name: "", audience: audience() },
    { name: "x".repeat(65), audience: audience() },
    { name: "x", audience: "" },
    { name: "x", audience: "x".repeat(65) },
    { name: "x", audience: its },
    { name: "x", audience: `${server.url}/api` },
    { name: "x", audience: "enterprise" },
    { name: "x", audience: `${server.url}/api/v1` },
    { name: 5, audience: audience() },
    { name: "x", audience: audience(), key_prefix: "mt" },
    { name: "x", audience: audience(), key_prefix: "K" },
    { name: "x", audience: audience(), key_prefix: "k_" },
    { name: "x", audience: audience(), key_prefix: "ninechars" },
    { name: "x", audience: audience(), credential_header: "Cookie" },
    { name: "x", audience: audience(), credential_header: "a b" },
    { name: "x", audience: audience(), colour: "blue" },
  ])
    await root.bad(400, "INVALID_REQUEST", "POST", "/apis", draft);
  await root.good("POST", "/apis", { name: "é".repeat(64), audience: audience() }, 200);
  const id = await root.makeApi();
  assert.match((await root.bad(400, "INVALID_REQUEST", "PATCH", `/apis/${id}`, { audience: "y" })).errors[0].reason, /fixed/);
  for (const [fields, code] of [
    [{ "content-type": "text/plain" }, "UNSUPPORTED_MEDIA_TYPE"],
    [{}, "MALFORMED_JSON"],
  ] as const) {
    const answer = await server.call({ method: "POST", target: "/api/v1/apis", fields: { ...root.fields, ...fields }, body: "{" });
    assert.equal(refusedByManagement(answer, 400, code).message, "Invalid request format");
  }
});

// ---- scopes ----

test("scopes are defined, described and deleted, and never renamed", async () => {
  const id = await root.makeApi();
  const { scope } = await root.good("POST", `/apis/${id}/scopes`, { key: "read:orders", description: "Reads orders." }, 200);
  assert.match(scope.id, /^api_scope_[0-9a-f]{32}$/);
  const path = `/apis/${id}/scopes/${scope.id}`;
  assert.deepEqual((await root.good("GET", path)).scope, { id: scope.id, key: "read:orders", description: "Reads orders." });
  await root.good("PATCH", path, { description: "All of them." });
  assert.equal((await root.good("GET", `/apis/${id}/scopes`)).scopes[0].description, "All of them.");
  await root.bad(400, "INVALID_REQUEST", "PATCH", path, { key: "orders", description: "x" });
  await root.bad(400, "INVALID_REQUEST", "PATCH", path, {});
  for (const key of ["", "x".repeat(65), "read orders", "read:orders", " x", "é"]) await root.bad(400, "INVALID_REQUEST", "POST", `/apis/${id}/scopes`, { key });
  await root.good("POST", `/apis/${id}/scopes`, { key: "x".repeat(64) }, 200);
  await root.good("DELETE", path);
  for (const method of ["GET", "DELETE"]) await root.bad(404, "API_SCOPE_NOT_FOUND", method, path);
  await root.bad(404, "API_SCOPE_NOT_FOUND", "PATCH", path, { description: "x" });
  const other = await root.makeApi(["x"]);
  const foreign = (await root.good("GET", `/apis/${other}/scopes`)).scopes[0].id;
  await root.bad(404, "API_SCOPE_NOT_FOUND", "GET", `/apis/${id}/scopes/${foreign}`);
  await root.bad(404, "API_NOT_FOUND", "POST", "/apis/nothing/scopes", { key: "x" });
  await root.bad(404, "API_NOT_FOUND", "PATCH", `/apis/nothing/scopes/${foreign}`, { description: "x" });
});

test("an API has at most 64 scopes, and room again when one goes", async () => {
  const id = await root.makeApi(Array.from({ length: 64 }, (_, i) => `s:${i}`));
  assert.match((await root.bad(400, "INVALID_REQUEST", "POST", `/apis/${id}/scopes`, { key: "s:64" })).errors[0].reason, /at most 64/);
  const { scopes } = await root.good("GET", `/apis/${id}/scopes`);
  assert.equal(scopes.length, 64);
  const org_code = await root.makeOrganization();
  const made = await root.makeKey({ api_id: id, org_code, scope_ids: scopes.map((scope: any) => scope.id) });
  await root.good("DELETE", `/apis/${id}/scopes/${scopes[5].id}?force=true`);
  await root.good("POST", `/apis/${id}/scopes`, { key: "s:64" }, 200);
  const held = (await root.verify(made.key)).scopes;
  assert.equal(held.length, 63);
  assert.ok(!held.includes("s:64"), "the bit of a deleted scope is another's now, and no key's");
});

test("what live keys use is deleted only by force, and they are named first", async () => {
  const id = await root.makeApi(["read:x", "write:x"]);
  const { scopes } = await root.good("GET", `/apis/${id}/scopes`);
  const org_code = await root.makeOrganization();
  const reader = await root.makeKey({ api_id: id, org_code, scope_ids: ["read:x"] });
  const writer = await root.makeKey({ api_id: id, org_code, scope_ids: ["read:x", "write:x"] });
  const inUse = await root.bad(400, "API_IN_USE", "DELETE", `/apis/${id}/scopes/${scopes[1].id}`);
  assert.deepEqual([inUse.affected_keys, inUse.affected_key_ids], [1, [writer.id]]);
  assert.deepEqual((await root.verify(writer.key)).scopes, ["read:x", "write:x"]);
  const gone = await root.good("DELETE", `/apis/${id}/scopes/${scopes[1].id}?force=true`);
  assert.deepEqual([gone.affected_keys, gone.affected_key_ids], [1, [writer.id]]);
  assert.deepEqual((await root.verify(writer.key)).scopes, ["read:x"]);
  await root.good("POST", `/apis/${id}/scopes`, { key: "write:x" });
  assert.deepEqual((await root.verify(writer.key)).scopes, ["read:x"], "a scope of the same name is another one");

  const used = await root.bad(400, "API_IN_USE", "DELETE", `/apis/${id}`);
  assert.deepEqual([used.affected_keys, used.affected_key_ids], [2, [reader.id, writer.id]]);
  assert.equal((await root.verify(reader.key)).is_valid, true);
  await root.bad(400, "INVALID_REQUEST", "DELETE", `/apis/${id}?force=yes`);
  const deleted = await root.good("DELETE", `/apis/${id}?force=true`);
  assert.deepEqual([deleted.code, deleted.affected_keys], ["API_DELETED", 2]);
  for (const key of [reader, writer]) {
    assert.equal((await root.verify(key.key)).is_valid, false);
    assert.equal((await root.good("GET", `/api_keys/${key.id}`)).api_key.status, "revoked");
  }
});

// ---- organizations, users, plans ----

test("organizations are the employers, and users their people", async () => {
  const { organization } = await root.good("POST", "/organizations", { name: "Acme" }, 201);
  const admin = await server.admin();
  const { employers } = await admin.listEmployers({ limit: 1000 });
  assert.ok(employers.some((employer) => employer.id === organization.code && employer.name === "Acme"));
  const user = await root.makeUser(organization.code);
  assert.equal((await root.good("GET", `/users/${user}`)).user.org_code, organization.code);
  assert.deepEqual((await root.good("GET", `/organizations/${organization.code}`)).organization, organization);
  await root.bad(400, "INVALID_REQUEST", "POST", "/organizations", {});
  await root.bad(400, "INVALID_REQUEST", "POST", "/users", { email: "nobody", org_code: organization.code });
  await root.bad(404, "EMPLOYER_NOT_FOUND", "POST", "/users", { email: `${randomBytes(6).toString("hex")}@users.test`, org_code: "emp_x" });
  await root.bad(404, "USER_NOT_FOUND", "GET", "/users/user_x");
  await root.bad(404, "USER_NOT_FOUND", "PATCH", "/users/user_x", { status: "inactive" });
  await root.bad(404, "EMPLOYER_NOT_FOUND", "PATCH", "/organizations/emp_x", { name: "x" });
  const page = await root.good("GET", "/organizations?page_size=1");
  const next = await root.good("GET", `/organizations?page_size=1&next_token=${encodeURIComponent(page.next_token)}`);
  assert.notEqual(next.organizations[0].code, page.organizations[0].code);
  await root.bad(400, "INVALID_REQUEST", "GET", "/organizations?page_size=501");
  await root.bad(400, "INVALID_CURSOR", "GET", "/users?next_token=x");
  assert.equal((await root.good("GET", `/users?org_code=${organization.code}`)).users.length, 1);
});

test("a key makes and changes no ADMIN", async () => {
  const org_code = await root.makeOrganization();
  const email = `${randomBytes(6).toString("hex")}@users.test`;
  await root.bad(403, "INSUFFICIENT_ROLE", "POST", "/users", { email, org_code, role: "ADMIN" });
  const user = await root.makeUser(org_code);
  await root.bad(403, "INSUFFICIENT_ROLE", "PATCH", `/users/${user}`, { role: "ADMIN" });
  const session = Management.withCookie(server, (await server.admin()).sessionCookie!);
  await session.good("PATCH", `/users/${user}`, { role: "ADMIN" });
  await root.bad(403, "INSUFFICIENT_ROLE", "PATCH", `/users/${user}`, { role: "MEMBER" });
});

test("a plan says what keys may be for, when they are made and at each use", async () => {
  const api = await root.makeApi(["read:x", "write:x"]);
  const { plan } = await root.good("POST", "/plans", { name: `Basic ${api}`, max_keys: 2, rate_limit: { requests: 7, window_seconds: 30 }, apis: [{ api_id: api, scopes: ["read:x", "write:x"] }] }, 201);
  assert.deepEqual(plan.apis, [{ api_id: api, scopes: ["read:x", "write:x"] }]);
  assert.deepEqual((await root.good("GET", `/plans/${plan.id}`)).plan, plan);
  const org_code = await root.makeOrganization({ plan_id: plan.id });
  const made = await root.makeKey({ api_id: api, org_code, scope_ids: ["read:x", "write:x"] });
  assert.deepEqual((await root.good("GET", `/api_keys/${made.id}`)).api_key.rate_limit, { requests: 7, window_seconds: 30, algorithm: "gcra" });
  await root.good("PATCH", `/plans/${plan.id}`, { apis: [{ api_id: api, scopes: ["read:x"] }] });
  assert.deepEqual((await root.verify(made.key)).scopes, ["read:x"]);
  assert.equal((await root.verify(made.key, { scopes: ["write:x"] })).code, "INSUFFICIENT_SCOPE");
  const refused = await root.bad(400, "INVALID_SCOPE", "POST", "/api_keys", { name: "k", api_id: api, org_code, scope_ids: ["write:x"] });
  assert.equal(refused.message, "Invalid scope");
  assert.match(refused.hint, new RegExp(`Basic ${api}`));
  const elsewhere = await root.makeApi(["y"]);
  await root.bad(400, "INVALID_SCOPE", "POST", "/api_keys", { name: "k", api_id: elsewhere, org_code });
  await root.makeKey({ api_id: api, org_code });
  await root.bad(409, "API_KEY_LIMIT", "POST", "/api_keys", { name: "k", api_id: api, org_code });
  await root.good("PATCH", `/organizations/${org_code}`, { plan_id: null });
  assert.deepEqual((await root.verify(made.key)).scopes, ["read:x", "write:x"]);
});

test("there are at most a thousand APIs", async () => {
  const { apis } = await root.good("GET", "/apis");
  const room = 1000 - apis.filter((api: { id: string }) => api.id.length === 32).length;
  server.instance.sql(
    "INSERT INTO api (id, name, audience, key_prefix, credential, holds_imported, next_scope, places, created_at_ms, updated_at_ms, deleted_at_ms)" +
      ` WITH RECURSIVE filler (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM filler WHERE i < ${room})` +
      " SELECT 'filler' || i, 'filler', 'filler' || i, 'k', 'authorization', 0, 1, '', 1, 1, 0 FROM filler");
  const draft = { name: "one more", audience: "https://one-more.example" };
  await root.bad(400, "API_LIMIT", "POST", "/apis", draft);
  server.instance.sql("DELETE FROM api WHERE id = 'filler1'");
  await root.good("POST", "/apis", draft, 200);
  server.instance.sql("DELETE FROM api WHERE name = 'filler'");
});

test("what a plan cannot be", async () => {
  const api = await root.makeApi(["x"]);
  const { plan } = await root.good("POST", "/plans", { name: `P ${api}` }, 201);
  for (const draft of [
    {},
    { name: `P ${api}` },
    { name: "p", max_keys: 0 },
    { name: "p", rate_limit: {} },
    { name: "p", rate_limit: { requests: 0 } },
    { name: "p", apis: {} },
    { name: "p", apis: [{ api_id: "nothing" }] },
    { name: "p", apis: [{ api_id: api, scopes: ["y"] }] },
    { name: "p", apis: [{ api_id: api }, { api_id: api }] },
  ])
    await root.bad(400, "INVALID_REQUEST", "POST", "/plans", draft);
  await root.bad(404, "PLAN_NOT_FOUND", "GET", "/plans/plan_x");
  await root.bad(404, "PLAN_NOT_FOUND", "PATCH", "/plans/plan_x", { name: "x" });
  await root.bad(404, "PLAN_NOT_FOUND", "DELETE", "/plans/plan_x");
  const org_code = await root.makeOrganization({ plan_id: plan.id });
  await root.bad(400, "INVALID_REQUEST", "PATCH", `/organizations/${org_code}`, { plan_id: "plan_x" });
  await root.bad(400, "PLAN_IN_USE", "DELETE", `/plans/${plan.id}`);
  await root.good("PATCH", `/organizations/${org_code}`, { plan_id: null });
  await root.good("DELETE", `/plans/${plan.id}`);
  assert.ok((await root.good("GET", "/plans")).plans.every((each: any) => each.id !== plan.id));
});
