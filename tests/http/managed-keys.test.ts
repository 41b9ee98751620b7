/** Keys of own APIs: made, listed, changed, rotated, revoked and verified under /api/v1. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import { Management, refusedByManagement, type Made } from "./harness/management.js";
import { json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant } from "./harness/util.js";

let server: Server;
let root: Management;
let api: string;
let org: string;
before(async () => {
  server = await startServer();
  root = await Management.root(server);
  api = await root.makeApi(["read:users", "write:users", "read:user"]);
  org = await root.makeOrganization();
});
after(() => server.stop());

const makeKey = (more: object = {}): Promise<Made> => root.makeKey({ api_id: api, org_code: org, scope_ids: ["read:users"], rate_limit: null, ...more });
const UNKNOWN = { is_valid: false, key_id: null, status: null, scopes: [], org_code: null, user_id: null, last_verified_on: null, verification_count: 0 };

// ---- create ----

test("a key is created for an organization, and its secret is shown once", async () => {
  const answer = await root.call("POST", "/api_keys", { name: "ci", type: "organization", api_id: api, org_code: org, scope_ids: ["read:users"] });
  assert.equal(answer.status, 201);
  const made = json(answer);
  assert.deepEqual([made.code, made.message], ["API_KEY_CREATED", "API key created"]);
  assert.match(made.api_key.id, /^api_key_[0-9a-f]{32}$/);
  assert.match(made.api_key.key, /^k_live_[0-9a-f]{64}$/);
  const { api_key } = await root.good("GET", `/api_keys/${made.api_key.id}`);
  assert.ok(!JSON.stringify(api_key).includes(made.api_key.key));
  assert.deepEqual(
    [api_key.type, api_key.status, api_key.key_prefix, api_key.key_suffix, api_key.api_ids, api_key.scopes, api_key.org_code, api_key.user_id, api_key.organization_id, api_key.verification_count],
    ["organization", "active", "k_live", made.api_key.key.slice(-4), [api], ["read:users"], org, null, org, 0],
  );
});

test("or for a user, whose alone it is", async () => {
  const user_id = await root.makeUser(org);
  const made = await root.makeKey({ api_id: api, user_id, scope_ids: null });
  const found = await root.verify(made.key);
  assert.deepEqual([found.is_valid, found.org_code, found.user_id, found.scopes], [true, null, user_id, []]);
  const { api_key } = await root.good("GET", `/api_keys/${made.id}`);
  assert.deepEqual([api_key.type, api_key.org_code, api_key.user_id], ["user", null, user_id]);
});

test("the API by id or audience, scopes by id or key", async () => {
  const { api: its } = await root.good("GET", `/apis/${api}`);
  const made = await root.makeKey({ api_id: its.audience, org_code: org, scope_ids: [its.scopes[0].id, "write:users"] });
  assert.deepEqual((await root.verify(made.key)).scopes.sort(), ["read:users", "write:users"]);
});

test("what a key cannot be made of, and nothing is stored then", async () => {
  const before = (await root.good("GET", `/api_keys?org_code=${org}&page_size=500`)).api_keys.length;
  const inactive = await root.makeOrganization({ status: "inactive" });
  const user_id = await root.makeUser(org);
  const good = { name: "k", api_id: api, org_code: org };
  for (const [draft, code] of [
    [{}, "INVALID_REQUEST"],
    [{ ...good, name: "" }, "INVALID_REQUEST"],
    [{ api_id: api, org_code: org }, "INVALID_REQUEST"],
    [{ ...good, name: "x".repeat(101) }, "INVALID_REQUEST"],
    [{ ...good, api_id: "nothing" }, "INVALID_REQUEST"],
    [{ name: "k", org_code: org }, "INVALID_REQUEST"],
    [{ name: "k", api_id: api }, "INVALID_REQUEST"],
    [{ ...good, user_id }, "INVALID_REQUEST"],
    [{ ...good, org_code: "emp_nothing" }, "INVALID_REQUEST"],
    [{ name: "k", api_id: api, user_id: "user_nothing" }, "INVALID_REQUEST"],
    [{ ...good, org_code: inactive }, "INVALID_REQUEST"],
    [{ ...good, type: "environment" }, "INVALID_REQUEST"],
    [{ ...good, type: "user" }, "INVALID_REQUEST"],
    [{ ...good, scope_ids: "read:users" }, "INVALID_REQUEST"],
    [{ ...good, scope_ids: ["nothing"] }, "SCOPE_UNKNOWN"],
    [{ ...good, scope_ids: ["cohort:read"] }, "SCOPE_UNKNOWN"],
    [{ ...good, scope_ids: ["read:users", "read:users"] }, "INVALID_SCOPE"],
    [{ ...good, expires_on: "2001-01-01T00:00:00Z" }, "INVALID_REQUEST"],
    [{ ...good, allowed_ip_cidrs: ["10.0.0.0/99"] }, "INVALID_REQUEST"],
    [{ ...good, metadata: { a: 1 } }, "INVALID_REQUEST"],
    [{ ...good, colour: "blue" }, "INVALID_REQUEST"],
  ] as const)
    await root.bad(400, code, "POST", "/api_keys", draft);
  assert.equal((await root.bad(400, "SCOPE_UNKNOWN", "POST", "/api_keys", { ...good, scope_ids: ["x"] })).message, "Scope not found");
  assert.equal((await root.good("GET", `/api_keys?org_code=${org}&page_size=500`)).api_keys.length, before);
});

// ---- list ----

test("lists are newest first, in pages, and can be narrowed", async () => {
  const org_code = await root.makeOrganization();
  const user_id = await root.makeUser(org_code);
  const made: string[] = [];
  for (let i = 0; i < 5; i++) made.unshift((await root.makeKey({ api_id: api, org_code })).id);
  const own = (await root.makeKey({ api_id: api, user_id })).id;
  await root.good("PATCH", `/api_keys/${made[0]}`, { status: "inactive" });
  await root.good("DELETE", `/api_keys/${made[1]}`);
  const list = (query: string): Promise<any> => root.good("GET", `/api_keys?org_code=${org_code}${query}`);
  const ids = async (query: string): Promise<string[]> => (await list(query)).api_keys.map((key: any) => key.id);
  assert.deepEqual(await ids(""), [own, ...made]);
  assert.deepEqual(await ids("&key_type=organization"), made);
  assert.deepEqual(await ids("&key_type=user"), [own]);
  assert.deepEqual(await ids(`&user_id=${user_id}`), [own]);
  assert.deepEqual(await ids("&status=inactive"), [made[0]]);
  assert.deepEqual(await ids("&status=revoked"), [made[1]]);
  assert.deepEqual(await ids("&status=active"), [own, ...made.slice(2)]);
  const seen: string[] = [];
  for (let after = ""; ; ) {
    const page = await list(`&page_size=2${after && `&starting_after=${after}`}`);
    assert.ok(page.api_keys.length <= 2);
    seen.push(...page.api_keys.map((key: any) => key.id));
    if (!page.has_more) break;
    after = seen.at(-1)!;
  }
  assert.deepEqual(seen, [own, ...made]);
  for (const query of ["page_size=0", "page_size=501", "page_size=x", "page_size=1.5", "key_type=environment", "status=expired", "colour=blue"])
    await root.bad(400, "INVALID_REQUEST", "GET", `/api_keys?${query}`);
  await root.bad(400, "INVALID_CURSOR", "GET", "/api_keys?starting_after=api_key_nothing");
});

// ---- change, rotate, revoke ----

test("a key is renamed, switched off and on; scopes are narrowed by anybody and widened by people", async () => {
  const made = await makeKey({ scope_ids: ["read:users", "write:users"] });
  const path = `/api_keys/${made.id}`;
  await root.good("PATCH", path, { name: "other", metadata: { team: "a" } });
  assert.deepEqual([(await root.good("GET", path)).api_key.name, (await root.good("GET", path)).api_key.metadata], ["other", { team: "a" }]);
  await root.good("PATCH", path, { status: "inactive" });
  const off = await root.verify(made.key);
  assert.deepEqual([off.is_valid, off.code, off.status, off.key_id, off.org_code], [false, "API_KEY_INACTIVE", "inactive", made.id, org]);
  await root.bad(400, "API_KEY_NOT_ACTIVE", "PUT", path);
  await root.good("PATCH", path, { status: "active" });
  await root.good("PATCH", path, { scope_ids: ["read:users"] });
  assert.deepEqual((await root.verify(made.key)).scopes, ["read:users"]);
  await root.bad(403, "INSUFFICIENT_ROLE", "PATCH", path, { scope_ids: ["read:users", "write:users"] });
  const session = Management.withCookie(server, (await server.admin()).sessionCookie!);
  await session.good("PATCH", path, { scope_ids: ["read:users", "write:users"] });
  assert.deepEqual((await root.verify(made.key)).scopes, ["read:users", "write:users"]);
  await root.bad(400, "INVALID_REQUEST", "PATCH", path, { status: "revoked" });
  await root.bad(404, "API_KEY_NOT_FOUND", "PATCH", "/api_keys/api_key_x", { name: "x" });
});

test("rotation keeps the id, and the old secret fails from that moment", async () => {
  const made = await makeKey();
  const answer = await root.call("PUT", `/api_keys/${made.id}`);
  assert.equal(answer.status, 201);
  const rotated = json(answer);
  assert.equal(rotated.code, "API_KEY_ROTATED");
  assert.equal(rotated.api_key.id, made.id);
  const old = await root.verify(made.key);
  assert.deepEqual([old.is_valid, old.code, old.status], [false, "API_KEY_REVOKED", "revoked"]);
  assert.equal((await root.verify(rotated.api_key.key)).is_valid, true);
  const again = await root.good("PUT", `/api_keys/${made.id}`, { overlap_seconds: 60 }, 201);
  assert.equal((await root.verify(rotated.api_key.key)).is_valid, true, "asked for an overlap");
  assert.equal((await root.verify(again.api_key.key)).is_valid, true);
  await root.bad(404, "API_KEY_NOT_FOUND", "PUT", "/api_keys/api_key_x");
});

test("of two rotations at once the last secret alone is good", async () => {
  const made = await makeKey();
  const both = await Promise.all([1, 2].map(() => root.good("PUT", `/api_keys/${made.id}`, undefined, 201)));
  const valid = await Promise.all(both.map(async (each) => (await root.verify(each.api_key.key)).is_valid));
  assert.equal(valid.filter(Boolean).length, 1);
});

test("revoking is at once, for good, and no error a second time", async () => {
  const made = await makeKey();
  const path = `/api_keys/${made.id}`;
  for (let i = 0; i < 2; i++) assert.deepEqual(await root.good("DELETE", path, undefined, 200), { code: "OK", message: "Success" });
  const found = await root.verify(made.key);
  assert.deepEqual([found.is_valid, found.code, found.status, found.key_id], [false, "API_KEY_REVOKED", "revoked", made.id]);
  await root.bad(400, "API_KEY_NOT_ACTIVE", "PATCH", path, { status: "active" });
  await root.bad(400, "API_KEY_NOT_ACTIVE", "PUT", path);
  await root.bad(404, "API_KEY_NOT_FOUND", "DELETE", "/api_keys/api_key_x");
  assert.equal((await root.good("GET", path)).api_key.status, "revoked");
});

// ---- verify ----

test("a good key is verified, counted and dated", async () => {
  const made = await makeKey();
  const found = await root.verify(made.key);
  assert.deepEqual(
    { ...found, last_verified_on: "" },
    { code: "API_KEY_VERIFIED", message: "API key verified", is_valid: true, key_id: made.id, status: "active", scopes: ["read:users"], org_code: org, user_id: null, last_verified_on: "", verification_count: 1 },
  );
  assert.equal((await root.verify(made.key, { client_address: "203.0.113.9" })).verification_count, 2);
});

test("whatever is not known is answered alike", async () => {
  const made = await makeKey();
  const elsewhere = await root.makeApi();
  for (const [key, more] of [
    [inventedKey("k_live_"), {}],
    [inventedKey("zz_live_"), {}],
    [made.key.slice(0, -1), {}],
    [`${made.key}0`, {}],
    [made.key.toUpperCase(), {}],
    [made.key.replace("k_live_", "k_test_"), {}],
    ["x", {}],
    [made.key, { api_id: elsewhere }],
    [made.key, { api_id: "enterprise" }],
    [made.key, { audience: `${server.url}/api` }],
  ] as const) {
    const { code, message, ...rest } = await root.verify(key, more);
    assert.deepEqual([code, message, rest], ["INVALID_API_KEY", "The API key is not valid.", UNKNOWN], key);
  }
  assert.equal((await root.verify(made.key, { api_id: api })).is_valid, true);
});

test("what cannot be a question is refused", async () => {
  for (const body of [{}, { api_key: 5 }, { api_key: "" }, { api_key: null }, { api_key: "x".repeat(9000) }, { api_key: "x", api_id: "nothing" }, { api_key: "x", audience: "nothing" }, { api_key: "x", scopes: "a" }, { api_key: "x", scopes: [1] }, { api_key: "x", client_address: "nowhere" }])
    await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/verify", body);
  for (const [fields, body, code] of [
    [{}, "{", "MALFORMED_JSON"],
    [{}, '{"api_key":"a","api_key":"b"}', "MALFORMED_JSON"],
    [{}, '{"api_key":"a\\u0000b"}', "MALFORMED_JSON"],
    [{ "content-type": "text/plain" }, "{}", "UNSUPPORTED_MEDIA_TYPE"],
  ] as const) {
    const answer = await server.call({ method: "POST", target: "/api/v1/api_keys/verify", fields: { ...root.fields, ...fields }, body });
    refusedByManagement(answer, 400, code);
  }
  await new Management(server, {}).bad(401, "MISSING_CREDENTIALS", "POST", "/api_keys/verify", { api_key: "x" });
  const blind = await root.makeKey({ api_id: "management", org_code: org, scope_ids: ["create:api_keys"] });
  assert.equal((await Management.withKey(server, blind.key).bad(403, "INSUFFICIENT_SCOPE", "POST", "/api_keys/verify", { api_key: "x" })).message, "Scope missing");
});

test("scopes that are wanted are all needed, to the letter", async () => {
  const made = await makeKey({ scope_ids: ["read:users"] });
  assert.equal((await root.verify(made.key, { scopes: ["read:users"] })).is_valid, true);
  for (const scopes of [["read:user"], ["read:users", "write:users"], ["READ:USERS"], ["nothing"]]) {
    const found = await root.verify(made.key, { scopes });
    assert.deepEqual([found.is_valid, found.code, found.missing_scopes], [false, "INSUFFICIENT_SCOPE", scopes.filter((scope) => scope !== "read:users")]);
  }
  const none = await makeKey({ scope_ids: [] });
  assert.equal((await root.verify(none.key, { scopes: ["read:users"] })).is_valid, false);
});

test("address, time and limit are looked at", async () => {
  const placed = await makeKey({ allowed_ip_cidrs: ["203.0.113.0/24"] });
  assert.equal((await root.verify(placed.key, { client_address: "203.0.113.9" })).is_valid, true);
  assert.equal((await root.verify(placed.key, { client_address: "198.51.100.1" })).code, "API_KEY_IP_NOT_ALLOWED");
  assert.equal((await root.verify(placed.key)).code, "API_KEY_IP_NOT_ALLOWED");
  const future = await makeKey({ not_before: "2090-01-01T00:00:00Z" });
  const early = await root.verify(future.key);
  assert.deepEqual([early.code, early.status], ["API_KEY_NOT_YET_VALID", "inactive"]);
  const limited = await makeKey({ rate_limit: { requests: 1, window_seconds: 60 } });
  assert.equal((await root.verify(limited.key)).is_valid, true);
  const over = await root.verify(limited.key);
  assert.deepEqual([over.is_valid, over.code], [false, "RATE_LIMITED"]);
  assert.ok(over.retry_after_seconds >= 1);
});

// ---- tenants ----

test("an organization sees, changes and verifies its own keys alone", async () => {
  const [a, b] = [await newTenant(server), await newTenant(server)];
  const boss = Management.withCookie(server, a.admin.sessionCookie!);
  const mine = await boss.makeKey({ api_id: api, org_code: a.employerId });
  const theirs = await root.makeKey({ api_id: api, org_code: b.employerId });
  assert.deepEqual((await boss.good("GET", "/api_keys")).api_keys.map((key: any) => key.id), [mine.id]);
  assert.deepEqual((await boss.good("GET", `/api_keys?org_code=${b.employerId}`)).api_keys, []);
  await boss.bad(400, "INVALID_CURSOR", "GET", `/api_keys?starting_after=${theirs.id}`);
  for (const [method, body] of [["GET", undefined], ["PUT", undefined], ["PATCH", { name: "x" }], ["DELETE", undefined]] as const) {
    const foreign = await boss.call(method, `/api_keys/${theirs.id}`, body);
    const absent = await boss.call(method, `/api_keys/api_key_${"0".repeat(32)}`, body);
    const plain = (text: string): string => text.replace(/"request_id":"[^"]*"/, "");
    assert.equal(foreign.status, 404);
    assert.equal(plain(foreign.body), plain(absent.body));
  }
  await boss.bad(400, "INVALID_REQUEST", "POST", "/api_keys", { name: "k", api_id: api, org_code: b.employerId });
  const { code, message, ...rest } = await boss.verify(theirs.key);
  assert.deepEqual([code, message, rest], ["INVALID_API_KEY", "The API key is not valid.", UNKNOWN]);
  assert.equal((await boss.verify(mine.key)).is_valid, true);
  assert.equal((await boss.good("POST", "/api_keys/revoke", { api_id: api, dry_run: true })).affected, 1);
  assert.equal((await root.verify(theirs.key)).is_valid, true);
});

test("keys stop with their owner at the next request", async () => {
  const org_code = await root.makeOrganization();
  const user_id = await root.makeUser(org_code);
  const [ofOrg, ofUser] = [await root.makeKey({ api_id: api, org_code }), await root.makeKey({ api_id: api, user_id })];
  assert.equal((await root.verify(ofUser.key)).is_valid, true);
  await root.good("PATCH", `/users/${user_id}`, { status: "inactive" });
  const gone = await root.verify(ofUser.key);
  assert.deepEqual([gone.is_valid, gone.code], [false, "USER_INACTIVE"]);
  assert.equal((await root.verify(ofOrg.key)).is_valid, true);
  await root.good("PATCH", `/organizations/${org_code}`, { status: "inactive" });
  assert.equal((await root.verify(ofOrg.key)).code, "EMPLOYER_INACTIVE");
  await root.good("PATCH", `/organizations/${org_code}`, { status: "active", is_approved: false });
  assert.equal((await root.verify(ofOrg.key)).code, "EMPLOYER_NOT_APPROVED");
});

// ---- many ----

test("keys are revoked by what they have in common", async () => {
  const [mine, other] = [await root.makeApi(), await root.makeApi()];
  const org_code = await root.makeOrganization();
  const keys: Made[] = [];
  for (let i = 0; i < 3; i++) keys.push(await root.makeKey({ api_id: mine, org_code }));
  const kept = await root.makeKey({ api_id: other, org_code });
  const dry = await root.good("POST", "/api_keys/revoke", { org_code, api_id: mine, dry_run: true });
  assert.deepEqual([dry.affected, dry.revoked, dry.dry_run], [3, 0, true]);
  assert.equal((await root.verify(keys[0]!.key)).is_valid, true);
  assert.equal((await root.good("POST", "/api_keys/revoke", { org_code, api_id: mine, created_before: "2001-01-01T00:00:00Z" })).revoked, 0);
  assert.equal((await root.good("POST", "/api_keys/revoke", { org_code, api_id: mine })).revoked, 3);
  for (const key of keys) assert.equal((await root.verify(key.key)).is_valid, false);
  assert.equal((await root.verify(kept.key)).is_valid, true);
  await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/revoke", {});
});

test("the report names the keys that want looking after, and why", async () => {
  const api = await root.makeApi(["read:a", "read:b"]), one = await root.makeApi(["read:a"]);
  const org_code = await root.makeOrganization(), person = await root.makeUser(org_code);
  const make = async (more: object = {}): Promise<string> => (await root.makeKey({ api_id: api, org_code, scope_ids: ["read:a"], ...more })).id;
  const young = await make(), wide = await make({ scope_ids: ["read:a", "read:b"] }), never = await make(), rested = await make(), rotated = await make({ scope_ids: null }), gone = await make(), own = await make({ api_id: one, org_code: undefined, user_id: person });
  await root.good("DELETE", `/api_keys/${gone}`);
  await root.good("PUT", `/api_keys/${rotated}`);
  const ago = (days: number): number => Date.now() - days * 86_400_000;
  const age = (id: string, what: string): void => void server.instance.sql(`UPDATE api_key SET ${what} WHERE id = '${id}'`);
  age(never, `created_at_ms = ${ago(40)}`);
  age(rested, `created_at_ms = ${ago(100)}, last_used_at_ms = ${ago(31)}`);
  age(rotated, `created_at_ms = ${ago(200)}, last_used_at_ms = ${ago(29)}`);
  age(gone, `created_at_ms = ${ago(300)}`);
  age(own, `created_at_ms = ${ago(95)}, last_used_at_ms = ${ago(1)}`);

  const report = async (more = ""): Promise<Record<string, string[]>> => {
    const found = [];
    for (let after = ""; ; ) {
      const page = await root.good("GET", `/api_keys/report?org_code=${org_code}&page_size=2${more}${after && `&starting_after=${after}`}`);
      found.push(...page.api_keys);
      assert.ok(page.api_keys.length <= 2);
      if (page.next_after === null) break;
      after = page.next_after;
    }
    const ages = found.map((key) => key.created_on);
    assert.deepEqual(ages, [...ages].sort());
    return Object.fromEntries(found.map((key) => [key.id, key.findings]));
  };
  assert.deepEqual(await report(), { [rested]: ["old", "unused"], [own]: ["old"], [never]: ["never_verified"], [wide]: ["all_scopes"] });
  assert.deepEqual(await report("&older_than_days=200&unused_days=35"), { [never]: ["never_verified"], [wide]: ["all_scopes"] });
  assert.deepEqual(await report("&unused_days=28&key_type=organization"), { [rotated]: ["unused"], [rested]: ["old", "unused"], [never]: ["never_verified"], [wide]: ["all_scopes"] });
  assert.deepEqual(await report(`&api_id=${one}`), { [own]: ["old"] });
  assert.ok(!((await report())[young]));

  for (const query of ["older_than_days=0", "older_than_days=1.5", "unused_days=x", "unused_days=3651", "page_size=501", "status=good", "odd=1"])
    await root.bad(400, "INVALID_REQUEST", "GET", `/api_keys/report?${query}`);
  await root.bad(400, "INVALID_CURSOR", "GET", "/api_keys/report?starting_after=api_key_0");
  const other = await root.makeOrganization();
  const theirs = Management.withKey(server, (await root.makeKey({ api_id: "management", org_code: other, scope_ids: ["read:api_keys"] })).key);
  assert.deepEqual((await theirs.good("GET", `/api_keys/report?org_code=${org_code}`)).api_keys, []);
  await theirs.bad(400, "INVALID_CURSOR", "GET", `/api_keys/report?starting_after=${young}`);

  const shown = await server.cli(["keys", "report", "--employer", org_code]);
  assert.match(shown.stdout, new RegExp(`${rested} .* old, unused\n`));
  assert.match((await server.cli(["keys", "report", "--employer", other])).stdout, /young, in use and narrow/);
  const scoped = await root.makeKey({ api_id: "management", org_code, scope_ids: ["create:api_keys"] });
  await Management.withKey(server, scoped.key).bad(403, "INSUFFICIENT_SCOPE", "GET", "/api_keys/report");
});

test("under an Idempotency-Key a key is made once", async () => {
  const fields = { "idempotency-key": randomBytes(8).toString("hex") };
  const draft = { name: "once", api_id: api, org_code: org };
  const first = json(await root.call("POST", "/api_keys", draft, fields));
  const again = await root.bad(409, "IDEMPOTENCY_SECRET_GONE", "POST", "/api_keys", draft, fields);
  assert.equal(again.resourceId, first.api_key.id);
  await root.bad(422, "IDEMPOTENCY_KEY_REUSED", "POST", "/api_keys", { ...draft, name: "other" }, fields);
});

// ---- moved in from elsewhere ----

const digest = (algorithm: string, text: string, encoding: "hex" | "base64" | "base64url"): string => createHash(algorithm).update(text).digest(encoding);

test("keys are imported by digest or as they are, and go on working", async () => {
  const mine = await root.makeApi(["read:x"]);
  const texts = Array.from({ length: 7 }, () => `legacy_${randomBytes(16).toString("hex")}`);
  const how = [
    (text: string) => ({ key: text }),
    (text: string) => ({ sha256: digest("sha256", text, "hex") }),
    (text: string) => ({ sha256: digest("sha256", text, "base64") }),
    // The API-key plugin of better-auth keeps them so.
    (text: string) => ({ sha256: digest("sha256", text, "base64url") }),
    (text: string) => ({ sha512: digest("sha512", text, "hex").toUpperCase() }),
    (text: string) => ({ sha512: digest("sha512", text, "base64") }),
    (text: string) => ({ sha512: digest("sha512", text, "base64url") }),
  ];
  const keys = texts.map((text, i) => ({ name: `k${i}`, api_id: mine, org_code: org, scope_ids: ["read:x"], ...how[i]!(text) }));
  const dry = await root.good("POST", "/api_keys/import", { keys, dry_run: true }, 200);
  assert.deepEqual([dry.dry_run, dry.api_keys], [true, keys.map((_, line) => ({ line, id: null }))]);
  assert.equal((await root.verify(texts[0]!)).is_valid, false);
  const done = await root.good("POST", "/api_keys/import", { keys }, 201);
  for (const [i, text] of texts.entries()) {
    const found = await root.verify(text, { api_id: mine });
    assert.deepEqual([found.is_valid, found.key_id, found.scopes, done.api_keys[i].line], [true, done.api_keys[i].id, ["read:x"], i], String(i));
    assert.equal((await root.verify(`${text}x`)).is_valid, false);
  }
  assert.equal((await root.good("GET", `/apis/${mine}`)).api.holds_imported_keys, true);
  const again = await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/import", { keys: [{ ...keys[0], key: `new_${randomBytes(16).toString("hex")}` }, keys[5]] });
  assert.equal(again.errors[0].member, "keys[1]");
  await root.good("DELETE", `/api_keys/${done.api_keys[4].id}`);
  assert.equal((await root.verify(texts[4]!)).code, "API_KEY_REVOKED");
});

test("a dump of Kong's key-auth credentials keeps working", async () => {
  const dump = { keyauth_credentials: [{ id: "4e13f54a", consumer: { username: "acme" }, key: "Zq7YBPXkTUf0oQJ2" }, { id: "9a0f7c11", consumer: { username: "globex" }, key: "5SRmk6gLnTy1SyQ1Cl9GzoRXJbjYGGbZ" }] };
  const keys = [];
  for (const { consumer, key } of dump.keyauth_credentials) {
    const { organization } = await root.good("POST", "/organizations", { name: consumer.username }, 201);
    keys.push({ name: consumer.username, api_id: api, org_code: organization.code, key });
  }
  await root.good("POST", "/api_keys/import", { keys }, 201);
  for (const [i, { key }] of dump.keyauth_credentials.entries()) {
    const found = await root.verify(key, { api_id: api });
    assert.deepEqual([found.is_valid, found.org_code], [true, keys[i]!.org_code]);
  }
});

test("what is wrong with a line is named, and then nothing is written", async () => {
  const good = { name: "k", api_id: api, org_code: org };
  const key = (): string => randomBytes(16).toString("hex");
  for (const [line, member] of [
    [{ ...good }, "keys[1].key"],
    [{ ...good, key: key(), sha256: digest("sha256", "x", "hex") }, "keys[1].key"],
    [{ ...good, sha256: "x".repeat(64) }, "keys[1].sha256"],
    [{ ...good, sha256: digest("sha512", "x", "base64") }, "keys[1].sha256"],
    [{ ...good, sha512: digest("sha256", "x", "hex") }, "keys[1].sha512"],
    [{ ...good, key: "short" }, "keys[1].key"],
    [{ ...good, key: key(), scope_ids: ["x"] }, "keys[1].scope_ids[0]"],
    [{ ...good, key: key(), api_id: "x" }, "keys[1].api_id"],
  ] as const) {
    const first = key();
    const answer = await root.call("POST", "/api_keys/import", { keys: [{ ...good, key: first }, line] });
    assert.equal(answer.status, 400, answer.body);
    assert.equal(json(answer).errors[0].errors[0].member, member, answer.body);
    assert.equal((await root.verify(first)).is_valid, false);
  }
  await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/import", { keys: [] });
  await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/import", { keys: [{ ...good, org_code: "emp_x", key: key() }] });
});
