/** Backup and restore: under load, between the engines, cut off, and with files that are not whole. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

import type { Sallyport } from "@sallyport/sdk";

import { crc32 } from "./harness/crc32.js";
import { binary } from "./harness/paths.js";
import { Instance, Server, type CliResult } from "./harness/server.js";
import { eventually, newTenant, somebody, type Tenant } from "./harness/util.js";

const CLIENTS = 16;

/* ---- stores ---- */

/** A new folder with a store of its own: SQLite, or what newDatabase() made; both, whatever the suite runs on. */
async function inNew<T>(url: string | undefined, work: (instance: Instance) => Promise<T>): Promise<T> {
  const instance = new Instance({ api_key_limit: 10_000 }, url ?? "sqlite");
  if (!url) Object.assign(instance, { database: `sqlite:${join(instance.folder, "store/sallyport.db")}` });
  try {
    return await work(instance);
  } finally {
    instance.remove();
  }
}

const sqlitePath = (instance: Instance): string => instance.database.slice("sqlite:".length);

function program(name: string, args: string[], env = process.env): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (piece) => (output += piece));
    child.stderr.on("data", (piece) => (output += piece));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}

let databases = 0;

async function psql(url: string, sql: string): Promise<string> {
  const { code, output } = await program("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
  assert.equal(code, 0, output);
  return output.trim();
}

/** A URL of a database that holds nothing. */
async function newDatabase(): Promise<string> {
  const template = process.env["POSTGRES_URL"];
  assert.ok(template !== undefined, "POSTGRES_URL is not set: run this under script/lib/postgres");
  const name = `backup_${process.pid}_${++databases}`;
  await psql(template.replace("{name}", "postgres"), `CREATE DATABASE ${name}`);
  return template.replace("{name}", name);
}

/* ---- backups ---- */

interface Backup {
  header: any;
  /** Of each table, its rows with their columns' names. */
  tables: Map<string, Record<string, unknown>[]>;
  /** All lines but the header and the trailer. */
  lines: string[];
}

function read(file: string): Backup {
  const lines = gunzipSync(readFileSync(file)).toString("utf8").split("\n");
  assert.equal(lines.pop(), "", "the last line has no end");
  const header = JSON.parse(lines.shift() ?? "");
  const trailer = JSON.parse(lines.pop() ?? "");
  const tables = new Map<string, Record<string, unknown>[]>();
  let at = 0;
  for (const table of header.tables) {
    const rows: Record<string, unknown>[] = [];
    for (; lines[at]?.startsWith("["); at++) {
      const values: unknown[] = JSON.parse(lines[at] ?? "");
      rows.push(Object.fromEntries(table.columns.map((column: { name: string }, i: number) => [column.name, values[i]])));
    }
    assert.deepEqual(JSON.parse(lines[at++] ?? ""), { table: table.name, rows: rows.length });
    tables.set(table.name, rows);
  }
  assert.equal(at, lines.length);
  assert.equal(trailer.rows, [...tables.values()].reduce((sum, rows) => sum + rows.length, 0));
  return { header, tables, lines };
}

const rowsOf = (backup: Backup, table: string): Record<string, any>[] => backup.tables.get(table) ?? assert.fail(`no table ${table}`);

async function done(result: Promise<CliResult>): Promise<CliResult> {
  const answer = await result;
  assert.equal(answer.code, 0, answer.stdout + answer.stderr);
  return answer;
}

async function backup(instance: Instance, name = "a.backup"): Promise<{ file: string; said: string; read: Backup }> {
  const file = join(instance.folder, name);
  const { stdout } = await done(instance.cli(["backup", file]));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!existsSync(`${file}.partial`));
  return { file, said: stdout, read: read(file) };
}

/** Restored, and with the instance key put where it says. */
async function restore(file: string, from: Instance, to: Instance): Promise<string> {
  const { stdout } = await done(to.cli(["restore", file]));
  copyFileSync(from.keyFile, to.keyFile);
  return stdout;
}

async function refusedTo(instance: Instance, args: string[], why: RegExp): Promise<void> {
  const result = await instance.cli(args);
  assert.equal(result.code, 1, result.stdout + result.stderr);
  assert.equal(result.stdout, "");
  assert.match(result.stderr, why);
  assert.match(result.stderr, /^sallyport: [^\n]+\n$/);
}

/* ---- what is kept ---- */

interface Filled {
  tenant: Tenant;
  live: string;
  rotated: string;
  revoked: string;
  emails: string[];
}

/** Something in every table, with texts that are not plain. */
async function fill(server: Server): Promise<Filled> {
  const tenant = await newTenant(server, 'Bétà "Health" 東京 \u{1F3E5}\\');
  const scopes = ["cohort:read", "cohort:write"] as const;
  const make = (name: string) => tenant.admin.createApiKey({ name, scopes: [...scopes], rateLimit: null });
  const live = await make("live ü");
  const first = await make("rotated");
  const rotated = await tenant.admin.rotateApiKey(first.id);
  const revoked = await make("revoked");
  await tenant.admin.revokeApiKey(revoked.id);
  const people = [
    somebody({ firstName: "Ada", lastName: "Ó Súilleabháin-東", department: 'Q"\\' }),
    ...Array.from({ length: 1500 }, () => somebody()),
  ];
  const client = server.client({ apiKey: live.rawKey });
  await client.uploadCohort(people);
  const other = await newTenant(server, "Other");
  await other.admin.uploadCohort([somebody({ email: people[0]?.email ?? "" })], { partial: true }); // an address that is taken
  return { tenant, live: live.rawKey, rotated: rotated.rawKey, revoked: revoked.rawKey, emails: people.map((one) => one.email) };
}

/** What the server on a restored store must answer. */
async function servesTheSame(instance: Instance, filled: Filled): Promise<void> {
  const server = await instance.start();
  try {
    for (const key of [filled.live, filled.rotated]) assert.equal((await server.withKey(key)).status, 200);
    assert.equal((await server.withKey(filled.revoked)).status, 401);
    const admin = await server.signedIn(filled.tenant.adminEmail, filled.tenant.password);
    const found = [];
    for await (const patient of admin.patients({ limit: 1000 })) found.push(patient.email);
    assert.deepEqual(found.sort(), [...filled.emails].sort());
    assert.equal((await admin.uploadCohort([somebody()])).created, 1);
  } finally {
    await server.halt();
  }
}

/* ---- the round trips ---- */

test("a backup of a running server, restored, is the same record by record and serves the same", () =>
  inNew(undefined, (source) =>
    inNew(undefined, async (target) => {
      const server = await source.start();
      const filled = await fill(server);
      await new Promise((resolve) => setTimeout(resolve, 1500)); // counters are written each second
      const made = await backup(source);
      for (const table of ["employer", "person", "session", "api_key", "api_key_secret", "instance", "refused_email"])
        assert.ok(rowsOf(made.read, table).length > 0, `nothing in ${table}`);
      const keyId = rowsOf(made.read, "instance")[0]?.["key_id"];
      assert.match(made.said, new RegExp(`The instance key is not in it\\. A restored store needs the key ${keyId}`));
      assert.equal(made.read.header.instanceKeyId, keyId);
      const packed = gunzipSync(readFileSync(made.file));
      for (const half of readFileSync(source.keyFile, "utf8").trim().split(":")) assert.ok(!packed.includes(half), "the key is in it");
      for (const raw of [filled.live, filled.rotated]) assert.ok(!packed.includes(raw), "a raw key is in it");
      await server.halt();

      const said = await restore(made.file, source, target);
      assert.match(said, new RegExp(`put the file that holds the key\\n${keyId} at ${target.keyFile}`));
      const again = await backup(target);
      assert.deepEqual(again.read.lines, made.read.lines);
      assert.deepEqual(again.read.header.tables, made.read.header.tables);
      await servesTheSame(target, filled);
    }),
  ));

/** Clients that upload three people at a time, or make keys, until told to stop. */
function load(server: Server, tenant: Tenant, keyed: Sallyport) {
  const sent = { uploads: new Set<string>(), keys: new Set<string>() };
  const acknowledged: { uploads: string[]; keys: string[] } = { uploads: [], keys: [] };
  let isOver = false;
  let n = 0;
  const upload = async (): Promise<void> => {
    const tag = `up-${n++}`;
    sent.uploads.add(tag);
    await keyed.uploadCohort([0, 1, 2].map((i) => somebody({ email: `${tag}.${i}@load.test`, lastName: tag })));
    acknowledged.uploads.push(tag);
  };
  const key = async (): Promise<void> => {
    const name = `key-${n++}`;
    sent.keys.add(name);
    await tenant.admin.createApiKey({ name, scopes: ["cohort:read"] });
    acknowledged.keys.push(name);
  };
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    while (!isOver) await (i % 2 ? upload() : key());
  });
  return {
    sent,
    acknowledged,
    stop: async (): Promise<void> => {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

/** Nothing is missing that was acknowledged before it began, nothing is there that was never sent, and nothing is half. */
function holdsOneMoment(made: Backup, before: { uploads: string[]; keys: string[] }, sent: { uploads: Set<string>; keys: Set<string> }): void {
  const people = new Map<string, number>();
  for (const person of rowsOf(made, "person"))
    if (String(person["email"]).endsWith("@load.test")) people.set(person["last_name"], (people.get(person["last_name"]) ?? 0) + 1);
  for (const tag of before.uploads) assert.equal(people.get(tag), 3, `upload ${tag} was acknowledged`);
  for (const [tag, n] of people) {
    assert.ok(sent.uploads.has(tag), `upload ${tag} was never sent`);
    assert.equal(n, 3, `upload ${tag} is half there`);
  }
  const keys = new Map(rowsOf(made, "api_key").map((key) => [key["id"], key["name"]]));
  const names = new Set(keys.values());
  for (const name of before.keys) assert.ok(names.has(name), `key ${name} was acknowledged`);
  for (const name of names) assert.ok(!String(name).startsWith("key-") || sent.keys.has(String(name)), `key ${name} was never made`);
  const secrets = new Set(rowsOf(made, "api_key_secret").map((secret) => secret["key_id"]));
  for (const id of keys.keys()) assert.ok(secrets.has(id), `key ${id} has no secret`);
  for (const id of secrets) assert.ok(keys.has(id), `a secret is of no key`);
}

async function underLoad(source: Instance): Promise<void> {
  const server = await source.start();
  try {
    await backUpUnderLoad(source, server);
  } catch (error) {
    await server.kill(); // which ends the clients too
    throw error;
  }
}

async function backUpUnderLoad(source: Instance, server: Server): Promise<void> {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "hr", scopes: ["cohort:read", "cohort:write"], rateLimit: null });
  const running = load(server, tenant, server.client({ apiKey: key.rawKey }));
  await eventually(async () => running.acknowledged.uploads.length > 50 && running.acknowledged.keys.length > 50, 60_000, "load");
  const files: string[] = [];
  for (let i = 0; i < 4; i++) {
    const before = { uploads: [...running.acknowledged.uploads], keys: [...running.acknowledged.keys] };
    const made = await backup(source, `${i}.backup`);
    holdsOneMoment(made.read, before, running.sent);
    const after = running.acknowledged.uploads.length + running.acknowledged.keys.length;
    assert.ok(after > before.uploads.length + before.keys.length, "the server stood still meanwhile");
    files.push(made.file);
  }
  await running.stop();
  for (const file of files)
    await inNew(undefined, async (target) => {
      await restore(file, source, target);
      assert.deepEqual((await backup(target)).read.lines, read(file).lines);
    });
  const everything = { uploads: running.acknowledged.uploads, keys: running.acknowledged.keys };
  holdsOneMoment((await backup(source, "quiet.backup")).read, everything, running.sent);
  await server.halt();
}

test("a backup under the load of 16 clients holds one moment, and is restored as it is", () => inNew(undefined, underLoad));

test("the same on PostgreSQL", async () => inNew(await newDatabase(), underLoad));

test("SQLite to PostgreSQL to SQLite: the same lines, and each serves", async () => {
  const url = await newDatabase();
  await inNew(undefined, (one) =>
    inNew(url, (two) =>
      inNew(undefined, async (three) => {
        const server = await one.start();
        const filled = await fill(server);
        await server.halt();
        const first = await backup(one);
        await restore(first.file, one, two);
        const second = await backup(two);
        assert.equal(second.read.header.engine, "postgresql");
        await restore(second.file, two, three);
        const third = await backup(three);
        assert.deepEqual(second.read.lines, first.read.lines);
        assert.deepEqual(third.read.lines, first.read.lines);
        assert.deepEqual({ ...third.read.header, createdAt: "" }, { ...first.read.header, createdAt: "" });
        await servesTheSame(two, filled);
        await servesTheSame(three, filled);
      }),
    ),
  );
});

/* ---- what is refused ---- */

async function withBackup(work: (source: Instance, file: string) => Promise<void>): Promise<void> {
  await inNew(undefined, async (source) => {
    await source.cliJson(["employers", "create", "--name", "Acme"]);
    await work(source, (await backup(source)).file);
  });
}

test("a file that is damaged, cut short, or added to is refused, and nothing is made", () =>
  withBackup(async (source, file) => {
    const whole = readFileSync(file);
    const middle = whole.length >> 1;
    const spoilt = join(source.folder, "spoilt.backup");
    const flipped = Buffer.from(whole);
    flipped[middle] = (flipped[middle] ?? 0) ^ 1;
    const cases: [Buffer, RegExp][] = [
      [whole.subarray(0, middle), /spoilt\.backup is cut short: it ends after \d+ bytes/],
      [whole.subarray(0, whole.length - 1), /is cut short/],
      [Buffer.alloc(0), /is cut short/],
      [flipped, /is damaged/],
      [Buffer.concat([whole, Buffer.from("\n")]), /goes on after its end/],
      [Buffer.concat([whole, whole]), /goes on after its end/],
      [gzipSync(gunzipSync(whole)), /is damaged/],
      [gzipSync("{}\n"), /is no backup of sallyport/],
      [Buffer.from("SQLite format 3\0"), /is no backup of sallyport/],
    ];
    await inNew(undefined, async (target) => {
      for (const [bytes, why] of cases) {
        writeFileSync(spoilt, bytes);
        await refusedTo(target, ["restore", spoilt], why);
        await refusedTo(target, ["restore", "--check", spoilt], why);
      }
      await refusedTo(target, ["restore", join(target.folder, "absent")], /cannot read .*absent: No such file/);
      assert.deepEqual(readdirSync(target.folder), [], "something was made");
    });
  }));

test("a store that is not empty, or is in use, is refused and left as it is", () =>
  withBackup(async (source, file) => {
    const before = read(file).lines;
    await refusedTo(source, ["restore", file], /the store is not empty \(there are rows in audit\)/);
    const server = await source.start();
    await refusedTo(source, ["restore", file], /is in use by another sallyport \(pid \d+\)/);
    await server.halt();
    const after = read((await backup(source, "after.backup")).file);
    const employers = before.filter((line) => line.includes("Acme"));
    assert.deepEqual(after.lines.filter((line) => line.includes("Acme")), employers);
    await inNew(await newDatabase(), async (target) => {
      await psql(target.database, "CREATE TABLE theirs (id bigint PRIMARY KEY)");
      await refusedTo(target, ["restore", file], /there is a table theirs, which is not sallyport's/);
      assert.equal(await psql(target.database, "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"), "theirs");
    });
  }));

test("a backup overwrites nothing, makes nothing of nothing, and leaves no part behind", () =>
  withBackup(async (source, file) => {
    const made = readFileSync(file);
    await refusedTo(source, ["backup", file], /a\.backup is there already: name another file/);
    assert.deepEqual(readFileSync(file), made);
    await refusedTo(source, ["backup", join(source.folder, "no/such/folder/b")], /cannot write .*b\.partial: No such file/);
    await refusedTo(source, ["backup", source.folder], /is there already/);
    // What a crash left behind is taken over.
    const left = join(source.folder, "c.backup");
    writeFileSync(`${left}.partial`, "half a backup", { mode: 0o644 });
    await backup(source, "c.backup");
    await inNew(undefined, async (empty) => {
      await refusedTo(empty, ["backup", join(empty.folder, "d.backup")], /there is no database at /);
      assert.deepEqual(readdirSync(empty.folder), []);
    });
  }));

test("--check and --json tell what is in a file, and standard output may take one", () =>
  withBackup(async (source, file) => {
    const { stdout } = await done(source.cli(["restore", "--check", file]));
    assert.match(stdout, /a\.backup is whole: \d+ rows of \d+ tables, \d+ bytes, schema \d+\.\nWritten .*Z from SQLite by sallyport /);
    const told = await source.cliJson(["restore", "--check", file]);
    assert.equal(told.bytes, statSync(file).size);
    assert.equal(told.rows, read(file).lines.length - told.tables);
    assert.equal((await source.cliJson(["backup", join(source.folder, "j.backup")])).rows, told.rows);
    const problem = await source.cli(["restore", "--check", "--json", source.keyFile]);
    assert.equal(problem.code, 1);
    assert.match(problem.json().detail, /is no backup of sallyport/);
    const piped = join(source.folder, "piped.backup");
    const shell = await program("sh", ["-c", `"${binary}" backup - > "${piped}"`], source.env());
    assert.deepEqual(shell, { code: 0, output: "" });
    assert.deepEqual(read(piped).lines, read(file).lines);
    await done(source.cli(["restore", "--check", piped]));
  }));

/* ---- files that this test writes by itself ---- */

/** The form that docs/backup.md tells. */
function write(file: string, header: any, rowsOfTable: (name: string) => string[]): void {
  let text = `${JSON.stringify(header)}\n`;
  let n = 0;
  for (const { name } of header.tables) {
    const rows = rowsOfTable(name);
    n += rows.length;
    text += rows.map((row) => `${row}\n`).join("") + `${JSON.stringify({ table: name, rows: rows.length })}\n`;
  }
  const member = gzipSync(text);
  const line = Buffer.from(
    `${JSON.stringify({ tables: header.tables.length, rows: n, sha256: createHash("sha256").update(member).digest("hex") })}\n`,
  );
  const frame = Buffer.from("1f8b08000000000000ff0100000000", "hex");
  frame.writeUInt16LE(line.length, 11);
  frame.writeUInt16LE(~line.length & 0xffff, 13);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(line.toString("latin1")), 0);
  tail.writeUInt32LE(line.length, 4);
  writeFileSync(file, Buffer.concat([member, frame, line, tail]));
}

const linesOf = (made: Backup, table: string): string[] =>
  rowsOf(made, table).map((row) => JSON.stringify(Object.values(row)));

test("a file of another schema, or with rows that the store refuses, leaves the store empty", () =>
  withBackup(async (source, file) => {
    const made = read(file);
    const forged = join(source.folder, "forged.backup");
    const same = (name: string): string[] => linesOf(made, name);
    const { header } = made;
    const others = header.tables.slice(1);
    const renamed = header.tables.map((table: any) =>
      table.name === "employer" ? { ...table, columns: table.columns.map((c: any) => (c.name === "name" ? { ...c, name: "nom" } : c)) } : table);
    const cases: [any, (name: string) => string[], RegExp][] = [
      [{ ...header, schema: 1000 }, same, /was written by a newer sallyport/],
      [{ ...header, version: 2 }, same, /was written by a newer sallyport/],
      [{ ...header, tables: [...header.tables, { name: "spy", columns: [{ name: "id", type: "int" }] }] },
        (name) => (name === "spy" ? [] : same(name)), /it has the table spy, which this schema has not/],
      [{ ...header, tables: others }, same, /it has not the table api$/m],
      [{ ...header, tables: renamed }, same, /it has not the column name of employer/],
      [{ ...header, schema: 1 }, same, /its schema is 1, but it has the table /],
      [header, (name) => (name === "employer" ? [...same(name), ...same(name)] : same(name)), /the store refuses rows of employer/],
      [header, (name) => (name === "employer" ? [] : name === "refused_email" ? ['["emp_x",1,1]'] : same(name)), /the store refuses rows of refused_email/],
      [header, (name) => (name === "employer" ? [JSON.stringify(header.tables.find((table: any) => table.name === "employer").columns.map(() => null))] : same(name)), /the store refuses rows of employer/],
    ];
    for (const url of [undefined, await newDatabase()])
      await inNew(url, async (target) => {
        for (const [head, rows, why] of cases) {
          write(forged, head, rows);
          const result = await target.cli(["restore", forged]);
          assert.equal(result.code, 1, result.stdout);
          assert.match(result.stderr, why);
        }
        write(forged, header, same);
        await done(target.cli(["restore", forged]));
        assert.deepEqual((await backup(target)).read.lines, made.lines);
      });
  }));

/** As many people as take a while. */
function makeLarge(file: string, made: Backup, people: number): void {
  const employer = rowsOf(made, "employer")[0]?.["id"];
  const rows = Array.from({ length: people }, (_, i) => {
    const id = `pat_${String(i).padStart(24, "0")}`;
    const email = `${createHash("sha256").update(id).digest("hex")}@large.test`;
    return JSON.stringify([id, employer, "PATIENT", email, email, null, 1, "Some", `Body ${i}`, null, null, null, null, 1, 1]);
  });
  write(file, made.header, (name) => (name === "person" ? rows : linesOf(made, name)));
}

/** Ended with kill -9 as soon as `isUnderWay` says that rows are being written. */
async function killed(target: Instance, file: string, isUnderWay: () => Promise<boolean>): Promise<void> {
  const child = spawn(binary, ["restore", file], { env: target.env(), cwd: target.folder, stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  await eventually(isUnderWay, 60_000, "the restore writes");
  child.kill("SIGKILL");
  assert.equal(await ended, "SIGKILL", "it had ended before it was killed");
}

test("kill -9 in a restore leaves an empty store, and the same command then does it", () =>
  withBackup(async (source, file) => {
    const large = join(source.folder, "large.backup");
    makeLarge(large, read(file), 60_000);
    await inNew(undefined, async (target) => {
      const log = `${sqlitePath(target)}-wal`;
      await killed(target, large, async () => existsSync(log) && statSync(log).size > 1_000_000);
      await refusedTo(target, ["backup", join(target.folder, "x")], /the store holds nothing of sallyport/);
      await done(target.cli(["restore", large]));
      assert.equal(rowsOf((await backup(target)).read, "person").length, 60_000);
    });
    await inNew(await newDatabase(), async (target) => {
      const size = () => psql(target.database, "SELECT pg_database_size(current_database())");
      const empty = Number(await size());
      await killed(target, large, async () => Number(await size()) > empty + 4_000_000);
      await refusedTo(target, ["backup", join(target.folder, "x")], /the store holds nothing of sallyport/);
      await done(target.cli(["restore", large]));
      assert.equal(rowsOf((await backup(target)).read, "person").length, 60_000);
    });
  }));
