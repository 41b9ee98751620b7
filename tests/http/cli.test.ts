/** The command line, with a server running and without. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { errors } from "@sallyport/sdk";

import { assertIs } from "./harness/contract.js";
import { Instance, startServer, type Server } from "./harness/server.js";
import { inventedKey, newTenant, refused } from "./harness/util.js";

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const works = (rawKey: string): Promise<unknown> => server.client({ apiKey: rawKey }).listCohort();

test("a key's whole life by command, each change in force when the command returns", async () => {
  const tenant = await newTenant(server);
  const of = ["--employer", tenant.employerId];
  const key = await server.cliJson(["keys", "create", "--name", "by hand", "--scope", "cohort:read", "--scope", "export:read", ...of]);
  assertIs("IssuedApiKey", key);
  assert.deepEqual(key.scopes, ["cohort:read", "export:read"]);
  assert.equal(key.createdBy, "operator");
  await works(key.rawKey);

  const list = await server.cliJson(["keys", "list", ...of]);
  assert.deepEqual(list.keys.map((k: { id: string }) => k.id), [key.id]);
  for (const each of list.keys) assertIs("ApiKey", each);
  assert.ok(!JSON.stringify(list).includes(key.rawKey));

  const rotated = await server.cliJson(["keys", "rotate", key.id, "--overlap", "0", ...of]);
  assertIs("IssuedApiKey", rotated);
  await refused(works(key.rawKey), "API_KEY_REVOKED");
  await works(rotated.rawKey);

  const revoked = await server.cli(["keys", "revoke", key.id, ...of]);
  assert.equal(revoked.code, 0, revoked.stderr);
  await refused(works(rotated.rawKey), "API_KEY_REVOKED");
});

test("rules of a key are given as flags", async () => {
  const tenant = await newTenant(server);
  const key = await server.cliJson([
    "keys", "create", "--name", "k", "--scope", "cohort:read", "--cidr", "203.0.113.0/24", "--cidr", "2001:db8::/32",
    "--not-before", "2020-01-01T00:00:00Z", "--expires", "2090-01-01T00:00:00Z", "--employer", tenant.employerId,
  ]);
  assert.deepEqual(key.allowedIpCidrs, ["203.0.113.0/24", "2001:db8::/32"]);
  assert.equal(key.notBefore, "2020-01-01T00:00:00.000Z");
  assert.equal(key.expiresAt, "2090-01-01T00:00:00.000Z");
  await refused(works(key.rawKey), "API_KEY_IP_NOT_ALLOWED");
});

test("APIs, their scopes, plans and keys by command", async () => {
  const tenant = await newTenant(server);
  const shown = async (...args: string[]): Promise<string> => {
    const run = await server.cli(args);
    assert.equal(run.code, 0, `${args.join(" ")}: ${run.stderr}`);
    return run.stdout;
  };
  const refusedSaying = async (word: RegExp, ...args: string[]): Promise<void> => {
    const run = await server.cli(args);
    assert.notEqual(run.code, 0, args.join(" "));
    assert.match(run.stderr, word);
  };
  const audience = "https://by-hand.example/v1";
  const { api } = await server.cliJson(["apis", "create", "--name", "By hand", "--audience", audience, "--prefix", "bh", "--header", "x-by-hand"]);
  assert.match(await shown("apis", "list"), new RegExp(`${api.id} +By hand +${audience} +bh +x-by-hand +0\n`));
  assert.match(await shown("scopes", "create", api.id, "--key", "read:it", "--description", "Read it"), /^Added the scope "read:it"\.\n {2}id {2}api_scope_/);
  const { scope } = await server.cliJson(["scopes", "create", api.id, "--key", "write:it"]);
  assert.match(await shown("scopes", "list", api.id), /read:it +Read it\n/);
  await refusedSaying(/name the API by its id here/, "scopes", "list", audience);

  const { plan } = await server.cliJson(["plans", "create", "--name", "By hand", "--api", `${audience}=read:it`, "--keys", "2", "--rate", "7/1h"]);
  assert.match(await shown("plans", "list"), new RegExp(`${plan.id} +By hand +2 +7/3600s +${api.id}: read:it\n`));
  assert.match(await shown("employers", "set-plan", tenant.employerId, "--plan", plan.id), new RegExp(`plan {2}${plan.id}\n`));
  const create = ["keys", "create", "--name", "k", "--api", audience, "--employer", tenant.employerId];
  await refusedSaying(/The plan 'By hand' does not have: write:it\./, ...create, "--scope", "write:it");
  await refusedSaying(/--employer or --user/, "keys", "create", "--name", "k", "--api", audience, "--scope", "read:it");
  const made = await server.cliJson([...create, "--scope", "read:it", "--country", "DE,AT", "--expires", "90d"]);
  assert.match(made.api_key.key, /^bh_live_/);
  const listed = await server.cliJson(["keys", "list", "--api", api.id]);
  assert.deepEqual(listed.api_keys.map((key: { id: string }) => key.id), [made.api_key.id]);
  assert.match(await shown("keys", "list", "--api", audience), /active +bh_liv…/);
  const rotated = await server.cliJson(["keys", "rotate", made.api_key.id]);
  assert.notEqual(rotated.api_key.key, made.api_key.key);

  await refusedSaying(/1 live key uses it\./, "apis", "delete", api.id);
  await refusedSaying(/PLAN_IN_USE/, "plans", "delete", plan.id);
  await shown("keys", "revoke", made.api_key.id);
  assert.match(await shown("scopes", "delete", scope.id, "--api", api.id), /^Deleted the scope/);
  assert.match(await shown("apis", "change", api.id, "--name", "Renamed"), /^Changed the API/);
  assert.match(await shown("employers", "set-plan", tenant.employerId, "--plan", "none"), /plan {2}none/);
  await shown("plans", "delete", plan.id);
  await shown("apis", "delete", api.id);
  assert.ok(!(await shown("apis", "list")).includes(api.id));
});

test("employers and users by command", async () => {
  const employer = await server.cliJson(["employers", "create", "--name", "Hollow Oak Bakery"]);
  assertIs("Employer", employer);
  const employers = await server.cliJson(["employers", "list"]);
  assert.ok(employers.employers.some((e: { id: string }) => e.id === employer.id));

  const user = await server.cliJson(
    ["users", "create", "--email", "baker@users.test", "--role", "EMPLOYER_ADMIN", "--employer", employer.id, "--password-stdin"],
    "a password from stdin\n",
  );
  assertIs("User", user);
  const client = await server.signedIn("baker@users.test", "a password from stdin");
  const key = await client.createApiKey({ name: "k", scopes: ["cohort:read"] });

  const users = await server.cliJson(["users", "list", "--employer", employer.id]);
  assert.deepEqual(users.users.map((u: { email: string }) => u.email), ["baker@users.test"]);
  const gone = await server.cliJson(["users", "deactivate", user.id]);
  assert.equal(gone.status, "inactive");
  await refused(client.me(), "SESSION_INVALID");
  await refused(works(key.rawKey), "API_KEY_REVOKED");
});

test("a password that was made up is shown this once, and signs in", async () => {
  const tenant = await newTenant(server);
  const args = ["users", "create", "--email", "made-up@users.test", "--role", "MEMBER", "--employer", tenant.employerId];
  const { password, ...user } = await server.cliJson(args);
  assertIs("User", user);
  assert.equal((await (await server.signedIn("made-up@users.test", password)).me()).id, user.id);
});

test("keys are imported from a file, all or none", async () => {
  const tenant = await newTenant(server);
  const path = join(server.instance.folder, "keys.json");
  const keys = Array.from({ length: 3 }, (_, i) => ({ name: `old ${i}`, scopes: ["cohort:read"], key: inventedKey() }));
  writeFileSync(path, JSON.stringify({ keys }));
  const answer = await server.cliJson(["keys", "import", path, "--employer", tenant.employerId]);
  assertIs("ApiKeyImported", answer);
  assert.equal(answer.imported, 3);
  for (const { key } of keys) await works(key);

  const again = await server.cli(["keys", "import", path, "--employer", tenant.employerId, "--json"]);
  assert.equal(again.code, 1);
  assert.equal(again.json().code, "INVALID_REQUEST");
  assert.match(again.json().errors[0].member, /^keys\[0\]/);
});

test("a refusal is the problem with --json, and readable text without; the exit code is 1", async () => {
  const args = ["keys", "revoke", "key_nowhere", "--employer", (await newTenant(server)).employerId];
  const asJson = await server.cli([...args, "--json"]);
  assert.equal(asJson.code, 1);
  assertIs("Problem", asJson.json());
  assert.equal(asJson.json().code, "API_KEY_NOT_FOUND");
  const asText = await server.cli(args);
  assert.equal(asText.code, 1);
  assert.match(asText.stderr + asText.stdout, /There is no such API key/);
  assert.ok(!asText.stdout.includes("{"));
  const unknown = await server.cli(["keys", "list", "--employer", "emp_nowhere", "--json"]);
  assert.equal(unknown.json().code, "EMPLOYER_NOT_FOUND");
});

test("wrong usage is 2, with a word about what is right", async () => {
  for (const [args, said] of [
    [["keys", "creat"], /create/],
    [["kyes", "create"], /keys/],
    [["keys", "create", "--scope", "cohort:read"], /--name/],
    [["keys", "create", "--name", "k", "--scpoe", "cohort:read"], /--scope/],
    [["keys", "revoke"], /ID/],
    [["keys", "create", "--name", "k", "--scope", "cohort:read", "--expires", "tomorrow"], /2030-01-31/],
    [["serve", "--liston", "x"], /--listen/],
  ] as [string[], RegExp][]) {
    const result = await server.cli(args);
    assert.equal(result.code, 2, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
    assert.match(result.stderr, said, args.join(" "));
    assert.equal(result.stdout, "");
  }
});

test("explain says what the table says, for every code", async () => {
  for (const [code, error] of Object.entries(errors)) {
    const result = await server.cli(["explain", code]);
    assert.equal(result.code, 0, result.stderr);
    for (const text of [code, error.message, error.cause, error.fix]) assert.ok(result.stdout.includes(text), `${code}: ${text}`);
  }
  assert.equal((await server.cli(["explain", "api_key_expired"])).code, 0);
  const misspelt = await server.cli(["explain", "API_KEY_EXPIERD"]);
  assert.notEqual(misspelt.code, 0);
  assert.match(misspelt.stderr, /API_KEY_EXPIRED/);
});

test("explain knows every message that callers read, and the body of a refusal; and does not guess", async () => {
  const symptomsOf = async (text: string): Promise<string[]> =>
    (await server.cliJson(["explain", text])).symptoms.map((each: { symptom: string }) => each.symptom);
  // Section by section as the contract's error catalogue has them.
  const catalogue: [string, string[]][] = [
    ["Invalid API key", ["Invalid API key", "Authentication failed"]],
    ["Token expired", ["Token expired", "Invalid token"]],
    ["Malformed request", ["Malformed request", "Invalid request format"]],
    ["Insufficient scope", ["Insufficient scope", "Access denied", "Scope missing"]],
    ["Organization access denied", ["Organization access denied", "Invalid organization", "organization mismatch"]],
    ["Rate limit exceeded", ["Rate limit exceeded", "Too many requests"]],
    ["Invalid scope", ["Invalid scope", "Scope not found"]],
    ["Missing credentials", ["Authentication failed", "The request carries no credential."]],
    ["Address or country not allowed", ["Access denied", "Calls from this country are not allowed."]],
    ["Missing properties", ["Missing properties"]],
  ];
  for (const [symptom, messages] of catalogue)
    for (const message of messages) assert.ok((await symptomsOf(message)).includes(symptom), message);
  for (const { message } of Object.values(errors)) assert.ok((await symptomsOf(message)).length >= 1, message);
  assert.deepEqual(await symptomsOf(" 429 rate limit EXCEEDED. "), ["Rate limit exceeded"]);

  const tenant = await newTenant(server);
  const refusal = await server.call({ target: "/api/v1/apis", fields: { authorization: `Bearer ${inventedKey("mk_live_")}` } });
  assert.equal((await server.cliJson(["explain", refusal.body])).code, "INVALID_API_KEY");
  const problem = await server.call({ target: "/api/employer/cohort", fields: { cookie: `sallyport_session=${tenant.member.sessionCookie}x` } });
  assert.equal((await server.cliJson(["explain", problem.body])).code, "SESSION_INVALID");
  assert.deepEqual(await symptomsOf('{"error":"API key is not active","code":"KEY_INACTIVE"}'), ["Invalid API key", "A change is refused"]);

  for (const unknown of ["the cat sat on the mat", "Invalid API key and more", "", "{", "{}", '{"code":7}', "[]"]) {
    const result = await server.cli(["explain", unknown]);
    assert.notEqual(result.code, 0, unknown);
    assert.equal(result.stdout, "");
  }
});

test("version and config", async () => {
  assert.match((await server.cli(["version"])).stdout, /\d+\.\d+\.\d+/);
  const config = await server.cli(["config"]);
  assert.equal(config.code, 0);
  for (const name of ["listen", "database_url", "api_key_limit", "trusted_proxies"]) assert.ok(config.stdout.includes(name), name);
  const secret = new Instance({ admin_password: "a secret of twelve" });
  try {
    const shown = await secret.cli(["config"]);
    assert.ok(!shown.stdout.includes("a secret of twelve"));
    assert.equal((await secret.cli(["config", "--json"])).code, 0);
  } finally {
    secret.remove();
  }
});

test("a setting that is wrong is refused by its name, and the server does not start", async () => {
  for (const [settings, said] of [
    [{ listen: "nowhere" }, /listen/],
    [{ workers: "many" }, /workers/],
    [{ api_key_limit: 0 }, /api_key_limit/],
    [{ trusted_proxies: "10.0.0.1/8" }, /trusted_proxies/],
    [{ session_lifetime: "12" }, /session_lifetime/],
    [{ public_url: "ftp://x" }, /public_url/],
    [{ log_level: "loud" }, /log_level/],
    [{ no_such_setting: "x" }, /NO_SUCH_SETTING|no_such_setting/],
  ] as [Record<string, string | number>, RegExp][]) {
    const instance = new Instance(settings);
    try {
      const result = await instance.cli(["serve"]);
      assert.notEqual(result.code, 0, JSON.stringify(settings));
      assert.match(result.stderr, said, JSON.stringify(settings));
    } finally {
      instance.remove();
    }
  }
});

test("without a server the commands work on the store, and the server finds what they wrote", async () => {
  const instance = new Instance();
  try {
    assert.equal((await instance.cli(["migrate"])).code, 0);
    const employer = await instance.cliJson(["employers", "create", "--name", "First"]);
    const key = await instance.cliJson(["keys", "create", "--name", "k", "--scope", "cohort:read"]);
    assertIs("IssuedApiKey", key);
    const rotated = await instance.cliJson(["keys", "rotate", key.id, "--overlap", "3600"]);
    const second = await instance.cliJson(["keys", "create", "--name", "s", "--scope", "cohort:read"]);
    assert.equal((await instance.cli(["keys", "revoke", second.id])).code, 0);
    assert.equal((await instance.cliJson(["keys", "list", "--employer", employer.id])).keys.length, 2);

    const started = await instance.start();
    try {
      assert.equal((await started.withKey(key)).status, 200);
      assert.equal((await started.withKey(rotated)).status, 200);
      assert.equal((await started.withKey(second)).status, 401);
      const other = await instance.cli(["serve", "--listen", "127.0.0.1:0"]);
      assert.notEqual(other.code, 0, "two servers on one store");
    } finally {
      await started.halt();
    }
    assert.equal((await instance.cliJson(["keys", "list"])).keys.length, 2);
  } finally {
    instance.remove();
  }
});

test("two servers do not share an address", async () => {
  const port = new URL(server.url).port;
  const instance = new Instance();
  try {
    const result = await instance.cli(["serve", "--listen", `127.0.0.1:${port}`]);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, new RegExp(`${port}.*in use`));
  } finally {
    instance.remove();
  }
});

test("completion and manual pages are made from the tables", async () => {
  const script = (await server.cli(["completion", "bash"])).stdout;
  const completed = (...words: string[]): string[] =>
    execFileSync("bash", ["-c", `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`, "bash", "sallyport", ...words], { encoding: "utf8" }).split("\n").filter(Boolean);
  assert.deepEqual(completed("ke"), ["keys"]);
  assert.deepEqual(completed("keys", "r"), ["report", "revoke", "rotate"]);
  assert.deepEqual(completed("keys", "create", "--sc"), ["--scope"]);
  assert.deepEqual(completed("serve", "--log-le"), ["--log-level"]);
  assert.deepEqual(completed("serve", "--log-level", "w"), ["warn"]);
  assert.deepEqual(completed("serve", "--api-version-required", ""), ["true", "false"]);
  assert.deepEqual(completed("explain", "API_KEY_EXP"), ["API_KEY_EXPIRED"]);
  assert.deepEqual(completed("version", "--js"), ["--json"]);
  assert.deepEqual(completed("serve", "--js"), []);
  assert.match((await server.cli(["completion", "zsh"])).stdout, /^#compdef sallyport\n/);
  assert.equal((await server.cli(["completion", "fish"])).code, 2);

  const plain = (page: string): string => page.replace(/\\-/g, "-");
  const [commands, settings] = [(await server.cli(["manual", "1"])).stdout, (await server.cli(["manual", "5"])).stdout];
  for (const word of ["keys create", "--scope SCOPE", "doctor", "SIGHUP", "/etc/sallyport/sallyport.conf"]) assert.ok(plain(commands).includes(word), word);
  for (const { name, meaning } of (await server.cliJson(["config"])).settings) assert.ok(plain(settings).includes(`${name}\n${meaning}\n`), name);
  assert.equal((await server.cli(["manual", "7"])).code, 2);
});

test("help names every command", async () => {
  const help = await server.cli(["help"]);
  assert.equal(help.code, 0);
  for (const word of ["serve", "employers", "users", "keys", "explain", "config", "migrate", "backup", "restore", "rekey", "doctor", "ready", "completion", "manual", "version"]) assert.ok(help.stdout.includes(word), word);
  assert.match((await server.cli(["keys", "create", "--help"])).stdout, /--scope/);
});
