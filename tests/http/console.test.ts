/** The pages, seen from HTTP: what is refused and how, what is escaped, and that a key is shown once. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { errors } from "@sallyport/sdk";

import { encode, hiddenOf, rawKeyOf, textOf, Visitor } from "./harness/pages.js";
import { field, type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { eventually, newTenant, refused, refusedWith, type Tenant } from "./harness/util.js";

const KEYS = "/employer/api-keys";
const DRAFT = { name: "nightly", scopes: ["cohort:read"], expiresAt: "", allowedIpCidrs: "", requests: "120", windowSeconds: "60" };

let server: Server;
let tenant: Tenant;
let other: Tenant;
let boss: Visitor;
before(async () => {
  server = await startServer();
  tenant = await newTenant(server);
  other = await newTenant(server, "Other");
  boss = await signedIn(tenant.adminEmail, tenant.password);
});
after(() => server.stop());

async function signedIn(email: string, password: string): Promise<Visitor> {
  const visitor = new Visitor(server);
  assert.equal((await visitor.signIn(email, password)).status, 303);
  assert.ok(visitor.cookie);
  return visitor;
}

function leadsTo(answer: Answer, path: string): void {
  assert.equal(answer.status, 303, textOf(answer.body));
  assert.equal(field(answer, "location"), path);
}

/** The page refuses with this code, and says cause and fix. */
function pageRefuses(answer: Answer, code: string): string {
  assert.equal(/data-code="([A-Z_]+)"/.exec(answer.body)?.[1], code, `${answer.status} ${textOf(answer.body)}`);
  const text = textOf(answer.body);
  assert.match(text, /What was wrong \S+.*What to do \S+/);
  return text;
}

async function create(values: object = {}): Promise<{ id: string; raw: string; page: Answer }> {
  const page = await boss.send(`${KEYS}/new`, KEYS, { ...DRAFT, ...values });
  assert.equal(page.status, 201, textOf(page.body));
  const raw = rawKeyOf(page.body);
  const id = /\/employer\/api-keys\/(key_[a-z0-9]+)"/.exec(page.body)?.[1];
  assert.ok(raw && id, page.body);
  return { id, raw, page };
}

test("who is not signed in is sent to the form, and from there to where they wanted to go", async () => {
  const nobody = new Visitor(server);
  leadsTo(await nobody.get("/"), KEYS);
  leadsTo(await nobody.get("/employer"), KEYS);
  leadsTo(await nobody.get(KEYS), `/sign-in?next=${KEYS}`);
  leadsTo(await nobody.get("/employer/refusals"), "/sign-in?next=/employer/refusals");
  // What was to be changed is not changed after the sign-in.
  leadsTo(await nobody.post(KEYS, DRAFT), `/sign-in?next=${KEYS}`);
  const form = await nobody.page("/sign-in?next=/employer/refusals");
  assert.equal(hiddenOf(form, "/sign-in")["next"], "/employer/refusals");
  leadsTo(await nobody.signIn(tenant.adminEmail, tenant.password, "/employer/refusals"), "/employer/refusals");
});

test("the page of symptoms is for everybody, and has every code", async () => {
  const page = await new Visitor(server).page("/docs/troubleshooting");
  for (const code of Object.keys(errors)) assert.ok(page.includes(`<a href="/docs/errors/${code}"><code>${code}</code></a>`), code);
  for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(id === "content" || page.includes(`<h2 id="${id}">`), id);
});

test("next leads to our own pages only", async () => {
  const elsewhere = ["//evil.test", "https://evil.test/employer/", "/\\evil.test", "/employer/..//evil", "/employer/%0d%0aset-cookie", "/api/version", "", "/employer/x?y"];
  for (const next of elsewhere) {
    const form = await new Visitor(server).page(`/sign-in?${encode({ next })}`);
    assert.equal(hiddenOf(form, "/sign-in")["next"], KEYS, next);
    leadsTo(await new Visitor(server).signIn(tenant.adminEmail, tenant.password, next), KEYS);
  }
});

test("a wrong password is refused in words, and neither it nor the right one comes back", async () => {
  const nobody = new Visitor(server);
  const answer = await nobody.signIn(tenant.adminEmail, "not the password");
  assert.equal(answer.status, 401);
  assert.match(pageRefuses(answer, "LOGIN_FAILED"), /Email or password is wrong\./);
  assert.ok(answer.body.includes(tenant.adminEmail), "the address is typed once");
  assert.ok(!answer.body.includes("not the password"));
  assert.equal(nobody.cookie, undefined);
  pageRefuses(await nobody.signIn("", ""), "INVALID_REQUEST");
  for (let i = 0; i < 6; i++) await nobody.signIn("nobody@users.test", "wrong wrong wrong");
  const late = await nobody.signIn("nobody@users.test", "wrong wrong wrong");
  assert.match(pageRefuses(late, "LOGIN_THROTTLED"), /Try again in \d+ seconds/);
  assert.match(field(late, "retry-after") ?? "", /^[1-9]\d*$/);
});

test("nobody is signed in from another site", async () => {
  const nobody = new Visitor(server);
  const values = { email: tenant.adminEmail, password: tenant.password };
  for (const more of [{ origin: "https://evil.test" }, { origin: "null" }, { origin: [] }]) {
    const answer = await nobody.post("/sign-in", values, more);
    pageRefuses(answer, "ORIGIN_NOT_ALLOWED");
    assert.equal(nobody.cookie, undefined);
  }
});

test("a form without its token, or with another session's, changes nothing and says why", async () => {
  const { id } = await create({ name: "kept" });
  const page = await boss.page(`${KEYS}/${id}`);
  const hidden = hiddenOf(page, `${KEYS}/${id}/status`);
  const again = await signedIn(tenant.adminEmail, tenant.password);
  const foreign = hiddenOf(await again.page(`${KEYS}/${id}`), `${KEYS}/${id}/status`);
  assert.notEqual(hidden["token"], foreign["token"]);
  const forms: [string, Record<string, string>][] = [
    [`${KEYS}/${id}/status`, { status: "inactive" }],
    [`${KEYS}/${id}/revoke`, {}],
    [`${KEYS}/${id}/rotate`, { overlap: "0", once: "n1" }],
    [KEYS, { name: "x", scopes: "cohort:read", once: "n2" }],
    ["/sign-out", {}],
  ];
  for (const [action, values] of forms)
    for (const token of [undefined, "", "0".repeat(64), foreign["token"]]) {
      const answer = await boss.post(action, { ...values, token });
      assert.equal(answer.status, 403);
      assert.match(pageRefuses(answer, "FORM_TOKEN_INVALID"), /Nothing was changed/);
    }
  pageRefuses(await boss.post(`${KEYS}/${id}/revoke`, hidden, { origin: "https://evil.test" }), "ORIGIN_NOT_ALLOWED");
  const key = await tenant.admin.getApiKey(id);
  assert.equal(key.status, "active");
  assert.equal(key.rotatedAt, null);
  assert.equal((await boss.get(KEYS)).status, 200);
});

test("a body that no browser sends is refused", async () => {
  const token = hiddenOf(await boss.page(`${KEYS}/new`), KEYS)["token"];
  const send = (body: string, type = "application/x-www-form-urlencoded"): Promise<Answer> =>
    server.call({ method: "POST", target: KEYS, fields: { cookie: boss.cookie ?? "", "content-type": type }, body });
  for (const body of [`token=${token}&token=${token}`, "a", "a=%", "a=%0", "a=%zz", "a=%00", "a=%ff", "a=b c", "a=<", "&a=1", "=1", "a=1&&b=2", "sc%opes=1"])
    pageRefuses(await send(body), "MALFORMED_FORM");
  pageRefuses(await send(`token=${token}&name=x&scopes=cohort%3Aread`), "MALFORMED_FORM"); // no nonce
  pageRefuses(await send("{}", "application/json"), "UNSUPPORTED_MEDIA_TYPE");
  pageRefuses(await send("a=1", "multipart/form-data; boundary=x"), "UNSUPPORTED_MEDIA_TYPE");
  pageRefuses(await send(`a=${"x".repeat(40_000)}`), "BODY_TOO_LARGE");
  pageRefuses(await send(Array.from({ length: 65 }, (_, i) => `n${i}=1`).join("&")), "MALFORMED_FORM");
});

test("a key is made with all its rules, and shown once", async () => {
  const values = { name: "HR server", scopes: ["cohort:read", "export:read"], expiresAt: "2099-12-31", allowedIpCidrs: "203.0.113.0/24\r\n2001:db8::1", requests: "7", windowSeconds: "30" };
  const { id, raw, page } = await create(values);
  assert.match(raw, /^mt_live_[0-9a-f]{64}$/);
  assert.equal(field(page, "location"), undefined);
  const key = await tenant.admin.getApiKey(id);
  assert.deepEqual(
    [key.name, key.scopes, key.expiresAt, key.allowedIpCidrs, key.rateLimit],
    ["HR server", ["cohort:read", "export:read"], "2099-12-31T23:59:59.999Z", ["203.0.113.0/24", "2001:db8::1/128"], { requests: 7, windowSeconds: 30, algorithm: "gcra" }],
  );
  for (const target of [KEYS, `${KEYS}/new`, `${KEYS}/${id}`, `${KEYS}/${id}/rotate`, `${KEYS}/${id}/revoke`, "/employer/refusals"]) {
    const html = await boss.page(target);
    assert.ok(!html.includes(raw.slice(12, -4)), `${target} shows the key`);
  }
  const text = textOf(await boss.page(`${KEYS}/${id}`));
  assert.match(text, /export:read.*203\.0\.113\.0\/24.*7 requests in 30 seconds.*2099-12-31 23:59 UTC.*never/);
  assert.ok(!server.log.includes(raw.slice(12)));
  // The change is in the audit as one made by the API: by whom, and with the same words.
  const { lines } = await tenant.admin.listEmployerAudit({ action: "api_key.created", targetId: id });
  assert.deepEqual(lines.map((line: any) => line.detail.name), ["HR server"]);
});

test("a form that is sent again makes no second key", async () => {
  const hidden = hiddenOf(await boss.page(`${KEYS}/new`), KEYS);
  const values = { ...hidden, ...DRAFT, name: "sent twice" };
  const first = await boss.post(KEYS, values);
  assert.equal(first.status, 201);
  const again = await boss.post(KEYS, values);
  assert.match(pageRefuses(again, "IDEMPOTENCY_SECRET_GONE"), /sent before/);
  assert.match(again.body, /href="\/employer\/api-keys\/key_[a-z0-9]+">To the key/);
  assert.equal(rawKeyOf(again.body), undefined);
  assert.match(pageRefuses(await boss.post(KEYS, { ...values, name: "another" }), "IDEMPOTENCY_KEY_REUSED"), /other values/);
  const { keys } = await tenant.admin.listApiKeys();
  assert.equal(keys.filter((key: any) => key.name === "sent twice" || key.name === "another").length, 1);

  const { id } = await create({ name: "turned" });
  const rotate = { ...hiddenOf(await boss.page(`${KEYS}/${id}/rotate`), `${KEYS}/${id}/rotate`), overlap: "0" };
  const rotated = await boss.post(`${KEYS}/${id}/rotate`, rotate);
  assert.equal(rotated.status, 200);
  pageRefuses(await boss.post(`${KEYS}/${id}/rotate`, rotate), "IDEMPOTENCY_SECRET_GONE");
  assert.equal((await server.withKey(rawKeyOf(rotated.body) ?? "")).status, 200);
});

test("each field says what is wrong with it, and keeps what was typed", async () => {
  const bad = { name: "", scopes: [], expiresAt: "2001-01-01", allowedIpCidrs: "10.0.0.1/8\nnowhere", requests: "many", windowSeconds: "" };
  const answer = await boss.send(`${KEYS}/new`, KEYS, bad);
  assert.equal(answer.status, 400);
  pageRefuses(answer, "INVALID_REQUEST");
  for (const name of ["name", "scopes", "expiresAt", "allowedIpCidrs", "rateLimit"]) {
    assert.match(answer.body, new RegExp(`id="${name}"[^>]* aria-invalid="true" aria-describedby="${name}-hint ${name}-error"`), name);
    assert.match(answer.body, new RegExp(`id="${name}-error"`), name);
  }
  assert.match(textOf(answer.body), /Addresses entry 1 has bits set after its prefix; did you mean 10\.0\.0\.0\/8\?.*Addresses entry 2 is not an address/);
  assert.match(answer.body, /value="many"/);
  assert.match(answer.body, /10\.0\.0\.1\/8\nnowhere<\/textarea>/);
});

test("whatever is in a name, it is text", async () => {
  const names = [`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`, `" autofocus data-x="`, `</title><b>&amp;`, `{}{}%s%n`, `Ünïcödé 鍵 🔑`];
  for (const name of names) {
    const { id, page } = await create({ name });
    const pages = [page.body, await boss.page(KEYS), await boss.page(`${KEYS}/${id}`), await boss.page(`${KEYS}/${id}/rotate`), await boss.page(`${KEYS}/${id}/revoke`)];
    for (const html of pages) {
      assert.ok(textOf(html).includes(name.replace(/\s+/g, " ")), `${name} is not on the page`);
      if (/[<>"']/.test(name)) assert.ok(!html.includes(name), `${name} is markup`);
    }
    await tenant.admin.revokeApiKey(id);
  }
  // What is typed wrong comes back as text too, and so does the path.
  const typed = `"><script>alert(2)</script>`;
  const answer = await boss.send(`${KEYS}/new`, KEYS, { ...DRAFT, scopes: [], name: typed, allowedIpCidrs: `</textarea>${typed}`, expiresAt: typed, requests: typed });
  assert.equal(answer.status, 400);
  assert.ok(!answer.body.includes("<script>alert"));
  const signIn = await new Visitor(server).signIn(typed, "wrong wrong wrong");
  assert.ok(!signIn.body.includes("<script>alert"));
  const lost = await boss.get("/employer/%3Cscript%3Ealert(3)");
  pageRefuses(lost, "NOT_FOUND");
  assert.ok(!lost.body.includes("<script>alert"));
});

test("another employer's key is not there", async () => {
  const foreign = await other.admin.createApiKey({ name: "foreign key", scopes: ["cohort:read"] });
  assert.ok(!(await boss.page(KEYS)).includes("foreign key"));
  const token = hiddenOf(await boss.page(KEYS), "/sign-out")["token"];
  for (const below of ["", "/rotate", "/revoke"]) pageRefuses(await boss.get(`${KEYS}/${foreign.id}${below}`), "API_KEY_NOT_FOUND");
  for (const [below, values] of [["/status", { status: "inactive" }], ["/revoke", {}], ["/rotate", { overlap: "0", once: "n3" }]] as const)
    pageRefuses(await boss.post(`${KEYS}/${foreign.id}${below}`, { ...values, token }), "API_KEY_NOT_FOUND");
  assert.equal((await other.admin.getApiKey(foreign.id)).status, "active");
  // What is no id becomes no other path of the API.
  for (const id of ["import", "key_1", "key_%3Flimit=1", "..%20", `${foreign.id}%3Fx`]) pageRefuses(await boss.get(`${KEYS}/${id}`), "API_KEY_NOT_FOUND");
});

test("a member is told that the role is not enough, and can sign out", async () => {
  const member = await signedIn(tenant.memberEmail, tenant.password);
  for (const target of [KEYS, `${KEYS}/new`, "/employer/refusals"]) {
    const answer = await member.get(target);
    assert.equal(answer.status, 403);
    const text = pageRefuses(answer, "INSUFFICIENT_ROLE");
    assert.match(text, /Your role is not enough.*role MEMBER.*EMPLOYER_ADMIN.*Ask an employer admin/);
  }
  const token = hiddenOf((await member.get(KEYS)).body, "/sign-out")["token"];
  pageRefuses(await member.post(KEYS, { ...DRAFT, once: "n4", token }), "INSUFFICIENT_ROLE");
  leadsTo(await member.post("/sign-out", { token }), "/sign-in?done=signed-out");
  assert.equal(member.cookie, undefined);
});

test("signing out ends the session, and not only the cookie", async () => {
  const visitor = await signedIn(tenant.adminEmail, tenant.password);
  const cookie = visitor.cookie;
  leadsTo(await visitor.send(KEYS, "/sign-out", {}), "/sign-in?done=signed-out");
  assert.match(textOf(await visitor.page("/sign-in?done=signed-out")), /You are signed out/);
  visitor.cookie = cookie;
  leadsTo(await visitor.get(KEYS), `/sign-in?next=${KEYS}`);
});

test("an API key opens no page", async () => {
  const { raw } = await create({ name: "not a person" });
  for (const target of [KEYS, `${KEYS}/new`]) leadsTo(await server.withKey(raw, { target }), `/sign-in?next=${target}`);
});

test("a key is switched off and on, rotated and revoked, and the caller sees it at once", async () => {
  const { id, raw } = await create({ name: "a life" });
  const at = `${KEYS}/${id}`;
  leadsTo(await boss.send(at, `${at}/status`, { status: "inactive" }), `${at}?done=disabled`);
  assert.match(textOf(await boss.page(`${at}?done=disabled`)), /was switched off.*Switch on/);
  assert.doesNotMatch(textOf(await boss.page(`${at}?done=revoked`)), /was revoked/, "a link that claims what is not so");
  refusedWith(await server.withKey(raw), "API_KEY_INACTIVE");
  leadsTo(await boss.send(at, `${at}/status`, { status: "active" }), `${at}?done=enabled`);
  assert.equal((await server.withKey(raw)).status, 200);
  pageRefuses(await boss.send(at, `${at}/status`, { status: "revoked" }), "INVALID_REQUEST");

  const rotated = await boss.send(`${at}/rotate`, `${at}/rotate`, { overlap: "3600" });
  const next = rawKeyOf(rotated.body) ?? "";
  assert.notEqual(next, raw);
  assert.match(textOf(rotated.body), /The former key works until/);
  for (const text of [raw, next]) assert.equal((await server.withKey(text)).status, 200);
  pageRefuses(await boss.send(`${at}/rotate`, `${at}/rotate`, { overlap: "99999999" }), "INVALID_REQUEST");

  const question = textOf(await boss.page(`${at}/revoke`));
  assert.match(question, /a life.*API_KEY_REVOKED.*cannot be undone.*Revoke “a life”/);
  leadsTo(await boss.send(`${at}/revoke`, `${at}/revoke`, {}), `${at}?done=revoked`);
  for (const text of [raw, next]) refusedWith(await server.withKey(text), "API_KEY_REVOKED");
  assert.match(textOf(await boss.page(at)), /A revoked key can be neither changed nor rotated/);
  const token = hiddenOf(await boss.page(KEYS), "/sign-out")["token"];
  pageRefuses(await boss.post(`${at}/status`, { status: "active", token }), "API_KEY_NOT_LIVE");
  const actions = (await tenant.admin.listEmployerAudit({ targetId: id })).lines.map((line: any) => line.action).filter((action: string) => action !== "api_key.used_after_revocation");
  assert.deepEqual(actions, ["api_key.revoked", "api_key.rotated", "api_key.updated", "api_key.updated", "api_key.created"]);
});

test("every refusal explains itself, on the key's page and on the employer's", async () => {
  const { id, raw } = await create({ name: "refused <b>often</b>", requests: "2", windowSeconds: "600" });
  const elsewhere = await create({ name: "from elsewhere", allowedIpCidrs: "203.0.113.7" });
  refusedWith(await server.withKey(raw, { method: "POST", target: "/api/employer/upload-cohort", body: { patients: [] } }), "INSUFFICIENT_SCOPE");
  refusedWith(await server.call({ target: "/api/employer/cohort", fields: { "x-api-key": raw } }), "UNSUPPORTED_API_VERSION");
  for (let i = 0; i < 2; i++) assert.equal((await server.withKey(raw)).status, 200);
  refusedWith(await server.withKey(raw), "RATE_LIMITED");
  refusedWith(await server.withKey(elsewhere.raw), "API_KEY_IP_NOT_ALLOWED");
  await refused(tenant.member.createApiKey({ name: "no", scopes: ["cohort:read"] }), "INSUFFICIENT_ROLE");

  const expected = [
    /The API key lacks a scope\. INSUFFICIENT_SCOPE When \d{4}-\d\d-\d\d \d\d:\d\d UTC From 127\.0\.0\.1 Asked for \/api\/employer\/upload-cohort What was wrong The key lacks: cohort:write\. What to do Ask an admin to add this to the key/,
    /UNSUPPORTED_API_VERSION.*The call asks for no API version.*Add the header line 'x-api-version: 2026-02-01'/,
    /Too many requests\. RATE_LIMITED.*The limit of 2 requests in 600 s is used up/,
  ];
  const own = await eventually(async () => {
    const text = textOf(await boss.page(`${KEYS}/${id}`));
    return expected.every((each) => each.test(text)) && text;
  }, 10_000, "the refusals of the key");
  assert.ok(!own.includes("API_KEY_IP_NOT_ALLOWED"), "another key's refusal");

  const all = await eventually(async () => {
    const html = await boss.page("/employer/refusals");
    return textOf(html).includes("INSUFFICIENT_ROLE") && html;
  }, 10_000, "the refusals of the employer");
  assert.match(textOf(all), /API_KEY_IP_NOT_ALLOWED Who key from elsewhere .*The address seen is 127\.0\.0\.1.*add 127\.0\.0\.1\/32/);
  assert.match(textOf(all), /INSUFFICIENT_ROLE Who a signed-in user with the role MEMBER user_/);
  assert.ok(!all.includes("<b>often"));
  assert.ok(!all.includes(tenant.memberEmail));
  const foreign = await signedIn(other.adminEmail, other.password);
  assert.ok(!(await foreign.page("/employer/refusals")).includes("INSUFFICIENT_SCOPE"));
});

test("more keys than a page are on the next one", async () => {
  const full = await newTenant(server, "Full");
  const visitor = await signedIn(full.adminEmail, full.password);
  assert.match(textOf(await visitor.page(KEYS)), /There are no keys yet/);
  for (let i = 0; i < 101; i++) {
    const { id } = await full.admin.createApiKey({ name: `k${i}`, scopes: ["cohort:read"] });
    await full.admin.revokeApiKey(id);
  }
  const first = await visitor.page(KEYS);
  const older = /href="(\/employer\/api-keys\?cursor=[^"]+)">Older keys/.exec(first)?.[1];
  assert.ok(older && first.includes(">k100<") && !first.includes(">k0<"));
  const second = await visitor.page(older);
  assert.ok(second.includes(">k0<") && !second.includes("Older keys"));
  pageRefuses(await visitor.get(`${KEYS}?cursor=k.key_1.00000000`), "INVALID_CURSOR");
});

test("other methods are refused as pages, and the files of the pages are there", async () => {
  const answer = await boss.server.call({ method: "DELETE", target: KEYS, fields: { cookie: boss.cookie ?? "" } });
  pageRefuses(answer, "METHOD_NOT_ALLOWED");
  assert.match(field(answer, "allow") ?? "", /GET, HEAD, POST/);
  for (const [path, type] of [["console.css", /text\/css/], ["console.js", /text\/javascript/], ["icon.svg", /image\/svg/]] as const) {
    const file = await server.call({ target: `/assets/${path}?v=1` });
    assert.equal(file.status, 200);
    assert.match(field(file, "content-type") ?? "", type);
  }
  pageRefuses(await server.call({ target: "/assets/none" }), "NOT_FOUND");
  assert.equal((await server.call({ method: "HEAD", target: "/sign-in" })).status, 200);
});
