/** Every way in which a key is refused, and whether the answer says what to do. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { IssuedApiKey } from "@sallyport/sdk";

import { Connection, field, json, type Answer, type Fields } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, newTenant, refusedWith, type Tenant } from "./harness/util.js";

let server: Server;
let tenant: Tenant;
let key: IssuedApiKey;
before(async () => {
  server = await startServer({ trusted_proxies: "127.0.0.1/32" });
  tenant = await newTenant(server);
  key = await tenant.admin.createApiKey({ name: "good", scopes: ["cohort:read"], rateLimit: null });
});
after(() => server.stop());

const VERSION = { "x-api-version": "2026-02-01" };
const cohort = (fields: Fields): Promise<Answer> => server.call({ target: "/api/employer/cohort", fields });
const withText = (text: string): Promise<Answer> => cohort({ ...VERSION, "x-api-key": text });
/** What the caller is told to do about it. */
const said = (problem: { detail: string; hint: string }): string => `${problem.detail} ${problem.hint}`;

test("a good key passes, under any spelling of the field's name", async () => {
  for (const name of ["x-api-key", "X-API-KEY", "X-Api-Key"]) assert.equal((await cohort({ ...VERSION, [name]: key.rawKey })).status, 200);
});

test("without any credential the answer says where a key goes", async () => {
  const problem = refusedWith(await cohort({}), "MISSING_CREDENTIALS");
  assert.match(said(problem), /x-api-key/);
  refusedWith(await cohort({ ...VERSION, "x-api-version": "1999-01-01" }), "MISSING_CREDENTIALS");
  refusedWith(await cohort({ authorization: "Bearer something-else" }), "MISSING_CREDENTIALS");
});

test("each fault of the key's text has its own hint, and the key is not in the answer", async () => {
  const raw = key.rawKey;
  const swapped = raw.slice(0, 20) + (raw[20] === "0" ? "1" : "0") + raw.slice(21);
  const cases: [string, string, RegExp][] = [
    ["empty", "", /empty/],
    ["a space before", ` ${raw}`, /spaces/],
    ["a space after", `${raw} `, /spaces/],
    ["a tab after", `${raw}\t`, /spaces/],
    ["a space inside", `${raw.slice(0, 30)} ${raw.slice(30)}`, /spaces/],
    ["quoted", `"${raw}"`, /quotation marks/],
    ["with a scheme", `Bearer ${raw}`, /Bearer/],
    ["cut short by one", raw.slice(0, -1), /cut short by 1 character\b.*72 characters/],
    ["cut short by 40", raw.slice(0, -40), /cut short by 40 characters/],
    ["cut in the prefix", "mt_li", /cut short by 67/],
    ["too long by two", `${raw}ab`, /too long by 2/],
    ["of the test environment", inventedKey("mt_test_"), /mt_test_.*production/],
    ["another prefix", `sk_live_${raw.slice(8)}`, /start with mt_live_/],
    ["not hex", `${raw.slice(0, 40)}g${raw.slice(41)}`, /Character 41/],
    ["upper case", raw.slice(0, 8) + raw.slice(8).toUpperCase(), /lower case/],
    ["one digit wrong", swapped, /checksum/],
    ["well formed, unknown", inventedKey(), /not known/],
  ];
  for (const [what, text, hint] of cases) {
    const answer = await withText(text);
    const problem = refusedWith(answer, "INVALID_API_KEY");
    assert.match(said(problem), hint, what);
    assert.equal(problem.status, 401);
    assert.match(field(answer, "www-authenticate") ?? "", /x-api-key/, what);
    if (text.length > 20) assert.ok(!answer.body.includes(text.trim().slice(12, 60)), `${what}: the answer repeats the key`);
  }
});

test("a key in the wrong place is told its right one", async () => {
  for (const authorization of [`Bearer ${key.rawKey}`, `bearer  ${key.rawKey}`, key.rawKey, `ApiKey ${key.rawKey}`]) {
    const problem = refusedWith(await cohort({ ...VERSION, authorization }), "INVALID_API_KEY");
    assert.match(said(problem), /Authorization.*x-api-key/, authorization);
  }
  const inQuery = await server.call({ target: `/api/employer/cohort?api_key=${key.rawKey}`, fields: VERSION });
  assert.match(said(refusedWith(inQuery, "INVALID_API_KEY")), /query.*x-api-key/);
  assert.ok(!inQuery.body.includes(key.rawKey));
});

test("two keys are refused, and the connection is closed", async () => {
  for (const second of [key.rawKey, inventedKey(), ""]) {
    const connection = await Connection.open(server.url);
    connection.send({ target: "/api/employer/cohort", fields: { ...VERSION, "x-api-key": [key.rawKey, second] } });
    const problem = refusedWith(await connection.answer(), "INVALID_API_KEY");
    assert.match(said(problem), /twice/);
    assert.equal(await connection.closed(), "");
  }
});

test("another environment takes mt_test_ keys only", async () => {
  const staging = await startServer({ environment: "staging" });
  try {
    const admin = await staging.admin();
    const made = await admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    assert.match(made.rawKey, /^mt_test_/);
    assert.equal((await staging.withKey(made)).status, 200);
    assert.match(said(refusedWith(await staging.withKey(key), "INVALID_API_KEY")), /mt_live_.*mt_test_/);
  } finally {
    await staging.stop();
  }
});

test("the version is asked for by the field or by either form of Accept, and answered in full", async () => {
  const asks: Fields[] = [
    { "x-api-version": "2026-02-01" },
    { "x-api-version": "v1" },
    { accept: "application/vnd.boundedhealth.v1+json" },
    { accept: "application/vnd.boundedhealth+json; version=2026-02-01" },
    { accept: "text/html, application/vnd.boundedhealth+json;version=\"v1\";q=0.5, */*;q=0.1" },
    { "x-api-version": "v1", accept: "application/vnd.boundedhealth+json; version=2026-02-01" },
    { "x-api-version": "2026-02-01", accept: "application/json" },
  ];
  for (const ask of asks) {
    const answer = await cohort({ "x-api-key": key.rawKey, ...ask });
    assert.equal(answer.status, 200, JSON.stringify(ask));
    assert.equal(field(answer, "x-api-version"), "2026-02-01");
  }
});

test("a version that is missing, unknown or contradicted is refused with what is supported", async () => {
  const asks: [Fields, RegExp][] = [
    [{}, /x-api-version: 2026-02-01/],
    [{ accept: "application/json" }, /x-api-version: 2026-02-01/],
    [{ accept: "application/vnd.acme.v1+json" }, /x-api-version: 2026-02-01/],
    [{ "x-api-version": "2025-01-01" }, /2025-01-01/],
    [{ "x-api-version": "" }, /x-api-version: 2026-02-01/],
    [{ "x-api-version": "v2" }, /v2/],
    [{ accept: "application/vnd.boundedhealth.v9+json" }, /v9/],
    [{ accept: "application/vnd.boundedhealth+json; version=2020-01-01" }, /2020-01-01/],
  ];
  for (const [ask, hint] of asks) {
    const problem = refusedWith(await cohort({ "x-api-key": key.rawKey, ...ask }), "UNSUPPORTED_API_VERSION");
    assert.deepEqual(problem.supportedVersions, ["2026-02-01", "v1"]);
    assert.match(said(problem), hint, JSON.stringify(ask));
  }
  // The version comes before the key, so that a wrong pin is seen first.
  refusedWith(await cohort({ "x-api-key": inventedKey() }), "UNSUPPORTED_API_VERSION");
  for (const target of ["/api/version", "/api/openapi"])
    refusedWith(await server.call({ target, fields: { "x-api-version": "v7" } }), "UNSUPPORTED_API_VERSION");
  // A session needs none.
  const cookie = { cookie: `sallyport_session=${tenant.member.sessionCookie}` };
  assert.equal((await cohort(cookie)).status, 200);
  refusedWith(await cohort({ ...cookie, "x-api-version": "v7" }), "UNSUPPORTED_API_VERSION");
});

test("api_version_required = false and api_vendor are obeyed", async () => {
  const relaxed = await startServer({ api_version_required: false, api_vendor: "acme" });
  try {
    const admin = await relaxed.admin();
    const made = await admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    const ask = (fields: Fields): Promise<Answer> =>
      relaxed.call({ target: "/api/employer/cohort", fields: { "x-api-key": made.rawKey, ...fields } });
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({ accept: "application/vnd.boundedhealth.v9+json" })).status, 200);
    refusedWith(await ask({ accept: "application/vnd.acme.v9+json" }), "UNSUPPORTED_API_VERSION");
    refusedWith(await ask({ "x-api-version": "v9" }), "UNSUPPORTED_API_VERSION");
  } finally {
    await relaxed.stop();
  }
});

test("the order of checks: the first that fails decides", async () => {
  const root = await server.admin();
  const other = await newTenant(server);
  const hour = new Date(Date.now() + 3_600_000).toISOString();
  // Everything is wrong with this one; each repair shows the next fault.
  const bad = await other.admin.createApiKey({
    name: "bad",
    scopes: ["export:read"],
    allowedIpCidrs: ["203.0.113.0/24"],
    expiresAt: new Date(Date.now() + 1200).toISOString(),
    rateLimit: { requests: 1, windowSeconds: 3600 },
  });
  await other.admin.updateApiKey(bad.id, { status: "inactive" });
  await root.updateEmployer(other.employerId, { status: "inactive", isApproved: false });
  const acting = server.client({ sessionCookie: root.sessionCookie, employerId: other.employerId });
  await eventually(async () => Date.now() > Date.parse(bad.expiresAt ?? ""), 3000, "the expiry");

  refusedWith(await cohort({ "x-api-key": bad.rawKey }), "UNSUPPORTED_API_VERSION");
  refusedWith(await withText(bad.rawKey), "API_KEY_INACTIVE");
  await acting.updateApiKey(bad.id, { status: "active" });
  refusedWith(await withText(bad.rawKey), "API_KEY_EXPIRED");
  await acting.updateApiKey(bad.id, { expiresAt: hour });
  refusedWith(await withText(bad.rawKey), "EMPLOYER_INACTIVE");
  await root.updateEmployer(other.employerId, { status: "active" });
  refusedWith(await withText(bad.rawKey), "EMPLOYER_NOT_APPROVED");
  await root.updateEmployer(other.employerId, { isApproved: true });
  refusedWith(await withText(bad.rawKey), "API_KEY_IP_NOT_ALLOWED");
  await acting.updateApiKey(bad.id, { allowedIpCidrs: [] });
  refusedWith(await withText(bad.rawKey), "INSUFFICIENT_SCOPE");
  await acting.updateApiKey(bad.id, { scopes: ["cohort:read"] });
  // None of the refusals has used up the one request.
  assert.equal((await withText(bad.rawKey)).status, 200);
  refusedWith(await withText(bad.rawKey), "RATE_LIMITED");
  await acting.revokeApiKey(bad.id);
  refusedWith(await withText(bad.rawKey), "API_KEY_REVOKED");
});

test("a missing scope is named beside those the key holds", async () => {
  const made = await tenant.admin.createApiKey({ name: "k", scopes: ["export:read", "fhir:read"] });
  const problem = refusedWith(await server.withKey(made), "INSUFFICIENT_SCOPE");
  assert.deepEqual(problem.requiredScopes, ["cohort:read"]);
  assert.deepEqual(problem.keyScopes, ["export:read", "fhir:read"]);
  assert.match(said(problem), /cohort:read/);
  const upload = await server.withKey(key, { method: "POST", target: "/api/employer/upload-cohort", body: { patients: [] } });
  assert.deepEqual(refusedWith(upload, "INSUFFICIENT_SCOPE").requiredScopes, ["cohort:write"]);
});

test("a key cannot manage keys, people or employers", async () => {
  for (const [method, target] of [
    ["GET", "/api/employer/api-keys"],
    ["POST", "/api/employer/api-keys"],
    ["POST", "/api/employer/api-keys/import"],
    ["GET", `/api/employer/api-keys/${key.id}`],
    ["PATCH", `/api/employer/api-keys/${key.id}`],
    ["DELETE", `/api/employer/api-keys/${key.id}`],
    ["POST", `/api/employer/api-keys/${key.id}/rotate`],
    ["GET", "/api/admin/employers"],
    ["POST", "/api/admin/users"],
  ] as const)
    refusedWith(await server.withKey(key, { method, target }), "SESSION_REQUIRED");
});

test("the limit is counted down in RateLimit, then refused with the time to wait", async () => {
  const made = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: { requests: 3, windowSeconds: 3600 } });
  for (const left of [2, 1, 0]) {
    const answer = await server.withKey(made);
    assert.equal(answer.status, 200);
    assert.equal(field(answer, "ratelimit-policy"), '"key";q=3;w=3600');
    assert.match(field(answer, "ratelimit") ?? "", new RegExp(`^"key";r=${left};t=\\d+$`));
  }
  const refusal = await server.withKey(made);
  const problem = refusedWith(refusal, "RATE_LIMITED");
  const wait = Number(field(refusal, "retry-after"));
  assert.ok(wait > 1100 && wait <= 1200, `Retry-After: ${wait}`);
  assert.match(said(problem), new RegExp(`limit of 3 .*${wait} seconds`));
  assert.match(field(refusal, "ratelimit") ?? "", /r=0/);
  const unlimited = await server.withKey(key);
  assert.equal(field(unlimited, "ratelimit"), undefined);
});

test("gcra fills up again bit by bit, fixed at the turn of its window", async () => {
  const gcra = await tenant.admin.createApiKey({ name: "g", scopes: ["cohort:read"], rateLimit: { requests: 4, windowSeconds: 2 } });
  let passed = 0;
  const from = Date.now();
  while ((await server.withKey(gcra)).status === 200) passed++;
  const most = 4 + Math.ceil(((Date.now() - from) * 4) / 2000);
  assert.ok(passed >= 4 && passed <= most, `${passed} passed`);
  await eventually(async () => (await server.withKey(gcra)).status === 200, 1500, "one more passes within half a second");

  const fixed = await tenant.admin.createApiKey({ name: "f", scopes: ["cohort:read"], rateLimit: { requests: 2, windowSeconds: 2, algorithm: "fixed" } });
  const statuses: number[] = [];
  const refusal = await eventually(
    async () => {
      const answer = await server.withKey(fixed);
      statuses.push(answer.status);
      return answer.status === 429 && answer;
    },
    4000,
    "the window's limit",
  );
  assert.ok(statuses.filter((s) => s === 200).length <= 4, statuses.join());
  assert.ok(Number(field(refusal, "retry-after")) <= 2);
  await eventually(async () => (await server.withKey(fixed)).status === 200, 3000, "the next window");
});

test("calls at the same time are not let through beyond the limit", async () => {
  const made = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: { requests: 10, windowSeconds: 3600 } });
  const answers = await Promise.all(Array.from({ length: 40 }, () => server.withKey(made)));
  assert.equal(answers.filter((a) => a.status === 200).length, 10);
});

test("the address rule looks at the client, seen through trusted proxies only", async () => {
  const made = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: null, allowedIpCidrs: ["203.0.113.0/24", "2001:db8::/32"] });
  const from = (fields: Fields): Promise<Answer> => server.withKey(made, { fields });
  for (const fields of [
    { "x-forwarded-for": "203.0.113.9" },
    { "x-forwarded-for": "198.51.100.1, 203.0.113.9" },
    { "x-forwarded-for": ["198.51.100.1", "203.0.113.9"] },
    { "x-forwarded-for": "203.0.113.9, 127.0.0.1" },
    { "x-forwarded-for": "::ffff:203.0.113.9" },
    { "x-forwarded-for": "2001:db8::7" },
    { forwarded: 'for=203.0.113.9;proto=https' },
    { forwarded: 'for="[2001:db8::7]:4711"' },
  ] as Fields[])
    assert.equal((await from(fields)).status, 200, JSON.stringify(fields));

  for (const [fields, seen] of [
    [{}, "127.0.0.1/32"],
    [{ "x-forwarded-for": "203.0.113.9, 198.51.100.1" }, "198.51.100.1/32"],
    [{ "x-forwarded-for": ["203.0.113.9", "198.51.100.1"] }, "198.51.100.1/32"],
    [{ "x-forwarded-for": "2001:db9::7" }, "2001:db9::7/128"],
  ] as [Fields, string][]) {
    const problem = refusedWith(await from(fields), "API_KEY_IP_NOT_ALLOWED");
    assert.ok(said(problem).includes(seen), `${JSON.stringify(fields)}: ${said(problem)}`);
  }
  // Text that is no address is not taken for one that is allowed.
  for (const fields of [{ "x-forwarded-for": "203.0.113.9.example" }, { "x-forwarded-for": "unknown" }, { forwarded: "for=_hidden" }] as Fields[])
    refusedWith(await from(fields), "API_KEY_IP_NOT_ALLOWED");
});

test("a stranger's X-Forwarded-For is not believed", async () => {
  const open = await startServer();
  try {
    const admin = await open.admin();
    const made = await admin.createApiKey({ name: "k", scopes: ["cohort:read"], allowedIpCidrs: ["203.0.113.0/24"] });
    const answer = await open.withKey(made, { fields: { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" } });
    assert.match(said(refusedWith(answer, "API_KEY_IP_NOT_ALLOWED")), /127\.0\.0\.1/);
    await admin.updateApiKey(made.id, { allowedIpCidrs: ["127.0.0.0/8"] });
    assert.equal((await open.withKey(made)).status, 200);
  } finally {
    await open.stop();
  }
});

test("guessing keys is limited per address, and good keys still pass", async () => {
  const strict = await startServer({ guess_limit: 5, trusted_proxies: "127.0.0.1/32" });
  try {
    const admin = await strict.admin();
    const made = await admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    const guess = (address: string, text = inventedKey()): Promise<Answer> =>
      strict.withKey(text, { fields: { "x-forwarded-for": address } });
    // What cannot be a key is refused for nothing.
    for (let i = 0; i < 20; i++) refusedWith(await guess("198.51.100.1", "mt_live_short"), "INVALID_API_KEY");
    for (let i = 0; i < 5; i++) refusedWith(await guess("198.51.100.1"), "INVALID_API_KEY");
    const refusal = await guess("198.51.100.1");
    refusedWith(refusal, "RATE_LIMITED");
    assert.ok(Number(field(refusal, "retry-after")) <= 60);
    refusedWith(await guess("198.51.100.2"), "INVALID_API_KEY");
    assert.equal((await guess("198.51.100.1", made.rawKey)).status, 200);
    // IPv6 by /64: the rest of the address is the guesser's to choose.
    for (let i = 0; i < 5; i++) refusedWith(await guess(`2001:db8:1:2::${i + 1}`), "INVALID_API_KEY");
    refusedWith(await guess("2001:db8:1:2:ffff::1"), "RATE_LIMITED");
    refusedWith(await guess("2001:db8:1:3::1"), "INVALID_API_KEY");
  } finally {
    await strict.stop();
  }
});

test("a path, a method and an error page that do not exist", async () => {
  for (const target of ["/api", "/api/", "/api/employer", "/api/employer/cohort/", "/API/version", "/docs/errors/NO_SUCH", "/api/employer/cohorts"])
    refusedWith(await server.call({ target }), "NOT_FOUND");
  const type = new URL(json(await withText(inventedKey())).type);
  assert.equal(type.origin, server.url, "the page named by the problem is on this server");
  const page = await server.call({ target: type.pathname });
  assert.equal(page.status, 200);
  assert.match(page.body, /^INVALID_API_KEY/);
});
