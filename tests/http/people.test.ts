/** What becomes of accounts: passwords changed and set anew, sessions seen and ended. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import type { Sallyport, User } from "@sallyport/sdk";

import { assertIs } from "./harness/contract.js";
import { field, json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, refused, refusedWith, somebody, type Tenant } from "./harness/util.js";

let server: Server;
let tenant: Tenant;
let root: Sallyport;
before(async () => {
  server = await startServer({ reset_link_lifetime: "1h" });
  root = await server.admin();
  tenant = await newTenant(server);
});
after(() => server.stop());

const OLD = "the password before";
const NEW = "the password after";

/** Somebody with a password, signed in so many times. */
async function person(times: number): Promise<{ user: User; clients: Sallyport[] }> {
  const user = await root.createUser({ email: somebody().email, role: "MEMBER", employerId: tenant.employerId, password: OLD });
  const clients: Sallyport[] = [];
  for (let i = 0; i < times; i++) clients.push(await server.signedIn(user.email, OLD));
  return { user, clients };
}

const tokenOf = (url: string): string => new URL(url).searchParams.get("token") ?? "";
const audited = async (action: string, user: User) => (await root.listAudit({ action, targetId: user.id })).lines;

// ---- sessions ----

test("sessions are listed with where they are from, and the one that asks is marked", async () => {
  const { user, clients } = await person(2);
  const answer = await server.call({
    method: "POST",
    target: "/api/auth/login",
    fields: { "user-agent": `Firefox ${inventedKey()}` },
    body: { email: user.email, password: OLD },
  });
  assert.equal(answer.status, 200, answer.body);
  const list = await clients[1]!.listSessions();
  assertIs("SessionList", list);
  assert.equal(list.sessions.length, 3);
  assert.deepEqual(list.sessions.map((each) => each.isCurrent), [false, true, false]);
  assert.equal(list.sessions[0]!.userAgent, "(a text with a key in it)");
  assert.ok(list.sessions.every((each) => each.address === "127.0.0.1" && each.expiresAt! > each.createdAt!));
  const pages: string[] = [];
  for await (const each of clients[0]!.sessions({ limit: 1 })) pages.push(each.id);
  assert.deepEqual(pages, list.sessions.map((each) => each.id));
  const seen = await root.listUserSessions(user.id);
  assert.deepEqual(seen.sessions.map((each) => [each.id, each.isCurrent]), list.sessions.map((each) => [each.id, false]));
});

test("one ends one's own sessions one by one, and nobody else's", async () => {
  const { user, clients } = await person(2);
  const stranger = (await person(1)).clients[0]!;
  const [second, first] = (await clients[0]!.listSessions()).sessions;
  await refused(stranger.endSession(first!.id), "SESSION_NOT_FOUND");
  await clients[0]!.endSession(second!.id);
  await refused(clients[1]!.me(), "SESSION_INVALID");
  await refused(clients[0]!.endSession(second!.id), "SESSION_NOT_FOUND");
  await clients[0]!.endSession(first!.id);
  await refused(clients[0]!.me(), "SESSION_INVALID");
  const lines = await audited("session.ended", user);
  assert.deepEqual(lines.map((line) => line.detail), [
    { sessionId: first!.id, sessionsEnded: 1 },
    { sessionId: second!.id, sessionsEnded: 1 },
  ]);
});

test("an ADMIN sees and ends the sessions of others; nobody else does", async () => {
  const { user, clients } = await person(3);
  await refused(tenant.admin.listUserSessions(user.id), "INSUFFICIENT_ROLE");
  await refused(tenant.admin.endUserSessions(user.id), "INSUFFICIENT_ROLE");
  const { sessions } = await root.listUserSessions(user.id);
  await root.endUserSession(user.id, sessions[0]!.id);
  await refused(clients[2]!.me(), "SESSION_INVALID");
  await clients[1]!.me();
  await refused(root.endUserSession(user.id, sessions[0]!.id), "SESSION_NOT_FOUND");
  await root.endUserSessions(user.id);
  await refused(clients[0]!.me(), "SESSION_INVALID");
  await root.endUserSessions(user.id); // none is left, which is no error
  await server.signedIn(user.email, OLD);
  assert.deepEqual((await audited("session.ended", user)).map((line) => line.detail?.["sessionsEnded"]), [2, 1]);
  await refused(root.listUserSessions("user_none"), "USER_NOT_FOUND");
  await refused(root.endUserSessions("user_none"), "USER_NOT_FOUND");
  await refused(root.endUserSession("user_none", "sess_none"), "USER_NOT_FOUND");
});

// ---- the password ----

test("a changed password signs in, the one before does not, and the other sessions have ended", async () => {
  const { user, clients } = await person(3);
  await clients[0]!.changePassword(OLD, NEW);
  await clients[0]!.me();
  await refused(clients[1]!.me(), "SESSION_INVALID");
  await refused(server.client().login(user.email, OLD), "LOGIN_FAILED");
  await server.client().login(user.email, NEW);
  assert.deepEqual((await audited("user.password_changed", user)).map((line) => line.detail), [{ sessionsEnded: 2 }]);
});

test("a wrong present password changes nothing, and guessing it is slowed down", async () => {
  const { user, clients } = await person(1);
  await refused(clients[0]!.changePassword("not the password", NEW), "PASSWORD_INCORRECT");
  await refused(clients[0]!.changePassword(OLD, "short"), "INVALID_REQUEST");
  for (let i = 0; i < 4; i++) await refused(clients[0]!.changePassword("not the password", NEW), "PASSWORD_INCORRECT");
  const slowed = await refused(clients[0]!.changePassword(OLD, NEW), "LOGIN_THROTTLED");
  assert.ok((slowed.retryAfterSeconds ?? 0) > 0);
  assert.equal((await audited("user.password_changed", user)).length, 0);
});

test("of two changes at once from the same password, one is made", async () => {
  const { clients } = await person(1);
  const outcomes = await Promise.allSettled([clients[0]!.changePassword(OLD, `${NEW} 1`), clients[0]!.changePassword(OLD, `${NEW} 2`)]);
  assert.equal(outcomes.filter((each) => each.status === "fulfilled").length, 1);
});

// ---- the link ----

test("with a link a new password is set, once; the former ends with it, and so do the sessions", async () => {
  const { user, clients } = await person(2);
  const link = await root.createResetLink(user.id);
  assertIs("ResetLink", link);
  assert.ok(link.url.startsWith(`${server.url}/reset-password?token=`), link.url);
  const minutes = (Date.parse(link.expiresAt!) - Date.now()) / 60_000;
  assert.ok(minutes > 59 && minutes <= 60, `${minutes}`);
  await clients[0]!.me();
  await server.signedIn(user.email, OLD);

  await server.client().resetPassword(tokenOf(link.url), NEW);
  await refused(clients[0]!.me(), "SESSION_INVALID");
  await refused(server.client().login(user.email, OLD), "LOGIN_FAILED");
  await server.client().login(user.email, NEW);
  await refused(server.client().resetPassword(tokenOf(link.url), NEW), "RESET_LINK_INVALID");

  const [line] = await audited("user.password_reset", user);
  assert.equal(line!.actor.id, user.id);
  assert.deepEqual(line!.detail, { sessionsEnded: 3 });
  assert.equal((await audited("user.reset_link_created", user)).length, 1);
});

test("only the newest link works, and none after a change of password or a deactivation", async () => {
  const { user, clients } = await person(1);
  const first = await root.createResetLink(user.id);
  const second = await root.createResetLink(user.id);
  await refused(server.client().resetPassword(tokenOf(first.url), NEW), "RESET_LINK_INVALID");
  await clients[0]!.changePassword(OLD, NEW);
  await refused(server.client().resetPassword(tokenOf(second.url), NEW), "RESET_LINK_INVALID");
  const third = await root.createResetLink(user.id);
  await root.updateUser(user.id, { status: "inactive" });
  await refused(server.client().resetPassword(tokenOf(third.url), NEW), "RESET_LINK_INVALID");
});

test("a link that is none is refused with the reason, and a bad password does not use one up", async () => {
  const { user } = await person(0);
  const link = await root.createResetLink(user.id);
  for (const token of ["x", randomBytes(32).toString("hex"), tokenOf(link.url).slice(1)])
    await refused(server.client().resetPassword(token, NEW), "RESET_LINK_INVALID");
  await refused(server.client().resetPassword(tokenOf(link.url), "short"), "INVALID_REQUEST");
  await server.client().resetPassword(tokenOf(link.url), NEW);
  await refused(root.createResetLink("user_none"), "USER_NOT_FOUND");
  await refused(tenant.admin.createResetLink(user.id), "INSUFFICIENT_ROLE");
  const foreign = { method: "POST", target: "/api/auth/reset-password", fields: { origin: "https://evil.test" }, body: { token: "x", newPassword: NEW } };
  refusedWith(await server.call(foreign), "ORIGIN_NOT_ALLOWED");
});

test("of two uses of a link at once, one sets the password", async () => {
  const { user } = await person(0);
  const token = tokenOf((await root.createResetLink(user.id)).url);
  const outcomes = await Promise.allSettled([1, 2, 3].map((i) => server.client().resetPassword(token, `${NEW} ${i}`)));
  assert.equal(outcomes.filter((each) => each.status === "fulfilled").length, 1);
});

test("an expired link is refused", async () => {
  const own = await startServer({ reset_link_lifetime: "1s" });
  try {
    const admin = await own.admin();
    const link = await admin.createResetLink((await admin.me()).id);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await refused(own.client().resetPassword(tokenOf(link.url), NEW), "RESET_LINK_INVALID");
  } finally {
    await own.stop();
  }
});

test("the link is answered to caches as nothing to keep, and is in no log", async () => {
  const { user } = await person(0);
  const answer = await server.call({ method: "POST", target: `/api/admin/users/${user.id}/reset-link`, fields: { cookie: `sallyport_session=${root.sessionCookie}` } });
  assert.equal(answer.status, 201, answer.body);
  assert.equal(field(answer, "cache-control"), "no-store");
  const token = tokenOf(json(answer).url);
  await server.call({ target: `/reset-password?token=${token}` });
  assert.ok(!server.log.includes(token));
});

// ---- the command line ----

test("the same on the command line", async () => {
  const { user, clients } = await person(2);
  const changed = await server.cli(["users", "change", user.id, "--role", "employer-admin"]);
  assert.match(changed.stdout, /Changed the user .*\n.*\n.*status +active\n.*role +EMPLOYER_ADMIN/);
  const sessions = await server.cli(["users", "sessions", user.id]);
  assert.match(sessions.stdout, /^ID +SIGNED IN +ENDS +ADDRESS +USER AGENT\n(sess_.*127\.0\.0\.1 +node *\n){2}$/);
  const [newest] = (await server.cliJson(["users", "sessions", user.id])).sessions;
  assert.match((await server.cli(["users", "sign-out", user.id, "--session", newest.id])).stdout, /^Ended the session "sess_/);
  await refused(clients[1]!.me(), "SESSION_INVALID");
  assert.match((await server.cli(["users", "sign-out", user.id])).stdout, /^Ended all sessions of the user "user_/);
  await refused(clients[0]!.me(), "SESSION_INVALID");
  assert.match((await server.cli(["users", "sessions", user.id])).stdout, /not signed in/);

  const made = await server.cli(["users", "reset-password", user.id]);
  const [url] = /http\S+/.exec(made.stdout) ?? [];
  await server.client().resetPassword(tokenOf(url!), NEW);
  await server.signedIn(user.email, NEW);

  const employer = await server.cliJson(["employers", "create", "--name", "Later", "--unapproved"]);
  assert.match((await server.cli(["employers", "change", employer.id, "--approve", "--name", "Now"])).stdout, /Changed the employer "Now"[^]*approved +yes/);
  assert.equal((await server.cli(["employers", "change", employer.id])).code, 2);
  assert.equal((await server.cli(["employers", "change", employer.id, "--approve", "--unapprove"])).code, 2);
  assert.equal((await server.cli(["users", "change", user.id])).code, 2);
});
