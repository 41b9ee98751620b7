/** The audit: what is in it, that nothing else can change it, and that verification tells who did. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

import { assertIs } from "./harness/contract.js";
import { ADMIN_EMAIL, ADMIN_PASSWORD, Instance, onPostgres, startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, newTenant, refused, somebody, type Tenant } from "./harness/util.js";

type Line = Awaited<ReturnType<Tenant["admin"]["listEmployerAudit"]>>["lines"][number];

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const linesOf = async (tenant: Tenant, query: object = {}): Promise<Line[]> =>
  (await tenant.admin.listEmployerAudit({ limit: 1000, ...query })).lines;

/** The only line of the action; there must be exactly one. */
async function only(tenant: Tenant, action: string): Promise<Line> {
  const lines = await linesOf(tenant, { action });
  assert.equal(lines.length, 1, `${action}: ${JSON.stringify(lines)}`);
  return lines[0]!;
}

// ---- what is written ----

test("each action of a key's life is one line, with who, for whom, from where and in which request", async () => {
  const tenant = await newTenant(server, "Lifelong");
  const me = await tenant.admin.me();
  const key = await tenant.admin.createApiKey({ name: "nightly", scopes: ["cohort:read"] });
  const created = await only(tenant, "api_key.created");
  assert.deepEqual(created.actor, { kind: "user", id: me.id, role: "EMPLOYER_ADMIN", employerId: tenant.employerId });
  assert.equal(created.employerId, tenant.employerId);
  assert.deepEqual(created.target, { kind: "api_key", id: key.id });
  assert.equal(created.address, "127.0.0.1");
  assert.match(created.requestId ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(created.detail, { name: "nightly", scopes: "cohort:read" });

  await tenant.admin.updateApiKey(key.id, { name: "nightly job", status: "inactive" });
  assert.deepEqual((await only(tenant, "api_key.updated")).detail, { changed: "name status", status: "inactive" });
  assert.deepEqual(await linesOf(tenant, { action: "api_key.scopes_widened" }), []);
  await tenant.admin.updateApiKey(key.id, { scopes: ["cohort:read", "export:read"], status: "active" });
  assert.deepEqual((await only(tenant, "api_key.scopes_widened")).detail, {
    added: "export:read",
    scopes: "cohort:read export:read",
  });
  await tenant.admin.rotateApiKey(key.id, 60);
  assert.deepEqual((await only(tenant, "api_key.rotated")).detail, { overlapSeconds: 60 });
  await tenant.admin.revokeApiKey(key.id);
  await tenant.admin.revokeApiKey(key.id); // changes nothing, and is no line
  assert.equal((await only(tenant, "api_key.revoked")).target?.id, key.id);

  const about = await linesOf(tenant, { targetId: key.id });
  assert.deepEqual(
    about.map((line) => line.action).sort(),
    ["api_key.created", "api_key.revoked", "api_key.rotated", "api_key.scopes_widened", "api_key.updated", "api_key.updated"],
  );
  for (const line of about) assertIs("AuditLine", line);
});

test("imports, cohorts, sessions, employers and users are in it too", async () => {
  const tenant = await newTenant(server, "Various");
  const root = await server.admin();
  const boss = await tenant.admin.me();

  const imported = await server.cliJson(["keys", "import", "-", "--employer", tenant.employerId],
    JSON.stringify({ keys: [{ name: "old", scopes: ["cohort:read"], key: inventedKey() }] }));
  const line = await only(tenant, "api_key.imported");
  assert.equal(line.target?.id, imported.keys[0].id);
  assert.deepEqual(line.actor, { kind: "operator", id: "operator", role: "ADMIN", employerId: null });

  const key = await tenant.admin.createApiKey({ name: "up", scopes: ["cohort:write"] });
  const upload = await server.client({ apiKey: key.rawKey }).uploadCohort([somebody(), somebody()]);
  const uploaded = await only(tenant, "cohort.uploaded");
  assert.deepEqual(uploaded.actor, { kind: "key", id: key.id, role: null, employerId: tenant.employerId });
  assert.equal(uploaded.target?.id, upload.uploadId);
  assert.deepEqual(uploaded.detail, { received: 2, created: 2, updated: 0, unchanged: 0, foreign: 0 });

  const employer = await only(tenant, "employer.created");
  assert.equal(employer.actor.employerId, (await root.me()).employerId);
  assert.equal(employer.employerId, tenant.employerId);
  await root.updateEmployer(tenant.employerId, { name: "Various & sons" });
  assert.deepEqual((await only(tenant, "employer.updated")).detail, { name: "Various & sons", status: "active", isApproved: "yes" });

  assert.equal((await linesOf(tenant, { action: "session.created" })).length, 2);
  const member = await tenant.member.me();
  await tenant.member.logout();
  assert.equal((await only(tenant, "session.ended")).actor.id, member.id);

  await root.updateUser(member.id, { role: "EMPLOYER_ADMIN" });
  assert.deepEqual((await only(tenant, "user.updated")).detail, { role: "EMPLOYER_ADMIN", roleBefore: "MEMBER", status: "active" });
  const second = await server.signedIn(tenant.memberEmail, tenant.password);
  const theirs = await second.createApiKey({ name: "theirs", scopes: ["cohort:read"] });
  await root.updateUser(member.id, { status: "inactive" });
  const gone = await only(tenant, "user.deactivated");
  assert.deepEqual(gone.detail, { sessionsEnded: 1, role: "EMPLOYER_ADMIN" });
  const revoked = await only(tenant, "api_key.revoked");
  assert.equal(revoked.target?.id, theirs.id);
  assert.deepEqual(revoked.detail, { name: "theirs", creatorDeactivated: member.id });
  assert.equal((await linesOf(tenant, { action: "user.created" })).length, 2);
  assert.ok((await linesOf(tenant, { actorId: boss.id })).every((each) => each.actor.id === boss.id));
});

test("an ADMIN who acts for another employer is in that employer's audit, with both", async () => {
  const tenant = await newTenant(server, "Visited");
  const root = await server.admin();
  const home = (await root.me()).employerId;
  const acting = await server.signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
  const answer = await server.call({
    method: "POST",
    target: "/api/employer/api-keys",
    fields: { cookie: `sallyport_session=${acting.sessionCookie}`, "x-employer-id": tenant.employerId, "content-type": "application/json", "user-agent": "probe/1.0" },
    body: JSON.stringify({ name: "by root", scopes: ["cohort:read"] }),
  });
  assert.equal(answer.status, 201, answer.body);
  const line = await only(tenant, "api_key.created");
  assert.equal(line.actor.employerId, home);
  assert.equal(line.employerId, tenant.employerId);
  assert.equal(line.userAgent, "probe/1.0");
});

test("a change that was rolled back has no line", async () => {
  const tenant = await newTenant(server, "Undone");
  const [first, second] = [inventedKey(), inventedKey()];
  const keys = [first, second, first].map((key, i) => ({ name: `k${i}`, scopes: ["cohort:read"], key }));
  const failed = await server.cli(["keys", "import", "-", "--employer", tenant.employerId], JSON.stringify({ keys }));
  assert.equal(failed.code, 1);
  assert.deepEqual(await linesOf(tenant, { action: "api_key.*" }), []);
  const root = await server.admin();
  await refused(root.createUser({ email: tenant.adminEmail, role: "MEMBER", employerId: tenant.employerId }), "EMAIL_TAKEN");
  assert.equal((await linesOf(tenant, { action: "user.created" })).length, 2);
});

test("no key, password or token is in it, not even one sent as a user agent", async () => {
  const tenant = await newTenant(server, "Discreet");
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:write"] });
  const answer = await server.withKey(key, {
    method: "POST",
    target: "/api/employer/upload-cohort",
    fields: { "content-type": "application/json", "user-agent": `me ${key.rawKey}` },
    body: JSON.stringify({ patients: [somebody()] }),
  });
  assert.equal(answer.status, 200, answer.body);
  assert.equal((await only(tenant, "cohort.uploaded")).userAgent, "(a text with a key in it)");
  const all = JSON.stringify(await linesOf(tenant));
  for (const secret of [key.rawKey, tenant.password, tenant.adminEmail, "people.test"]) assert.ok(!all.includes(secret), secret);
});

// ---- reading ----

test("pages go from the newest to the oldest, each line once, and filters narrow them", async () => {
  const tenant = await newTenant(server, "Pages");
  for (let i = 0; i < 5; i++) await tenant.admin.createApiKey({ name: `k${i}`, scopes: ["cohort:read"] });
  const all = await linesOf(tenant);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await tenant.admin.listEmployerAudit({ limit: 2, ...(cursor ? { cursor } : {}) });
    seen.push(...page.lines.map((line) => line.id));
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  assert.deepEqual(seen, all.map((line) => line.id));
  assert.deepEqual([...seen].sort().reverse(), seen);

  assert.equal((await linesOf(tenant, { action: "api_key.*" })).length, 5);
  assert.equal((await linesOf(tenant, { action: "api_key" })).length, 0);
  const one = all.find((line) => line.action === "api_key.created")!;
  // By id alone: on PostgreSQL the line may have got its number in between.
  assert.deepEqual((await linesOf(tenant, { requestId: one.requestId })).map((line) => line.id), [one.id]);
  assert.ok((await linesOf(tenant, { from: one.at })).every((line) => line.at >= one.at));
  assert.ok((await linesOf(tenant, { to: one.at })).every((line) => line.at < one.at));
  await refused(tenant.admin.listEmployerAudit({ action: "drop table" }), "INVALID_REQUEST");
  await refused(tenant.admin.listEmployerAudit({ cursor: "k.nonsense.12345678" }), "INVALID_CURSOR");
});

test("an employer sees its own lines only, and only its admins see any", async () => {
  const [one, other] = [await newTenant(server, "One"), await newTenant(server, "Other")];
  await other.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  assert.ok((await linesOf(one)).every((line) => line.employerId === one.employerId));
  await refused(one.member.listEmployerAudit(), "INSUFFICIENT_ROLE");
  await refused(one.admin.listAudit(), "INSUFFICIENT_ROLE");
  await refused(one.admin.verifyAudit(), "INSUFFICIENT_ROLE");
  await refused(one.admin.archiveAudit(), "INSUFFICIENT_ROLE");
  const root = await server.admin();
  const of = await root.listAudit({ employerId: other.employerId, limit: 1000 });
  assert.ok(of.lines.length > 0 && of.lines.every((line) => line.employerId === other.employerId));
  assert.ok((await root.listAudit({ action: "audit.opened" })).lines.length === 1);
  assert.ok((await root.listAudit({ action: "user.created", limit: 1000 })).lines.some((line) => line.actor.kind === "server"));
});

test("a change names the members that differ, and no others", async () => {
  const tenant = await newTenant(server, "Changes");
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read", "export:read"] });
  await tenant.admin.updateApiKey(key.id, { name: "k", allowedIpCidrs: ["203.0.113.0/24"], expiresAt: "2090-01-01T00:00:00Z", rateLimit: null });
  await tenant.admin.updateApiKey(key.id, { scopes: ["cohort:read"], allowedIpCidrs: ["203.0.113.0/25"] });
  const changed = (await linesOf(tenant, { action: "api_key.updated" })).map((line) => line.detail?.["changed"]);
  assert.deepEqual(changed.sort(), ["allowedIpCidrs expiresAt rateLimit", "scopes allowedIpCidrs"]);
  assert.deepEqual(await linesOf(tenant, { action: "api_key.scopes_widened" }), []);
});

test("addresses that belong to somebody else are counted in the audit, whether or not rows were written", async () => {
  const [tenant, other] = [await newTenant(server, "Foreign"), await newTenant(server, "Theirs")];
  const theirs = somebody();
  await other.admin.uploadCohort([theirs]);
  await refused(tenant.admin.uploadCohort([theirs, somebody()]), "COHORT_INVALID");
  assert.deepEqual((await only(tenant, "cohort.refused")).detail, { received: 2, created: 0, updated: 0, unchanged: 0, foreign: 1 });
  assert.deepEqual(await linesOf(tenant, { action: "cohort.uploaded" }), []);
  await tenant.admin.uploadCohort([theirs, somebody()], { partial: true });
  assert.deepEqual((await only(tenant, "cohort.uploaded")).detail, { received: 2, created: 1, updated: 0, unchanged: 0, foreign: 1 });
});

test("the command line shows the newest, and as many as it is told", async () => {
  const of = ["--employer", (await newTenant(server, "Listed")).employerId];
  assert.equal((await server.cliJson(["audit", "list", "--limit", "2", ...of])).lines.length, 2);
  const all = await server.cliJson(["audit", "list", "--all", ...of]);
  assert.equal(all.lines.length, 5);
  assert.equal(all.nextCursor, null);
  const shown = await server.cli(["audit", "list", "--limit", "1", ...of]);
  assert.match(shown.stdout, /AT +ACTION +ACTOR/);
  assert.match(shown.stdout, /There are older lines: --limit 1000, --all/);
  assert.match((await server.cli(["audit", "list", "--actor", "nobody", ...of])).stdout, /no such lines/);
  assert.equal((await server.cli(["audit", "list", "--all", "--limit", "3"])).code, 2);
  const verified = await server.cli(["audit", "verify"]);
  assert.equal(verified.code, 0, verified.stdout);
});

test("rekeying is a line, and what the former keys made stays verified", async () => {
  const root = await server.admin();
  for (let i = 0; i < 3; i++) await root.rotateInstanceKey();
  assert.equal((await root.listAudit({ action: "instance.rekeyed" })).lines.length, 3);
  const report = await root.verifyAudit();
  assert.deepEqual(report.findings, []);
  assert.equal(report.verified, true);
});

// ---- refusals ----

test("refusals are written once at first, and then counted", async () => {
  const tenant = await newTenant(server, "Denied");
  const clerk = await tenant.member.me();
  for (let i = 0; i < 30; i++) await refused(tenant.member.createApiKey({ name: "k", scopes: ["cohort:read"] }), "INSUFFICIENT_ROLE");
  const [line] = await eventually(async () => {
    const lines = await linesOf(tenant, { action: "authorization.denied" });
    return lines.length > 0 && lines;
  }, 10_000, "a line about the refusals");
  assert.equal(line!.actor.id, clerk.id);
  assert.equal(line!.detail?.["code"], "INSUFFICIENT_ROLE");
  assert.equal(line!.detail?.["route"], "/api/employer/api-keys");

  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  await tenant.admin.revokeApiKey(key.id);
  for (let i = 0; i < 30; i++) await server.withKey(key);
  const used = await eventually(async () => {
    const lines = await linesOf(tenant, { action: "api_key.used_after_revocation" });
    return lines.length > 0 && lines;
  }, 10_000, "a line about the revoked key");
  assert.equal(used[0]!.target?.id, key.id);

  for (let i = 0; i < 3; i++) await refused(server.client().login(tenant.adminEmail, "not the password"), "LOGIN_FAILED");
  const failed = await eventually(async () => {
    const lines = await linesOf(tenant, { action: "session.failed" });
    return lines.length > 0 && lines;
  }, 10_000, "a line about the failed sign-in");
  assert.equal(failed[0]!.actor.kind, "nobody");
  assert.ok(!JSON.stringify(failed).includes(tenant.adminEmail));
});

// ---- tampering: by SQL, past the server, on a store nobody has open ----

/** A few lines of every kind that the tampering needs, in a store without a server. */
async function prepare(settings: Record<string, string> = {}): Promise<Instance> {
  const instance = new Instance(settings);
  await instance.cliJson(["employers", "create", "--name", "Acme"]);
  for (let i = 0; i < 6; i++) await instance.cliJson(["keys", "create", "--name", `k${i}`, "--scope", "cohort:read"]);
  return instance;
}

let template: Promise<Instance> | undefined;
after(async () => (await template)?.remove());

/** One such store for each test; only the first is made. */
async function prepared(): Promise<Instance> {
  template ??= prepare();
  return (await template).copy();
}

/** Whoever writes past the server may well be the owner of the tables. */
function sql(instance: Instance, statements: string): string {
  if (onPostgres)
    return execFileSync("psql", ["-qAtX", "-v", "ON_ERROR_STOP=1", instance.database, "-c", statements], { encoding: "utf8", stdio: "pipe" }).trim();
  return execFileSync("sqlite3", ["-batch", instance.database.slice("sqlite:".length), statements], { encoding: "utf8", stdio: "pipe" }).trim();
}

const triggers = {
  sqlite: ["audit_insert", "audit_update", "audit_delete", "audit_seal_insert", "audit_seal_update", "audit_seal_delete",
    "audit_head_insert", "audit_head_update", "audit_head_delete", "audit_archive_insert", "audit_archive_update",
    "audit_archive_delete", "audit_key_delete"].map((name) => `DROP TRIGGER ${name};`).join("\n"),
  postgres: ["audit", "audit_seal", "audit_head", "audit_archive", "audit_key"].map((name) => `ALTER TABLE ${name} DISABLE TRIGGER ALL;`).join("\n"),
};
const disarm = (instance: Instance): string => sql(instance, onPostgres ? triggers.postgres : triggers.sqlite);

const OTHER_MAC = "0123456789abcdef".repeat(4);
const LINE = "(SELECT line_id FROM audit_seal WHERE number = 4)";

interface Tampering {
  what: string;
  statements: string;
  says: RegExp;
}

const tamperings: Tampering[] = [
  { what: "a member changed", statements: `UPDATE audit SET actor_id = 'user_innocent' WHERE id = ${LINE}`, says: /was changed after it was written/ },
  { what: "the time changed", statements: `UPDATE audit SET at_ms = at_ms + 1 WHERE id = ${LINE}`, says: /was changed after it was written/ },
  { what: "the detail emptied", statements: `UPDATE audit SET detail = NULL WHERE id = ${LINE}`, says: /was changed after it was written/ },
  { what: "a line deleted in the middle", statements: `DELETE FROM audit WHERE id = ${LINE}`, says: /line of seal 4 was taken out/ },
  { what: "a seal deleted", statements: "DELETE FROM audit_seal WHERE number = 4", says: /seal 4 is missing[^]*lost its seal/ },
  { what: "a line and its seal deleted", statements: `DELETE FROM audit WHERE id = ${LINE}; DELETE FROM audit_seal WHERE number = 4`, says: /seal 4 is missing/ },
  {
    what: "a line and its seal deleted, the numbers closed up",
    statements: `DELETE FROM audit WHERE id = ${LINE}; DELETE FROM audit_seal WHERE number = 4;
      UPDATE audit_seal SET number = number - 1 + 1000 WHERE number > 4; UPDATE audit_seal SET number = number - 1000 WHERE number > 1000;
      UPDATE audit_head SET number = number - 1`,
    says: /seal 4 does not fit[^]*head was changed/,
  },
  {
    what: "the tail cut off",
    statements: "DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number > 5); DELETE FROM audit_seal WHERE number > 5",
    says: /cut off: it ends before the head/,
  },
  {
    what: "the tail cut off, the head moved back",
    statements: `DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number > 5); DELETE FROM audit_seal WHERE number > 5;
      UPDATE audit_head SET number = 5, link = (SELECT link FROM audit_seal WHERE number = 5)`,
    says: /head was changed by somebody else/,
  },
  {
    what: "the beginning cut off",
    statements: "DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number < 4); DELETE FROM audit_seal WHERE number < 4",
    says: /seals 1 to 3 are missing/,
  },
  {
    what: "the beginning cut off behind a made-up archive",
    statements: `INSERT INTO audit_archive (through, first, previous_link, link, file, sha256, archived_at_ms, key_id, mac)
        SELECT 3, 1, '', link, 'audit.gz', '${OTHER_MAC}', 1, key_id, '${OTHER_MAC}' FROM audit_seal WHERE number = 3;
      DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number < 4); DELETE FROM audit_seal WHERE number < 4`,
    says: /record of the archive through 3 was changed or put in/,
  },
  {
    what: "two lines swapped",
    statements: `UPDATE audit_seal SET line_id = line_id || '+' WHERE number IN (3, 4);
      UPDATE audit_seal SET line_id = (SELECT substr(line_id, 1, length(line_id) - 1) FROM audit_seal WHERE number = 4) WHERE number = 3;
      UPDATE audit_seal SET line_id = (SELECT id FROM audit WHERE action LIKE 'api_key.%' AND id NOT IN (SELECT line_id FROM audit_seal)) WHERE number = 4`,
    says: /seal 3 does not fit[^]*seal 4 does not fit/,
  },
  {
    what: "the contents of two lines swapped",
    statements: `UPDATE audit SET target_id = (SELECT target_id FROM audit WHERE id = (SELECT line_id FROM audit_seal WHERE number = 5)) WHERE id = ${LINE}`,
    says: /was changed after it was written/,
  },
  {
    what: "a line put in",
    statements: `INSERT INTO audit SELECT 'aud_zzzzzzzzzzzzzzzzzzzzzzzz', at_ms, 'user.created', actor_kind, actor_id, role, actor_employer_id, employer_id,
      target_kind, target_id, address, user_agent, request_id, detail, key_id, '${OTHER_MAC}' FROM audit WHERE id = ${LINE}`,
    says: /no seal: it was put in by somebody else/,
  },
  {
    what: "a line put in and marked for the sealer",
    statements: `INSERT INTO audit SELECT 'aud_zzzzzzzzzzzzzzzzzzzzzzzz', at_ms, action, actor_kind, actor_id, role, actor_employer_id, employer_id,
      target_kind, target_id, address, user_agent, request_id, detail, key_id, mac FROM audit WHERE id = ${LINE};
      INSERT INTO audit_pending VALUES ('aud_zzzzzzzzzzzzzzzzzzzzzzzz')`,
    says: /no seal: it was put in by somebody else/,
  },
  {
    what: "a line copied, with a seal at the end",
    statements: `INSERT INTO audit SELECT 'aud_zzzzzzzzzzzzzzzzzzzzzzzz', at_ms, action, actor_kind, actor_id, role, actor_employer_id, employer_id,
      target_kind, target_id, address, user_agent, request_id, detail, key_id, mac FROM audit WHERE id = ${LINE};
      INSERT INTO audit_seal SELECT (SELECT max(number) + 1 FROM audit_seal), 'aud_zzzzzzzzzzzzzzzzzzzzzzzz', link, key_id FROM audit_seal WHERE number = 4`,
    says: /was changed after it was written[^]*seals after the head/,
  },
  { what: "a number changed", statements: "UPDATE audit_seal SET number = 100 WHERE number = 4", says: /seal 4 is missing/ },
  { what: "a link changed", statements: `UPDATE audit_seal SET link = '${OTHER_MAC}' WHERE number = 4`, says: /seal 4 does not fit/ },
  {
    what: "a line authenticated with another key",
    statements: `UPDATE audit SET actor_id = 'user_innocent', key_id = 'ak_0123456789abcdef', mac = '${OTHER_MAC}' WHERE id = ${LINE}`,
    says: /names a key that this instance does not have/,
  },
  { what: "a seal made with another key", statements: `UPDATE audit_seal SET link = '${OTHER_MAC}', key_id = 'ak_0123456789abcdef' WHERE number = 4`, says: /seal 4 names a key/ },
  { what: "the head deleted", statements: "DELETE FROM audit_head", says: /head was taken away/ },
  { what: "the head as it was before the first line", statements: "UPDATE audit_head SET number = 0, link = '', key_id = '', mac = ''", says: /head was changed/ },
  {
    what: "everything deleted",
    statements: "DELETE FROM audit; DELETE FROM audit_seal; DELETE FROM audit_head; DELETE FROM audit_archive; DELETE FROM audit_pending",
    says: /head was taken away/,
  },
  {
    what: "everything deleted but the head",
    statements: "DELETE FROM audit; DELETE FROM audit_seal; DELETE FROM audit_pending",
    says: /cut off: it ends before the head/,
  },
];

test("a store that nobody has touched is sound", async () => {
  const instance = await prepared();
  try {
    const verified = await instance.cli(["audit", "verify"]);
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(verified.stdout, /The audit is sound/);
    const report = await instance.cliJson(["audit", "verify"]);
    assertIs("AuditReport", report);
    assert.deepEqual([report.verified, report.lines, report.sealed, report.waiting], [true, 8, 8, 0]);
  } finally {
    instance.remove();
  }
});

for (const { what, statements, says } of tamperings)
  test(`verification tells: ${what}`, async () => {
    const instance = await prepared();
    try {
      assert.throws(() => sql(instance, "UPDATE audit SET actor_id = 'x'"), /never changed/);
      disarm(instance);
      sql(instance, statements);
      const verified = await instance.cli(["audit", "verify"]);
      assert.equal(verified.code, 1, verified.stdout);
      assert.match(verified.stdout, /The audit is NOT sound/);
      assert.match(verified.stdout, says);
      assert.match(verified.stdout, /What to do: /);
      const json = await instance.cli(["audit", "verify", "--json"]);
      assert.equal(json.code, 1);
      assertIs("AuditReport", json.json());
    } finally {
      instance.remove();
    }
  });

test("what was tampered with stays told, however much is written afterwards", async () => {
  const instance = await prepared();
  try {
    disarm(instance);
    sql(instance, `DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number > 5); DELETE FROM audit_seal WHERE number > 5;
      UPDATE audit_head SET number = 5, link = (SELECT link FROM audit_seal WHERE number = 5)`);
    for (let i = 0; i < 3; i++) await instance.cliJson(["keys", "create", "--name", `k${i}`, "--scope", "cohort:read"]);
    const verified = await instance.cli(["audit", "verify"]);
    assert.equal(verified.code, 1, verified.stdout);
    assert.match(verified.stdout, /the server noticed: the head was changed by somebody else/);
  } finally {
    instance.remove();
  }
});

test("an older copy of the whole store shows against a head that the log named", async () => {
  const instance = await prepared();
  try {
    const { head } = await instance.cliJson(["audit", "verify"]);
    assert.equal((await instance.cli(["audit", "verify", "--head", head])).code, 0);
    // The head goes back with everything else, so the chain in itself is sound.
    const kept = sql(instance, "SELECT number || ',' || link || ',' || key_id || ',' || mac FROM audit_head").split(",");
    await instance.cliJson(["keys", "create", "--name", "late", "--scope", "cohort:read"]);
    const later = (await instance.cliJson(["audit", "verify"])).head;
    disarm(instance);
    sql(instance, `DELETE FROM audit WHERE id IN (SELECT line_id FROM audit_seal WHERE number > ${kept[0]}); DELETE FROM audit_seal WHERE number > ${kept[0]};
      UPDATE audit_head SET number = ${kept[0]}, link = '${kept[1]}', key_id = '${kept[2]}', mac = '${kept[3]}'`);
    assert.equal((await instance.cli(["audit", "verify"])).code, 0);
    assert.equal((await instance.cli(["audit", "verify", "--head", head])).code, 0);
    const found = await instance.cli(["audit", "verify", "--head", later]);
    assert.equal(found.code, 1, found.stdout);
    assert.match(found.stdout, /head 9 that was given is not in the chain, which ends at 8/);
    assert.equal((await instance.cli(["audit", "verify", "--head", "nonsense"])).code, 1);
  } finally {
    instance.remove();
  }
});

test("a key of the audit that was changed stops the start, with the reason", async () => {
  const instance = await prepared();
  try {
    sql(instance, "UPDATE audit_key SET wrapped = substr(wrapped, 1, length(wrapped) - 2) || CASE WHEN substr(wrapped, length(wrapped) - 1) = '00' THEN '11' ELSE '00' END");
    const verified = await instance.cli(["audit", "verify"]);
    assert.equal(verified.code, 1);
    assert.match(verified.stderr, /the audit's key ak_[0-9a-f]{16} does not open with the instance key/);
  } finally {
    instance.remove();
  }
});

test("nothing can be changed past the triggers, not by REPLACE either", async () => {
  const instance = await prepared();
  try {
    const refusals = [
      "UPDATE audit SET action = 'x'", "DELETE FROM audit", "UPDATE audit_seal SET link = ''", "DELETE FROM audit_seal",
      "DELETE FROM audit_head", "UPDATE audit_head SET number = number - 1", "DELETE FROM audit_key",
      ...(onPostgres
        ? ["TRUNCATE audit", "TRUNCATE audit_seal", "TRUNCATE audit_head", "TRUNCATE audit_archive", "TRUNCATE audit_key"]
        : ["INSERT OR REPLACE INTO audit SELECT * FROM audit", "INSERT OR REPLACE INTO audit_seal SELECT * FROM audit_seal",
           "INSERT OR REPLACE INTO audit_head SELECT * FROM audit_head"]),
    ];
    for (const statement of refusals) assert.throws(() => sql(instance, statement), /audit/, statement);
    assert.equal((await instance.cli(["audit", "verify"])).code, 0);
  } finally {
    instance.remove();
  }
});

// ---- archives ----

async function archived(): Promise<{ instance: Instance; folder: string; file: string }> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-archive-"));
  const instance = await prepare({ audit_retention: "1ms", audit_archive_folder: folder });
  const answer = await instance.cliJson(["audit", "archive"]);
  assertIs("AuditArchived", answer);
  assert.equal(answer.archives.length, 1);
  return { instance, folder, file: answer.archives[0].file };
}

test("old lines go into a signed file, and the chain goes on from there", async () => {
  const { instance, folder, file } = await archived();
  try {
    assert.deepEqual(readdirSync(folder), [file]);
    const lines = gunzipSync(readFileSync(join(folder, file))).toString().trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.slice(1, -1).map((line) => line.number), [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(lines[1].action, "audit.opened");
    const report = await instance.cliJson(["audit", "verify", "--file", file]);
    assert.deepEqual([report.verified, report.archived, report.lines], [true, 7, 2]);
    assert.equal((await instance.cliJson(["audit", "list", "--action", "audit.archived"])).lines[0].detail.file, file);

    await instance.cliJson(["keys", "create", "--name", "more", "--scope", "cohort:read"]);
    const second = await instance.cliJson(["audit", "archive"]);
    assert.equal(second.archives[0].first, 8);
    assert.equal((await instance.cli(["audit", "verify", "--file", join(folder, second.archives[0].file)])).code, 0);
    assert.equal((await instance.cli(["audit", "verify", "--file", "another"])).code, 1);
  } finally {
    instance.remove();
    rmSync(folder, { recursive: true });
  }
});

test("an archive that was altered, cut, emptied or taken away is told", async () => {
  const { instance, folder, file } = await archived();
  const path = join(folder, file);
  const whole = gunzipSync(readFileSync(path)).toString().split("\n");
  const found = async (says: RegExp): Promise<void> => {
    const verified = await instance.cli(["audit", "verify", "--file", file]);
    assert.equal(verified.code, 1, verified.stdout);
    assert.match(verified.stdout, says);
  };
  const put = (lines: string[]): void => writeFileSync(path, gzipSync(lines.join("\n")));
  const keep = `${path}.kept`;
  try {
    copyFileSync(path, keep);
    put(whole.map((line) => line.replace("k3", "k9")));
    await found(/a line was changed after it was written/);
    put(whole.filter((_, i) => i !== 4));
    await found(/its lines are not in order, or some are missing/);
    put(whole.slice(0, -2));
    await found(/it is cut off/);
    put(whole.map((line, i) => (i === 0 ? line.replace('"first":1', '"first":2') : line)));
    await found(/its header is not the one/);
    put([...whole.slice(0, 4), "not json", ...whole.slice(4)]);
    await found(/a line cannot be read/);
    put(whole);
    await found(/its bytes are not those that were written/);
    writeFileSync(path, "");
    await found(/cannot be read|cut off/);
    rmSync(path);
    await found(/is not in audit_archive_folder/);
    copyFileSync(keep, path);
    assert.equal((await instance.cli(["audit", "verify", "--file", file])).code, 0);
  } finally {
    instance.remove();
    rmSync(folder, { recursive: true });
  }
});

test("lines that are not sound are not archived, and nothing is deleted", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-archive-"));
  const instance = await prepare({ audit_retention: "1ms", audit_archive_folder: folder });
  try {
    disarm(instance);
    sql(instance, `UPDATE audit SET actor_id = 'x' WHERE id = ${LINE}`);
    const refusedArchive = await instance.cli(["audit", "archive"]);
    assert.equal(refusedArchive.code, 1);
    assert.match(refusedArchive.stderr, /line 4 of the audit is not sound/);
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(sql(instance, "SELECT count(*) FROM audit"), "8");
  } finally {
    instance.remove();
    rmSync(folder, { recursive: true });
  }
});

test("a server archives too, reads on, and says nothing was old enough where nothing is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-archive-"));
  const own = await startServer({ audit_retention: "1ms", audit_archive_folder: folder });
  try {
    const root = await own.admin();
    await root.createEmployer({ name: "One" });
    await root.archiveAudit();
    assert.ok(readdirSync(folder).length >= 1);
    assert.equal((await root.verifyAudit()).verified, true);
    const [file] = readdirSync(folder);
    assert.equal((await root.verifyAudit({ archive: file! })).verified, true);
    await refused(root.verifyAudit({ archive: "../instance.key" as string }), "INVALID_REQUEST");
  } finally {
    await own.stop();
    rmSync(folder, { recursive: true });
  }
  assert.deepEqual(await (await server.admin()).archiveAudit(), { archives: [], lines: 0 });
});

test("the head goes into the log", async () => {
  const own = await startServer();
  await (await own.admin()).createEmployer({ name: "Logged" });
  await own.halt();
  const heads = [...own.log.matchAll(/"audit\.sealed".*?"head":"(\d+:[0-9a-f]{64})"/g)].map((match) => match[1]!);
  assert.ok(heads.length > 0, own.log);
  const verified = await own.instance.cli(["audit", "verify", "--head", heads.at(-1)!]);
  assert.equal(verified.code, 0, verified.stdout);
  own.instance.remove();
});
