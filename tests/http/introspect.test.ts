/** OAuth 2.0 introspection of keys (RFC 7662), as an independent client sees it too. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import * as oauth from "oauth4webapi";

import type { ApiKeyDraft, IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { field, json, type Answer, type Fields } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, type Tenant } from "./harness/util.js";

let server: Server;
let root: Sallyport;
let tenant: Tenant;
let token: string;
before(async () => {
  server = await startServer();
  root = await server.admin();
  tenant = await newTenant(server);
  token = (await root.createGateToken("resource server")).token;
});
after(() => server.stop());

const makeKey = (more: Partial<ApiKeyDraft> = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read", "export:create"], rateLimit: null, ...more });
const FORM = "application/x-www-form-urlencoded";
const ask = (body: string, fields: Fields = {}): Promise<Answer> =>
  server.call({ method: "POST", target: "/oauth2/introspect", fields: { authorization: `Bearer ${token}`, "content-type": FORM, ...fields }, body });
const active = async (form: Record<string, string>): Promise<any> => {
  const answer = await ask(new URLSearchParams(form).toString());
  assert.equal(answer.status, 200, answer.body);
  assert.equal(field(answer, "cache-control"), "no-store");
  return json(answer);
};

function failed(answer: Answer, status: number, error: string): string {
  assert.equal(answer.status, status, answer.body);
  assert.equal(field(answer, "content-type"), "application/json");
  assert.equal(field(answer, "cache-control"), "no-store");
  const body = json(answer);
  assert.deepEqual(Object.keys(body), ["error", "error_description"]);
  assert.equal(body.error, error);
  // RFC 6749 section 5.2
  assert.match(body.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  return body.error_description;
}

test("a key that is good is active, with what a resource server needs", async () => {
  const key = await makeKey({ expiresAt: "2090-01-01T00:00:00.500Z", notBefore: "2020-01-01T00:00:00.500Z" });
  assert.deepEqual(await active({ token: key.rawKey, token_type_hint: "access_token", unknown: "x" }), {
    active: true,
    scope: "export:create fhir:read",
    client_id: key.id,
    sub: tenant.employerId,
    aud: `${server.url}/api/employer`,
    token_type: "api_key",
    exp: Date.UTC(2090, 0, 1) / 1000,
    nbf: Date.UTC(2020, 0, 1) / 1000 + 1,
    iss: server.url,
    keyId: key.id,
    employerId: tenant.employerId,
  });
  const plain = await active({ token: (await makeKey()).rawKey });
  assert.ok(!("exp" in plain) && !("nbf" in plain));
});

test("whatever is not active is told as that and nothing else", async () => {
  const revoked = await makeKey();
  await tenant.admin.revokeApiKey(revoked.id);
  const inactive = await makeKey();
  await tenant.admin.updateApiKey(inactive.id, { status: "inactive" });
  const future = await makeKey({ notBefore: "2090-01-01T00:00:00.000Z" });
  for (const text of [revoked.rawKey, inactive.rawKey, future.rawKey, inventedKey(), "x", "", token]) assert.deepEqual(await active({ token: text }), { active: false });
  const placed = await makeKey({ allowedIpCidrs: ["203.0.113.0/24"] });
  assert.deepEqual(await active({ token: placed.rawKey }), { active: false });
  assert.deepEqual(await active({ token: placed.rawKey, client_address: "198.51.100.1" }), { active: false });
  assert.equal((await active({ token: placed.rawKey, client_address: "203.0.113.9" })).active, true);
});

test("a rotated secret is active until its overlap ends, and says when", async () => {
  const key = await makeKey();
  const fresh = await tenant.admin.rotateApiKey(key.id, 3600);
  const before = Math.floor(Date.now() / 1000);
  const old = await active({ token: key.rawKey });
  assert.ok(old.exp >= before + 3590 && old.exp <= before + 3610, String(old.exp));
  assert.equal((await active({ token: fresh.rawKey })).exp, undefined);
});

test("asking is no use: nothing is counted, and no limit is touched", async () => {
  const key = await makeKey({ rateLimit: { requests: 2, windowSeconds: 3600 } });
  for (let i = 0; i < 30; i++) assert.equal((await active({ token: key.rawKey })).active, true);
  const gate = server.client({ token });
  assert.equal((await gate.verifyKey({ key: key.rawKey, cost: 2 })).valid, true);
  assert.equal((await gate.verifyKey({ key: key.rawKey })).code, "RATE_LIMITED");
  assert.equal((await active({ token: key.rawKey })).active, true);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal((await tenant.admin.getApiKey(key.id)).requestCount, 1);
});

test("errors have the form of RFC 6749", async () => {
  const key = await makeKey();
  const body = `token=${key.rawKey}`;
  for (const authorization of [`Bearer ${key.rawKey}`, "Bearer x", "Basic x", `Basic ${Buffer.from("me").toString("base64")}`, "Digest x"]) {
    const answer = await ask(body, { authorization });
    failed(answer, 401, "invalid_client");
    assert.ok(field(answer, "www-authenticate"));
  }
  const missing = await server.call({ method: "POST", target: "/oauth2/introspect", fields: { "content-type": FORM }, body });
  failed(missing, 401, "invalid_client");
  failed(await ask(`{"token":"${key.rawKey}"}`, { "content-type": "application/json" }), 415, "invalid_request");
  assert.match(failed(await ask(`${body}&${body}`), 400, "invalid_request"), /there twice/);
  assert.match(failed(await ask("token_type_hint=x"), 400, "invalid_request"), /token is missing/);
  assert.match(failed(await ask(`${body}&client_address=here`), 400, "invalid_request"), /client_address is no IP address/);
  assert.equal((await ask(body)).status, 200);
});

test("an independent client understands the answers", async () => {
  const key = await makeKey({ expiresAt: "2090-01-01T00:00:00.000Z" });
  const as: oauth.AuthorizationServer = { issuer: server.url, introspection_endpoint: `${server.url}/oauth2/introspect` };
  const client: oauth.Client = { client_id: "resource server", client_secret: token, token_endpoint_auth_method: "client_secret_basic" };
  const introspect = async (text: string): Promise<oauth.IntrospectionResponse | oauth.OAuth2Error> => {
    const response = await oauth.introspectionRequest(as, client, text);
    assert.equal(oauth.parseWwwAuthenticateChallenges(response), undefined);
    return oauth.processIntrospectionResponse(as, client, response);
  };
  const good = (await introspect(key.rawKey)) as oauth.IntrospectionResponse;
  assert.equal(good.active, true);
  assert.equal(good.exp, Date.UTC(2090, 0, 1) / 1000);
  assert.equal(good.scope, "export:create fhir:read");
  assert.equal(good.iss, server.url);
  assert.deepEqual(await introspect(inventedKey()), { active: false });
  const stranger = await oauth.introspectionRequest(as, { ...client, client_secret: "no token" }, key.rawKey);
  assert.equal(stranger.status, 401);
  assert.equal(oauth.parseWwwAuthenticateChallenges(stranger)?.[0]?.scheme, "bearer");
});
