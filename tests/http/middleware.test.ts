/** The SDK before APIs of one's own: real Express, Fastify and fetch apps, each in front of a small upstream. */
import assert from "node:assert/strict";
import { createServer, request as httpRequest, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { accessOf, createManagement, forExpress, forFastify, forFetch, SallyportError, Verifier, type Outcome, type VerifierOptions } from "@sallyport/sdk";
import express, { type Request as ExpressRequest } from "express";
import fastify from "fastify";

import { Management } from "./harness/management.js";
import { startServer, type Server } from "./harness/server.js";

let server: Server;
let root: Management;
let token: string; // of the apps: it may read keys, and no more
let audience: string;
let api: string;
let organization: string;
let upstream: HttpServer;
let served = 0; // by the upstream

const urlOf = (http: HttpServer): string => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
const listen = (http: HttpServer): Promise<HttpServer> =>
  new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(http)));
const stop = (http: HttpServer): void => {
  http.close();
  http.closeAllConnections();
};

before(async () => {
  server = await startServer();
  root = await Management.root(server);
  api = await root.makeApi(["read:orders", "write:orders", "read:order"]);
  ({ api: { audience } } = await root.good("GET", `/apis/${api}`));
  organization = await root.makeOrganization();
  const admin = await server.admin();
  const session = Management.withCookie(server, admin.sessionCookie!);
  token = (await session.makeKey({ api_id: "management", org_code: (await admin.me()).employerId, scope_ids: ["read:api_keys"], instance: true, rate_limit: null })).key;
  upstream = await listen(createServer((request, response) => {
    served++;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ org: request.headers["x-org"] ?? null, user: request.headers["x-user"] ?? null }));
  }));
});
after(async () => {
  if (upstream) stop(upstream);
  await server.stop();
});

/** What the upstream says to the one who calls, as the guard has found out. */
const ask = async (request: object): Promise<unknown> => {
  const { orgCode, userId } = accessOf(request);
  const fields = { ...(orgCode === null ? {} : { "x-org": orgCode }), ...(userId === null ? {} : { "x-user": userId }) };
  return (await fetch(urlOf(upstream), { headers: fields })).json();
};

/** Each app has /orders, which needs read:orders; /own, for organizations; /orgs/X, for organization X. */
const apps: Record<string, (verifier: Verifier) => Promise<HttpServer>> = {
  express: (verifier) => {
    const guard = forExpress(verifier);
    const app = express();
    app.set("trust proxy", "loopback");
    app.use(guard.verifyKey());
    app.get("/any", async (request, response) => void response.json(await ask(request)));
    app.get("/orders", guard.requireScopes("read:orders"), async (request, response) => void response.json(await ask(request)));
    app.get("/both", guard.requireScopes("read:orders", "write:orders"), async (request, response) => void response.json(await ask(request)));
    app.get("/own", guard.requireOrganization(), async (request, response) => void response.json(await ask(request)));
    app.get("/orgs/:org", guard.requireOrganization((request: ExpressRequest<{ org: string }>) => request.params.org), async (request, response) => void response.json(await ask(request)));
    return listen(createServer(app));
  },
  fastify: async (verifier) => {
    const guard = forFastify(verifier);
    const app = fastify({ trustProxy: "127.0.0.1" });
    app.addHook("onRequest", guard.verifyKey());
    app.get("/any", (request) => ask(request));
    app.get("/orders", { onRequest: guard.requireScopes("read:orders") }, (request) => ask(request));
    app.get("/both", { onRequest: guard.requireScopes("read:orders", "write:orders") }, (request) => ask(request));
    app.get("/own", { onRequest: guard.requireOrganization() }, (request) => ask(request));
    app.get("/orgs/:org", { onRequest: guard.requireOrganization((request) => (request as unknown as { params: { org: string } }).params.org) }, (request) => ask(request));
    await app.listen({ port: 0, host: "127.0.0.1" });
    return app.server;
  },
  fetch: (verifier) => {
    const guard = forFetch(verifier, { clientAddress: (request) => request.headers.get("x-forwarded-for") });
    const answer = async (request: Request): Promise<Response> => Response.json(await ask(request));
    const routes: Record<string, (request: Request) => Promise<Response>> = {
      any: answer,
      orders: guard.requireScopes("read:orders")(answer),
      both: guard.requireScopes("read:orders", "write:orders")(answer),
      own: guard.requireOrganization()(answer),
      orgs: guard.requireOrganization((request) => new URL(request.url).pathname.split("/")[2])(answer),
    };
    const handler = guard.verifyKey()((request) => routes[new URL(request.url).pathname.split("/")[1]!]!(request));
    return listen(createServer((incoming, response) => {
      const pairs = incoming.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1]!] as [string, string]] : []));
      void handler(new Request(`http://app.test${incoming.url}`, { headers: pairs })).then(async (answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        response.end(await answer.text());
      });
    }));
  },
};

interface Seen {
  status: number;
  fields: IncomingMessage["headers"];
  body: any;
}

/** With node:http, which sends a field twice if it is told to. */
const get = (http: HttpServer, path: string, authorization: string[], more: Record<string, string> = {}): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const call = httpRequest(`${urlOf(http)}${path}`, (response) => {
      let text = "";
      response.on("data", (piece: Buffer) => (text += piece.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, fields: response.headers, body: JSON.parse(text) }));
    });
    call.on("error", reject);
    if (authorization.length) call.setHeader("authorization", authorization.length === 1 ? authorization[0]! : authorization);
    for (const [name, value] of Object.entries(more)) call.setHeader(name, value);
    call.end();
  });

/** An app and what its verifier has told. */
async function withApp(name: string, options: Partial<VerifierOptions>, use: (http: HttpServer, verifier: Verifier, told: Outcome[]) => Promise<void>): Promise<void> {
  const told: Outcome[] = [];
  const verifier = new Verifier({ baseUrl: server.url, token, api: audience, onOutcome: (outcome) => told.push(outcome), ...options });
  const http = await apps[name]!(verifier);
  try {
    await use(http, verifier, told);
  } finally {
    stop(http);
  }
}

const makeKey = (more: object = {}): Promise<{ id: string; key: string }> =>
  root.makeKey({ api_id: api, org_code: organization, scope_ids: ["read:orders"], rate_limit: null, ...more });

for (const name of Object.keys(apps)) {
  test(`${name}: a key opens what its scopes and its owner allow, and nothing else`, async () => {
    const key = await makeKey();
    const wide = await makeKey({ scope_ids: ["read:orders", "write:orders"] });
    const like = await makeKey({ scope_ids: ["read:order"] });
    const bare = await makeKey({ scope_ids: null });
    const person = await root.makeUser(organization);
    const own = await root.makeKey({ api_id: api, user_id: person, scope_ids: ["read:orders"] });
    const other = await root.makeOrganization();
    await withApp(name, {}, async (http, _, told) => {
      const as = (of: { key: string }, path: string): Promise<Seen> => get(http, path, [`Bearer ${of.key}`]);

      const good = await as(key, "/orders");
      assert.deepEqual([good.status, good.body], [200, { org: organization, user: null }]);
      assert.equal((await as(wide, "/both")).status, 200);
      const lacks = await as(key, "/both");
      assert.deepEqual([lacks.status, lacks.body], [403, { error: "Insufficient scope: write:orders", code: "INSUFFICIENT_SCOPE", required_scopes: ["read:orders", "write:orders"], available_scopes: ["read:orders"] }]);
      for (const poor of [like, bare]) {
        const refused = await as(poor, "/orders");
        assert.deepEqual([refused.status, refused.body.code], [403, "INSUFFICIENT_SCOPE"]);
        assert.equal((await as(poor, "/any")).status, 200);
      }

      assert.deepEqual((await as(own, "/orders")).body, { org: null, user: person });
      assert.equal((await as(key, "/own")).status, 200);
      assert.equal((await as(key, `/orgs/${organization}`)).status, 200);
      for (const [who, path] of [[own, "/own"], [key, `/orgs/${other}`], [own, `/orgs/${organization}`]] as const) {
        const refused = await as(who, path);
        assert.deepEqual([refused.status, refused.body], [403, { error: "Organization access denied", code: "ORGANIZATION_ACCESS_DENIED" }]);
      }
      assert.ok(told.length && told.every((outcome) => outcome.code === "VERIFIED" && outcome.keyId));
      assert.ok(!JSON.stringify(told).includes(key.key));
    });
  });

  test(`${name}: what is no key, or not a good one, is refused in the words of the contract`, async () => {
    const revoked = await makeKey(), inactive = await makeKey(), late = await makeKey({ not_before: "2100-01-01T00:00:00Z" });
    await root.good("DELETE", `/api_keys/${revoked.id}`);
    await root.good("PATCH", `/api_keys/${inactive.id}`, { status: "inactive" });
    const foreign = await root.makeKey({ api_id: await root.makeApi(["read:orders"]), org_code: organization, scope_ids: ["read:orders"] });
    const limited = await makeKey({ rate_limit: { requests: 1, window_seconds: 3600 } });
    const near = await makeKey({ allowed_ip_cidrs: ["192.0.2.0/24"] });
    const asleep = await root.makeOrganization();
    const theirs = await root.makeKey({ api_id: api, org_code: asleep, scope_ids: ["read:orders"] });
    await root.good("PATCH", `/organizations/${asleep}`, { status: "inactive" });
    const good = await makeKey();

    await withApp(name, { cacheSeconds: 0 }, async (http, _, told) => {
      const before = served;
      const refusals: [string[], number, string, string][] = [
        [[], 401, "MISSING_CREDENTIALS", "Authentication failed"],
        [["Basic dTpw"], 400, "MALFORMED_REQUEST", "Malformed request"],
        [["Bearer"], 400, "MALFORMED_REQUEST", "Malformed request"],
        [["Bearer "], 400, "MALFORMED_REQUEST", "Malformed request"],
        [[`Bearer ${good.key} x`], 400, "MALFORMED_REQUEST", "Malformed request"],
        [[`Bearer  ${good.key}`], 400, "MALFORMED_REQUEST", "Malformed request"],
        [[`Bearer ${good.key}`, `Bearer ${good.key}`], 400, "MALFORMED_REQUEST", "Malformed request"],
        [[`Bearer ${good.key}x`], 401, "INVALID_KEY", "Invalid API key"],
        [[`Bearer ${good.key.slice(0, -1)}`], 401, "INVALID_KEY", "Invalid API key"],
        [[`Bearer ${"k".repeat(5000)}`], 401, "INVALID_KEY", "Invalid API key"],
        [[`Bearer ${foreign.key}`], 401, "INVALID_KEY", "Invalid API key"],
        [[`Bearer ${revoked.key}`], 401, "KEY_REVOKED", "Invalid API key"],
        [[`Bearer ${inactive.key}`], 401, "KEY_INACTIVE", "API key is not active"],
        [[`Bearer ${late.key}`], 401, "KEY_INACTIVE", "API key is not active"],
        [[`Bearer ${theirs.key}`], 403, "ORGANIZATION_ACCESS_DENIED", "Organization access denied"],
        [[`Bearer ${near.key}`], 403, "API_KEY_IP_NOT_ALLOWED", "Access denied"],
      ];
      for (const [authorization, status, code, error] of refusals) {
        const seen = await get(http, "/orders", authorization);
        assert.deepEqual([seen.status, seen.body], [status, { error, code }], String(authorization));
        assert.equal(seen.fields["www-authenticate"], status === 401 ? "Bearer" : undefined);
        assert.equal(told.at(-1)?.code, code);
      }
      assert.equal(served, before);

      // Where the client is, the app knows.
      assert.equal((await get(http, "/orders", [`Bearer ${near.key}`], { "x-forwarded-for": "192.0.2.7" })).status, 200);
      assert.equal((await get(http, "/orders", [`bearer ${good.key}`])).status, 200);

      assert.equal((await get(http, "/orders", [`Bearer ${limited.key}`])).status, 200);
      const over = await get(http, "/orders", [`Bearer ${limited.key}`]);
      assert.deepEqual([over.status, over.body], [429, { error: "Rate limit exceeded", code: "RATE_LIMITED" }]);
      assert.ok(Number(over.fields["retry-after"]) >= 1 && over.fields["ratelimit-reset"] === over.fields["retry-after"]);
    });
  });

  test(`${name}: where keys cannot be verified nobody is served`, async () => {
    const key = await makeKey();
    const closed = await listen(createServer());
    const gone = urlOf(closed);
    stop(closed);
    const silent = await listen(createServer(() => {}));
    const mad = await listen(createServer((_, response) => response.end('{"is_valid":"yes","status":"active","scopes":["read:orders"],"key_id":"k"}')));
    const before = served;
    // Away; without an answer; with an answer that is none; and to somebody who may not ask.
    for (const options of [{ baseUrl: gone }, { baseUrl: urlOf(silent), timeoutMs: 100 }, { baseUrl: urlOf(upstream) }, { baseUrl: urlOf(mad) }, { token: key.key }, { api: "https://nobody.example" }])
      await withApp(name, options, async (http, _, told) => {
        const seen = await get(http, "/orders", [`Bearer ${key.key}`]);
        const isAnswered = options.baseUrl === urlOf(upstream) || options.baseUrl === urlOf(mad);
        assert.deepEqual([seen.status, seen.body.code], isAnswered ? [401, "INVALID_KEY"] : [503, "VERIFICATION_UNAVAILABLE"], JSON.stringify(options));
        assert.ok(isAnswered || (Number(seen.fields["retry-after"]) >= 1 && told[0]?.cause instanceof Error));
      });
    assert.equal(served, before + 1); // by itself, asked as if it were sallyport
    stop(silent);
    stop(mad);
  });
}

test("a good key is asked about once in a while, a bad one each time; and purge() forgets", async () => {
  const key = await makeKey(), other = await makeKey();
  await withApp("express", {}, async (http, verifier, told) => {
    const ask = async (of = key): Promise<number> => (await get(http, "/orders", [`Bearer ${of.key}`])).status;

    // Many at a time are one question.
    assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask())), Array.from({ length: 20 }, () => 200));
    assert.equal(await ask(other), 200);
    assert.equal((await root.verify(key.key)).verification_count, 2);
    assert.equal(await ask(), 200);
    assert.ok(told.at(-1)!.isCached);

    await root.good("DELETE", `/api_keys/${key.id}`);
    assert.equal(await ask(), 200); // as the docs say: for cacheSeconds
    verifier.purge(other.id);
    assert.equal(await ask(), 200);
    verifier.purge(key.id);
    assert.equal(await ask(), 401);
    assert.equal(await ask(), 401);
    assert.ok(!told.at(-1)!.isCached);

    await root.good("PATCH", `/api_keys/${other.id}`, { status: "inactive" });
    verifier.purge();
    assert.equal(await ask(other), 401);
    await root.good("PATCH", `/api_keys/${other.id}`, { status: "active" });
    assert.equal(await ask(other), 200); // a refusal is not remembered
  });
  await withApp("express", { cacheSeconds: 1, cacheKeys: 1 }, async (http) => {
    const more = await makeKey();
    const ask = async (of: { key: string }): Promise<number> => (await get(http, "/orders", [`Bearer ${of.key}`])).status;
    assert.equal(await ask(more), 200);
    assert.equal(await ask(other), 200); // takes the one place there is
    await root.good("DELETE", `/api_keys/${more.id}`);
    assert.equal(await ask(more), 401);
    await root.good("DELETE", `/api_keys/${other.id}`);
    const ends = Date.now() + 10_000;
    while ((await ask(other)) === 200) assert.ok(Date.now() < ends, "it is remembered for longer than a second");
  });
});

test("an answer that was on its way while purge() was called is not remembered", async () => {
  const key = await makeKey();
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let asked = 0;
  const slow: Verifier = new Verifier({
    baseUrl: server.url,
    token,
    fetch: async (request) => {
      const response = await fetch(request);
      if (asked++ === 0) await held;
      return response;
    },
  });
  const first = slow.check([`Bearer ${key.key}`]);
  while (asked === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await root.good("DELETE", `/api_keys/${key.id}`);
  slow.purge();
  release();
  assert.ok((await first).access);
  assert.equal((await slow.check([`Bearer ${key.key}`])).refusal?.body.code, "KEY_REVOKED");
});

test("a verifier refuses what would make it unsafe, and looks at the format first", async () => {
  assert.throws(() => new Verifier({ baseUrl: server.url, token, cacheSeconds: 301 }), RangeError);
  assert.throws(() => new Verifier({ baseUrl: server.url, token, cacheSeconds: NaN }), RangeError);
  const verifier = new Verifier({ baseUrl: "http://127.0.0.1:1", token, format: /^k_live_/g });
  assert.throws(() => forExpress(verifier).requireScopes(), TypeError);
  assert.throws(() => accessOf({}), /verifyKey/);
  for (let i = 0; i < 3; i++) {
    assert.equal((await verifier.check(["Bearer x_live_1"])).refusal?.status, 401);
    assert.equal((await verifier.check(["Bearer k_live_1"])).refusal?.status, 503);
  }
});

test("the management client: each of its calls, and its refusals", async () => {
  const management = createManagement({ baseUrl: server.url, token: async () => String(root.fields["authorization"]).slice("Bearer ".length) });
  const made = await management.registerApi({ name: "SDK", audience: "https://sdk.example" });
  const scope = await management.createScope(made.id, { key: "read:things" });
  await management.updateScope(made.id, scope.id, { description: "Things" });
  assert.equal((await management.getScope(made.id, scope.id)).description, "Things");
  await management.updateApi(made.id, { name: "SDK 2" });
  assert.equal((await management.getApi(made.id)).name, "SDK 2");
  assert.ok((await management.listApis({ expand: "scopes" })).some((one) => one.id === made.id));
  assert.equal((await management.listScopes(made.id)).length, 1);

  const org = await management.createOrganization({ name: "SDK" });
  const plan = await management.createPlan({ name: "SDK", apis: [{ api_id: made.id, scopes: "*" }] });
  await management.updateOrganization(org.code, { plan_id: plan.id });
  assert.equal((await management.getOrganization(org.code)).plan_id, plan.id);
  assert.equal((await management.updatePlan(plan.id, { max_keys: 3 })).max_keys, 3);
  assert.equal((await management.getPlan(plan.id)).name, "SDK");
  assert.ok((await management.listPlans()).length >= 1);
  const user = await management.createUser({ email: "sdk@users.test", org_code: org.code });
  assert.equal((await management.getUser(user.id)).email, "sdk@users.test");
  assert.equal((await management.updateUser(user.id, { status: "inactive" })).status, "inactive");
  const users: string[] = [];
  for await (const one of management.users({ org_code: org.code })) users.push(one.id);
  assert.deepEqual(users, [user.id]);
  const codes: string[] = [];
  for await (const one of management.organizations()) codes.push(one.code);
  assert.ok(codes.includes(org.code));

  const draft = { name: "k", api_id: made.id, org_code: org.code, scope_ids: ["read:things"] };
  const keys = [await management.createKey(draft), await management.createKey(draft), await management.createKey(draft)];
  await assert.rejects(management.createKey(draft), (e: unknown) => e instanceof SallyportError && e.status === 409 && e.code === "API_KEY_LIMIT" && e.requestId !== "" && e.hint !== "");
  await assert.rejects(management.createKey({ ...draft, scope_ids: ["read:nothing"] }), (e: unknown) => e instanceof SallyportError && e.title === "Scope not found" && e.status === 400);
  const listed: string[] = [];
  for await (const one of management.keys({ org_code: org.code, page_size: 2 })) listed.push(one.id);
  assert.deepEqual(listed.sort(), keys.map((key) => key.id).sort());
  const renewed = await management.rotateKey(keys[0]!.id);
  assert.equal((await management.verifyKey({ api_key: keys[0]!.key })).is_valid, false);
  assert.equal((await management.verifyKey({ api_key: renewed.key, audience: "https://sdk.example", scopes: ["read:things"] })).is_valid, true);
  await management.updateKey(keys[1]!.id, { name: "renamed" });
  assert.equal((await management.getKey(keys[1]!.id)).name, "renamed");
  await management.revokeKey(keys[2]!.id);
  const imported = await management.importKeys({ dry_run: true, keys: [{ ...draft, key: "from-another-system-9C1e" }] });
  assert.equal(imported.dry_run, true);

  await assert.rejects(management.deleteScope(made.id, scope.id), (e: unknown) => e instanceof SallyportError && e.code === "API_IN_USE" && e.members["affected_keys"] === 2);
  await management.deleteScope(made.id, scope.id, true);
  assert.equal((await management.revokeKeys({ org_code: org.code })).revoked, 2);
  await management.deleteApi(made.id);
  await management.updateOrganization(org.code, { plan_id: null });
  await management.deletePlan(plan.id);
});
