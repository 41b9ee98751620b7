/** Where an issuer's keys come from: discovery, rotation, an issuer that is away, files. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { exportSPKI } from "jose";
import { OAuth2Server } from "oauth2-mock-server";
import Provider from "oidc-provider";

import { KeyServer, makeKey, now, sign, type Claims } from "./harness/issuers.js";
import { field, type Answer } from "./harness/raw.js";
import { Instance, startServer, type Server } from "./harness/server.js";
import { eventually, refusedWith } from "./harness/util.js";

const ISS = "https://sso.example.test";
const good = (more: Claims = {}): Claims => ({ iss: ISS, sub: "kim", aud: "us", iat: now(), exp: now() + 60, ...more });

const bearer = (server: Server, token: string): Promise<Answer> =>
  server.call({ target: "/api/auth/me", fields: { authorization: `Bearer ${token}` } });

/** A user with this subject, in the first employer. */
async function link(server: Server, issuer: string, sub: string, email = `${sub}@keys.test`): Promise<void> {
  const root = await server.admin();
  const employerId = (await root.listEmployers()).employers[0]?.id ?? "";
  const user = await root.createUser({ email, role: "MEMBER", employerId });
  await root.updateUser(user.id, { identities: [{ issuer, id: sub }] });
}

/** Taken, once the keys have been read for the first time. */
const untilTaken = (server: Server, token: string): Promise<true | undefined> =>
  eventually(async () => (await bearer(server, token)).status === 200 || undefined, 20_000, "the token is taken");

test("rotation: a new key is known at its first token, and a key taken away is not", async () => {
  const mock = new OAuth2Server();
  await mock.issuer.keys.generate("RS256", { kid: "one" });
  await mock.start(0, "127.0.0.1");
  const server = await startServer({ issuer_x_issuer: ISS, issuer_x_jwks_url: `${mock.issuer.url}/jwks`, issuer_x_audience: "us" });
  try {
    await link(server, ISS, "kim");
    const token = (kid: string): Promise<string> =>
      mock.issuer.buildToken({ kid, scopesOrTransform: (_, payload) => void Object.assign(payload, good()) });
    assert.equal((await bearer(server, await token("one"))).status, 200);
    await mock.issuer.keys.generate("RS256", { kid: "two" });
    assert.equal((await bearer(server, await token("two"))).status, 200, "read again for the unknown kid");
    assert.equal((await bearer(server, await token("one"))).status, 200);
  } finally {
    await server.stop();
    await mock.stop();
  }
});

test("invented kids have the keys read once, however many come", async () => {
  const key = await makeKey("real");
  const issuer = await KeyServer.start([key.jwk]);
  const server = await startServer({ issuer_x_issuer: ISS, issuer_x_jwks_url: `${issuer.url}/keys`, issuer_x_audience: "us" });
  try {
    await link(server, ISS, "kim");
    await untilTaken(server, await sign(key, good()));
    assert.equal(issuer.reads, 1);
    for (let i = 0; i < 20; i++) refusedWith(await bearer(server, await sign(key, good(), { kid: `invented-${i}` })), "TOKEN_INVALID");
    assert.equal(issuer.reads, 2);
    const problem = refusedWith(await bearer(server, await sign(key, good(), { kid: "another" })), "TOKEN_INVALID");
    assert.match(problem.hint, /within 30 s/);
    // The key itself is not in doubt meanwhile.
    assert.equal((await bearer(server, await sign(key, good()))).status, 200);
  } finally {
    await server.stop();
    await issuer.stop();
  }
});

test("an issuer that goes away is served from what is known, and unknown kids are refused", async () => {
  const key = await makeKey("real");
  const issuer = await KeyServer.start([key.jwk]);
  const server = await startServer({ issuer_x_issuer: ISS, issuer_x_jwks_url: `${issuer.url}/keys`, issuer_x_audience: "us" });
  try {
    await link(server, ISS, "kim");
    await untilTaken(server, await sign(key, good()));
    await issuer.stop();
    refusedWith(await bearer(server, await sign(key, good(), { kid: "new" })), "TOKEN_INVALID");
    assert.equal((await bearer(server, await sign(key, good()))).status, 200);
    assert.match(server.log, /issuer\.keys_not_read/);
  } finally {
    await server.stop();
  }
});

test("an issuer that has never answered is 503 with Retry-After, and is asked again", async () => {
  const key = await makeKey("real");
  const issuer = await KeyServer.start([key.jwk]);
  issuer.answer = { status: 500, body: "{}" };
  const server = await startServer({ issuer_x_issuer: ISS, issuer_x_jwks_url: `${issuer.url}/keys`, issuer_x_audience: "us" });
  try {
    await link(server, ISS, "kim");
    const answer = await bearer(server, await sign(key, good()));
    refusedWith(answer, "ISSUER_UNREACHABLE");
    const wait = Number(field(answer, "retry-after"));
    assert.ok(wait >= 1 && wait <= 5, `Retry-After: ${wait}`);
    assert.equal((await server.call({ target: "/readyz" })).status, 200, "the rest works");
    issuer.answer = undefined;
    await untilTaken(server, await sign(key, good()));
  } finally {
    await server.stop();
    await issuer.stop();
  }
});

test("discovery may lead to a private address only where outbound_allow names it", async () => {
  const key = await makeKey("real");
  const keys = await KeyServer.start([key.jwk]);
  const issuer = await KeyServer.start([]);
  issuer.answer = { status: 200, body: JSON.stringify({ issuer: issuer.url, jwks_uri: `http://127.0.0.2:${keys.port}/keys` }) };
  const settings = { issuer_x_issuer: issuer.url, issuer_x_audience: "us" };
  const closed = await startServer(settings);
  try {
    refusedWith(await bearer(closed, await sign(key, { ...good(), iss: issuer.url })), "ISSUER_UNREACHABLE");
    await eventually(() => Promise.resolve(/127\.0\.0\.2.*outbound_allow/.test(closed.log) || undefined), 10_000, "the log says so");
    assert.equal(keys.reads, 0);
  } finally {
    await closed.stop();
  }
  const open = await startServer({ ...settings, outbound_allow: "127.0.0.2" });
  try {
    // Nothing listens there; but now it is tried.
    await bearer(open, await sign(key, { ...good(), iss: issuer.url }));
    await eventually(() => Promise.resolve(/Couldn't connect/.test(open.log) || undefined), 10_000, "it was tried");
  } finally {
    await open.stop();
    await issuer.stop();
    await keys.stop();
  }
});

test("no proxy is taken from the environment", async () => {
  const key = await makeKey("real");
  const issuer = await KeyServer.start([key.jwk]);
  const proxy = await KeyServer.start([]);
  const names = ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"];
  for (const name of names) process.env[name] = proxy.url;
  const server = await startServer({ issuer_x_issuer: ISS, issuer_x_jwks_url: `${issuer.url}/keys`, issuer_x_audience: "us" });
  for (const name of names) delete process.env[name];
  try {
    await link(server, ISS, "kim");
    await untilTaken(server, await sign(key, good()));
    assert.equal(proxy.reads, 0);
  } finally {
    await server.stop();
    await issuer.stop();
    await proxy.stop();
  }
});

test("answers that are no keys leave the issuer unreachable, and the log says why", async () => {
  const key = await makeKey("real");
  const elsewhere = await KeyServer.start([key.jwk]);
  const cases: [{ status: number; body?: string; location?: string }, RegExp][] = [
    [{ status: 302, location: `${elsewhere.url}/keys` }, /the status is 302/],
    [{ status: 404, body: JSON.stringify({ keys: [key.jwk] }) }, /the status is 404/],
    [{ status: 200, body: `{"keys":[],"padding":"${"x".repeat(1_100_000)}"}` }, /larger than 1 MiB/],
    [{ status: 200, body: "<html></html>" }, /not one JSON object/],
    [{ status: 200, body: '{"keys":[]}' }, /no key that can be used/],
    [{ status: 200, body: '{"keys":[{"kty":"oct","k":"AAAA","kid":"real"}]}' }, /no key that can be used/],
  ];
  const servers = await Promise.all(cases.map(async ([answer]) => Object.assign(await KeyServer.start([]), { answer })));
  const settings: Record<string, string> = {};
  servers.forEach((issuer, i) => {
    settings[`issuer_x${i}_issuer`] = `${ISS}/${i}`;
    settings[`issuer_x${i}_jwks_url`] = `${issuer.url}/keys`;
    settings[`issuer_x${i}_audience`] = "us";
  });
  const server = await startServer(settings);
  try {
    for (const [i, [, says]] of cases.entries()) {
      refusedWith(await bearer(server, await sign(key, good({ iss: `${ISS}/${i}` }))), "ISSUER_UNREACHABLE");
      assert.match(server.log.split("\n").find((line) => line.includes(`"x${i}"`) && line.includes("keys_not_read")) ?? "", says);
    }
    assert.equal(elsewhere.reads, 0, "no redirect was followed");
  } finally {
    await server.stop();
    await Promise.all([...servers, elsewhere].map((issuer) => issuer.stop()));
  }
});

test("two keys of one name are none; of one name and two types they are two", async () => {
  const one = await makeKey("k");
  const two = await makeKey("k");
  const ec = await makeKey("k", "ES256");
  const ed = await makeKey("ed", "EdDSA");
  const issuer = await KeyServer.start([one.jwk, two.jwk, ec.jwk, ed.jwk, { ...two.jwk, kid: "both", alg: "RS512" }]);
  const server = await startServer({
    issuer_x_issuer: ISS,
    issuer_x_jwks_url: `${issuer.url}/keys`,
    issuer_x_audience: "us",
    issuer_x_algorithms: "RS256 ES256 EdDSA",
  });
  try {
    await link(server, ISS, "kim");
    await untilTaken(server, await sign(ec, good()));
    await untilTaken(server, await sign(ed, good()));
    for (const key of [one, two]) assert.match(refusedWith(await bearer(server, await sign(key, good())), "TOKEN_INVALID").detail, /several keys/);
    const other = refusedWith(await bearer(server, await sign(two, good(), { kid: "both" })), "TOKEN_INVALID");
    assert.match(other.detail, /does not fit its alg/, "the key says RS512 of itself");
    const confused = await sign({ ...ed, kid: "k", alg: "EdDSA" }, good());
    assert.match(refusedWith(await bearer(server, confused), "TOKEN_INVALID").detail, /does not fit its alg/);
  } finally {
    await server.stop();
    await issuer.stop();
  }
});

test("keys in a PEM file need no network; kid is not looked at", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-pem-"));
  const keys = [await makeKey("a"), await makeKey("b", "ES384")];
  const file = join(folder, "keys.pem");
  writeFileSync(file, (await Promise.all(keys.map((key) => exportSPKI(key.publicKey)))).join(""));
  const server = await startServer({
    issuer_x_issuer: ISS,
    issuer_x_pem_file: file,
    issuer_x_audience: "us",
    issuer_x_algorithms: "RS256, ES384",
    issuer_x_leeway: "0s",
  });
  try {
    await link(server, ISS, "kim");
    for (const key of keys) {
      assert.equal((await bearer(server, await sign(key, good()))).status, 200);
      assert.equal((await bearer(server, await sign(key, good(), { kid: undefined }))).status, 200);
    }
    refusedWith(await bearer(server, await sign(await makeKey("a"), good())), "TOKEN_INVALID");
    refusedWith(await bearer(server, await sign(keys[0] as never, good({ nbf: now() + 3 }))), "TOKEN_NOT_YET_VALID");
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
});

test("settings that are wrong stop the start, and the command shows those in force", async () => {
  const instance = new Instance({ issuer_x_issuer: "http://example.org", issuer_x_algorithms: "HS256 none" });
  const refused = await instance.cli(["config"]);
  assert.equal(refused.code, 2);
  for (const word of ["issuer.x.issuer", "https://", "issuer.x.algorithms", '"HS256" is none']) assert.ok(refused.stderr.includes(word), refused.stderr);
  instance.remove();

  const fit = new Instance({ issuer_my_sso_issuer: ISS, issuer_my_sso_audience: "us, them" });
  const shown = (await fit.cliJson(["config"])).settings.filter((s: { name: string }) => s.name.startsWith("issuer.my-sso."));
  const value = (name: string): unknown => shown.find((s: { name: string }) => s.name === `issuer.my-sso.${name}`);
  assert.equal((value("issuer") as { value: string }).value, ISS);
  assert.equal((value("audience") as { value: string }).value, "us, them");
  assert.equal((value("leeway") as { source: string }).source, "default");
  fit.remove();
});

test("new users without an employer in their token get the issuer's; ADMIN by a token is not kept", async () => {
  const key = await makeKey("real");
  const issuer = await KeyServer.start([key.jwk]);
  const instance = new Instance({
    issuer_x_issuer: ISS,
    issuer_x_jwks_url: issuer.url,
    issuer_x_audience: "us",
    issuer_x_role_claim: "realm_access.roles",
    issuer_x_role_map: "chief:ADMIN staff:MEMBER",
    issuer_x_create_users: true,
  });
  try {
    const first = await instance.start();
    const { id } = await (await first.admin()).createEmployer({ name: "Default" });
    await first.halt();
    const server = await instance.start({ SALLYPORT_ISSUER_X_EMPLOYER: id });
    const who = async (...roles: string[]): Promise<{ role: string; employerId: string }> =>
      JSON.parse((await bearer(server, await sign(key, good({ email: "chief@keys.test", realm_access: { roles } })))).body);
    const chief = await who("staff", "chief", "other");
    assert.deepEqual([chief.role, chief.employerId], ["ADMIN", id]);
    assert.equal((await who("staff")).role, "MEMBER");
    const users = (await (await server.admin()).listUsers({ employerId: id })).users;
    assert.deepEqual(users.map((user) => [user.email, user.role]), [["chief@keys.test", "EMPLOYER_ADMIN"]]);
    await server.halt();
    const wrong = await instance.start({ SALLYPORT_ISSUER_X_EMPLOYER: "emp_nowhere" });
    refusedWith(await bearer(wrong, await sign(key, good({ sub: "new", email: "new@keys.test", realm_access: { roles: ["staff"] } }))), "EMPLOYER_NOT_FOUND");
    await wrong.halt();
  } finally {
    instance.remove();
    await issuer.stop();
  }
});

// ---- a real OpenID Connect provider ----

/** A browser that keeps cookies and stops at the client's own page. */
class Browser {
  readonly #cookies = new Map<string, string>();

  async go(url: string, form?: Record<string, string>): Promise<{ url: string; body: string }> {
    for (let at = url, body = form; ; body = undefined) {
      if (at.startsWith("https://app.example.test")) return { url: at, body: "" };
      const response = await fetch(at, {
        redirect: "manual",
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        ...(body ? { method: "POST", body: new URLSearchParams(body) } : {}),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        this.#cookies.set(name ?? "", value ?? "");
      }
      const location = response.headers.get("location");
      if (!location) return { url: at, body: await response.text() };
      at = new URL(location, at).href;
    }
  }
}

test("oidc-provider: found by discovery, a person signs in with a code and comes with their ID token", async () => {
  const http = createServer();
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const callback = "https://app.example.test/callback";
  const provider = new Provider(issuer, {
    clients: [{ client_id: "app", client_secret: "a secret of the test", redirect_uris: [callback] }],
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], org: ["org", "groups"] },
    conformIdTokenClaims: false,
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@oidc.test`, email_verified: true, org: { id: "acme" }, groups: ["all", "bosses"] }),
    }),
  });
  http.on("request", provider.callback());

  const server = await startServer({
    issuer_oidc_issuer: issuer,
    issuer_oidc_audience: "app",
    issuer_oidc_employer_claim: "org.id",
    issuer_oidc_role_claim: "groups",
    issuer_oidc_role_map: "bosses:EMPLOYER_ADMIN, all:MEMBER",
    issuer_oidc_create_users: true,
  });
  try {
    const root = await server.admin();
    const acme = await root.createEmployer({ name: "Acme" });
    await root.updateEmployer(acme.id, { externalIds: [{ issuer, id: "acme" }] });

    const browser = new Browser();
    const verifier = randomBytes(32).toString("base64url");
    const query = new URLSearchParams({
      client_id: "app",
      response_type: "code",
      scope: "openid email org",
      redirect_uri: callback,
      nonce: "n",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    const login = await browser.go(`${issuer}/auth?${query}`);
    const consent = await browser.go(login.url, { prompt: "login", login: "jo", password: "any" });
    const done = await browser.go(consent.url, { prompt: "consent" });
    const code = new URL(done.url).searchParams.get("code");
    assert.ok(code, done.url + done.body);
    const response = await fetch(`${issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from("app:a+secret+of+the+test").toString("base64")}` },
      body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: callback, code_verifier: verifier }),
    });
    const tokens = (await response.json()) as { id_token: string };
    assert.ok(tokens.id_token, JSON.stringify(tokens));

    const who = JSON.parse((await bearer(server, tokens.id_token)).body);
    assert.deepEqual([who.email, who.role, who.employerId], ["jo@oidc.test", "EMPLOYER_ADMIN", acme.id]);
    const claims = JSON.parse(Buffer.from(tokens.id_token.split(".")[1] ?? "", "base64url").toString());
    assert.equal(claims.iss, issuer);
    refusedWith(await bearer(server, tokens.id_token.replace(/.$/, (c) => (c === "A" ? "B" : "A"))), "TOKEN_INVALID");
  } finally {
    await server.stop();
    http.closeAllConnections();
    await new Promise((closed) => http.close(closed));
  }
});
