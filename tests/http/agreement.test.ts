/** Wherever a key is judged, the judgment is the same, from the next request on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Management, type Made } from "./harness/management.js";
import { field, json, type Fields } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";

let server: Server;
let root: Management;
let token: string;
before(async () => {
  server = await startServer();
  root = await Management.root(server);
  token = (await (await server.admin()).createGateToken("gate")).token;
});
after(() => server.stop());

interface Asked {
  api: string;
  key: string;
  scopes?: string;
}

const asVerify = async ({ api, key, scopes }: Asked): Promise<string> => {
  const found = await root.verify(key, { api_id: api, ...(scopes ? { scopes: [scopes] } : {}) });
  assert.equal(found.is_valid, found.code === "API_KEY_VERIFIED");
  return found.is_valid ? "VALID" : found.code;
};

const asGate = async ({ api, key, scopes }: Asked): Promise<string> =>
  json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key, api, ...(scopes ? { scopes } : {}) } })).code;

const REQUEST = {
  forward: { "x-forwarded-method": "GET", "x-forwarded-uri": "/" },
  nginx: { "x-original-method": "GET", "x-original-uri": "/" },
};

const asDialect = (dialect: "forward" | "nginx") => async ({ api, key, scopes }: Asked): Promise<string> => {
  const credential: Fields = api === "enterprise" ? { "x-api-key": key } : { authorization: `Bearer ${key}` };
  const target = `/gate/${dialect}?api=${api}${scopes ? `&scopes=${encodeURIComponent(scopes)}` : ""}`;
  const answer = await server.call({ target, fields: { "x-gate-token": token, ...REQUEST[dialect], ...credential } });
  return answer.status === 200 ? "VALID" : field(answer, "x-auth-code")!;
};

const asRoute = async ({ key }: Asked): Promise<string> => {
  const answer = await server.call({ target: "/api/employer/cohort", fields: { "x-api-key": key, "x-api-version": "v1" } });
  return answer.status === 200 ? "VALID" : json(answer).code;
};

const ways = [asVerify, asGate, asDialect("forward"), asDialect("nginx")];

async function agree(asked: Asked, code: string, what: string): Promise<void> {
  const all = asked.api === "enterprise" ? [...ways, asRoute] : ways;
  // Each first in its turn, so that none of them is told by another's asking.
  const found = await Promise.all(all.map((way) => way(asked)));
  assert.deepEqual(found, all.map(() => code), what);
}

interface Stage {
  api: string;
  org: string;
  user: string;
  plan: string;
  scope: string; // its id
  made: Made;
}

type Change = [what: string, change: (s: Stage) => Promise<unknown>, code: string];

const changes: Change[] = [
  ["rotated", (s) => root.good("PUT", `/api_keys/${s.made.id}`), "API_KEY_REVOKED"],
  ["revoked", (s) => root.good("DELETE", `/api_keys/${s.made.id}`), "API_KEY_REVOKED"],
  ["switched off", (s) => root.good("PATCH", `/api_keys/${s.made.id}`, { status: "inactive" }), "API_KEY_INACTIVE"],
  ["its organization suspended", (s) => root.good("PATCH", `/organizations/${s.org}`, { status: "inactive" }), "EMPLOYER_INACTIVE"],
  ["its plan narrowed", (s) => root.good("PATCH", `/plans/${s.plan}`, { apis: [{ api_id: s.api, scopes: [] }] }), "INSUFFICIENT_SCOPE"],
  ["another plan given", async (s) => root.good("PATCH", `/organizations/${s.org}`, { plan_id: (await root.good("POST", "/plans", { name: `none ${s.api}` })).plan.id }), "INSUFFICIENT_SCOPE"],
];

const ownChanges: Change[] = [
  ["its API deleted", (s) => root.good("DELETE", `/apis/${s.api}?force=true`), "GONE"],
];

async function stage(api: string, scope: string): Promise<Stage> {
  const { plan } = await root.good("POST", "/plans", { name: `P ${Math.random()}`, apis: [{ api_id: api }] });
  const org = await root.makeOrganization({ plan_id: plan.id });
  const user = await root.makeUser(org);
  const made = await root.makeKey({ api_id: api, org_code: org, scope_ids: [scope], rate_limit: null });
  const { scopes } = await root.good("GET", `/apis/${api}/scopes`);
  return { api, org, user, plan: plan.id, scope: scopes.find((each: any) => each.key === scope).id, made };
}

for (const [what, change, code] of [...changes, ...ownChanges])
  test(`a key of an own API: ${what}`, async () => {
    const s = await stage(await root.makeApi(["read:x"]), "read:x");
    const asked = { api: s.api, key: s.made.key, scopes: "read:x" };
    await agree(asked, "VALID", "before");
    await change(s);
    if (code !== "GONE") return agree(asked, code, "after");
    assert.equal((await root.verify(s.made.key)).is_valid, false);
    await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys/verify", { api_key: s.made.key, api_id: s.api });
    assert.equal(await asDialect("forward")(asked), "GATE_QUESTION_INVALID");
  });

for (const [what, change, code] of changes)
  test(`a key of the enterprise API: ${what}`, async () => {
    const s = await stage("enterprise", "cohort:read");
    const asked = { api: "enterprise", key: s.made.key, scopes: "cohort:read" };
    await agree(asked, "VALID", "before");
    await change(s);
    await agree(asked, code, "after");
  });

test("a scope that is removed is lost to the key everywhere", async () => {
  const s = await stage(await root.makeApi(["read:x", "write:x"]), "read:x");
  const asked = { api: s.api, key: s.made.key };
  const held = async (): Promise<string[][]> => [
    (await root.verify(s.made.key)).scopes,
    json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: asked })).scopes,
    field(await server.call({ target: `/gate/forward?api=${s.api}`, fields: { "x-gate-token": token, ...REQUEST.forward, authorization: `Bearer ${s.made.key}` } }), "x-auth-scopes")!.split(" "),
  ];
  assert.deepEqual(await held(), [["read:x"], ["read:x"], ["read:x"]]);
  await root.good("DELETE", `/apis/${s.api}/scopes/${s.scope}?force=true`);
  assert.deepEqual(await held(), [[], [], [""]]);
  // Whoever still asks for it has settings that are wrong, and is told so.
  assert.equal(await asGate({ ...asked, scopes: "read:x" }), "INVALID_REQUEST");
  assert.equal(await asDialect("forward")({ ...asked, scopes: "read:x" }), "GATE_QUESTION_INVALID");
});

test("a person's own key: the person suspended", async () => {
  const s = await stage(await root.makeApi(["read:x"]), "read:x");
  const own = await root.makeKey({ api_id: s.api, user_id: s.user, scope_ids: ["read:x"] });
  await agree({ api: s.api, key: own.key }, "VALID", "before");
  await root.good("PATCH", `/users/${s.user}`, { status: "inactive" });
  await agree({ api: s.api, key: own.key }, "USER_INACTIVE", "after");
});

test("a key is good for its own API alone, wherever it is shown", async () => {
  const [a, b] = [await stage(await root.makeApi(["read:x"]), "read:x"), await stage(await root.makeApi(["read:x"]), "read:x")];
  await agree({ api: a.api, key: a.made.key }, "VALID", "its own");
  await agree({ api: b.api, key: a.made.key }, "INVALID_API_KEY", "another");
  await agree({ api: "enterprise", key: a.made.key }, "INVALID_API_KEY", "the enterprise API");
  const enterprise = await stage("enterprise", "cohort:read");
  await agree({ api: a.api, key: enterprise.made.key }, "INVALID_API_KEY", "an enterprise key elsewhere");
});

test("the field of the API is read, and no other", async () => {
  const api = await root.makeApi(["read:x"], { credential_header: "X-Orders-Key" });
  const s = await stage(api, "read:x");
  const ask = async (fields: Fields): Promise<string> => {
    const answer = await server.call({ target: `/gate/forward?api=${api}`, fields: { "x-gate-token": token, ...REQUEST.forward, ...fields } });
    return answer.status === 200 ? "VALID" : field(answer, "x-auth-code")!;
  };
  assert.equal(await ask({ "x-orders-key": s.made.key }), "VALID");
  const others: Fields[] = [{ authorization: `Bearer ${s.made.key}` }, { "x-api-key": s.made.key }, {}];
  for (const fields of others) assert.equal(await ask(fields), "MISSING_CREDENTIALS");
  assert.equal(await ask({ "x-orders-key": [s.made.key, s.made.key] }), "INVALID_API_KEY");
  assert.equal(await ask({ "x-orders-key": `Bearer ${s.made.key}` }), "INVALID_API_KEY");
});

test("each API has its own rules of method and path", async () => {
  const admin = await server.admin();
  const s = await stage(await root.makeApi(["read:x", "write:x"]), "read:x");
  const put = (rules: object[]): Promise<any> =>
    server.call({ method: "PUT", target: `/api/admin/gate-rules?api=${s.api}`, fields: { cookie: `sallyport_session=${admin.sessionCookie}` }, body: { rules } });
  assert.equal((await put([{ method: "GET", path: "/x", scopes: "read:x" }, { method: "POST", path: "/x", scopes: "write:x" }])).status, 200);
  const ask = async (method: string, path: string): Promise<string> =>
    json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: s.made.key, api: s.api, method, path } })).code;
  assert.equal(await ask("GET", "/x"), "VALID");
  assert.equal(await ask("POST", "/x"), "INSUFFICIENT_SCOPE");
  assert.equal(await ask("GET", "/y"), "NO_RULE_MATCHES");
  const enterprise = await stage("enterprise", "cohort:read");
  assert.equal(json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: enterprise.made.key, method: "GET", path: "/y" } })).code, "VALID");
});
