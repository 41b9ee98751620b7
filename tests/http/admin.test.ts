/** Employers and users, and what switching them off does. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ADMIN_EMAIL, startServer, type Server } from "./harness/server.js";
import { newTenant, refused, refusedWith, somebody } from "./harness/util.js";

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test("employers are made, listed page by page, and changed", async () => {
  const root = await server.admin();
  const made = [];
  for (const name of ["Hollow Oak Bakery", "Zürcher Mühle", "東京 Clinic"]) made.push(await root.createEmployer({ name }));
  assert.equal(made[0]?.status, "active");
  assert.equal(made[0]?.isApproved, true);
  assert.equal((await root.createEmployer({ name: "Later", isApproved: false })).isApproved, false);

  const seen: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await root.listEmployers({ limit: 2, ...(cursor ? { cursor } : {}) });
    assert.ok(page.employers.length <= 2);
    seen.push(...page.employers.map((employer) => employer.id));
    cursor = page.nextCursor;
  }
  assert.equal(new Set(seen).size, seen.length, "an employer is listed twice");
  for (const employer of made) assert.ok(seen.includes(employer.id));

  const changed = await root.updateEmployer(made[0]?.id ?? "", { name: "Hollow Oak", isApproved: false });
  assert.equal(changed.name, "Hollow Oak");
  assert.equal(changed.isApproved, false);
  assert.equal(changed.status, "active");
  await refused(root.updateEmployer("emp_nowhere", { name: "x" }), "EMPLOYER_NOT_FOUND");
});

test("faults of employers and users are named", async () => {
  const root = await server.admin();
  const post = async (target: string, body: object, method = "POST"): Promise<string[]> => {
    const answer = await server.call({ method, target, body, fields: { cookie: `sallyport_session=${root.sessionCookie}` } });
    return refusedWith(answer, "INVALID_REQUEST").errors.map((e: { member: string }) => e.member);
  };
  const tenant = await newTenant(server);

  assert.deepEqual(await post("/api/admin/employers", {}), ["name"]);
  assert.deepEqual(await post("/api/admin/employers", { name: "x".repeat(201) }), ["name"]);
  assert.deepEqual(await post("/api/admin/employers", { name: "x", isApproved: "yes" }), ["isApproved"]);
  assert.deepEqual(await post("/api/admin/employers", { name: "x", size: 3 }), ["size"]);
  assert.deepEqual(await post(`/api/admin/employers/${tenant.employerId}`, { status: "gone" }, "PATCH"), ["status"]);
  assert.deepEqual(await post("/api/admin/users", { role: "MEMBER" }), ["email"]);
  assert.deepEqual(await post("/api/admin/users", { email: "no address", role: "MEMBER" }), ["email"]);
  assert.deepEqual(await post("/api/admin/users", { email: "a@users.test", role: "PATIENT" }), ["role"]);
  assert.deepEqual(await post("/api/admin/users", { email: "a@users.test", role: "KING" }), ["role"]);
  assert.deepEqual(await post("/api/admin/users", { email: "a@users.test", role: "MEMBER", password: "eleven char" }), ["password"]);
});

test("users are made once per address, whatever the employer or the case", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const patient = somebody();
  await tenant.admin.uploadCohort([patient]);
  for (const email of [tenant.adminEmail, tenant.adminEmail.toUpperCase(), patient.email])
    await refused(root.createUser({ email, role: "MEMBER" }), "EMAIL_TAKEN");
  await refused(root.createUser({ email: "new@users.test", role: "MEMBER", employerId: "emp_nowhere" }), "EMPLOYER_NOT_FOUND");
  await refused(root.updateUser("user_nowhere", { role: "MEMBER" }), "USER_NOT_FOUND");

  const users = (await root.listUsers({ employerId: tenant.employerId })).users;
  assert.deepEqual(users.map((user) => user.email).sort(), [tenant.adminEmail, tenant.memberEmail].sort());
  assert.ok((await root.listUsers()).users.some((user) => user.email === ADMIN_EMAIL));
});

test("a user's new role holds at once, in their session too", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const users = (await root.listUsers({ employerId: tenant.employerId })).users;
  const boss = users.find((user) => user.email === tenant.adminEmail);
  assert.equal((await root.updateUser(boss?.id ?? "", { role: "MEMBER" })).role, "MEMBER");
  await refused(tenant.admin.createApiKey({ name: "x", scopes: ["cohort:read"] }), "INSUFFICIENT_ROLE");
});

test("deactivating a user revokes the keys they created and ends their sessions", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const acting = server.client({ sessionCookie: root.sessionCookie, employerId: tenant.employerId });
  const theirs = await tenant.admin.createApiKey({ name: "theirs", scopes: ["cohort:read"] });
  const other = await acting.createApiKey({ name: "another's", scopes: ["cohort:read"] });
  await server.client({ apiKey: theirs.rawKey }).listCohort();

  const boss = (await root.listUsers({ employerId: tenant.employerId })).users.find((u) => u.email === tenant.adminEmail);
  assert.equal((await root.updateUser(boss?.id ?? "", { status: "inactive" })).status, "inactive");

  await refused(tenant.admin.me(), "SESSION_INVALID");
  await refused(server.client({ apiKey: theirs.rawKey }).listCohort(), "API_KEY_REVOKED");
  await server.client({ apiKey: other.rawKey }).listCohort();
  const keys = (await acting.listApiKeys()).keys;
  assert.equal(keys.find((key) => key.id === theirs.id)?.status, "revoked");
  assert.equal(keys.find((key) => key.id === other.id)?.status, "active");

  // Active again, they sign in again; their old keys and sessions stay dead.
  await root.updateUser(boss?.id ?? "", { status: "active" });
  await server.signedIn(tenant.adminEmail, tenant.password);
  await refused(tenant.admin.me(), "SESSION_INVALID");
  await refused(server.client({ apiKey: theirs.rawKey }).listCohort(), "API_KEY_REVOKED");
});

test("the last ADMIN stays", async () => {
  const root = await server.admin();
  const me = await root.me();
  await refused(root.updateUser(me.id, { status: "inactive" }), "LAST_ADMIN");
  await refused(root.updateUser(me.id, { role: "MEMBER" }), "LAST_ADMIN");
  assert.equal((await root.me()).role, "ADMIN");

  const second = await root.createUser({ email: "second@users.test", role: "ADMIN", password: "correct horse battery" });
  assert.equal((await root.updateUser(second.id, { role: "MEMBER" })).role, "MEMBER");
  await refused(root.updateUser(me.id, { status: "inactive" }), "LAST_ADMIN");
});

test("an inactive employer's keys and sessions are refused until it is active again", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  const keyed = server.client({ apiKey: key.rawKey });
  await keyed.listCohort();

  await root.updateEmployer(tenant.employerId, { status: "inactive" });
  await refused(keyed.listCohort(), "EMPLOYER_INACTIVE");
  await refused(tenant.admin.listApiKeys(), "EMPLOYER_INACTIVE");
  await refused(server.signedIn(tenant.adminEmail, tenant.password), "LOGIN_FAILED");

  await root.updateEmployer(tenant.employerId, { status: "active" });
  await keyed.listCohort();
  await tenant.admin.listApiKeys();
});

test("an employer that is not approved signs in, and its keys are refused", async () => {
  const root = await server.admin();
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  const keyed = server.client({ apiKey: key.rawKey });

  await root.updateEmployer(tenant.employerId, { isApproved: false });
  await refused(keyed.listCohort(), "EMPLOYER_NOT_APPROVED");
  assert.equal((await tenant.admin.listApiKeys()).keys.length, 1);
  await root.updateEmployer(tenant.employerId, { isApproved: true });
  await keyed.listCohort();
});
