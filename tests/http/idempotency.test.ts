/** Idempotency-Key: a change that is asked for again is carried out once. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";

import type { IssuedApiKey, Sallyport } from "@sallyport/sdk";

import { operations } from "./harness/contract.js";
import { Management } from "./harness/management.js";
import { field, json, type Answer, type Call } from "./harness/raw.js";
import { ADMIN_EMAIL, Instance, startServer, type Server } from "./harness/server.js";
import { eventually, newTenant, refused, refusedWith, somebody, type Tenant } from "./harness/util.js";

/** Tokens of it are not needed here, but it must be one of the server's. */
const ISSUER = "https://sso.example.test";

let server: Server;
let root: Sallyport;
let tenant: Tenant;
before(async () => {
  server = await startServer({ issuer_sso_issuer: ISSUER, issuer_sso_jwks_url: "https://localhost:1/keys", issuer_sso_audience: "sallyport" });
  root = await server.admin();
  tenant = await newTenant(server);
});
after(() => server.stop());

const UPLOAD = "/api/employer/upload-cohort";
const KEYS = "/api/employer/api-keys";

type Fields = Record<string, string>;
const session = (who: Sallyport): Fields => ({ cookie: `sallyport_session=${who.sessionCookie}` });
const withKey = (key: IssuedApiKey): Fields => ({ "x-api-key": key.rawKey, "x-api-version": "v1" });
const makeKey = (more: object = {}): Promise<IssuedApiKey> =>
  tenant.admin.createApiKey({ name: "k", scopes: ["cohort:write", "cohort:read"], rateLimit: null, ...more });

/** A change, under an Idempotency-Key. */
const change = (caller: Fields, key: string, method: string, target: string, body?: Call["body"], on = server): Promise<Answer> =>
  on.call({ method, target, fields: { ...caller, "idempotency-key": key }, ...(body === undefined ? {} : { body }) });

const isReplay = (answer: Answer): boolean => field(answer, "idempotency-replayed") === "true";

function carriedOut(answer: Answer, status: number): void {
  assert.equal(answer.status, status, answer.body);
  assert.equal(field(answer, "idempotency-replayed"), undefined);
}

function replayed(answer: Answer, first: Answer): void {
  assert.equal(answer.status, first.status, answer.body);
  assert.equal(answer.body, first.body);
  assert.equal(field(answer, "idempotency-replayed"), "true");
  // Whatever else a route says in fields, it says again.
  const own = ["x-request-id", "date", "ratelimit", "idempotency-replayed"];
  const others = (from: Answer): string[] => [...from.headers].filter(([name]) => !own.includes(name)).map(String).sort();
  assert.deepEqual(others(answer), others(first));
}

const SELECT = "SELECT id, key_id, payload, status, answer, has_secret, expires_at_ms FROM idempotency";

/** All that is kept, past the server. */
const keptText = (instance: Instance): string => instance.sql(SELECT).join("\n");

const keptRows = (instance: Instance): string[] => keptText(instance).split("\n").filter((line) => line !== "");

type Operation = (typeof operations)[number];
const isOpen = (each: Operation): boolean => ["login", "logout", "resetPassword"].includes(each.id);
/** Sent again, it finds nothing more to do. */
const isHarmlessTwice = (each: Operation): boolean => ["archiveAudit", "verifyKey", "verifyKeys", "introspectKey", "verifyManagedKey", "revokeManagedKeys"].includes(each.id);
const changes = operations.filter((each) => each.method !== "GET" && !isOpen(each) && !isHarmlessTwice(each));

// ---- answering again ----

/** What a name may hold at its worst: each is written in the answer as it was the first time. */
const ODD_NAME = `a "quoted" \\ back/slash, ümläut, 🦉, <&>'`;

test("every route of a change answers again, byte for byte, and changes nothing", async () => {
  const boss = session(tenant.admin);
  const admin = session(root);
  const one = await makeKey();
  const employer = await root.createEmployer({ name: "one" });
  const user = await root.createUser({ email: somebody().email, role: "MEMBER", employerId: employer.id, password: "correct horse battery" });
  const bad = { ...somebody(), email: "none" };
  const gateToken = await root.createGateToken("edge");
  const person = await root.createUser({ email: somebody().email, role: "MEMBER", employerId: tenant.employerId, password: "correct horse battery" });
  for (let i = 0; i < 2; i++) await server.signedIn(person.email, "correct horse battery");
  const other = await server.signedIn(person.email, "correct horse battery");
  const theirs = (await other.listSessions()).sessions.filter((each) => !each.isCurrent).map((each) => each.id);
  const management = Management.withCookie(server, root.sessionCookie!);
  const api = await management.makeApi(["read:x"]);
  const scope = (await management.good("GET", `/apis/${api}/scopes`)).scopes[0].id;
  const plan = (await management.good("POST", "/plans", { name: randomUUID() })).plan.id;
  const managed = await management.makeKey({ api_id: api, org_code: tenant.employerId });
  const routes: [string, Fields, string, string, object | undefined][] = [
    ["a key's change", boss, "PATCH", `${KEYS}/${one.id}`, { name: ODD_NAME }],
    ["a key's end", boss, "DELETE", `${KEYS}/${one.id}`, undefined],
    ["an import", { ...admin, "x-employer-id": tenant.employerId }, "POST", `${KEYS}/import`, { keys: [{ name: ODD_NAME, scopes: ["cohort:read"], key: `old_${randomUUID()}` }] }],
    ["an upload with a key", withKey(await makeKey()), "POST", UPLOAD, { patients: [somebody(), somebody()] }],
    ["an upload with a session", boss, "POST", UPLOAD, { patients: [somebody()] }],
    ["an upload with bad rows", boss, "POST", `${UPLOAD}?partial=true`, { patients: [bad, somebody(), { ...somebody(), email: ADMIN_EMAIL }] }],
    ["a large upload", boss, "POST", UPLOAD, { patients: Array.from({ length: 300 }, () => somebody()) }],
    ["an employer", admin, "POST", "/api/admin/employers", { name: ODD_NAME }],
    ["an employer's change", admin, "PATCH", `/api/admin/employers/${employer.id}`, { status: "inactive" }],
    ["a user", admin, "POST", "/api/admin/users", { email: `O'Hara.ü+${randomUUID()}@users.test`, role: "MEMBER", password: "correct horse battery" }],
    ["a user's change", admin, "PATCH", `/api/admin/users/${user.id}`, { status: "inactive" }],
    ["the end of an issuer's session", admin, "POST", "/api/admin/revoked-sessions", { issuer: ISSUER, sid: "sess_1" }],
    ["the end of one's own session", session(other), "DELETE", `/api/auth/sessions/${theirs[1]}`, undefined],
    ["the end of a user's session", admin, "DELETE", `/api/admin/users/${person.id}/sessions/${theirs[0]}`, undefined],
    ["one's own password", session(other), "PUT", "/api/auth/password", { currentPassword: "correct horse battery", newPassword: "correct horse battery 2" }],
    ["the end of a user's sessions", admin, "DELETE", `/api/admin/users/${person.id}/sessions`, undefined],
    ["the end of a gate token", admin, "DELETE", `/api/admin/gate-tokens/${gateToken.id}`, undefined],
    ["the gate's rules", admin, "PUT", "/api/admin/gate-rules?api=enterprise", { rules: [{ method: "*", path: "/**" }] }],
    ["an API", admin, "POST", "/api/v1/apis", { name: ODD_NAME, audience: `https://${randomUUID()}` }],
    ["an API's change", admin, "PATCH", `/api/v1/apis/${api}`, { name: ODD_NAME }],
    ["a scope", admin, "POST", `/api/v1/apis/${api}/scopes`, { key: "read:y", description: ODD_NAME }],
    ["a scope's change", admin, "PATCH", `/api/v1/apis/${api}/scopes/${scope}`, { description: ODD_NAME }],
    ["a scope's end", admin, "DELETE", `/api/v1/apis/${api}/scopes/${scope}?force=true`, undefined],
    ["an organization", admin, "POST", "/api/v1/organizations", { name: ODD_NAME }],
    ["an organization's change", admin, "PATCH", `/api/v1/organizations/${employer.id}`, { name: ODD_NAME }],
    ["an organization's user", admin, "POST", "/api/v1/users", { email: `${randomUUID()}@users.test`, org_code: employer.id }],
    ["an organization's user's change", admin, "PATCH", `/api/v1/users/${user.id}`, { role: "MEMBER" }],
    ["a plan", admin, "POST", "/api/v1/plans", { name: randomUUID() }],
    ["a plan's change", admin, "PATCH", `/api/v1/plans/${plan}`, { max_keys: 5 }],
    ["a plan's end", admin, "DELETE", `/api/v1/plans/${plan}`, undefined],
    ["a key of an API changed", admin, "PATCH", `/api/v1/api_keys/${managed.id}`, { name: ODD_NAME }],
    ["a key of an API ended", admin, "DELETE", `/api/v1/api_keys/${managed.id}`, undefined],
    ["keys of an API imported", admin, "POST", "/api/v1/api_keys/import", { keys: [{ name: ODD_NAME, api_id: api, org_code: tenant.employerId, key: `old_${randomUUID()}` }] }],
    ["an API's end", admin, "DELETE", `/api/v1/apis/${api}?force=true`, undefined],
    ["the instance key", admin, "POST", "/api/admin/instance-key/rotate", undefined],
  ];
  for (const [what, caller, method, target, body] of routes) {
    const key = randomUUID();
    const first = await change(caller, key, method, target, body);
    assert.ok(first.status >= 200 && first.status < 300, `${what}: ${first.status} ${first.body}`);
    assert.ok(!isReplay(first), what);
    for (let i = 0; i < 2; i++) replayed(await change(caller, key, method, target, body), first);
    // Under another key it may find nothing left to do, and is answered all the same.
    const another = await change(caller, randomUUID(), method, target, body);
    assert.ok(another.status < 500 && !isReplay(another), `${what}, under another key: ${another.status} ${another.body}`);
  }
  // Those left out answer with a secret.
  const tried = (each: Operation): boolean => routes.some(([, , method, target]) => each.method === method && each.pattern.test(target.split("?")[0] ?? ""));
  assert.deepEqual(changes.filter((each) => !tried(each)).map((each) => each.id).sort(), ["createApiKey", "createGateToken", "createManagedKey", "createResetLink", "rotateApiKey", "rotateManagedKey"]);
});

test("the contract names the field wherever something is changed for somebody", () => {
  const takes = (each: Operation): boolean => JSON.stringify(each.spec["parameters"]).includes("IdempotencyKey");
  assert.deepEqual(operations.filter(takes).map((each) => each.id).sort(), changes.map((each) => each.id).sort());
});

test("the SDK sends the key", async () => {
  const name = `once ${randomUUID()}`;
  const options = { idempotencyKey: randomUUID() };
  const first = await root.createEmployer({ name }, options);
  assert.deepEqual(await root.createEmployer({ name }, options), first);
  const key = await makeKey();
  const patients = [somebody()];
  const upload = () => server.client({ apiKey: key.rawKey }).uploadCohort(patients, {}, options);
  assert.equal((await upload()).created, 1);
  assert.equal((await upload()).created, 1);
  await tenant.admin.revokeApiKey(key.id, options);
  await tenant.admin.revokeApiKey(key.id, options);
  await refused(tenant.admin.revokeApiKey((await makeKey()).id, options), "IDEMPOTENCY_KEY_REUSED");
});

test("a secret is not given again: the answer names what it belongs to", async () => {
  const boss = session(tenant.admin);
  const name = `once ${randomUUID()}`;
  const draft = { name, scopes: ["cohort:read"] };
  const made = await change(boss, "create", "POST", KEYS, draft);
  carriedOut(made, 201);
  const { id, rawKey } = json(made);
  const again = await change(boss, "create", "POST", KEYS, draft);
  const gone = refusedWith(again, "IDEMPOTENCY_SECRET_GONE");
  assert.equal(gone.resourceId, id);
  assert.ok(gone.hint.includes(id), gone.hint);
  let named = 0;
  for await (const key of tenant.admin.apiKeys()) named += Number(key.name === name);
  assert.equal(named, 1);

  const user = await root.createUser({ email: somebody().email, role: "MEMBER", employerId: tenant.employerId });
  const link = `/api/admin/users/${user.id}/reset-link`;
  carriedOut(await change(session(root), "link", "POST", link), 201);
  assert.equal(refusedWith(await change(session(root), "link", "POST", link), "IDEMPOTENCY_SECRET_GONE").resourceId, user.id);

  const rotated = await change(boss, "rotate", "POST", `${KEYS}/${id}/rotate`, { overlapSeconds: 0 });
  carriedOut(rotated, 200);
  assert.equal(refusedWith(await change(boss, "rotate", "POST", `${KEYS}/${id}/rotate`, { overlapSeconds: 0 }), "IDEMPOTENCY_SECRET_GONE").resourceId, id);
  await server.client({ apiKey: json(rotated).rawKey }).listCohort();
  await refused(server.client({ apiKey: rawKey }).listCohort(), "API_KEY_REVOKED");
});

test("an address of later use is no part of an earlier answer", async () => {
  const boss = session(tenant.admin);
  const key = await makeKey();
  const use = async (times: number): Promise<void> => {
    await server.client({ apiKey: key.rawKey }).listCohort();
    await eventually(async () => (await tenant.admin.getApiKey(key.id)).requestCount === times, 10_000, "the use is written");
  };
  const patch = (): Promise<Answer> => change(boss, "address", "PATCH", `${KEYS}/${key.id}`, { name: "used" });
  await use(1);
  const first = await patch();
  assert.equal(json(first).lastUsedIp, "127.0.0.1");
  replayed(await patch(), first);
  await use(2);
  const later = await patch();
  assert.ok(isReplay(later));
  assert.deepEqual(json(later), { ...json(first), lastUsedIp: null });
});

// ---- what is refused ----

test("the key must be one, and fit", async () => {
  const boss = session(tenant.admin);
  const draft = { name: "k", scopes: ["cohort:read"] };
  const send = (key: string | [string, string]): Promise<Answer> =>
    server.call({ method: "POST", target: KEYS, body: draft, fields: { ...boss, "Idempotency-Key": key } });
  const before = (await tenant.admin.listApiKeys({ limit: 1000 })).keys.length;
  for (const [key, reason] of [
    ["", /1 to 255/],
    ["   ", /1 to 255/],
    ["two words", /without spaces/],
    ["k".repeat(256), /1 to 255/],
    ["clé", /visible ASCII/],
  ] as const) {
    const problem = refusedWith(await send(key), "INVALID_REQUEST");
    assert.equal(problem.errors[0].member, "Idempotency-Key");
    assert.match(problem.errors[0].reason, reason);
  }
  for (const second of ["a", "b"]) assert.match(refusedWith(await send(["a", second]), "MALFORMED_REQUEST").detail, /there twice/);
  assert.equal((await tenant.admin.listApiKeys({ limit: 1000 })).keys.length, before, "a refused call made a key");
  carriedOut(await send("k".repeat(255)), 201);
});

test("a change of nothing, and a rehearsal, are answered and leave the key free", async () => {
  const admin = session(root);
  const management = Management.withCookie(server, root.sessionCookie!);
  const api = await management.makeApi(["read:x"]);
  const managed = await management.makeKey({ api_id: api, org_code: tenant.employerId });
  const plan = (await management.good("POST", "/plans", { name: randomUUID() })).plan.id;
  const person = await management.makeUser(tenant.employerId);
  for (const target of [`apis/${api}`, `organizations/${tenant.employerId}`, `users/${person}`, `plans/${plan}`, `api_keys/${managed.id}`]) {
    const answer = await change(admin, randomUUID(), "PATCH", `/api/v1/${target}`, {});
    assert.ok(answer.status === 200 || answer.status === 400, `${target}: ${answer.status} ${answer.body}`);
  }
  const batch = { keys: [{ name: "k", api_id: api, org_code: tenant.employerId, key: `old_${randomUUID()}` }] };
  const key = randomUUID();
  for (let i = 0; i < 2; i++) carriedOut(await change(admin, key, "POST", "/api/v1/api_keys/import", { ...batch, dry_run: true }), 200);
  carriedOut(await change(admin, key, "POST", "/api/v1/api_keys/import", batch), 201);
});

test("where nothing is changed, or anybody may call, the field is not read", async () => {
  const none = { "idempotency-key": "not fit" };
  assert.equal((await server.call({ target: KEYS, fields: { ...session(tenant.admin), ...none } })).status, 200);
  const body = { email: tenant.memberEmail, password: tenant.password };
  assert.equal((await server.call({ method: "POST", target: "/api/auth/login", body, fields: none })).status, 200);
});

test("another payload, query or path under the key is refused", async () => {
  const boss = session(tenant.admin);
  const body = { patients: [somebody()] };
  carriedOut(await change(boss, "payload", "POST", UPLOAD, body), 200);
  for (const [target, other] of [
    [UPLOAD, { patients: [somebody()] }],
    [UPLOAD, ` ${JSON.stringify(body)}`],
    [`${UPLOAD}?partial=true`, body],
  ] as const) {
    const answer = await change(boss, "payload", "POST", target, other);
    refusedWith(answer, "IDEMPOTENCY_KEY_REUSED");
    assert.ok(!isReplay(answer));
  }
  const [one, two] = [await makeKey(), await makeKey()];
  carriedOut(await change(boss, "path", "DELETE", `${KEYS}/${one.id}`), 204);
  refusedWith(await change(boss, "path", "DELETE", `${KEYS}/${two.id}`), "IDEMPOTENCY_KEY_REUSED");
  assert.equal((await tenant.admin.getApiKey(two.id)).status, "active");
});

test("the key is bound to employer, caller and route", async () => {
  const key = randomUUID();
  const other = await newTenant(server);
  const body = { patients: [somebody()] };
  const [one, two] = [await makeKey(), await makeKey()];
  const first = await change(withKey(one), key, "POST", UPLOAD, body);
  carriedOut(first, 200);
  replayed(await change(withKey(one), key, "POST", UPLOAD, body), first);
  // Another key, a person, the same person for another employer: each carries it out on their own.
  for (const caller of [withKey(two), session(tenant.admin)]) {
    const answer = await change(caller, key, "POST", UPLOAD, body);
    carriedOut(answer, 200);
    assert.equal(json(answer).unchanged, 1);
  }
  const forEmployer = async (employerId: string, patient: object): Promise<Answer> =>
    change({ ...session(root), "x-employer-id": employerId }, key, "POST", UPLOAD, { patients: [patient] });
  carriedOut(await forEmployer(tenant.employerId, somebody()), 200);
  carriedOut(await forEmployer(other.employerId, somebody()), 200);
  carriedOut(await change(session(tenant.admin), key, "POST", KEYS, { name: "k", scopes: ["cohort:read"] }), 201);
  // Another session of the same person is the same caller.
  const again = await server.signedIn(tenant.adminEmail, tenant.password);
  assert.ok(isReplay(await change(session(again), key, "POST", UPLOAD, body)));
});

test("who may no longer call is not answered again", async () => {
  const key = await makeKey();
  const body = { patients: [somebody()] };
  carriedOut(await change(withKey(key), "rights", "POST", UPLOAD, body), 200);
  await tenant.admin.updateApiKey(key.id, { scopes: ["cohort:read"] });
  refusedWith(await change(withKey(key), "rights", "POST", UPLOAD, body), "INSUFFICIENT_SCOPE");
  await tenant.admin.revokeApiKey(key.id);
  refusedWith(await change(withKey(key), "rights", "POST", UPLOAD, body), "API_KEY_REVOKED");
});

test("what was refused leaves the key free", async () => {
  const boss = session(tenant.admin);
  const admin = session(root);
  const free = async (caller: Fields, method: string, bad: [string, Call["body"], Parameters<typeof refusedWith>[1]][], target: string, good: object, status: number) => {
    const key = randomUUID();
    for (const [path, body, code] of bad) refusedWith(await change(caller, key, method, path, body), code);
    const first = await change(caller, key, method, target, good);
    carriedOut(first, status);
    replayed(await change(caller, key, method, target, good), first);
  };
  const taken = { ...somebody(), email: ADMIN_EMAIL };
  const uploads: Parameters<typeof free>[2] = [
    [UPLOAD, "{", "MALFORMED_JSON"],
    [UPLOAD, { patients: [] }, "INVALID_REQUEST"],
    [UPLOAD, { patients: [{ ...somebody(), email: "none" }] }, "COHORT_INVALID"],
    // Found in the transaction, and charged in one of its own.
    [UPLOAD, { patients: [somebody(), taken] }, "COHORT_INVALID"],
  ];
  await free(boss, "POST", uploads, UPLOAD, { patients: [somebody()] }, 200);

  const user = { role: "MEMBER", employerId: tenant.employerId, password: "correct horse battery" };
  await free(admin, "POST", [["/api/admin/users", { ...user, email: ADMIN_EMAIL }, "EMAIL_TAKEN"]], "/api/admin/users", { ...user, email: somebody().email }, 201);

  const key = await makeKey();
  const unknown = `${KEYS}/key_${"0".repeat(22)}`;
  await free(boss, "PATCH", [[unknown, { name: "x" }, "API_KEY_NOT_FOUND"], [`${KEYS}/${key.id}`, { name: "" }, "INVALID_REQUEST"]], `${KEYS}/${key.id}`, { name: "x" }, 200);
});

// ---- at once ----

test("64 clients at once with one key make one change", async () => {
  const caller = withKey(await makeKey());
  const person = somebody();
  const at = await Promise.all(Array.from({ length: 64 }, () => change(caller, "at-once", "POST", UPLOAD, { patients: [person] })));
  const done = at.filter((answer) => answer.status === 200);
  const first = done.filter((answer) => !isReplay(answer));
  assert.equal(first.length, 1, "not one change");
  assert.equal(json(first[0] as Answer).created, 1);
  for (const answer of done) assert.equal(answer.body, first[0]?.body);
  for (const answer of at.filter((each) => each.status !== 200)) {
    refusedWith(answer, "IDEMPOTENCY_IN_PROGRESS");
    assert.equal(field(answer, "retry-after"), "1");
  }
  // Who was told to wait gets the answer; nobody of 64 is told so any more.
  for (const answer of await Promise.all(Array.from({ length: 64 }, () => change(caller, "at-once", "POST", UPLOAD, { patients: [person] }))))
    replayed(answer, first[0] as Answer);
});

test("a call that is still running is said to be, until it has its answer", async () => {
  // Each user's password is hashed before anything is written, which is long enough to be met.
  const draft = { role: "MEMBER", password: "correct horse battery", employerId: tenant.employerId };
  const codes = new Set<string>();
  await eventually(
    async () => {
      const key = randomUUID();
      const body = { ...draft, email: `${randomUUID()}@users.test` };
      const at = await Promise.all(Array.from({ length: 8 }, () => change(session(root), key, "POST", "/api/admin/users", body)));
      assert.equal(at.filter((answer) => answer.status === 201 && !isReplay(answer)).length, 1);
      for (const answer of at) codes.add(answer.status === 201 ? "201" : json(answer).code);
      return codes.has("IDEMPOTENCY_IN_PROGRESS");
    },
    30_000,
    "a call met another",
  );
  assert.deepEqual([...codes].sort(), ["201", "IDEMPOTENCY_IN_PROGRESS"]);
});

// ---- what is kept, and how long ----

test("neither secrets nor persons nor payloads are kept", async () => {
  const own = await startServer();
  try {
    const admin = await own.admin();
    const t = await newTenant(own);
    const boss = session(t.admin);
    const idempotencyKey = `ik-${randomUUID()}`;
    const forbidden = new Map<string, string>([["the key itself", idempotencyKey]]);
    const send = async (caller: Fields, method: string, target: string, body: object, status: number): Promise<any> => {
      const answer = await change(caller, idempotencyKey, method, target, body, own);
      carriedOut(answer, status);
      return json(answer);
    };
    const made = await send(boss, "POST", KEYS, { name: "k", scopes: ["cohort:write", "cohort:read"] }, 201);
    const rotated = await send(boss, "POST", `${KEYS}/${made.id}/rotate`, {}, 200);
    forbidden.set("a raw key", made.rawKey).set("a rotated key", rotated.rawKey);
    await own.client({ apiKey: rotated.rawKey }).listCohort();
    await eventually(async () => (await t.admin.getApiKey(made.id)).lastUsedIp, 10_000, "an address of use");
    assert.equal((await send(boss, "PATCH", `${KEYS}/${made.id}`, { name: "x" }, 200)).lastUsedIp, "127.0.0.1");
    forbidden.set("an address of use", "127.0.0.1");

    const raw = `old_${randomBytes(16).toString("hex")}`;
    await send(session(admin), "POST", `${KEYS}/import`, { keys: [{ name: "old", scopes: ["cohort:read"], key: raw }] }, 200);
    const email = `Kim.${randomUUID()}@users.test`;
    const password = `pw ${randomUUID()}`;
    const user = await send(session(admin), "POST", "/api/admin/users", { email, role: "MEMBER", password }, 201);
    await send(session(admin), "PATCH", `/api/admin/users/${user.id}`, { status: "inactive" }, 200);
    forbidden.set("an imported key", raw).set("an address", email).set("a password", password);

    const person = somebody({ firstName: "Xanthippe", department: "Ward of secrets" });
    const patients = [person, { ...somebody(), email: ADMIN_EMAIL }, { ...somebody(), email: "half-an-address@" }, { ...somebody(), phone: "no phone" }];
    const upload = await change(boss, idempotencyKey, "POST", `${UPLOAD}?partial=true`, { patients }, own);
    assert.equal(json(upload).rejected, 3, upload.body);
    for (const row of patients) for (const value of Object.values(row)) forbidden.set(`a row's ${value}`, String(value));

    const rows = keptRows(own.instance);
    assert.equal(rows.length, 7);
    assert.ok(rows.some((row) => row.includes(user.id)), "not even what may be there is");
    for (const row of rows)
      for (const [what, text] of forbidden) assert.ok(!row.toLowerCase().includes(text.toLowerCase()), `${what} is kept: ${row}`);
    for (const text of [idempotencyKey, email, person.email]) assert.ok(!own.log.includes(text), `${text} is in the log`);
  } finally {
    await own.stop();
  }
});

test("an answer is given again for idempotency_ttl, and then forgotten", async () => {
  const own = await startServer({ idempotency_ttl: "1s" });
  try {
    const admin = session(await own.admin());
    const post = (): Promise<Answer> => change(admin, "brief", "POST", "/api/admin/employers", { name: "brief" }, own);
    const first = await post();
    carriedOut(first, 201);
    const second = await eventually(
      async () => {
        const answer = await post();
        if (!isReplay(answer)) return answer;
        replayed(answer, first);
        return undefined;
      },
      20_000,
      "the answer is forgotten",
    );
    carriedOut(second, 201);
    assert.notEqual(json(second).id, json(first).id);
    await eventually(async () => keptRows(own.instance).length === 0, 20_000, "what has expired is swept");
  } finally {
    await own.stop();
  }
});

test("a rotated instance key still knows the payload; twice rotated it refuses to guess", async () => {
  const own = await startServer();
  try {
    const admin = await own.admin();
    const post = (name: string): Promise<Answer> => change(session(admin), "rekey", "POST", "/api/admin/employers", { name }, own);
    const first = await post("one");
    carriedOut(first, 201);
    await admin.rotateInstanceKey();
    replayed(await post("one"), first);
    refusedWith(await post("other"), "IDEMPOTENCY_KEY_REUSED");
    await admin.rotateInstanceKey();
    assert.match(refusedWith(await post("one"), "IDEMPOTENCY_KEY_REUSED").detail, /rotated twice/);
  } finally {
    await own.stop();
  }
});

// ---- crashes ----

/** kill -9, and until it is gone. */
async function killed(victim: Server): Promise<void> {
  process.kill(victim.pid, "SIGKILL");
  await eventually(async () => !existsSync(`/proc/${victim.pid}`), 20_000, "the server is gone");
}

test("a server killed on the way: sent again, each change is made once", async () => {
  const CHANGES = 60;
  const victim = await startServer();
  const { instance } = victim;
  let started: Server | undefined;
  try {
    const t = await newTenant(victim);
    const key = await t.admin.createApiKey({ name: "k", scopes: ["cohort:write", "cohort:read"], rateLimit: null });
    const people = Array.from({ length: CHANGES }, () => somebody());
    const upload = (i: number, on: Server): Promise<Answer> => change(withKey(key), `upload-${i}`, "POST", UPLOAD, { patients: [people[i] as object] }, on);
    const create = (i: number, on: Server): Promise<Answer> => change(session(t.admin), `create-${i}`, "POST", KEYS, { name: `key ${i}`, scopes: ["cohort:read"] }, on);

    const answers = new Map<string, Answer>();
    let crash: Promise<void> | undefined;
    const note = (name: string, sent: Promise<Answer>): Promise<void> =>
      sent.then(
        (answer) => {
          answers.set(name, answer);
          if (answers.size === CHANGES / 2) crash = killed(victim);
        },
        () => {}, // the connection ended with the server
      );
    await Promise.all(Array.from({ length: CHANGES }, (_, i) => [note(`upload-${i}`, upload(i, victim)), note(`create-${i}`, create(i, victim))]).flat());
    await crash;
    assert.ok(crash && answers.size >= CHANGES / 2, `${answers.size} answers before the crash`);

    started = await instance.start();
    for (let i = 0; i < CHANGES; i++) {
      const again = await upload(i, started);
      assert.equal(again.status, 200, again.body);
      assert.equal(json(again).created, 1, "carried out twice, or its answer was lost");
      const before = answers.get(`upload-${i}`);
      if (before) replayed(again, before);

      const made = await create(i, started);
      const acknowledged = answers.get(`create-${i}`);
      if (acknowledged) assert.equal(refusedWith(made, "IDEMPOTENCY_SECRET_GONE").resourceId, json(acknowledged).id);
      else if (made.status !== 201) refusedWith(made, "IDEMPOTENCY_SECRET_GONE");
    }
    const admin = started.client({ sessionCookie: t.admin.sessionCookie });
    const names: string[] = [];
    for await (const each of admin.apiKeys()) names.push(each.name);
    assert.deepEqual(names.sort(), ["k", ...Array.from({ length: CHANGES }, (_, i) => `key ${i}`)].sort());
    let patients = 0;
    for await (const _ of admin.patients()) patients += 1;
    assert.equal(patients, CHANGES);
  } finally {
    if (started) await started.stop();
    else instance.remove();
  }
});
