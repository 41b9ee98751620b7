/** Signing in, and who may do what. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { field, json, type Answer } from "./harness/raw.js";
import { ADMIN_EMAIL, ADMIN_PASSWORD, startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, refused, refusedWith, somebody } from "./harness/util.js";

let server: Server;
before(async () => {
  // Trusting ourselves as a proxy lets each test come from an address of its own.
  server = await startServer({ trusted_proxies: "127.0.0.1/32", login_failures_per_address: 20 });
});
after(() => server.stop());

const login = (email: string, password: string, fields: Record<string, string> = {}): Promise<Answer> =>
  server.call({ method: "POST", target: "/api/auth/login", fields, body: { email, password } });

const withCookie = (token: string): Record<string, string> => ({ cookie: `sallyport_session=${token}` });

test("a sign-in answers who it is and sets a cookie that scripts and other sites cannot use", async () => {
  const answer = await login(ADMIN_EMAIL, ADMIN_PASSWORD);
  assert.equal(answer.status, 200);
  const session = json(answer);
  assert.equal(session.email, ADMIN_EMAIL);
  assert.equal(session.role, "ADMIN");
  const hours = (Date.parse(session.expiresAt) - Date.now()) / 3_600_000;
  assert.ok(hours > 11.9 && hours <= 12, `the session lasts ${hours} h`);

  const attributes = (field(answer, "set-cookie") ?? "").split("; ").slice(1);
  for (const attribute of ["Path=/", "HttpOnly", "SameSite=Lax"]) assert.ok(attributes.includes(attribute), attribute);
  assert.ok(!attributes.includes("Secure"), "plain http: a Secure cookie would be dropped by browsers");
  assert.equal(field(answer, "cache-control"), "no-store");
});

test("under an https public_url the cookie is Secure and its origin is allowed", async () => {
  const secure = await startServer({ public_url: "https://keys.example.test" });
  try {
    const answer = await secure.call({
      method: "POST",
      target: "/api/auth/login",
      fields: { origin: "https://keys.example.test" },
      body: { email: ADMIN_EMAIL, password: ADMIN_PASSWORD },
    });
    assert.equal(answer.status, 200);
    assert.match(field(answer, "set-cookie") ?? "", /; Secure(;|$)/);
    const problem = refusedWith(await secure.call({ target: "/api/auth/me" }), "MISSING_CREDENTIALS");
    assert.equal(problem.type, "https://keys.example.test/docs/errors/MISSING_CREDENTIALS");
  } finally {
    await secure.stop();
  }
});

test("a session answers me until it is ended, and then no longer", async () => {
  const client = await server.signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
  const token = client.sessionCookie;
  assert.ok(token);
  assert.equal((await client.me()).email, ADMIN_EMAIL);
  await client.logout();
  assert.equal(client.sessionCookie, undefined);
  await refused(server.client({ sessionCookie: token }).me(), "SESSION_INVALID");
});

test("ending one session leaves the others alone", async () => {
  const one = await server.signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
  const other = await server.signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
  assert.notEqual(one.sessionCookie, other.sessionCookie);
  await one.logout();
  assert.equal((await other.me()).email, ADMIN_EMAIL);
});

test("logout clears the cookie, with or without a session", async () => {
  const answer = await server.call({ method: "POST", target: "/api/auth/logout" });
  assert.equal(answer.status, 204);
  assert.match(field(answer, "set-cookie") ?? "", /^sallyport_session=; .*Max-Age=0/);
  const stale = await server.call({ method: "POST", target: "/api/auth/logout", fields: withCookie("0".repeat(64)) });
  assert.equal(stale.status, 204);
});

test("nothing, a wrong cookie and an API key are told apart", async () => {
  const admin = await server.admin();
  const key = await admin.createApiKey({ name: "not a person", scopes: ["cohort:read"] });
  const me = (fields: Record<string, string>): Promise<Answer> => server.call({ target: "/api/auth/me", fields });

  refusedWith(await me({}), "MISSING_CREDENTIALS");
  refusedWith(await me(withCookie("nonsense")), "SESSION_INVALID");
  refusedWith(await me(withCookie("0".repeat(64))), "SESSION_INVALID");
  refusedWith(await me({ cookie: `sallyport_session=${admin.sessionCookie}; sallyport_session=${"0".repeat(64)}` }), "MISSING_CREDENTIALS");
  refusedWith(await me({ "x-api-key": key.rawKey }), "SESSION_REQUIRED");
  const misplaced = refusedWith(await me({ authorization: `Bearer ${key.rawKey}` }), "INVALID_API_KEY");
  assert.match(misplaced.detail + misplaced.hint, /x-api-key/);
});

test("a wrong password, an unknown account, an inactive one and a patient have one answer", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const users = await root.listUsers({ employerId: tenant.employerId });
  const member = users.users.find((user) => user.role === "MEMBER");
  await root.updateUser(member?.id ?? "", { status: "inactive" });
  const patient = somebody();
  await tenant.admin.uploadCohort([patient]);

  const bodies = [];
  for (const [email, password, address] of [
    [tenant.adminEmail, "not the password", "198.51.100.1"],
    ["nobody@nowhere.test", "not the password", "198.51.100.2"],
    [tenant.memberEmail, tenant.password, "198.51.100.3"],
    [patient.email, "not the password", "198.51.100.4"],
  ] as const) {
    const answer = await login(email, password, { "x-forwarded-for": address, "x-request-id": "same" });
    refusedWith(answer, "LOGIN_FAILED");
    assert.equal(answer.headers.has("set-cookie"), false);
    bodies.push(answer.body);
  }
  assert.equal(new Set(bodies).size, 1, bodies.join("\n"));
});

test("an address is the same account in any case", async () => {
  assert.equal((await login(ADMIN_EMAIL.toUpperCase(), ADMIN_PASSWORD)).status, 200);
});

test("after five failures in a row an account is slowed down, and only that one", async () => {
  const tenant = await newTenant(server);
  const from = { "x-forwarded-for": "198.51.100.20" };
  for (let i = 0; i < 5; i++) refusedWith(await login(tenant.adminEmail, "not the password", from), "LOGIN_FAILED");
  const slowed = await login(tenant.adminEmail, tenant.password, from);
  refusedWith(slowed, "LOGIN_THROTTLED");
  const wait = Number(field(slowed, "retry-after"));
  assert.ok(wait >= 1 && wait <= 60, `Retry-After: ${wait}`);
  // Neither another address nor another spelling helps.
  refusedWith(await login(tenant.adminEmail.toUpperCase(), tenant.password, { "x-forwarded-for": "198.51.100.21" }), "LOGIN_THROTTLED");
  assert.equal((await login(tenant.memberEmail, tenant.password, from)).status, 200);
});

test("a success starts the account's count anew", async () => {
  const tenant = await newTenant(server);
  const from = { "x-forwarded-for": "198.51.100.25" };
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 4; i++) refusedWith(await login(tenant.adminEmail, "not the password", from), "LOGIN_FAILED");
    assert.equal((await login(tenant.adminEmail, tenant.password, from)).status, 200);
  }
});

test("after twenty failures an address is slowed down, and only that one", async () => {
  const from = { "x-forwarded-for": "198.51.100.30" };
  const began = Date.now();
  // All at once: none learns its outcome once twenty have failed.
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => login(`guess-${i}@nowhere.test`, "not the password", from)));
  const codes = answers.map((answer) => json(answer).code);
  const failed = codes.filter((code) => code === "LOGIN_FAILED").length;
  // One more each three seconds, and three that were under way together.
  const most = 23 + Math.ceil((Date.now() - began) / 3000);
  assert.ok(failed >= 20 && failed <= most, `${failed} attempts were let through`);
  assert.equal(codes.filter((code) => code === "LOGIN_THROTTLED").length, 40 - failed);
  refusedWith(await login("guess-20@nowhere.test", "not the password", { "x-forwarded-for": "198.51.100.31" }), "LOGIN_FAILED");
});

test("people who sign in rightly are not slowed down", async () => {
  const from = { "x-forwarded-for": "198.51.100.35" };
  for (let i = 0; i < 40; i += 10) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => login(ADMIN_EMAIL, ADMIN_PASSWORD, from)));
    for (const answer of answers) assert.equal(answer.status, 200, `sign-ins ${i} to ${i + 9}: ${answer.body}`);
  }
});

test("a cookie from another site's page is refused, and nothing is done", async () => {
  const admin = await server.admin();
  const cookie = withCookie(admin.sessionCookie ?? "");
  const host = new URL(server.url).host;
  const attempts: [string, string, object | undefined][] = [
    ["GET", "/api/auth/me", undefined],
    ["POST", "/api/auth/login", { email: ADMIN_EMAIL, password: ADMIN_PASSWORD }],
    ["POST", "/api/auth/logout", undefined],
    ["POST", "/api/employer/api-keys", { name: "x", scopes: ["cohort:read"] }],
    ["GET", "/api/employer/cohort", undefined],
    ["GET", "/api/admin/users", undefined],
  ];
  for (const origin of ["https://evil.test", "null", `https://${host}`, `http://${host}.evil.test`])
    for (const [method, target, body] of attempts)
      refusedWith(await server.call({ method, target, fields: { ...cookie, origin }, ...(body ? { body } : {}) }), "ORIGIN_NOT_ALLOWED");
  const own = await server.call({ target: "/api/auth/me", fields: { ...cookie, origin: `http://${host}` } });
  assert.equal(own.status, 200);
  assert.equal((await admin.me()).email, ADMIN_EMAIL);
});

test("what a sign-in lacks is named", async () => {
  const post = (body: string | object, fields: Record<string, string> = {}): Promise<Answer> =>
    server.call({ method: "POST", target: "/api/auth/login", fields, body });
  const members = async (body: object): Promise<string[]> =>
    refusedWith(await post(body), "INVALID_REQUEST").errors.map((e: { member: string }) => e.member);

  assert.deepEqual(await members({}), ["email", "password"]);
  assert.deepEqual(await members({ email: ADMIN_EMAIL, password: "" }), ["password"]);
  assert.deepEqual(await members({ email: 7, password: "x" }), ["email"]);
  assert.deepEqual(await members({ email: ADMIN_EMAIL, password: "x", remember: true }), ["remember"]);
  assert.ok((await members([])).length >= 1);

  for (const [text, why] of [
    ["", "empty"],
    ["{", "cut short"],
    ['{"email":"a","email":"b"}', "a member twice"],
    [`{"email":${"[".repeat(200)}${"]".repeat(200)}}`, "too deep"],
    ['{"email":"a"} x', "something after it"],
    ["{'email':'a'}", "other quotation marks"],
    ['{"email":"\\ud800"}', "half a surrogate pair"],
  ] as const)
    assert.ok(refusedWith(await post(text), "MALFORMED_JSON").detail, why);

  refusedWith(await post("email=a", { "content-type": "application/x-www-form-urlencoded" }), "UNSUPPORTED_MEDIA_TYPE");
  refusedWith(await post("{}", { "content-type": "application/json; charset=latin1" }), "UNSUPPORTED_MEDIA_TYPE");
  refusedWith(await post("{}", { "content-encoding": "gzip" }), "UNSUPPORTED_MEDIA_TYPE");
  refusedWith(await post(`{"email":"${"a".repeat(70_000)}"}`), "BODY_TOO_LARGE");
});

test("a body that is not UTF-8 is not JSON", async () => {
  const body = Buffer.concat([Buffer.from('{"email":"a'), Buffer.from([0xff]), Buffer.from('","password":"x"}')]);
  const { Connection } = await import("./harness/raw.js");
  const connection = await Connection.open(server.url);
  connection.write(
    Buffer.concat([
      Buffer.from(`POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`),
      body,
    ]),
    { method: "POST", target: "/api/auth/login" },
  );
  refusedWith(await connection.answer(), "MALFORMED_JSON");
  connection.drop();
});

test("roles: a MEMBER reads, an EMPLOYER_ADMIN changes, an ADMIN runs the instance", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });

  assert.equal((await tenant.member.listApiKeys()).keys.length, 1);
  assert.equal((await tenant.member.getApiKey(key.id)).id, key.id);
  assert.deepEqual((await tenant.member.listCohort()).patients, []);
  for (const call of [
    () => tenant.member.createApiKey({ name: "no", scopes: ["cohort:read"] }),
    () => tenant.member.updateApiKey(key.id, { name: "no" }),
    () => tenant.member.rotateApiKey(key.id),
    () => tenant.member.revokeApiKey(key.id),
    () => tenant.member.uploadCohort([somebody()]),
    () => tenant.admin.importApiKeys([{ name: "no", scopes: ["cohort:read"], key: inventedKey() }]),
    () => tenant.admin.listEmployers(),
    () => tenant.admin.createEmployer({ name: "no" }),
    () => tenant.admin.updateEmployer(tenant.employerId, { name: "no" }),
    () => tenant.admin.listUsers(),
    () => tenant.admin.createUser({ email: "no@users.test", role: "MEMBER" }),
    () => tenant.admin.updateUser("user_x", { role: "ADMIN" }),
  ]) {
    const error = await refused(call(), "INSUFFICIENT_ROLE");
    assert.match(error.detail + error.hint, /ADMIN/);
  }
  assert.equal((await tenant.member.getApiKey(key.id)).name, "k");
});

test("an ADMIN acts for another employer by naming it; nobody else does", async () => {
  const tenant = await newTenant(server);
  const root = await server.admin();
  const acting = server.client({ sessionCookie: root.sessionCookie, employerId: tenant.employerId });
  const key = await acting.createApiKey({ name: "made by the operator", scopes: ["cohort:read"] });
  assert.deepEqual((await tenant.admin.listApiKeys()).keys.map((k) => k.id), [key.id]);
  await refused(root.getApiKey(key.id), "API_KEY_NOT_FOUND");

  const nowhere = server.client({ sessionCookie: root.sessionCookie, employerId: "emp_nowhere" });
  await refused(nowhere.listApiKeys(), "EMPLOYER_NOT_FOUND");
  const other = await newTenant(server);
  const intruder = server.client({ sessionCookie: other.admin.sessionCookie, employerId: tenant.employerId });
  await refused(intruder.listApiKeys(), "INSUFFICIENT_ROLE");
  const keyed = server.client({ apiKey: key.rawKey, employerId: other.employerId });
  await refused(keyed.listCohort(), "INSUFFICIENT_ROLE");
});
