/** The page of one's own account, and the one that a link to set a password leads to. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { KeyServer, makeKey, now, sign } from "./harness/issuers.js";
import { hiddenOf, textOf, Visitor } from "./harness/pages.js";
import { field, type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { newTenant, refused, type Tenant } from "./harness/util.js";

const ISSUER = "https://sso.example.test";
const NEW = "a few words in a row";

let server: Server;
let keys: KeyServer;
let tenant: Tenant;
const key = await makeKey("k");
before(async () => {
  keys = await KeyServer.start([key.jwk]);
  server = await startServer({ issuer_x_issuer: ISSUER, issuer_x_jwks_url: keys.url, issuer_x_authorized_parties: "https://app.example.test" });
});
after(async () => {
  await keys.stop();
  await server.stop();
});

async function somebodySignedIn(): Promise<Visitor> {
  tenant = await newTenant(server);
  return signedIn(tenant.memberEmail, tenant.password);
}

async function signedIn(email: string, password: string): Promise<Visitor> {
  const visitor = new Visitor(server);
  assert.equal((await visitor.signIn(email, password, "/account")).status, 303);
  return visitor;
}

const codeOf = (answer: Answer): string | undefined => /data-code="([A-Z_]+)"/.exec(answer.body)?.[1];

test("a member sees where they are signed in, and ends what they do not know", async () => {
  const here = await somebodySignedIn();
  const there = await signedIn(tenant.memberEmail, tenant.password);
  const page = await here.page("/account");
  assert.match(textOf(page), new RegExp(`signed in as ${tenant.memberEmail} with the role MEMBER`));
  const actions = [...page.matchAll(/action="(\/account\/sessions\/sess_[a-z0-9]+\/end)"/g)].map(([, action]) => action!);
  assert.equal(actions.length, 2, "this one has no button; the client of the harness and the other one have");
  assert.match(textOf(page), /this one/);
  for (const action of actions) {
    const answer = await here.send("/account", action, {});
    assert.equal(answer.status, 303, textOf(answer.body));
    assert.equal(field(answer, "location"), "/account");
  }
  assert.equal(field(await there.get("/account"), "location"), "/sign-in?next=/account");
  await refused(tenant.member.me(), "SESSION_INVALID");
  await here.page("/account");
  // Twice is as good as once; somebody else's is not found, and not told apart.
  const hidden = hiddenOf(await here.page("/account"), "/account/password");
  assert.equal((await here.post(actions[0]!, hidden)).status, 303);
  const { sessions } = await tenant.admin.listSessions();
  assert.equal((await here.post(`/account/sessions/${sessions[0]!.id}/end`, hidden)).status, 303);
  await tenant.admin.me();
  assert.equal(codeOf(await here.post("/account/sessions/nonsense/end", hidden)), "SESSION_NOT_FOUND");
  assert.equal(codeOf(await here.post(actions[0]!, {})), "FORM_TOKEN_INVALID");
});

test("a password is changed; this session goes on, and the others have ended", async () => {
  const here = await somebodySignedIn();
  const answer = await here.send("/account", "/account/password", { currentPassword: tenant.password, newPassword: NEW });
  assert.equal(answer.status, 200, textOf(answer.body));
  assert.match(textOf(answer.body), /The password was changed\. Your other sessions have ended/);
  assert.ok(!answer.body.includes(NEW) && !answer.body.includes(tenant.password));
  await here.page("/account");
  await refused(tenant.member.me(), "SESSION_INVALID");
  await signedIn(tenant.memberEmail, NEW);
});

test("what is wrong with a password is said beside its field, and it is not shown again", async () => {
  const here = await somebodySignedIn();
  const wrong = await here.send("/account", "/account/password", { currentPassword: "not the password", newPassword: NEW });
  assert.equal(wrong.status, 403);
  assert.equal(codeOf(wrong), "PASSWORD_INCORRECT");
  const short = await here.send("/account", "/account/password", { currentPassword: tenant.password, newPassword: "short" });
  assert.equal(short.status, 400);
  assert.match(short.body, /id="newPassword-error"/);
  assert.match(textOf(short.body), /The new password must have at least 12 characters/);
  for (const answer of [wrong, short]) assert.ok(!answer.body.includes("not the password") && !answer.body.includes(NEW));
  assert.equal(codeOf(await here.post("/account/password", { currentPassword: tenant.password, newPassword: NEW })), "FORM_TOKEN_INVALID");
  await tenant.member.me();
});

test("a link leads to a page that sets the password once", async () => {
  await somebodySignedIn();
  const root = await server.admin();
  const { url } = await root.createResetLink((await tenant.member.me()).id);
  const visitor = new Visitor(server);
  const target = url.slice(server.url.length);
  const first = await visitor.get(target);
  assert.equal(first.status, 200);
  assert.equal(field(first, "cache-control"), "no-store");
  assert.equal(field(first, "referrer-policy"), "same-origin");
  const short = await visitor.send(target, "/reset-password", { newPassword: "short" });
  assert.match(textOf(short.body), /The new password must have at least 12 characters/);
  const link = hiddenOf(short.body, "/reset-password");
  const foreign = await visitor.post("/reset-password", { ...link, newPassword: NEW }, { origin: "https://evil.test" });
  assert.equal(codeOf(foreign), "ORIGIN_NOT_ALLOWED");
  const done = await visitor.post("/reset-password", { ...link, newPassword: NEW });
  assert.equal(done.status, 200, textOf(done.body));
  assert.match(textOf(done.body), /The password was set.*Sign in/);
  await signedIn(tenant.memberEmail, NEW);
  await refused(tenant.member.me(), "SESSION_INVALID");
  const again = await visitor.post("/reset-password", { ...link, newPassword: NEW });
  assert.equal(codeOf(again), "RESET_LINK_INVALID");
  assert.equal(codeOf(await visitor.post("/reset-password", { link: `"><script>`, newPassword: NEW })), "RESET_LINK_INVALID");
  assert.ok(!(await visitor.get(`/reset-password?token=${encodeURIComponent(`"><script>`)}`)).body.includes(`"><script>`));
});

test("somebody with an issuer's token has the pages too, and forms that nobody else can make", async () => {
  await somebodySignedIn();
  const root = await server.admin();
  const { id } = await tenant.admin.me();
  const { id: member } = await tenant.member.me();
  await root.updateUser(id, { identities: [{ issuer: ISSUER, id: "kim" }] });
  await root.updateUser(member, { identities: [{ issuer: ISSUER, id: "max" }] });
  const token = (sub: string): Promise<string> => sign(key, { iss: ISSUER, azp: "https://app.example.test", sub, exp: now() + 60 });
  const kim = new Visitor(server);
  kim.cookie = `__session=${await token("kim")}`;
  const max = new Visitor(server);
  max.cookie = `__session=${await token("max")}`;
  const draft = { name: "k", scopes: ["cohort:read"], expiresAt: "", allowedIpCidrs: "", requests: "120", windowSeconds: "60" };
  const form = hiddenOf(await kim.page("/employer/api-keys/new"), "/employer/api-keys");
  const others = hiddenOf(await max.page("/account"), "/account/password");
  assert.notEqual(form["token"], others["token"]);
  assert.equal(codeOf(await kim.post("/employer/api-keys", { ...draft, ...form, token: others["token"] })), "FORM_TOKEN_INVALID");
  // Its next token is another text, and the form is still good.
  kim.cookie = `__session=${await token("kim")}`;
  assert.equal((await kim.post("/employer/api-keys", { ...draft, ...form })).status, 201);
});
