/** API keys: made, read, changed, rotated, revoked, imported. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import { scopes, type IssuedApiKey } from "@sallyport/sdk";

import { json, type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { crc32, eventually, inventedKey, newTenant, refused, refusedWith, type Tenant } from "./harness/util.js";

let server: Server;
let tenant: Tenant;
before(async () => {
  server = await startServer();
  tenant = await newTenant(server);
});
after(() => server.stop());

const session = (): Record<string, string> => ({ cookie: `sallyport_session=${tenant.admin.sessionCookie}` });
const post = (target: string, body: string | object, method = "POST"): Promise<Answer> =>
  server.call({ method, target, body, fields: session() });
const make = (more: object = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], ...more });
const works = (rawKey: string): Promise<unknown> => server.client({ apiKey: rawKey }).listCohort();
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

test("a key is made with its defaults, works, and is shown without its secret afterwards", async () => {
  const key = await make({ name: "payroll bridge" });
  assert.match(key.rawKey, /^mt_live_[0-9a-f]{64}$/);
  assert.equal(crc32(key.rawKey.slice(0, -8)).toString(16).padStart(8, "0"), key.rawKey.slice(-8));
  assert.equal(key.keyPrefix, key.rawKey.slice(0, 12));
  assert.equal(key.keySuffix, key.rawKey.slice(-4));
  assert.equal(key.status, "active");
  assert.deepEqual(key.rateLimit, { requests: 120, windowSeconds: 60, algorithm: "gcra" });
  assert.deepEqual(key.allowedIpCidrs, []);
  for (const member of ["notBefore", "expiresAt", "rotatedAt", "previousSecretEndsAt", "revokedAt", "lastUsedAt", "lastUsedIp"] as const)
    assert.equal(key[member], null, member);
  assert.equal(key.requestCount, 0);
  assert.equal(key.createdBy, (await tenant.admin.me()).id);
  assert.ok(Math.abs(Date.parse(key.createdAt) - Date.now()) < 60_000);

  await works(key.rawKey);
  for (const answer of [
    await server.call({ target: `/api/employer/api-keys/${key.id}`, fields: session() }),
    await server.call({ target: "/api/employer/api-keys?limit=1000", fields: session() }),
  ]) {
    assert.equal(answer.status, 200);
    assert.ok(!answer.body.includes("rawKey") && !answer.body.includes(key.rawKey.slice(12, -4)));
  }
});

test("the list names every scope", async () => {
  const list = await tenant.admin.listApiKeys();
  assert.deepEqual(Object.fromEntries(list.availableScopes.map((s) => [s.scope, s.description])), { ...scopes });
});

test("every rule of a key is kept as given", async () => {
  const expiresAt = inAnHour();
  const key = await make({
    scopes: Object.keys(scopes).reverse(),
    allowedIpCidrs: ["203.0.113.0/24", "2001:db8::/32", "127.0.0.1"],
    notBefore: "2020-01-01T00:00:00Z",
    expiresAt,
    rateLimit: { requests: 7, windowSeconds: 3600, algorithm: "fixed" },
  });
  assert.deepEqual(key.scopes, Object.keys(scopes));
  assert.equal(key.allowedIpCidrs.length, 3);
  assert.equal(key.notBefore, "2020-01-01T00:00:00.000Z");
  assert.equal(key.expiresAt, expiresAt);
  assert.deepEqual(key.rateLimit, { requests: 7, windowSeconds: 3600, algorithm: "fixed" });
  assert.deepEqual(await tenant.admin.getApiKey(key.id), withoutRaw(key));
  assert.equal((await make({ rateLimit: null })).rateLimit, null);
  assert.equal((await make({ expiresAt: "2099-12-31T23:30:00.5+02:00" })).expiresAt, "2099-12-31T21:30:00.500Z");
});

function withoutRaw(key: IssuedApiKey): object {
  const { rawKey: _, ...rest } = key;
  return rest;
}

test("each fault of a draft is named, and what would be valid is said", async () => {
  const draft = { name: "k", scopes: ["cohort:read"] };
  const cases: [object, string, RegExp][] = [
    [{ scopes: ["cohort:read"] }, "name", /required/],
    [{ ...draft, name: "" }, "name", /1 to 100/],
    [{ ...draft, name: "   " }, "name", /./],
    [{ ...draft, name: "é".repeat(101) }, "name", /1 to 100/],
    [{ ...draft, name: "a\nb" }, "name", /control/],
    [{ ...draft, name: 5 }, "name", /text/],
    [{ name: "k" }, "scopes", /cohort:read/],
    [{ ...draft, scopes: [] }, "scopes", /cohort:read/],
    [{ ...draft, scopes: "cohort:read" }, "scopes", /list/],
    [{ ...draft, scopes: ["cohort:read", "cohort:rite"] }, "scopes[1]", /cohort:write/],
    [{ ...draft, scopes: ["cohort:read", "cohort:read"] }, "scopes[1]", /twice/],
    [{ ...draft, allowedIpCidrs: "127.0.0.1" }, "allowedIpCidrs", /list/],
    [{ ...draft, allowedIpCidrs: ["127.0.0.1", "300.1.1.1"] }, "allowedIpCidrs[1]", /203\.0\.113\.0\/24/],
    [{ ...draft, allowedIpCidrs: ["10.0.0.1/8"] }, "allowedIpCidrs[0]", /10\.0\.0\.0\/8/],
    [{ ...draft, allowedIpCidrs: ["10.0.0.0/33"] }, "allowedIpCidrs[0]", /0 to 32/],
    [{ ...draft, allowedIpCidrs: Array(101).fill("10.0.0.1") }, "allowedIpCidrs", /100/],
    [{ ...draft, notBefore: "tomorrow" }, "notBefore", /2030-01-31T00:00:00.000Z/],
    [{ ...draft, expiresAt: "2030-02-30T00:00:00Z" }, "expiresAt", /RFC 3339/],
    [{ ...draft, expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt", /past/],
    [{ ...draft, notBefore: "2090-01-01T00:00:00Z", expiresAt: "2089-01-01T00:00:00Z" }, "notBefore", /before expiresAt/],
    [{ ...draft, rateLimit: 5 }, "rateLimit", /object/],
    [{ ...draft, rateLimit: { requests: 5 } }, "rateLimit.windowSeconds", /required/],
    [{ ...draft, rateLimit: { requests: 0, windowSeconds: 60 } }, "rateLimit.requests", /1 to 1000000/],
    [{ ...draft, rateLimit: { requests: 1_000_001, windowSeconds: 60 } }, "rateLimit.requests", /1 to 1000000/],
    [{ ...draft, rateLimit: { requests: 5, windowSeconds: 2_592_001 } }, "rateLimit.windowSeconds", /1 to 2592000/],
    [{ ...draft, rateLimit: { requests: 5, windowSeconds: 1.5 } }, "rateLimit.windowSeconds", /whole/],
    [{ ...draft, rateLimit: { requests: 5, windowSeconds: 60, algorithm: "leaky" } }, "rateLimit.algorithm", /gcra/],
    [{ ...draft, rateLimit: { requests: 5, windowSeconds: 60, burst: 9 } }, "rateLimit.burst", /known/],
    [{ ...draft, expires: inAnHour() }, "expires", /expiresAt/],
  ];
  for (const [body, member, reason] of cases) {
    const problem = refusedWith(await post("/api/employer/api-keys", body), "INVALID_REQUEST");
    const said = problem.errors.find((e: { member: string }) => e.member === member);
    assert.ok(said, `${JSON.stringify(body)}: ${JSON.stringify(problem.errors)}`);
    assert.match(said.reason, reason, `${member} of ${JSON.stringify(body)}`);
  }
  const several = refusedWith(await post("/api/employer/api-keys", { scopes: ["x"], rateLimit: {} }), "INVALID_REQUEST");
  assert.ok(several.errors.length >= 4, JSON.stringify(several.errors));
});

test("query parameters are checked: limit, cursor, unknown, twice", async () => {
  const get = (query: string): Promise<Answer> => server.call({ target: `/api/employer/api-keys?${query}`, fields: session() });
  for (const [query, member] of [
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=ten", "limit"],
    ["limit=-1", "limit"],
    ["page=2", "page"],
  ] as const)
    assert.equal(refusedWith(await get(query), "INVALID_REQUEST").errors[0].member, member);
  refusedWith(await get("limit=1&limit=2"), "INVALID_REQUEST");
  assert.equal((await get("limit=1000")).status, 200);

  await make();
  const page = json(await get("limit=1"));
  assert.ok(page.nextCursor);
  for (const cursor of ["x", page.nextCursor.slice(0, -1), page.nextCursor.replace(/.$/, "_"), `p${page.nextCursor.slice(1)}`, ""])
    refusedWith(await get(`cursor=${encodeURIComponent(cursor)}`), "INVALID_CURSOR");
});

test("the list is newest first, page by page, and stays whole while keys are made", async () => {
  const other = await newTenant(server);
  const made: string[] = [];
  for (let i = 0; i < 25; i++) made.unshift((await other.admin.createApiKey({ name: `n${i}`, scopes: ["cohort:read"] })).id);
  const seen: string[] = [];
  for await (const key of other.admin.apiKeys({ limit: 4 })) {
    seen.push(key.id);
    if (seen.length === 6) await other.admin.createApiKey({ name: "meanwhile", scopes: ["cohort:read"] });
  }
  assert.deepEqual(seen, made);
  assert.equal((await other.admin.listApiKeys({ limit: 26 })).nextCursor, null);
});

test("a patch changes what it names and nothing else, in force at once", async () => {
  const key = await make({ allowedIpCidrs: ["127.0.0.1"], expiresAt: inAnHour() });
  await works(key.rawKey);

  const renamed = await tenant.admin.updateApiKey(key.id, { name: "new name" });
  assert.equal(renamed.name, "new name");
  assert.deepEqual({ ...renamed, name: key.name, updatedAt: key.updatedAt, lastUsedAt: null, lastUsedIp: null, requestCount: 0 }, withoutRaw(key));

  assert.equal((await tenant.admin.updateApiKey(key.id, { status: "inactive" })).status, "inactive");
  await refused(works(key.rawKey), "API_KEY_INACTIVE");
  assert.equal((await tenant.admin.updateApiKey(key.id, { status: "active" })).status, "active");
  await works(key.rawKey);

  await tenant.admin.updateApiKey(key.id, { allowedIpCidrs: ["203.0.113.0/24"] });
  await refused(works(key.rawKey), "API_KEY_IP_NOT_ALLOWED");
  assert.deepEqual((await tenant.admin.updateApiKey(key.id, { allowedIpCidrs: [] })).allowedIpCidrs, []);
  await works(key.rawKey);

  await tenant.admin.updateApiKey(key.id, { scopes: ["export:read"] });
  await refused(works(key.rawKey), "INSUFFICIENT_SCOPE");
  assert.deepEqual((await tenant.admin.updateApiKey(key.id, { scopes: ["cohort:read", "cohort:write"] })).scopes, ["cohort:read", "cohort:write"]);
  await works(key.rawKey);

  assert.equal((await tenant.admin.updateApiKey(key.id, { expiresAt: null })).expiresAt, null);
  assert.equal((await tenant.admin.updateApiKey(key.id, { rateLimit: null })).rateLimit, null);
  const limited = await tenant.admin.updateApiKey(key.id, { rateLimit: { requests: 1, windowSeconds: 3600 } });
  assert.deepEqual(limited.rateLimit, { requests: 1, windowSeconds: 3600, algorithm: "gcra" });
  assert.deepEqual(await tenant.admin.updateApiKey(key.id, {}), { ...limited, updatedAt: (await tenant.admin.getApiKey(key.id)).updatedAt });
});

test("faults of a patch are named, and nothing is changed", async () => {
  const key = await make();
  const patch = async (body: object): Promise<string> =>
    refusedWith(await post(`/api/employer/api-keys/${key.id}`, body, "PATCH"), "INVALID_REQUEST").errors[0].member;
  assert.equal(await patch({ name: "new", status: "revoked" }), "status");
  assert.equal(await patch({ name: null }), "name");
  assert.equal(await patch({ name: "new", scopes: [] }), "scopes");
  assert.equal(await patch({ name: "new", notBefore: inAnHour() }), "notBefore");
  assert.equal(await patch({ name: "new", expiresAt: "2020-01-01T00:00:00Z" }), "expiresAt");
  assert.equal((await tenant.admin.getApiKey(key.id)).name, "k");
});

test("key_scopes_may_widen = false lets scopes be narrowed only", async () => {
  const narrow = await startServer({ key_scopes_may_widen: false });
  try {
    const admin = await narrow.admin();
    const key = await admin.createApiKey({ name: "k", scopes: ["cohort:read", "export:read"] });
    await admin.updateApiKey(key.id, { scopes: ["cohort:read"] });
    await refused(admin.updateApiKey(key.id, { scopes: ["cohort:read", "export:read"] }), "INSUFFICIENT_ROLE");
    assert.deepEqual((await admin.getApiKey(key.id)).scopes, ["cohort:read"]);
  } finally {
    await narrow.stop();
  }
});

test("a revoked key is refused at once, for good, and cannot be changed", async () => {
  const key = await make();
  await works(key.rawKey);
  await tenant.admin.revokeApiKey(key.id);
  const error = await refused(works(key.rawKey), "API_KEY_REVOKED");
  const shown = await tenant.admin.getApiKey(key.id);
  assert.equal(shown.status, "revoked");
  assert.ok(shown.revokedAt && error.detail.includes(shown.revokedAt), error.detail);

  await tenant.admin.revokeApiKey(key.id);
  assert.equal((await tenant.admin.getApiKey(key.id)).revokedAt, shown.revokedAt);
  await refused(tenant.admin.updateApiKey(key.id, { status: "active" }), "API_KEY_NOT_LIVE");
  await refused(tenant.admin.rotateApiKey(key.id), "API_KEY_NOT_LIVE");
});

test("a key that does not exist is not found, in any way of asking", async () => {
  for (const id of ["key_00000000000000000000", "x", "a".repeat(500), "%C3%A9"]) {
    const path = `/api/employer/api-keys/${id}`;
    for (const [method, target, body] of [
      ["GET", path, undefined],
      ["PATCH", path, { name: "x" }],
      ["DELETE", path, undefined],
      ["POST", `${path}/rotate`, undefined],
    ] as const)
      refusedWith(await server.call({ method, target, fields: session(), ...(body ? { body } : {}) }), "API_KEY_NOT_FOUND");
  }
});

test("rotation gives a new secret under the same id, and the old one works until the overlap ends", async () => {
  const key = await make();
  await works(key.rawKey);
  const rotated = await tenant.admin.rotateApiKey(key.id, 2);
  assert.equal(rotated.id, key.id);
  assert.notEqual(rotated.rawKey, key.rawKey);
  assert.equal(rotated.keySuffix, rotated.rawKey.slice(-4));
  assert.ok(rotated.rotatedAt && rotated.previousSecretEndsAt);
  assert.equal(Date.parse(rotated.previousSecretEndsAt) - Date.parse(rotated.rotatedAt), 2000);
  await works(rotated.rawKey);
  await works(key.rawKey);

  const error = await eventually(async () => works(key.rawKey).then(() => false as const, (e) => e), 5000, "the overlap ends");
  assert.equal(error.code, "API_KEY_REVOKED");
  assert.ok(error.detail.includes("rotated") && error.detail.includes(rotated.rotatedAt), error.detail);
  await works(rotated.rawKey);
  assert.equal((await tenant.admin.getApiKey(key.id)).previousSecretEndsAt, null);
});

test("rotation with overlap 0 ends the old secret at once; without a body it lasts a day", async () => {
  const key = await make();
  await works(key.rawKey);
  const once = await tenant.admin.rotateApiKey(key.id, 0);
  await refused(works(key.rawKey), "API_KEY_REVOKED");
  await works(once.rawKey);

  const twice = await tenant.admin.rotateApiKey(key.id);
  assert.ok(twice.rotatedAt && twice.previousSecretEndsAt);
  assert.equal(Date.parse(twice.previousSecretEndsAt) - Date.parse(twice.rotatedAt), 86_400_000);
  await works(once.rawKey);
  await works(twice.rawKey);
  await refused(works(key.rawKey), "API_KEY_REVOKED");

  // Compromised: at once, former overlaps included.
  const thrice = await tenant.admin.rotateApiKey(key.id, 0);
  await refused(works(once.rawKey), "API_KEY_REVOKED");
  await refused(works(twice.rawKey), "API_KEY_REVOKED");
  await works(thrice.rawKey);

  for (const overlapSeconds of [-1, 2_592_001, "1h", 1.5])
    refusedWith(await post(`/api/employer/api-keys/${key.id}/rotate`, { overlapSeconds }), "INVALID_REQUEST");
  assert.equal((await post(`/api/employer/api-keys/${key.id}/rotate`, {})).status, 200);
});

test("the status follows the clock: scheduled, active, expired", async () => {
  const scheduled = await make({ notBefore: inAnHour() });
  assert.equal(scheduled.status, "scheduled");
  const early = await refused(works(scheduled.rawKey), "API_KEY_NOT_YET_VALID");
  assert.ok(scheduled.notBefore && early.detail.includes(scheduled.notBefore), early.detail);

  const soon = await make({ notBefore: new Date(Date.now() + 700).toISOString(), expiresAt: new Date(Date.now() + 2500).toISOString() });
  await eventually(async () => works(soon.rawKey).then(() => true, () => false), 3000, "the key becomes valid");
  assert.equal((await tenant.admin.getApiKey(soon.id)).status, "active");
  const late = await eventually(async () => works(soon.rawKey).then(() => false as const, (e) => e), 5000, "the key expires");
  assert.equal(late.code, "API_KEY_EXPIRED");
  assert.ok(late.detail.includes(soon.expiresAt), late.detail);
  assert.equal((await tenant.admin.getApiKey(soon.id)).status, "expired");
  await tenant.admin.updateApiKey(soon.id, { expiresAt: inAnHour() });
  await works(soon.rawKey);
});

test("an employer has at most api_key_limit live keys", async () => {
  const small = await startServer({ api_key_limit: 3 });
  try {
    const admin = await small.admin();
    const keys = [];
    for (let i = 0; i < 3; i++) keys.push(await admin.createApiKey({ name: `k${i}`, scopes: ["cohort:read"] }));
    await refused(admin.createApiKey({ name: "one more", scopes: ["cohort:read"] }), "API_KEY_LIMIT");
    await refused(admin.importApiKeys([{ name: "one more", scopes: ["cohort:read"], key: inventedKey() }]), "API_KEY_LIMIT");
    await admin.rotateApiKey(keys[0]?.id ?? "");
    await admin.revokeApiKey(keys[0]?.id ?? "");
    await admin.createApiKey({ name: "in its place", scopes: ["cohort:read"] });
    // Another employer has its own.
    const other = await newTenant(small);
    await other.admin.createApiKey({ name: "theirs", scopes: ["cohort:read"] });
    // At the same time, too: the limit is judged where the row is written.
    await admin.revokeApiKey(keys[1]?.id ?? "");
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => admin.createApiKey({ name: `race ${i}`, scopes: ["cohort:read"] })),
    );
    assert.equal(results.filter((r) => r.status === "fulfilled").length, 1);
  } finally {
    await small.stop();
  }
});

test("keys of another system are imported as text or digest, and work as they are", async () => {
  const root = await server.admin();
  const foreign = `acme-${randomBytes(12).toString("base64url")}`;
  const known = `hash-${randomBytes(12).toString("base64url")}`;
  const ours = inventedKey();
  const answer = await root.importApiKeys([
    { name: "as text", scopes: ["cohort:read"], key: foreign },
    { name: "as digest", scopes: ["cohort:read"], sha256: createHash("sha256").update(known).digest("hex"), rateLimit: null },
    { name: "of our form", scopes: ["cohort:read"], key: ours },
  ]);
  assert.equal(answer.imported, 3);
  assert.deepEqual(answer.keys.map((key) => key.name), ["as text", "as digest", "of our form"]);
  assert.ok(!JSON.stringify(answer).includes(foreign));
  for (const key of [foreign, known, ours]) await works(key);
  // Faults of texts are told as before where no such key exists.
  const e = await refused(works(foreign.slice(0, -1)), "INVALID_API_KEY");
  assert.match(e.detail + e.hint, /mt_live_/);
  await root.revokeApiKey(answer.keys[0]?.id ?? "");
  await refused(works(foreign), "API_KEY_REVOKED");
});

test("an import is all or nothing, and names the line", async () => {
  const root = await server.admin();
  const count = async (): Promise<number> => (await root.listApiKeys({ limit: 1000 })).keys.length;
  const before = await count();
  const line = (more: object = {}): object => ({ name: "i", scopes: ["cohort:read"], key: inventedKey(), ...more });
  const cookie = { cookie: `sallyport_session=${root.sessionCookie}` };
  const faults = async (keys: unknown): Promise<{ member: string; reason: string }[]> =>
    refusedWith(await server.call({ method: "POST", target: "/api/employer/api-keys/import", fields: cookie, body: { keys } as object }), "INVALID_REQUEST").errors;

  assert.equal((await faults([line(), line(), line(), line({ scopes: ["nope"] })]))[0]?.member, "keys[3].scopes[0]");
  assert.equal((await faults([line({ sha256: "0".repeat(64) })]))[0]?.member, "keys[0].key");
  assert.equal((await faults([line({ key: undefined })]))[0]?.member, "keys[0].key");
  assert.equal((await faults([line({ key: "short" })]))[0]?.member, "keys[0].key");
  assert.equal((await faults([line({ key: undefined, sha256: "zz" })]))[0]?.member, "keys[0].sha256");
  assert.equal((await faults([]))[0]?.member, "keys");
  const twice = line();
  assert.match((await faults([line(), twice, twice]))[0]?.member ?? "", /^keys\[2\]/);
  const mine = await root.createApiKey({ name: "mine", scopes: ["cohort:read"] });
  const taken = (await faults([line(), line({ key: mine.rawKey })]))[0];
  assert.match(taken?.member ?? "", /^keys\[1\]/);
  assert.match(taken?.reason ?? "", /exist|already|twice/);
  assert.equal(await count(), before + 1);
});
