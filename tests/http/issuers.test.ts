/** Session tokens of other services: who is let in, and what is refused with which code. */
import assert from "node:assert/strict";
import { createHmac, createSign, type KeyObject } from "node:crypto";
import { after, before, test } from "node:test";

import { exportSPKI } from "jose";
import { OAuth2Server } from "oauth2-mock-server";

import { KeyServer, makeKey, now, sign, type Claims, type IssuerKey } from "./harness/issuers.js";
import { field, json, type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { refusedWith } from "./harness/util.js";

const PARTY = "https://app.example.test";
const CLERK = "https://clerk.example.test";

/** Clerk's own keys are served by oauth2-mock-server; the second issuer is ours alone. */
const mock = new OAuth2Server();
let plain: KeyServer;
let key: IssuerKey;
let server: Server;
let employerId: string;
const OIDC = "https://sso.example.test/realms/staff";

const me = (fields: Record<string, string>): Promise<Answer> => server.call({ target: "/api/auth/me", fields });
const bearer = (token: string): Promise<Answer> => me({ authorization: `Bearer ${token}` });

/** A token of the mock, with these claims beside its own iss, iat, nbf and exp. */
function mockToken(claims: Claims, kid?: string): Promise<string> {
  return mock.issuer.buildToken({
    ...(kid ? { kid } : {}),
    scopesOrTransform: (_, payload) => {
      delete payload["scope"];
      Object.assign(payload, { iss: CLERK }, claims);
    },
  });
}

const v1 = (more: Claims = {}): Claims => ({ sub: "user_v1", sid: "sess_v1", azp: PARTY, org_id: "org_one", org_role: "org:admin", org_slug: "one", ...more });
const v2 = (more: Claims = {}): Claims => ({ v: 2, sub: "user_v2", sid: "sess_v2", azp: PARTY, sts: "active", fva: [1, -1], o: { id: "org_one", rol: "member", slg: "one" }, ...more });

/** Claims that the plain issuer's tokens are good with. */
const good = (more: Claims = {}): Claims => ({ iss: OIDC, sub: "kim", aud: "sallyport", azp: PARTY, iat: now(), nbf: now(), exp: now() + 60, ...more });

before(async () => {
  await mock.issuer.keys.generate("RS256", { kid: "clerk-1" });
  await mock.start(0, "127.0.0.1");
  key = await makeKey("plain-1");
  plain = await KeyServer.start([key.jwk]);
  server = await startServer({
    issuer_clerk_kind: "clerk",
    issuer_clerk_issuer: CLERK,
    issuer_clerk_jwks_url: `${mock.issuer.url}/jwks`,
    issuer_clerk_authorized_parties: `${PARTY}, https://other.example.test`,
    issuer_clerk_create_users: true,
    issuer_plain_issuer: OIDC,
    issuer_plain_jwks_url: `${plain.url}/keys`,
    issuer_plain_audience: "sallyport",
    issuer_plain_authorized_parties: PARTY,
    issuer_plain_link_by_email: true,
  });
  const root = await server.admin();
  const employer = await root.createEmployer({ name: "One" });
  employerId = employer.id;
  assert.deepEqual(employer.externalIds, []);
  const linked = await root.updateEmployer(employerId, { externalIds: [{ issuer: CLERK, id: "org_one" }] });
  assert.deepEqual(linked.externalIds, [{ issuer: CLERK, id: "org_one" }]);
});

after(async () => {
  try {
    await server.stop();
  } finally {
    await mock.stop();
    await plain.stop();
  }
});

test("Clerk, version 1: a new user is made in the employer and with the role of the token", async () => {
  const answer = await bearer(await mockToken(v1({ email: "v1@clerk.test" })));
  assert.equal(answer.status, 200, answer.body);
  const who = JSON.parse(answer.body);
  assert.equal(who.email, "v1@clerk.test");
  assert.equal(who.role, "EMPLOYER_ADMIN");
  assert.equal(who.employerId, employerId);
  const again = JSON.parse((await bearer(await mockToken(v1()))).body);
  assert.equal(again.id, who.id, "the second token needs no address");
});

test("Clerk, version 2: the same, and the role is the token's at each call", async () => {
  const role = async (rol: string): Promise<Answer> => bearer(await mockToken(v2({ email: "v2@clerk.test", o: { id: "org_one", rol } })));
  assert.equal(JSON.parse((await role("member")).body).role, "MEMBER");
  assert.equal(JSON.parse((await role("admin")).body).role, "EMPLOYER_ADMIN");
  refusedWith(await role("billing"), "INSUFFICIENT_ROLE");
  refusedWith(await role("org:admin"), "INSUFFICIENT_ROLE");
});

test("a token does the work of a session", async () => {
  const token = (): Promise<string> => mockToken(v1());
  const client = server.client({ token });
  const made = await client.createApiKey({ name: "by a token", scopes: ["cohort:read"] });
  assert.deepEqual((await client.listApiKeys()).keys.map((k) => k.id), [made.id]);
  assert.deepEqual((await client.listCohort()).patients, []);
});

/** The plain issuer knows roles and employers of nobody: kim is linked by hand, and has those of here. */
async function linkKim(): Promise<string> {
  const root = await server.admin();
  const kim = await root.createUser({ email: "kim@plain.test", role: "MEMBER", employerId });
  const linked = await root.updateUser(kim.id, { identities: [{ issuer: OIDC, id: "kim" }] });
  assert.deepEqual(linked.identities, [{ issuer: OIDC, id: "kim" }]);
  return kim.id;
}

const kim = (() => {
  let id: Promise<string> | undefined;
  return (): Promise<string> => (id ??= linkKim());
})();

test("plain OIDC: a subject that an ADMIN has linked is that user", async () => {
  const unknown = refusedWith(await bearer(await sign(key, good())), "USER_UNKNOWN");
  assert.match(unknown.hint, /"issuer":"https:\/\/sso.example.test\/realms\/staff","id":"kim"/);
  const id = await kim();
  const who = JSON.parse((await bearer(await sign(key, good()))).body);
  assert.deepEqual({ id: who.id, role: who.role, employerId: who.employerId }, { id, role: "MEMBER", employerId });
  const listed = (await (await server.admin()).listUsers({ employerId })).users.find((user) => user.id === id);
  assert.deepEqual(listed?.identities, [{ issuer: OIDC, id: "kim" }]);
});

test("an identity is one user's, and the list that is given replaces the one there was", async () => {
  await kim();
  const root = await server.admin();
  const other = await root.createUser({ email: "other@plain.test", role: "MEMBER", employerId });
  const patch = (body: object): Promise<Answer> =>
    server.call({ method: "PATCH", target: `/api/admin/users/${other.id}`, fields: { cookie: `sallyport_session=${root.sessionCookie}` }, body });
  refusedWith(await patch({ identities: [{ issuer: OIDC, id: "kim" }] }), "IDENTITY_TAKEN");
  refusedWith(await patch({ identities: [{ issuer: OIDC, id: "a" }, { issuer: OIDC, id: "a" }] }), "IDENTITY_TAKEN");
  const wrong = refusedWith(await patch({ identities: [{ issuer: OIDC, sub: "x" }] }), "INVALID_REQUEST");
  assert.match(JSON.stringify(wrong.errors), /identities|id/);
  refusedWith(await patch({ identities: "kim" }), "INVALID_REQUEST");
  await root.updateUser(other.id, { identities: [{ issuer: OIDC, id: "a" }, { issuer: CLERK, id: "b" }] });
  assert.equal((await bearer(await sign(key, good({ sub: "a" })))).status, 200);
  assert.deepEqual((await root.updateUser(other.id, { identities: [] })).identities, []);
  refusedWith(await bearer(await sign(key, good({ sub: "a" }))), "USER_UNKNOWN");
  assert.deepEqual((await root.updateUser(other.id, { role: "MEMBER" })).identities, []);
});

test("a verified address links a subject, where the issuer's setting says so", async () => {
  const root = await server.admin();
  const user = await root.createUser({ email: "Linda@plain.test", role: "EMPLOYER_ADMIN", employerId });
  const token = (more: Claims): Promise<string> => sign(key, good({ sub: "linda", email: "linda@PLAIN.test", ...more }));
  for (const verified of [undefined, false, "true", 1])
    refusedWith(await bearer(await token({ email_verified: verified })), "USER_UNKNOWN");
  const who = JSON.parse((await bearer(await token({ email_verified: true }))).body);
  assert.deepEqual([who.id, who.role], [user.id, "EMPLOYER_ADMIN"]);
  assert.equal((await bearer(await sign(key, good({ sub: "linda" })))).status, 200, "from then on the subject is enough");

  // Neither an ADMIN, nor a patient, nor nobody.
  refusedWith(await bearer(await sign(key, good({ sub: "evil", email: "root@sallyport.test", email_verified: true }))), "USER_UNKNOWN");
  refusedWith(await bearer(await sign(key, good({ sub: "new", email: "new@plain.test", email_verified: true }))), "USER_UNKNOWN");
  const clerk = await mockToken(v1({ sub: "user_linda", email: "linda@plain.test", email_verified: true }));
  refusedWith(await bearer(clerk), "USER_UNKNOWN"); // another issuer, without link_by_email
});

test("a new user needs an address that nobody has, an employer and a role", async () => {
  const token = (more: Claims): Promise<string> => mockToken(v1({ sub: "user_new", email: "new@clerk.test", ...more }));
  refusedWith(await bearer(await token({ email: undefined })), "USER_UNKNOWN");
  refusedWith(await bearer(await token({ email: "no address" })), "USER_UNKNOWN");
  refusedWith(await bearer(await token({ email_verified: false })), "USER_UNKNOWN");
  refusedWith(await bearer(await token({ org_id: undefined })), "USER_UNKNOWN");
  refusedWith(await bearer(await token({ org_role: undefined })), "USER_UNKNOWN");
  refusedWith(await bearer(await token({ org_role: "org:unheard_of" })), "USER_UNKNOWN");
  const stray = refusedWith(await bearer(await token({ org_id: "org_stray" })), "EMPLOYER_NOT_FOUND");
  assert.match(stray.hint, /"id":"org_stray"/);
});

test("two first tokens at once make one user", async () => {
  const token = await mockToken(v1({ sub: "user_twice", email: "twice@clerk.test" }));
  const ids = (await Promise.all(Array.from({ length: 8 }, () => bearer(token)))).map((answer) => JSON.parse(answer.body).id);
  assert.equal(new Set(ids).size, 1, ids.join(", "));
});

test("a token that names another employer is refused, but an ADMIN acts for it", async () => {
  const root = await server.admin();
  const two = await root.createEmployer({ name: "Two" });
  await root.updateEmployer(two.id, { externalIds: [{ issuer: CLERK, id: "org_two" }] });
  await bearer(await mockToken(v1({ email: "v1@clerk.test" })));
  refusedWith(await bearer(await mockToken(v1({ org_id: "org_two" }))), "INSUFFICIENT_ROLE");
  const chief = await root.createUser({ email: "chief@clerk.test", role: "ADMIN", employerId });
  await root.updateUser(chief.id, { identities: [{ issuer: CLERK, id: "user_chief" }] });
  const acting = JSON.parse((await bearer(await mockToken(v1({ sub: "user_chief", org_id: "org_two", org_role: "org:member" })))).body);
  assert.deepEqual([acting.role, acting.employerId], ["ADMIN", two.id]);

  await root.updateEmployer(employerId, { status: "inactive" });
  refusedWith(await bearer(await mockToken(v1())), "EMPLOYER_INACTIVE");
  refusedWith(await bearer(await mockToken(v1({ sub: "user_late", email: "late@clerk.test" }))), "EMPLOYER_INACTIVE");
  await root.updateEmployer(employerId, { status: "active" });
  assert.equal((await bearer(await mockToken(v1()))).status, 200);
});

test("an inactive user is refused at once", async () => {
  const root = await server.admin();
  const token = await mockToken(v1({ sub: "user_gone", email: "gone@clerk.test" }));
  const { id } = JSON.parse((await bearer(token)).body);
  await root.updateUser(id, { status: "inactive" });
  refusedWith(await bearer(token), "SESSION_INVALID");
  await root.updateUser(id, { status: "active" });
  assert.equal((await bearer(token)).status, 200);
});

test("a revoked session is refused, its user's others are not", async () => {
  const root = await server.admin();
  const token = (sid: string): Promise<string> => mockToken(v1({ sub: "user_many", email: "many@clerk.test", sid }));
  assert.equal((await bearer(await token("sess_a"))).status, 200);
  const revoked = await root.revokeSession(CLERK, "sess_a");
  const days = (Date.parse(revoked.endsAt ?? "") - Date.now()) / 86_400_000;
  assert.ok(days > 399 && days < 401, `${days} days`);
  assert.match(refusedWith(await bearer(await token("sess_a")), "SESSION_INVALID").detail, /revoked/);
  assert.equal((await bearer(await token("sess_b"))).status, 200);
  await root.revokeSession(CLERK, "sess_a");

  const post = (cookie: string, body: object): Promise<Answer> =>
    server.call({ method: "POST", target: "/api/admin/revoked-sessions", fields: { cookie: `sallyport_session=${cookie}` }, body });
  refusedWith(await post(root.sessionCookie ?? "", { issuer: "https://nobody.test", sid: "x" }), "INVALID_REQUEST");
  refusedWith(await post(root.sessionCookie ?? "", { issuer: CLERK }), "INVALID_REQUEST");
  const member = server.client({ token: await token("sess_b") });
  await assert.rejects(member.revokeSession(CLERK, "sess_b"), { code: "INSUFFICIENT_ROLE" });
});

test("who comes by a token, who is linked and which session was ended is in the audit", async () => {
  const root = await server.admin();
  const lines = async (query: object) => (await root.listAudit({ limit: 1000, ...query })).lines;
  const caller = json(await bearer(await mockToken(v1({ sub: "user_audited", email: "audited@people.test" }))));
  const [made] = await lines({ action: "user.created", targetId: caller.id });
  assert.deepEqual(made!.actor, { kind: "user", id: caller.id, role: "EMPLOYER_ADMIN", employerId });
  assert.deepEqual(made!.detail, { role: "EMPLOYER_ADMIN", issuer: CLERK });
  assert.ok(!JSON.stringify(made).includes("audited@"));

  await root.updateUser(caller.id, { identities: [{ issuer: CLERK, id: "user_audited" }, { issuer: OIDC, id: "audited" }] });
  const [linked] = await lines({ action: "user.linked", targetId: caller.id });
  assert.deepEqual(linked!.detail, { identities: 2 });
  assert.equal((await lines({ action: "employer.linked", employerId }))[0]!.target?.id, employerId);

  await root.revokeSession(CLERK, "sess_audited");
  const [ended] = await lines({ action: "session.revoked", targetId: "sess_audited" });
  assert.deepEqual(ended!.target, { kind: "session", id: "sess_audited" });
  assert.deepEqual(ended!.detail, { issuer: CLERK });
});

test("the cookie __session is a token too; it needs a page of ours, and gives way to our own", async () => {
  const token = await mockToken(v1({ email: "v1@clerk.test" }));
  const host = new URL(server.url).host;
  assert.equal((await me({ cookie: `__session=${token}` })).status, 200);
  assert.equal((await me({ cookie: `__session=${token}`, origin: `http://${host}` })).status, 200);
  refusedWith(await me({ cookie: `__session=${token}`, origin: "https://evil.test" }), "ORIGIN_NOT_ALLOWED");
  assert.equal((await me({ authorization: `Bearer ${token}`, origin: PARTY })).status, 200, "no browser sends this unasked");
  refusedWith(await me({ cookie: "__session=nonsense" }), "TOKEN_INVALID");

  const root = await server.admin();
  const own = `sallyport_session=${root.sessionCookie}`;
  assert.equal(JSON.parse((await me({ cookie: `${own}; __session=${token}` })).body).role, "ADMIN");
  assert.equal(JSON.parse((await me({ cookie: own, authorization: `bearer  ${token}` })).body).role, "EMPLOYER_ADMIN");
  refusedWith(await me({ cookie: own, authorization: `Bearer ${token}x` }), "TOKEN_INVALID");
  assert.equal((await server.call({ target: "/healthz", fields: { authorization: "Bearer nonsense" } })).status, 200);
});

// ---- bad tokens ----

const b64 = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** Any texts as header and payload, rightly signed: what JSON libraries would not write. */
function signRaw(header: string, payload: string): string {
  const text = `${b64(header)}.${b64(payload)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key.privateKey as KeyObject).toString("base64url")}`;
}

const payloadText = (more: Claims = {}): string => JSON.stringify(good(more));
const headerText = '{"alg":"RS256","kid":"plain-1","typ":"JWT"}';

/** The public key as an HMAC's secret: CVE-2015-9235 and those after it. */
async function confused(alg: string, hash: string): Promise<string> {
  const text = `${b64({ alg, kid: "plain-1", typ: "JWT" })}.${b64(good())}`;
  return `${text}.${createHmac(hash, await exportSPKI(key.publicKey)).update(text).digest("base64url")}`;
}

type Bad = [name: string, make: () => Promise<string> | string, code: Parameters<typeof refusedWith>[1], says?: RegExp];

const unsigned = (header: unknown, payload: unknown = good(), signature = ""): string => `${b64(header)}.${b64(payload)}.${signature}`;
const claim = (more: Claims) => (): Promise<string> => sign(key, good(more));
const header = (more: Record<string, unknown>) => (): string => signRaw(JSON.stringify({ alg: "RS256", kid: "plain-1", typ: "JWT", ...more }), payloadText());

const bad: Bad[] = [
  // Form
  ["one word", () => "nonsense", "TOKEN_INVALID", /three parts/],
  ["two parts", () => `${b64(headerText)}.${b64(good())}`, "TOKEN_INVALID", /three parts/],
  ["four parts", async () => `${await sign(key, good())}.x`, "TOKEN_INVALID", /three parts/],
  ["five parts, as of a JWE", () => "a.b.c.d.e", "TOKEN_INVALID", /three parts/],
  ["no header", async () => `.${(await sign(key, good())).split(".").slice(1).join(".")}`, "TOKEN_INVALID", /lacks/],
  ["no payload", async () => (await sign(key, good())).replace(/\.[^.]+\./, ".."), "TOKEN_INVALID", /lacks/],
  ["padding", async () => `${await sign(key, good())}==`, "TOKEN_INVALID", /base64url/],
  ["the other base64 alphabet", async () => (await sign(key, good())).replace(/.$/, "+"), "TOKEN_INVALID", /base64url/],
  ["a length that nothing has", async () => (await sign(key, good())).replace(/\.[^.]+$/, ".aaaaa"), "TOKEN_INVALID", /base64url/],
  ["bits behind the last byte", async () => (await sign(key, good())).replace(/.$/, (c) => String.fromCharCode(c.charCodeAt(0) + 1)), "TOKEN_INVALID"],
  ["a header that is no JSON", () => unsigned("{alg:RS256}", good(), "AAAA"), "TOKEN_INVALID", /header/],
  ["a header that is a list", () => unsigned([], good(), "AAAA"), "TOKEN_INVALID", /header/],
  ["a header nested without end", () => unsigned("[".repeat(1000), good(), "AAAA"), "TOKEN_INVALID", /header/],
  ["alg twice", () => signRaw('{"alg":"none","alg":"RS256","kid":"plain-1"}', payloadText()), "TOKEN_INVALID", /repeats/],
  ["sub twice", () => signRaw(headerText, payloadText().replace("{", '{"sub":"root",')), "TOKEN_INVALID", /repeats/],
  ["sub twice, one in an escape", () => signRaw(headerText, payloadText().replace("{", '{"s\\u0075b":"root",')), "TOKEN_INVALID", /repeats/],
  ["a payload that is no JSON", () => signRaw(headerText, "kim"), "TOKEN_INVALID", /payload/],
  ["a payload that is a text", () => signRaw(headerText, '"kim"'), "TOKEN_INVALID", /payload/],
  ["a payload with something behind it", () => signRaw(headerText, `${payloadText()}{}`), "TOKEN_INVALID", /payload/],
  ["a payload that is not UTF-8", async () => {
    const text = `${b64(headerText)}.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}`;
    return `${text}.AAAA`;
  }, "TOKEN_INVALID", /payload/],

  // Algorithm and header
  ["alg none", () => unsigned({ alg: "none", typ: "JWT" }), "TOKEN_INVALID", /no signature/],
  ["alg none with a signature", () => unsigned({ alg: "none", kid: "plain-1" }, good(), "AAAA"), "TOKEN_INVALID", /alg/],
  ["alg nOnE", () => unsigned({ alg: "nOnE", kid: "plain-1" }, good(), "AAAA"), "TOKEN_INVALID", /alg/],
  ["no alg", header({ alg: undefined }), "TOKEN_INVALID", /alg/],
  ["alg is a number", header({ alg: 256 }), "TOKEN_INVALID", /alg/],
  ["alg in lower case", header({ alg: "rs256" }), "TOKEN_INVALID", /alg/],
  ["HS256 with the public key as secret", () => confused("HS256", "sha256"), "TOKEN_INVALID", /alg/],
  ["HS512 with the public key as secret", () => confused("HS512", "sha512"), "TOKEN_INVALID", /alg/],
  ["an algorithm that is good, but not this issuer's", async () => sign(await makeKey("plain-1", "ES256"), good()), "TOKEN_INVALID", /alg/],
  ["RS384 by the right key", async () => signRaw(headerText.replace("RS256", "RS384"), payloadText()), "TOKEN_INVALID", /alg/],
  ["crit that is unknown", header({ crit: ["exp"], exp: 1 }), "TOKEN_INVALID", /crit/],
  ["crit that is empty", header({ crit: [] }), "TOKEN_INVALID", /crit/],
  ["b64 false", header({ b64: false }), "TOKEN_INVALID", /b64/],
  ["kid is a number", header({ kid: 1 }), "TOKEN_INVALID", /kid/],
  ["no kid", header({ kid: undefined }), "TOKEN_INVALID", /kid/],
  ["kid too long", header({ kid: "k".repeat(300) }), "TOKEN_INVALID", /kid/],
  ["kid of nobody, a path", header({ kid: "../../../../dev/null" }), "TOKEN_INVALID", /kid/],
  ["kid of nobody, SQL", header({ kid: "x' OR '1'='1" }), "TOKEN_INVALID", /kid/],
  ["kid in other case", header({ kid: "Plain-1" }), "TOKEN_INVALID", /kid/],
  ["a key that the token brings along", async () => {
    const own = await makeKey("evil");
    return sign(own, good(), { jwk: own.jwk, jku: "https://evil.test/keys", x5u: "https://evil.test/cert" });
  }, "TOKEN_INVALID", /kid/],
  ["a logout token", header({ typ: "logout+jwt" }), "TOKEN_INVALID", /typ/],
  ["a client's assertion", header({ typ: "client-authentication+jwt" }), "TOKEN_INVALID", /typ/],
  ["typ is a list", header({ typ: ["JWT"] }), "TOKEN_INVALID", /typ/],

  // Signature
  ["signed by another key of that name", async () => sign(await makeKey("plain-1"), good()), "TOKEN_INVALID", /signature/],
  ["the payload changed", async () => (await sign(key, good())).replace(/\.[^.]+\./, `.${b64(good({ sub: "root" }))}.`), "TOKEN_INVALID", /signature/],
  ["the header changed", async () => (await sign(key, good())).replace(/^[^.]+/, b64({ alg: "RS256", kid: "plain-1" })), "TOKEN_INVALID", /signature/],
  ["the signature cut", async () => (await sign(key, good())).replace(/[^.]{86}$/, ""), "TOKEN_INVALID", /signature/],
  ["the signature of zeros", () => unsigned(JSON.parse(headerText), good(), b64("\0".repeat(256))), "TOKEN_INVALID", /signature/],
  ["another issuer's key", async () => sign(key, good({ iss: CLERK, sid: "s" })), "TOKEN_INVALID", /kid/],
  ["this issuer's key for another's token", async () => {
    const token = await mockToken({ ...good(), iss: OIDC });
    return token;
  }, "TOKEN_INVALID", /kid/],

  // Issuer
  ["no iss", claim({ iss: undefined }), "TOKEN_INVALID", /iss/],
  ["iss is a list", claim({ iss: [OIDC] }), "TOKEN_INVALID", /iss/],
  ["an issuer nobody knows", claim({ iss: "https://evil.test" }), "TOKEN_ISSUER_UNKNOWN"],
  ["the issuer with a slash more", claim({ iss: `${OIDC}/` }), "TOKEN_ISSUER_UNKNOWN"],
  ["the issuer in other case", claim({ iss: OIDC.toUpperCase() }), "TOKEN_ISSUER_UNKNOWN"],

  // Time
  ["expired", claim({ exp: now() - 60, iat: now() - 120, nbf: now() - 120 }), "TOKEN_EXPIRED", /expired [67]\d s ago/],
  ["expired a little more than the leeway ago", claim({ exp: now() - 7 }), "TOKEN_EXPIRED"],
  ["no exp", claim({ exp: undefined }), "TOKEN_INVALID", /exp/],
  ["exp is a text", claim({ exp: String(now() + 60) }), "TOKEN_INVALID", /exp/],
  ["exp is null", claim({ exp: null }), "TOKEN_INVALID", /exp/],
  ["exp is negative", claim({ exp: -1 }), "TOKEN_INVALID", /exp/],
  ["exp beyond all time", claim({ exp: 1e300 }), "TOKEN_INVALID", /exp/],
  ["exp in milliseconds", claim({ exp: Date.now() * 1000 }), "TOKEN_INVALID", /exp/],
  ["not yet valid", claim({ nbf: now() + 300 }), "TOKEN_NOT_YET_VALID", /nbf is (29\d|300) s ahead/],
  ["issued in the future", claim({ iat: now() + 300, nbf: undefined }), "TOKEN_NOT_YET_VALID", /iat is/],
  ["nbf is a text", claim({ nbf: "now" }), "TOKEN_INVALID", /nbf/],
  ["iat is a list", claim({ iat: [] }), "TOKEN_INVALID", /iat/],

  // Party, audience, subject
  ["another azp", claim({ azp: "https://evil.test" }), "TOKEN_PARTY", /azp/],
  ["an azp that begins like ours", claim({ azp: `${PARTY}.evil.test` }), "TOKEN_PARTY", /azp/],
  ["no azp", claim({ azp: undefined }), "TOKEN_PARTY", /missing/],
  ["azp is a list", claim({ azp: [PARTY] }), "TOKEN_INVALID", /azp/],
  ["another aud", claim({ aud: "elsewhere" }), "TOKEN_AUDIENCE"],
  ["other auds", claim({ aud: ["elsewhere", "sallyport2"] }), "TOKEN_AUDIENCE"],
  ["no aud", claim({ aud: undefined }), "TOKEN_AUDIENCE", /missing/],
  ["aud is an empty list", claim({ aud: [] }), "TOKEN_AUDIENCE"],
  ["aud is an object", claim({ aud: { sallyport: true } }), "TOKEN_INVALID", /aud/],
  ["aud holds a number", claim({ aud: ["sallyport", 1] }), "TOKEN_INVALID", /aud/],
  ["no sub", claim({ sub: undefined }), "TOKEN_INVALID", /sub/],
  ["sub is empty", claim({ sub: "" }), "TOKEN_INVALID", /sub/],
  ["sub is a number", claim({ sub: 7 }), "TOKEN_INVALID", /sub/],
  ["sub has a NUL", claim({ sub: "kim\0" }), "TOKEN_INVALID"],
  ["sub has a line break", claim({ sub: "kim\nroot" }), "TOKEN_INVALID", /sub/],
  ["sub is too long", claim({ sub: "k".repeat(256) }), "TOKEN_INVALID", /sub/],
  ["a subject nobody knows", claim({ sub: "Kim" }), "USER_UNKNOWN"],

  // Clerk
  ["Clerk: a session that is pending", () => mockToken(v2({ sts: "pending" })), "SESSION_INVALID", /pending/],
  ["Clerk: no sid", () => mockToken(v2({ sid: undefined })), "TOKEN_INVALID", /sid/],
  ["Clerk: a version to come", () => mockToken(v2({ v: 3 })), "TOKEN_INVALID", /v is a version/],
  ["Clerk: v is a text", () => mockToken(v2({ v: "2" })), "TOKEN_INVALID", /v is a version/],
  ["Clerk: another page's token", () => mockToken(v2({ azp: "https://evil.test" })), "TOKEN_PARTY"],
  ["Clerk: an organization's id that is an object", () => mockToken(v2({ o: { id: {}, rol: "member" } })), "TOKEN_INVALID", /employer/],
  ["Clerk: a role that is a number", () => mockToken(v2({ o: { id: "org_one", rol: 1 } })), "TOKEN_INVALID", /role/],
];

test(`${bad.length} bad tokens, each refused with its code, and with a word about it`, async () => {
  await kim();
  assert.equal((await bearer(await sign(key, good()))).status, 200, "the token that all are made from is good");
  assert.ok(bad.length >= 40);
  for (const [name, make, code, says] of bad) {
    const answer = await bearer(await make());
    assert.equal(JSON.parse(answer.body).code, code, `${name}: ${answer.body}`);
    const problem = refusedWith(answer, code);
    assert.match(problem.detail, says ?? /./, name);
    assert.doesNotMatch(answer.body, /evil|root|Kim@|\.\.\//, `${name}: the answer repeats the token`);
    if (code.startsWith("TOKEN_")) assert.match(field(answer, "www-authenticate") ?? "", /^Bearer .*error="invalid_token"$/, name);
  }
});

test("what is unusual and right is taken", async () => {
  await kim();
  for (const [name, token] of [
    ["one aud of several", await sign(key, good({ aud: ["elsewhere", "sallyport"] }))],
    ["parts of a second", await sign(key, good({ exp: now() + 60.5, iat: now() - 0.25 }))],
    ["within the leeway, late", await sign(key, good({ exp: now() - 2 }))],
    ["within the leeway, early", await sign(key, good({ nbf: now() + 3, iat: now() + 3 }))],
    ["no typ", await sign(key, good(), { typ: undefined })],
    ["typ in lower case", await sign(key, good(), { typ: "jwt" })],
    ["an access token of RFC 9068", await sign(key, good(), { typ: "at+jwt" })],
    ["claims that mean nothing here", await sign(key, good({ nonce: "x", acr: "1", deep: { a: [1, { b: null }] } }))],
    ["x5c and jwk, which nobody looks at", await sign(key, good(), { x5c: ["AAAA"] })],
  ] as const)
    assert.equal((await bearer(token)).status, 200, name);
});

test("a skew of clocks is named, with how much it is", async () => {
  const early = refusedWith(await bearer(await sign(key, good({ nbf: now() + 90 }))), "TOKEN_NOT_YET_VALID");
  assert.match(early.hint, /clock skew of (89|90) s/);
  const late = refusedWith(await bearer(await sign(key, good({ exp: now() - 90 }))), "TOKEN_EXPIRED");
  assert.match(late.hint, /clock skew/);
});

test("a token too long for a header field is refused before anyone reads it", async () => {
  const answer = await bearer(await sign(key, good({ padding: "x".repeat(20_000) })));
  refusedWith(answer, "HEADERS_TOO_LARGE");
  const long = await bearer(await sign(key, good({ padding: "x".repeat(3_000) })));
  assert.equal(long.status, 200, "up to there it is taken");
});
