/** Gateways' dialects: each reads the guarded request from its own fields, and gets an answer that it can hand on. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { ApiKeyDraft, IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { field, json, type Answer, type Fields } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, newTenant, refusedWith, type Tenant } from "./harness/util.js";

let server: Server;
let root: Sallyport;
let tenant: Tenant;
let token: string;
let tokenId: string;
before(async () => {
  server = await startServer({ guess_limit: 5, trusted_proxies: "10.0.0.0/8" });
  root = await server.admin();
  tenant = await newTenant(server);
  ({ id: tokenId, token } = await root.createGateToken("gateway"));
});
after(() => server.stop());

const makeKey = (more: Partial<ApiKeyDraft> = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read", "export:create"], rateLimit: null, ...more });
const ask = (target: string, fields: Fields = {}, method = "GET"): Promise<Answer> =>
  server.call({ method, target, fields: { "x-gate-token": token, ...fields } });
const nginx = (key: IssuedApiKey | string, fields: Fields = {}, query = ""): Promise<Answer> =>
  ask(`/gate/nginx${query}`, { "x-api-key": typeof key === "string" ? key : key.rawKey, ...fields });
const forward = (key: IssuedApiKey | string, fields: Fields = {}, query = ""): Promise<Answer> =>
  ask(`/gate/forward${query}`, { "x-api-key": typeof key === "string" ? key : key.rawKey, ...fields });

/** What nginx would hand on to its client. */
function carried(answer: Answer, code: string): any {
  assert.equal(field(answer, "x-auth-code"), code, JSON.stringify([...answer.headers]));
  const text = field(answer, "x-auth-body")!;
  assert.match(text, /^[ -~]{1,3072}$/);
  const body = JSON.parse(text);
  assert.equal(body.code, code);
  assert.equal(String(body.status), field(answer, "x-auth-status"));
  assert.equal(answer.status, body.status === 401 ? 401 : 403);
  assert.equal(answer.body, "");
  return body;
}

// ---- the answers ----

test("a key that passes: 200 without a body, and whose it is in fields", async () => {
  const key = await makeKey({ rateLimit: { requests: 10, windowSeconds: 60 } });
  for (const [i, answer] of [await nginx(key), await forward(key)].entries()) {
    assert.equal(answer.status, 200);
    assert.equal(answer.body, "");
    assert.equal(field(answer, "x-auth-key-id"), key.id);
    assert.equal(field(answer, "x-auth-employer-id"), tenant.employerId);
    assert.equal(field(answer, "x-auth-scopes"), "export:create fhir:read");
    assert.equal(field(answer, "ratelimit-policy"), '"key";q=10;w=60');
    assert.match(field(answer, "ratelimit") ?? "", new RegExp(`^"key";r=${9 - i};t=`));
    assert.equal(field(answer, "cache-control"), "no-store");
  }
});

test("nginx is told 401 or 403 and nothing else; the true status and the problem are in fields", async () => {
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  const answer = await nginx(revoked);
  const body = carried(answer, "API_KEY_REVOKED");
  assert.equal(answer.status, 401);
  assert.match(field(answer, "www-authenticate") ?? "", /^ApiKey/);
  assert.equal(body.requestId, field(answer, "x-request-id"));
  assert.equal(body.instance, undefined);

  const lacking = carried(await nginx(await makeKey(), {}, "?scopes=sso:manage"), "INSUFFICIENT_SCOPE");
  assert.deepEqual(lacking.requiredScopes, ["sso:manage"]);

  const key = await makeKey({ rateLimit: { requests: 1, windowSeconds: 60 } });
  assert.equal((await nginx(key)).status, 200);
  const limited = await nginx(key);
  assert.equal(carried(limited, "RATE_LIMITED").status, 429);
  assert.match(field(limited, "retry-after") ?? "", /^[1-9]\d*$/);

  const missing = carried(await ask("/gate/nginx"), "MISSING_CREDENTIALS");
  assert.match(missing.hint, /x-api-key: mt_live_\u2026/);
  carried(await nginx(inventedKey()), "INVALID_API_KEY");
  const twice = carried(await ask("/gate/nginx", { "x-api-key": [revoked.rawKey, revoked.rawKey] }), "INVALID_API_KEY");
  assert.match(twice.detail, /sent twice/);
});

test("Traefik, Caddy and APISIX hand the answer on as it is", async () => {
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  const answer = await forward(revoked);
  refusedWith(answer, "API_KEY_REVOKED");
  assert.equal(field(answer, "x-auth-status"), "401");
  assert.equal(field(answer, "x-auth-code"), "API_KEY_REVOKED");
  const key = await makeKey({ rateLimit: { requests: 2, windowSeconds: 60 } });
  assert.equal((await forward(key, {}, "?cost=2")).status, 200);
  const limited = await forward(key);
  assert.equal(limited.status, 429);
  refusedWith(limited, "RATE_LIMITED");
  refusedWith(await ask("/gate/forward", {}, "POST"), "MISSING_CREDENTIALS");
});

test("the query of the question says what the guarded request needs", async () => {
  const key = await makeKey();
  assert.equal((await nginx(key, {}, "?scopes=fhir:read+AND+%28sso:manage+OR+export:create%29&cost=3")).status, 200);
  assert.equal((await forward(key, {}, "?scopes=fhir:read&api=enterprise")).status, 200);
  refusedWith(await forward(key, {}, "?scopes=cohort:read"), "INSUFFICIENT_SCOPE");
  for (const query of ["?scope=fhir:read", "?scopes=fhir:raed", "?scopes=fhir:read&scopes=fhir:read", "?cost=0", "?cost=x", "?cost=1&cost=1", "?api=other"]) {
    carried(await nginx(key, {}, query), "GATE_QUESTION_INVALID");
    refusedWith(await forward(key, {}, query), "GATE_QUESTION_INVALID");
  }
});

// ---- the guarded request ----

test("a credential in Authorization is the guarded request's, and is not looked at", async () => {
  const key = await makeKey();
  assert.equal((await nginx(key, { authorization: "Basic dTpw" })).status, 200);
  assert.equal((await forward(key, { authorization: `Bearer ${token}x` })).status, 200);
  carried(await server.call({ target: "/gate/nginx", fields: { authorization: `Bearer ${token}`, "x-api-key": key.rawKey } }), "GATEWAY_NOT_TRUSTED");
});

test("the client's address is taken from the dialect's own field", async () => {
  const key = await makeKey({ allowedIpCidrs: ["203.0.113.0/24"] });
  const good = "203.0.113.9";
  assert.equal((await nginx(key, { "x-real-ip": good })).status, 200);
  assert.equal((await forward(key, { "x-forwarded-for": good })).status, 200);
  assert.equal((await forward(key, { "x-forwarded-for": `198.51.100.1, ${good}, 10.1.1.1` })).status, 200);
  refusedWith(await forward(key, { "x-forwarded-for": `${good}, 198.51.100.1` }), "API_KEY_IP_NOT_ALLOWED");
  refusedWith(await forward(key, { "x-forwarded-for": `${good}, unknown` }), "API_KEY_IP_NOT_ALLOWED");
  refusedWith(await forward(key), "API_KEY_IP_NOT_ALLOWED");
  refusedWith(await forward(key, { "x-real-ip": good, forwarded: `for=${good}` }), "API_KEY_IP_NOT_ALLOWED");
  carried(await nginx(key, { "x-forwarded-for": good, forwarded: `for=${good}` }), "API_KEY_IP_NOT_ALLOWED");
  carried(await nginx(key, { "x-real-ip": "here" }), "GATE_QUESTION_INVALID");
  carried(await nginx(key, { "x-real-ip": [good, "198.51.100.1"] }), "GATE_QUESTION_INVALID");
  refusedWith(await forward(key, { "x-forwarded-for": ["198.51.100.1", good] }), "GATE_QUESTION_INVALID");
  await eventually(async () => (await tenant.admin.getApiKey(key.id)).lastUsedIp === good, 5000, "the client's address");
});

test("guesses are counted for the client that is named", async () => {
  const codes: string[] = [];
  for (let i = 0; i < 8; i++) codes.push(field(await forward(inventedKey(), { "x-forwarded-for": "198.51.100.77" }), "x-auth-code")!);
  assert.deepEqual(codes, [...Array(5).fill("INVALID_API_KEY"), ...Array(3).fill("RATE_LIMITED")]);
  for (let i = 0; i < 8; i++) carried(await nginx(inventedKey()), "INVALID_API_KEY");
});

test("Envoy asks with the guarded request's own method and target", async () => {
  const key = await makeKey({ rateLimit: { requests: 20, windowSeconds: 60 } });
  const envoy = (method: string, target: string, fields: Fields = {}): Promise<Answer> =>
    ask(`/gate/envoy${target}`, { "x-api-key": key.rawKey, ...fields }, method);
  for (const method of ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND", "BREW"]) {
    const answer = await envoy(method, "/orders/1?scopes=sso:manage&cost=0&x");
    assert.equal(answer.status, 200, `${method}: ${answer.body}`);
    assert.equal(field(answer, "x-auth-key-id"), key.id);
  }
  assert.equal((await envoy("HEAD", "/orders/1")).status, 200);
  for (const target of ["/", "/a%2fb", "/a/../b", "/a//b;c=1", "/%zz"]) assert.equal((await envoy("GET", target)).status, 200, target);
  refusedWith(await envoy("PROPFIND", "/x", { "x-api-key": "mt_live_" }), "INVALID_API_KEY");
  refusedWith(await server.call({ method: "BREW", target: "/gate/envoy/x", fields: { "x-api-key": key.rawKey } }), "GATEWAY_NOT_TRUSTED");
  refusedWith(await server.call({ method: "BREW", target: "/gate/forward" }), "NOT_IMPLEMENTED");
});

test("what a known key is refused at the gate is noted in the audit of its employer", async () => {
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  for (let i = 0; i < 5; i++) await nginx(revoked, { "x-real-ip": "203.0.113.44" });
  const key = await makeKey();
  for (let i = 0; i < 5; i++) await forward(key, {}, "?scopes=sso:manage");
  const lineOf = (action: string, id: string) =>
    eventually(async () => (await root.listAudit({ action })).lines.find((line) => line.actor.id === id), 10_000, `${action} of ${id}`);
  const used = await lineOf("api_key.used_after_revocation", revoked.id);
  assert.deepEqual(used.target, { kind: "api_key", id: revoked.id });
  assert.equal(used.employerId, tenant.employerId);
  assert.equal(used.address, "203.0.113.44");
  assert.equal((used.detail as any).route, "/gate/nginx");
  const denied = await lineOf("authorization.denied", key.id);
  assert.equal((denied.detail as any).code, "INSUFFICIENT_SCOPE");
  assert.equal((denied.detail as any).route, "/gate/forward");
  assert.match((denied.detail as any).reason, /The key lacks: sso:manage/);
});

// ---- who may ask ----

test("whoever is not known is refused in the dialect, and the log alone says why", async () => {
  const key = await makeKey();
  const fields = { "x-api-key": key.rawKey };
  const stranger = carried(await server.call({ target: "/gate/nginx", fields }), "GATEWAY_NOT_TRUSTED");
  assert.equal(stranger.status, 503);
  assert.ok(!JSON.stringify(stranger).match(/token|gate_peers/i), JSON.stringify(stranger));
  refusedWith(await server.call({ target: "/gate/forward", fields }), "GATEWAY_NOT_TRUSTED");
  for (const bad of ["x", token.slice(1), inventedKey()]) carried(await nginx(key, { "x-gate-token": bad }), "GATEWAY_NOT_TRUSTED");
  await eventually(async () => /gate\.not_trusted/.test(server.log) && /no X-Gate-Token/.test(server.log), 5000, "the log names it");
  assert.ok(!server.log.includes(token));
});

test("a token that is revoked lets nobody ask any more", async () => {
  const key = await makeKey();
  const other = await root.createGateToken("short");
  assert.equal((await nginx(key, { "x-gate-token": other.token })).status, 200);
  await root.revokeGateToken(other.id);
  carried(await nginx(key, { "x-gate-token": other.token }), "GATEWAY_NOT_TRUSTED");
  assert.equal((await nginx(key)).status, 200);
  assert.ok(tokenId);
});

test("an address in gate_peers needs no token, from a reload on", async () => {
  const own = await startServer();
  try {
    const root = await own.admin();
    const tenant = await newTenant(own);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read"], rateLimit: null });
    const call = (fields: Fields = {}): Promise<Answer> => own.call({ target: "/gate/forward", fields: { "x-api-key": key.rawKey, ...fields } });
    refusedWith(await call(), "GATEWAY_NOT_TRUSTED");
    writeFileSync(join(own.instance.folder, "sallyport.conf"), "gate_peers = 127.0.0.0/8\n");
    process.kill(own.pid, "SIGHUP");
    await eventually(async () => (await call()).status === 200, 5000, "trusted");
    // A token that is sent decides, so that revoking it has an effect.
    const { id, token } = await root.createGateToken("t");
    assert.equal((await call({ "x-gate-token": token })).status, 200);
    await root.revokeGateToken(id);
    refusedWith(await call({ "x-gate-token": token }), "GATEWAY_NOT_TRUSTED");
  } finally {
    await own.stop();
  }
});

test("a member of the question that nobody sent does not come from the connection", async () => {
  const key = await makeKey({ allowedIpCidrs: ["127.0.0.0/8"] });
  assert.match(carried(await nginx(key), "API_KEY_IP_NOT_ALLOWED").detail, /no address was known/);
  assert.ok(json(await forward(key)).hint);
});
