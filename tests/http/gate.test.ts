/** The gate: who may ask, and that its verdict is the door's own, told whole. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import type { ApiKeyDraft, IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { field, json, type Answer } from "./harness/raw.js";
import { Instance, onPostgres, startServer, type Server } from "./harness/server.js";
import { crc32, eventually, inventedKey, newTenant, refused, refusedWith, type Tenant } from "./harness/util.js";

let server: Server;
let root: Sallyport;
let tenant: Tenant;
let gate: Sallyport;
before(async () => {
  server = await startServer({ guess_limit: 5 });
  root = await server.admin();
  tenant = await newTenant(server);
  gate = server.client({ token: (await root.createGateToken("tests")).token });
});
after(() => server.stop());

const makeKey = (more: Partial<ApiKeyDraft> = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read", "export:create"], rateLimit: null, ...more });
const ask = (token: string | undefined, body: object, fields: Record<string, string> = {}): Promise<Answer> =>
  server.call({ method: "POST", target: "/gate/verify", fields: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...fields }, body });

function inventedToken(): string {
  const body = `gt_live_${randomBytes(28).toString("hex")}`;
  return body + crc32(body).toString(16).padStart(8, "0");
}

// ---- who may ask ----

test("a gate token is made, listed without its text, and in force until it is revoked", async () => {
  const key = await makeKey();
  const { id, token } = await root.createGateToken("edge nginx");
  const client = server.client({ token });
  assert.equal((await client.verifyKey({ key: key.rawKey })).valid, true);
  const list = await root.listGateTokens();
  assert.ok(list.gateTokens.some((each) => each.id === id && each.name === "edge nginx"));
  assert.ok(!JSON.stringify(list).includes(token));
  await root.revokeGateToken(id);
  await refused(client.verifyKey({ key: key.rawKey }), "GATE_TOKEN_INVALID");
  await refused(root.revokeGateToken(id), "GATE_TOKEN_NOT_FOUND");
  const actions = (await root.listAudit({ targetId: id })).lines.map((line) => line.action);
  assert.deepEqual(actions, ["gate_token.revoked", "gate_token.created"]);
});

test("nobody else asks: no token, another's, a key or a session", async () => {
  const key = await makeKey();
  const body = { key: key.rawKey };
  const missing = await ask(undefined, body);
  assert.match(refusedWith(missing, "MISSING_CREDENTIALS").hint, /gate-tokens create/);
  for (const token of ["x", inventedToken(), inventedToken().slice(1), key.rawKey, root.sessionCookie!]) {
    const answer = await ask(token, body);
    refusedWith(answer, "GATE_TOKEN_INVALID");
    assert.match(field(answer, "www-authenticate") ?? "", /^Bearer realm="sallyport", error="invalid_token"$/);
  }
  refusedWith(await ask(undefined, body, { cookie: `sallyport_session=${root.sessionCookie}` }), "MISSING_CREDENTIALS");
  refusedWith(await ask(undefined, body, { "x-api-key": key.rawKey }), "MISSING_CREDENTIALS");
  await refused(tenant.admin.createGateToken("mine"), "INSUFFICIENT_ROLE");
  const token = (await root.createGateToken("t")).token;
  refusedWith(await server.call({ target: "/api/employer/cohort", fields: { authorization: `Bearer ${token}` } }), "MISSING_CREDENTIALS");
});

test("tokens are there after a restart, and other nodes know them within a second", async () => {
  const own = new Instance();
  const first = await own.start();
  const admin = await first.admin();
  const { token, id } = await admin.createGateToken("kept");
  const issued = await first.cliJson(["keys", "create", "--name", "k", "--scope", "fhir:read"]);
  await first.halt();
  const second = await own.start();
  try {
    assert.equal((await second.client({ token }).verifyKey({ key: issued.rawKey })).valid, true);
    if (!onPostgres) return;
    const other = await new Instance({ key_file: own.keyFile }, own.database).start();
    try {
      assert.equal((await other.client({ token }).verifyKey({ key: issued.rawKey })).valid, true);
      const again = await second.admin();
      const late = await again.createGateToken("late");
      assert.equal((await other.client({ token: late.token }).verifyKey({ key: issued.rawKey })).valid, true);
      await again.revokeGateToken(id);
      await eventually(async () => (await other.client({ token }).verifyKey({ key: issued.rawKey }).catch((e) => e.code)) === "GATE_TOKEN_INVALID", 5000, "revoked on the other node");
    } finally {
      await other.stop();
    }
  } finally {
    await second.stop();
  }
});

test("there is an end to the number of tokens", async () => {
  const own = await startServer();
  try {
    const admin = await own.admin();
    for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, () => admin.createGateToken(`t${i}`)));
    const error = await refused(admin.createGateToken("one more"), "GATE_TOKEN_LIMIT");
    assert.equal(error.status, 409);
    let n = 0;
    for await (const _ of pagesOf(admin)) n += 1;
    assert.equal(n, 1000);
  } finally {
    await own.stop();
  }
});

async function* pagesOf(admin: Sallyport): AsyncGenerator<string> {
  for (let cursor: string | undefined; ; ) {
    const list = await admin.listGateTokens({ limit: 300, ...(cursor ? { cursor } : {}) });
    yield* list.gateTokens.map((token) => token.id);
    if (list.nextCursor === null) return;
    cursor = list.nextCursor;
  }
}

// ---- the verdict ----

test("a key that passes: whose it is, what it may, and what is left of its limit", async () => {
  const key = await makeKey({ rateLimit: { requests: 10, windowSeconds: 60 }, expiresAt: "2090-01-01T00:00:00.000Z" });
  const first = await gate.verifyKey({ key: key.rawKey, scopes: "fhir:read AND (export:read OR export:create)" });
  assert.deepEqual(first, {
    valid: true,
    code: "VALID",
    keyId: key.id,
    employerId: tenant.employerId,
    userId: null,
    scopes: ["export:create", "fhir:read"],
    expiresAt: "2090-01-01T00:00:00.000Z",
    rateLimit: { requests: 10, windowSeconds: 60, remaining: 9, resetSeconds: first.rateLimit!.resetSeconds },
    rule: null,
  });
  assert.equal((await gate.verifyKey({ key: key.rawKey, cost: 4 })).rateLimit?.remaining, 5);
  const dear = await gate.verifyKey({ key: key.rawKey, cost: 6 });
  assert.equal(dear.code, "RATE_LIMITED");
  assert.equal(dear.status, 429);
  assert.ok(dear.retryAfterSeconds! >= 1);
  assert.equal((await gate.verifyKey({ key: key.rawKey, cost: 5 })).rateLimit?.remaining, 0);
});

test("a key that does not pass: the same code, detail and hint as at the door", async () => {
  const live = await makeKey();
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  const inactive = await makeKey();
  await tenant.admin.updateApiKey(inactive.id, { status: "inactive" });
  const placed = await makeKey({ allowedIpCidrs: ["203.0.113.0/24"] });
  const future = await makeKey({ notBefore: "2090-01-01T00:00:00.000Z" });
  for (const [code, question] of [
    ["API_KEY_REVOKED", { key: revoked.rawKey }],
    ["API_KEY_INACTIVE", { key: inactive.rawKey }],
    ["API_KEY_NOT_YET_VALID", { key: future.rawKey }],
    ["API_KEY_IP_NOT_ALLOWED", { key: placed.rawKey, clientAddress: "198.51.100.7" }],
    ["API_KEY_IP_NOT_ALLOWED", { key: placed.rawKey }],
    ["INVALID_API_KEY", { key: inventedKey() }],
    ["INVALID_API_KEY", { key: live.rawKey.slice(0, -1) }],
    ["INVALID_API_KEY", { key: ` ${live.rawKey}` }],
    ["INVALID_API_KEY", { key: "" }],
    ["INSUFFICIENT_SCOPE", { key: live.rawKey, scopes: "sso:manage" }],
  ] as const) {
    const verdict = await gate.verifyKey(question);
    assert.equal(verdict.code, code, JSON.stringify(verdict));
    assert.equal(verdict.valid, false);
    assert.ok(verdict.status! >= 401 && verdict.title && verdict.detail && verdict.hint, JSON.stringify(verdict));
    if (code === "INVALID_API_KEY") assert.equal(verdict.keyId, null);
  }
  assert.equal((await gate.verifyKey({ key: placed.rawKey, clientAddress: "203.0.113.9" })).valid, true);
  const door = json(await server.withKey(revoked));
  const verdict = await gate.verifyKey({ key: revoked.rawKey });
  assert.deepEqual([verdict.code, verdict.title, verdict.detail, verdict.hint], [door.code, door.title, door.detail, door.hint]);
});

test("a refusal by scope names the shortest way to be let in", async () => {
  const key = await makeKey();
  const verdict = await gate.verifyKey({ key: key.rawKey, scopes: "fhir:read and (cohort:read and cohort:write or sso:manage)" });
  assert.deepEqual([verdict.code, verdict.status], ["INSUFFICIENT_SCOPE", 403]);
  assert.deepEqual(verdict.requiredScopes, ["sso:manage", "fhir:read"]);
  assert.deepEqual(verdict.keyScopes, ["export:create", "fhir:read"]);
  assert.equal(verdict.detail, "The key lacks: sso:manage.");
});

test("a revocation is in force at the next question, and uses are counted", async () => {
  const key = await makeKey();
  for (let i = 0; i < 5; i++) assert.equal((await gate.verifyKey({ key: key.rawKey, clientAddress: "203.0.113.5" })).valid, true);
  await eventually(async () => (await tenant.admin.getApiKey(key.id)).requestCount === 5, 5000, "five uses");
  assert.equal((await tenant.admin.getApiKey(key.id)).lastUsedIp, "203.0.113.5");
  await tenant.admin.revokeApiKey(key.id);
  assert.equal((await gate.verifyKey({ key: key.rawKey })).code, "API_KEY_REVOKED");
});

test("guessing is counted by the client that is named, never by the gateway", async () => {
  for (let i = 0; i < 20; i++) assert.equal((await gate.verifyKey({ key: inventedKey() })).code, "INVALID_API_KEY");
  const codes: string[] = [];
  for (let i = 0; i < 8; i++) codes.push((await gate.verifyKey({ key: inventedKey(), clientAddress: "198.51.100.9" })).code);
  assert.deepEqual(codes, [...Array(5).fill("INVALID_API_KEY"), ...Array(3).fill("RATE_LIMITED")]);
});

// ---- many at once, and bad questions ----

test("a batch answers each in its place", async () => {
  const [one, other] = [await makeKey(), await makeKey({ scopes: ["cohort:read"] })];
  const questions = Array.from({ length: 1000 }, (_, i) => ({ key: [one.rawKey, "nonsense", other.rawKey][i % 3]!, scopes: "fhir:read" }));
  const results = await gate.verifyKeys(questions);
  assert.equal(results.length, 1000);
  results.forEach((each, i) => assert.equal(each.code, ["VALID", "INVALID_API_KEY", "INSUFFICIENT_SCOPE"][i % 3]));
});

test("what is wrong with a question is named, and nothing is counted", async () => {
  const key = await makeKey();
  const errors = async (promise: Promise<unknown>): Promise<string> => (await refused(promise, "INVALID_REQUEST")).errors.map((e) => `${"index" in e ? `${e.index} ` : ""}${e.member} ${e.reason}`).join("\n");
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, scopes: "fhir:read export:read" })), /scopes at character 11 must be AND or OR, or the end/);
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, scopes: "fhir:raed" })), /scopes at character 1 must be a scope/);
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, clientAddress: "here" })), /clientAddress must be an IP address/);
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, cost: 0 })), /cost/);
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, api: "other" } as never)), /api must be the id or the audience of an API/);
  assert.match(await errors(gate.verifyKey({ scopes: "fhir:read" } as never)), /key must be a text/);
  assert.match(await errors(gate.verifyKey({ key: key.rawKey, colour: "red" } as never)), /colour/);
  assert.match(await errors(gate.verifyKeys([{ key: key.rawKey }, { key: key.rawKey, cost: 1.5 }])), /1 cost/);
  assert.match(await errors(gate.verifyKeys([])), /requests must be a list of 1 to 1000/);
  assert.match(await errors(gate.verifyKeys(Array.from({ length: 1001 }, () => ({ key: "x" })))), /requests/);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal((await tenant.admin.getApiKey(key.id)).requestCount, 0);
});

test("the command line makes, shows and ends tokens", async () => {
  const made = await server.cliJson(["gate-tokens", "create", "--name", "from the shell"]);
  assert.deepEqual(Object.keys(made), ["id", "name", "token", "createdAt"]);
  const key = await makeKey();
  assert.equal((await server.client({ token: made.token }).verifyKey({ key: key.rawKey })).valid, true);
  assert.match((await server.cli(["gate-tokens", "list"])).stdout, /ID +CREATED +NAME[^]*from the shell/);
  assert.match((await server.cli(["gate-tokens", "revoke", made.id])).stdout, /Revoked the gate token/);
  assert.equal((await server.cli(["gate-tokens", "revoke", made.id])).code, 1);
  assert.match((await server.cli(["gate-tokens", "create", "--name", "shown"])).stdout, /gt_live_[0-9a-f]{64}/);
});
