/** Rules of method and path: what a request needs by what it asks for, in every dialect alike. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { field, json, type Answer, type Fields } from "./harness/raw.js";
import { Instance, onPostgres, startServer, type Server } from "./harness/server.js";
import { eventually, newTenant, refusedWith, type Tenant } from "./harness/util.js";

let server: Server;
let root: Sallyport;
let tenant: Tenant;
let key: IssuedApiKey;
let token: string;
let cookie: string;
before(async () => {
  server = await startServer();
  root = await server.admin();
  cookie = `sallyport_session=${root.sessionCookie}`;
  tenant = await newTenant(server);
  token = (await root.createGateToken("gateway")).token;
  key = await tenant.admin.createApiKey({ name: "k", scopes: ["fhir:read", "export:create"], rateLimit: null });
});
after(() => server.stop());

interface Rule {
  method: string;
  path: string;
  scopes?: string;
}
const TARGET = "/api/admin/gate-rules";
const put = (rules: unknown, target = TARGET): Promise<Answer> => server.call({ method: "PUT", target, fields: { cookie }, body: { rules } });
async function set(rules: Rule[]): Promise<void> {
  const answer = await put(rules);
  assert.equal(answer.status, 200, answer.body);
}
const forward = (method: string, uri: string, fields: Fields = {}): Promise<Answer> =>
  server.call({ target: "/gate/forward", fields: { "x-gate-token": token, "x-api-key": key.rawKey, "x-forwarded-method": method, "x-forwarded-uri": uri, ...fields } });
const nginx = (method: string, uri: string, fields: Fields = {}): Promise<Answer> =>
  server.call({ target: "/gate/nginx", fields: { "x-gate-token": token, "x-api-key": key.rawKey, "x-original-method": method, "x-original-uri": uri, ...fields } });
const envoy = (method: string, uri: string, fields: Fields = {}): Promise<Answer> =>
  server.call({ method, target: `/gate/envoy${uri}`, fields: { "x-gate-token": token, "x-api-key": key.rawKey, ...fields } });
const verify = async (more: object): Promise<any> =>
  json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: key.rawKey, ...more } }));

const RULES: Rule[] = [
  { method: "GET", path: "/orders/{id}", scopes: "fhir:read" },
  { method: "POST", path: "/orders", scopes: "export:create AND fhir:read" },
  { method: "*", path: "/admin/**", scopes: "sso:manage" },
  { method: "PROPFIND", path: "/files/**", scopes: "" },
];

test("the first rule that fits decides, in every dialect alike, and is named", async () => {
  await set(RULES);
  for (const [method, uri, code, rule] of [
    ["GET", "/orders/17?x=/admin/", "VALID", "GET /orders/{id}"],
    ["HEAD", "/orders/17/", "VALID", "GET /orders/{id}"],
    ["GET", "/orders/a%20b", "VALID", "GET /orders/{id}"],
    ["POST", "/orders/", "VALID", "POST /orders"],
    ["DELETE", "/admin/users", "INSUFFICIENT_SCOPE", "* /admin/**"],
    ["GET", "/admin", "INSUFFICIENT_SCOPE", "* /admin/**"],
    ["PROPFIND", "/files/a/b/c", "VALID", "PROPFIND /files/**"],
    ["DELETE", "/orders/17", "NO_RULE_MATCHES", undefined],
    ["GET", "/", "NO_RULE_MATCHES", undefined],
    ["GET", "/Orders/17", "NO_RULE_MATCHES", undefined],
    ["GET", "/orders/17%2Fx", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/../admin/x", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/%2e%2e/admin/x", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/%252e%252e/x", "AMBIGUOUS_PATH", undefined],
    ["GET", "//orders/17", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/17;x=1", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/%zz", "AMBIGUOUS_PATH", undefined],
    ["GET", "/orders/%ff", "AMBIGUOUS_PATH", undefined],
  ] as const) {
    const what = `${method} ${uri}`;
    const verdict = await verify({ method, path: uri });
    assert.equal(verdict.code, code, what);
    assert.equal(verdict.rule, rule ?? null, what);
    for (const answer of [await forward(method, uri), await nginx(method, uri), await envoy(method, uri)]) {
      if (code === "VALID") assert.equal(answer.status, 200, `${what}: ${answer.body}`);
      else assert.equal(field(answer, "x-auth-code"), code, what);
      assert.equal(field(answer, "x-auth-rule"), rule, what);
    }
  }
});

test("a refusal names what is wrong with the path, or the nearest rules", async () => {
  await set(RULES);
  const none = refusedWith(await forward("DELETE", "/orders/17"), "NO_RULE_MATCHES");
  assert.match(none.detail, /None of the rules fits this path with the method DELETE\./);
  assert.equal(none.hint, "The nearest is: GET /orders/{id}.");
  assert.match(refusedWith(await forward("GET", "/nowhere"), "NO_RULE_MATCHES").hint, /The nearest are: GET \/orders\/\{id\}, POST \/orders, \* \/admin\/\*\*\./);
  assert.match(refusedWith(await forward("GET", "/a%2fb"), "AMBIGUOUS_PATH").detail, /holds an escaped slash or backslash/);
  const scope = refusedWith(await forward("GET", "/admin/x"), "INSUFFICIENT_SCOPE");
  assert.deepEqual(scope.requiredScopes, ["sso:manage"]);
});

test("rules and scopes both count, and rules tell nothing to who has no good key", async () => {
  await set(RULES);
  const both = json(await server.call({ target: "/gate/forward?scopes=cohort:read", fields: { "x-gate-token": token, "x-api-key": key.rawKey, "x-forwarded-method": "GET", "x-forwarded-uri": "/admin/x" } }));
  assert.deepEqual(both.requiredScopes, ["cohort:read", "sso:manage"]);
  assert.equal((await verify({ method: "GET", path: "/orders/1", scopes: "cohort:read" })).code, "INSUFFICIENT_SCOPE");
  refusedWith(await forward("GET", "/nowhere", { "x-api-key": "mt_live_x" }), "INVALID_API_KEY");
  refusedWith(await server.call({ target: "/gate/forward", fields: { "x-gate-token": token, "x-forwarded-method": "GET", "x-forwarded-uri": "/a%2fb" } }), "MISSING_CREDENTIALS");
});

test("each dialect reads the request from its own fields alone", async () => {
  await set(RULES);
  const others = (...names: string[]): Fields => Object.fromEntries(names.map((name) => [name, name.includes("method") ? "GET" : "/orders/1"]));
  const nginxs = ["x-original-method", "x-original-uri"];
  const forwards = ["x-forwarded-method", "x-forwarded-uri"];
  const more = ["x-original-url", "x-rewrite-url", "x-http-method-override", "x-envoy-original-path"];
  assert.equal(field(await nginx("GET", "/admin/x", others(...forwards, ...more)), "x-auth-code"), "INSUFFICIENT_SCOPE");
  refusedWith(await forward("GET", "/admin/x", others(...nginxs, ...more)), "INSUFFICIENT_SCOPE");
  refusedWith(await envoy("GET", "/admin/x", others(...nginxs, ...forwards, ...more)), "INSUFFICIENT_SCOPE");
  const credentials = { "x-gate-token": token, "x-api-key": key.rawKey };
  assert.equal(field(await server.call({ target: "/gate/nginx", fields: { ...credentials, ...others(...forwards) } }), "x-auth-code"), "GATE_QUESTION_INVALID");
  const missing = refusedWith(await server.call({ target: "/gate/forward", fields: { ...credentials, ...others(...nginxs) } }), "GATE_QUESTION_INVALID");
  assert.match(missing.detail, /names no method or no target/);
  assert.match(missing.hint, /docs\/gateways/);
  for (const name of nginxs) {
    const twice = { "x-original-method": "GET", "x-original-uri": "/orders/1", [name]: [others(name)[name] as string, "x"] };
    assert.equal(field(await server.call({ target: "/gate/nginx", fields: { ...credentials, ...twice } }), "x-auth-code"), "GATE_QUESTION_INVALID");
  }
});

test("without rules method and path are not judged, and a question about a key needs neither", async () => {
  await set(RULES);
  assert.equal((await verify({})).code, "VALID");
  const problem = refusedWith(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: key.rawKey, method: "GET" } }), "INVALID_REQUEST");
  assert.deepEqual(problem.errors, [{ member: "path", reason: "must come with method, or neither" }]);
  await set([]);
  for (const uri of ["/nowhere", "/a%2fb", "/../x;y"]) assert.equal((await forward("BREW", uri)).status, 200, uri);
  assert.equal((await verify({ method: "GET", path: "/a%2fb" })).rule, null);
});

test("what is wrong with a list is told by row, and nothing changes", async () => {
  await set(RULES);
  const problem = refusedWith(
    await put([
      { method: "GET", path: "/a/{id}" },
      { method: "get", path: "/b" },
      { method: "GET", path: "/a//b" },
      { method: "GET", path: "/c", scopes: "fhir:raed" },
      { method: "HEAD", path: "/a/7" },
      { method: "GET", path: "/**/x" },
      { method: "GET", path: "/d", colour: "red" },
      "GET /e",
      { path: "/f" },
    ]),
    "INVALID_REQUEST",
  );
  const said = problem.errors.map((e: any) => `${e.index} ${e.member} ${e.reason}`).join("\n");
  assert.match(said, /^1 method must be \* or a method in capital letters/m);
  assert.match(said, /^2 path holds two slashes in a row/m);
  assert.match(said, /^3 scopes at character 1 must be a scope/m);
  assert.match(said, /^4 path is never reached: row 0, GET \/a\/\{id\}, takes all of it before/m);
  assert.match(said, /^5 path may have \*\* only as its last segment/m);
  assert.match(said, /^6 .*colour/m);
  assert.match(said, /^7 /m);
  assert.match(said, /^8 method/m);
  for (const rules of ["x", Array.from({ length: 1001 }, (_, i) => ({ method: "GET", path: `/${i}` }))]) refusedWith(await put(rules), "INVALID_REQUEST");
  refusedWith(await put([], `${TARGET}?api=other`), "INVALID_REQUEST");
  refusedWith(await server.call({ target: `${TARGET}?api=other`, fields: { cookie } }), "INVALID_REQUEST");
  assert.deepEqual(json(await server.call({ target: TARGET, fields: { cookie } })), { api: "enterprise", rules: RULES });
});

test("a thousand rules are in force, are seen by an ADMIN alone, and leave a line in the audit", async () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ method: "GET", path: `/r${i}/{id}/`, scopes: i === 999 ? "fhir:read" : "sso:manage" }));
  await set(many);
  assert.equal((await verify({ method: "GET", path: "/r999/7" })).rule, "GET /r999/{id}");
  assert.equal((await verify({ method: "GET", path: "/r5/7" })).code, "INSUFFICIENT_SCOPE");
  refusedWith(await server.call({ target: TARGET, fields: { cookie: `sallyport_session=${tenant.admin.sessionCookie}` } }), "INSUFFICIENT_ROLE");
  const line = (await root.listAudit({ action: "gate_rules.changed" })).lines[0]!;
  assert.deepEqual(line.target, { kind: "api", id: "enterprise" });
  assert.equal((line.detail as any).rules, 1000);
});

test("the command line shows rules as text that it takes", async () => {
  const file = join(server.instance.folder, "rules");
  writeFileSync(file, "# orders\nGET  /orders/{id}   fhir:read\r\n\n* /open/**\nPOST /orders export:create AND fhir:read\n");
  assert.match((await server.cli(["gate-rules", "set", file])).stdout, /3 rules are in force/);
  const shown = (await server.cli(["gate-rules", "show"])).stdout;
  assert.equal(shown, "GET /orders/{id}  fhir:read\n* /open/**\nPOST /orders      export:create AND fhir:read\n");
  assert.match((await server.cli(["gate-rules", "set", "-", "--api", "enterprise"], shown)).stdout, /3 rules/);
  assert.equal((await server.cli(["gate-rules", "show"])).stdout, shown);
  assert.equal((await server.cliJson(["gate-rules", "show"])).rules.length, 3);
  const bad = await server.cli(["gate-rules", "set", "-"], "GET\n");
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /line 1 of the file: a rule is a method, a path/);
  const refused = await server.cli(["gate-rules", "set", "-"], "GET /a\nGET /a/\n");
  assert.equal(refused.code, 1);
  assert.match(refused.stdout + refused.stderr, /row 1, path is never reached: row 0, GET \/a/);
  assert.match((await server.cli(["gate-rules", "set", "-"], "")).stdout, /no rules any more/);
  assert.match((await server.cli(["gate-rules", "show"])).stdout, /^# There are no rules/);
});

test("rules are there after a restart, and other nodes follow within a second", async () => {
  const own = new Instance();
  const first = await own.start();
  const { token } = await (await first.admin()).createGateToken("t");
  const issued = await first.cliJson(["keys", "create", "--name", "k", "--scope", "fhir:read"]);
  await first.cli(["gate-rules", "set", "-"], "GET /a fhir:read\n");
  const ask = (at: Server, path: string): Promise<any> =>
    at.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: issued.rawKey, method: "GET", path } }).then((answer) => json(answer).code);
  await first.halt();
  const second = await own.start();
  try {
    assert.equal(await ask(second, "/a"), "VALID");
    assert.equal(await ask(second, "/b"), "NO_RULE_MATCHES");
    if (!onPostgres) return;
    const other = await new Instance({ key_file: own.keyFile }, own.database).start();
    try {
      await second.cli(["gate-rules", "set", "-"], "GET /b fhir:read\n");
      assert.equal(await ask(second, "/a"), "NO_RULE_MATCHES");
      await eventually(async () => (await ask(other, "/a")) === "NO_RULE_MATCHES", 5000, "the other node has the new rules");
    } finally {
      await other.stop();
    }
  } finally {
    await second.stop();
  }
});
