/** After all kinds of calls: no secret in the store, the log, or the memory of the idle server. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { KeyServer, makeKey, now, sign } from "./harness/issuers.js";
import { rawKeyOf, Visitor } from "./harness/pages.js";
import { ADMIN_EMAIL, ADMIN_PASSWORD, Instance } from "./harness/server.js";
import { inventedKey, newTenant, somebody } from "./harness/util.js";

const IDLE_MS = 2000;

function assertHoldsNone(where: string, bytes: Buffer, secrets: Map<string, string>): void {
  const found = [...secrets].filter(([, text]) => bytes.includes(text)).map(([what]) => what);
  assert.deepEqual(found, [], `in ${where}`);
}

test("no raw key, password or session token outlives its request", async () => {
  const issuerKey = await makeKey("k");
  const issuer = await KeyServer.start([issuerKey.jwk]);
  const instance = new Instance({
    log_level: "debug",
    issuer_x_issuer: "https://sso.example.test",
    issuer_x_jwks_url: issuer.url,
    issuer_x_authorized_parties: "https://app.example.test",
  });
  const server = await instance.start();
  const secrets = new Map<string, string>();
  /** A key's random digits too: a part of it must not lie about either. */
  const secretKey = (what: string, raw: string): string => {
    secrets.set(what, raw);
    secrets.set(`the random digits of ${what}`, raw.slice(-64, -8));
    return raw;
  };
  try {
    secrets.set("the first ADMIN's password", ADMIN_PASSWORD);
    const root = await server.admin();
    const tenant = await newTenant(server);
    secrets.set("a user's password", tenant.password);
    for (const [what, client] of [["the ADMIN", root], ["the employer admin", tenant.admin], ["the member", tenant.member]] as const)
      secrets.set(`the session of ${what}`, client.sessionCookie ?? assert.fail());

    // Keys in all their lives.
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read", "cohort:write"], rateLimit: { requests: 20, windowSeconds: 3600 } });
    const raw = secretKey("a key", key.rawKey);
    const rotated = await tenant.admin.rotateApiKey(key.id, 3600);
    secretKey("a rotated key", rotated.rawKey);
    const revoked = await tenant.admin.createApiKey({ name: "r", scopes: ["cohort:read"] });
    secretKey("a revoked key", revoked.rawKey);
    await server.withKey(revoked);
    await tenant.admin.revokeApiKey(revoked.id);
    const imported = secretKey("an imported key", inventedKey());
    await root.importApiKeys([{ name: "i", scopes: ["cohort:read"], key: imported }]);
    await server.withKey(imported);
    const unknown = secretKey("an unknown key", inventedKey());

    // And in all places where a caller may put them.
    const wrongPassword = `wrong ${randomBytes(12).toString("hex")}`;
    secrets.set("a wrong password", wrongPassword);
    const target = "/api/employer/cohort";
    for (const text of [raw, unknown, revoked.rawKey]) {
      await server.withKey(text);
      await server.withKey(` ${text}`);
      await server.withKey(text.slice(0, -3));
      await server.withKey(text, { fields: { "x-api-key": [text, text] } });
      await server.withKey(text, { target: "/api/auth/me" });
      await server.withKey(text, { method: "DELETE", target: "/nowhere" });
      await server.call({ target, fields: { authorization: `Bearer ${text}` } });
      await server.call({ target: `${target}?key=${text}` });
      await server.call({ target: `/api/employer/api-keys/${text}`, fields: { cookie: `sallyport_session=${tenant.admin.sessionCookie}` } });
      await server.call({ target: "/api/auth/login", method: "POST", body: { email: ADMIN_EMAIL, password: text } }).catch(() => {});
      await server.withKey(text, { method: "POST", target: "/api/employer/upload-cohort", body: { patients: [somebody(), { email: "x" }] } });
      await server.withKey(text, { method: "POST", target: "/api/employer/upload-cohort", body: "{" });
      await server.withKey(text, { target: `${target}?limit=x`, fields: { "x-api-version": "v9" } });
    }
    await server.call({ method: "POST", target: "/api/auth/login", body: { email: tenant.adminEmail, password: wrongPassword } });
    await server.call({ method: "POST", target: "/api/auth/login", body: `{"email":"${tenant.adminEmail}","password":"${wrongPassword}"` });
    await server.call({ method: "POST", target: "/api/employer/api-keys", body: { name: "k", scopes: ["x"], rawKey: raw }, fields: { cookie: `sallyport_session=${tenant.admin.sessionCookie}` } });
    const made = await server.cliJson(["keys", "create", "--name", "cli", "--scope", "cohort:read", "--employer", tenant.employerId]);
    secretKey("a key of the command line", made.rawKey);
    const stdinPassword = `pw ${randomBytes(12).toString("hex")}`;
    secrets.set("a password of the command line", stdinPassword);
    await server.cliJson(["users", "create", "--email", "cli@users.test", "--role", "MEMBER", "--employer", tenant.employerId, "--password-stdin"], `${stdinPassword}\n`);

    // Passwords changed, and set with links: one used, one not, and in places where it does not belong.
    const [second, third, guess] = ["second", "third", "guessed"].map((what) => `${what} ${randomBytes(12).toString("hex")}`) as [string, string, string];
    secrets.set("a changed password", second).set("a password set anew", third).set("a wrong present password", guess);
    await tenant.member.changePassword(guess, second).catch(() => {});
    await tenant.member.changePassword(tenant.password, second);
    const { id } = await tenant.member.me();
    for (const what of ["a used link", "a link not used"]) {
      const { url } = await root.createResetLink(id);
      const token = new URL(url).searchParams.get("token") ?? assert.fail();
      secrets.set(`the token of ${what}`, token);
      await server.call({ target: `/reset-password?token=${token}` });
      await server.call({ method: "POST", target: "/api/auth/reset-password", body: { token, newPassword: token.slice(0, 5) } });
      if (what === "a used link") await server.client().resetPassword(token, third);
    }
    const returned = await server.signedIn(tenant.memberEmail, third);
    secrets.set("the session after a reset", returned.sessionCookie ?? assert.fail());
    await returned.logout();

    // Tokens of an issuer: one that is taken, one that nobody is linked to, one that is too late.
    const member = (await root.listUsers({ employerId: tenant.employerId })).users.find((user) => user.role === "MEMBER");
    await root.updateUser(member?.id ?? "", { identities: [{ issuer: "https://sso.example.test", id: "kim" }] });
    for (const [what, claims] of [["good", {}], ["unlinked", { sub: "x" }], ["late", { exp: 1 }]] as const) {
      const whole = { iss: "https://sso.example.test", azp: "https://app.example.test", sub: "kim", exp: now() + 60, ...claims };
      const token = await sign(issuerKey, whole);
      secrets.set(`a token that is ${what}`, token);
      secrets.set(`the signature of a token that is ${what}`, token.split(".")[2] ?? assert.fail());
      const answer = await server.call({ target: "/api/auth/me", fields: { authorization: `Bearer ${token}` } });
      assert.equal(answer.status, { good: 200, unlinked: 403, late: 401 }[what]);
      await server.call({ target: "/api/auth/me", fields: { cookie: `__session=${token}` } });
    }

    // The pages: a password, a session and two raw keys in forms and HTML.
    const visitor = new Visitor(server);
    await visitor.signIn(tenant.adminEmail, wrongPassword);
    await visitor.signIn(tenant.adminEmail, tenant.password);
    secrets.set("the session of a page", visitor.cookie?.split("=")[1] ?? assert.fail());
    const created = await visitor.send("/employer/api-keys/new", "/employer/api-keys", { name: "page", scopes: "cohort:read" });
    secretKey("a key made on a page", rawKeyOf(created.body) ?? assert.fail());
    const at = /\/employer\/api-keys\/key_[a-z0-9]+/.exec(created.body)?.[0] ?? assert.fail();
    const turned = await visitor.send(`${at}/rotate`, `${at}/rotate`, { overlap: "0" });
    secretKey("a key rotated on a page", rawKeyOf(turned.body) ?? assert.fail());
    await visitor.get(`/employer/api-keys/${raw}`);
    await visitor.post("/employer/api-keys", { name: raw, once: "n" });
    await visitor.send(at, "/sign-out", {});

    // The requirement itself has a time in it: two seconds after the last use.
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));

    assertHoldsNone("the log", Buffer.from(server.log), secrets);
    const image = join(tmpdir(), `sallyport-image-${process.pid}`);
    try {
      await promisify(execFile)("gcore", ["-o", image, String(server.pid)], { maxBuffer: 64 * 1024 * 1024 });
      const path = `${image}.${server.pid}`;
      assert.ok(statSync(path).size > 1_000_000, "gcore wrote no image");
      const bytes = readFileSync(path);
      assert.ok(bytes.includes(ADMIN_EMAIL), "the image does not even hold what it must");
      assertHoldsNone("memory", bytes, secrets);
    } finally {
      rmSync(`${image}.${server.pid}`, { force: true });
    }

    await server.halt();
    const kept = instance.files().map((path) => [path, readFileSync(path)] as const);
    assert.ok(kept.some(([, bytes]) => bytes.includes(ADMIN_EMAIL)), "the files do not even hold what they must");
    for (const [path, bytes] of kept) assertHoldsNone(path, bytes, secrets);
    assertHoldsNone("the log, after the stop", Buffer.from(server.log), secrets);
  } finally {
    await server.stop();
    await issuer.stop();
  }
});
