/** sallyport doctor: what is right is left alone, and each thing that is wrong is found, with its fix. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createServer as createTlsServer } from "node:tls";

import { Certs, type Issued } from "./harness/certs.js";
import { Instance, onPostgres, startServer, type Settings } from "./harness/server.js";

interface Finding {
  check: string;
  level: "ok" | "warning" | "problem";
  message: string;
  fix: string | null;
}

interface Report {
  code: number;
  status: string;
  findings: Finding[];
}

// What the machine that runs the tests has or has not is not what they are about.
const OF_MACHINE = ["server.user", "clock.synchronised", "disk.free", "store.filesystem"];
// The tests' cluster does not synchronise its disk.
const OF_CLUSTER = onPostgres ? ["store.durability"] : [];
const ports: Settings = { listen: "127.0.0.1:0" };

async function doctor(instance: Instance, args: string[] = [], more: Settings = {}): Promise<Report> {
  const result = await instance.cliWith(["doctor", "--json", ...args], { ...ports, ...more });
  const { status, findings } = result.json() as Omit<Report, "code">;
  for (const { check, level, message, fix } of findings) {
    assert.match(message, /[^.]\.$|^\d+ problems? with the settings/, `${check}: ${message}`);
    assert.equal(fix === null, level === "ok", `${check} is ${level}, and its fix is ${fix}`);
  }
  assert.equal(result.code, findings.some(({ level }) => level === "problem") ? 1 : 0);
  assert.equal(status, ["problem", "warning", "ok"].find((level) => findings.some((each) => each.level === level)));
  return { code: result.code, status, findings };
}

const wrong = ({ findings }: Report): string[] =>
  findings.filter(({ level, check }) => level !== "ok" && !OF_MACHINE.includes(check) && !OF_CLUSTER.includes(check)).map(({ check, message }) => `${check}: ${message}`);

/** This check, and nothing else, has this to say. */
function finds(report: Report, check: string, level: Finding["level"], message: RegExp, fix: RegExp): void {
  const found = report.findings.filter((each) => each.check === check && each.level === level);
  assert.equal(found.length, 1, JSON.stringify(report.findings, null, 1));
  assert.match(found[0]!.message, message);
  assert.match(found[0]!.fix ?? "", fix);
  assert.deepEqual(wrong(report).filter((each) => !each.startsWith(`${check}: `)), []);
}

/** What it has to say of this check. */
const said = (report: Report, check: string): string => report.findings.find((each) => each.check === check)?.message ?? "";

/** A store that a server has used and left. */
async function used(t: TestContext, settings: Settings = {}): Promise<Instance> {
  const instance = new Instance(settings);
  t.after(() => instance.remove());
  const made = await instance.cli(["employers", "create", "--name", "Somebody"]);
  assert.equal(made.code, 0, made.stderr);
  return instance;
}

const pathOf = (instance: Instance): string => instance.database.slice("sqlite:".length);
const sqlite = (instance: Instance, statement: string): string => execFileSync("sqlite3", [pathOf(instance), statement], { encoding: "utf8" });

/** Everything that can be seen of the files in a folder. */
const seen = (folder: string): string[] =>
  readdirSync(folder).sort().map((name) => {
    const { size, mtimeMs, mode, ino } = statSync(join(folder, name));
    return `${name} ${size} ${mtimeMs} ${mode} ${ino}`;
  });

test("nothing is wrong with a store that was just made, nor with one in use, nor before the first start", async (t) => {
  const instance = new Instance(ports);
  t.after(() => instance.remove());
  assert.deepEqual(wrong(await doctor(instance)), []);
  assert.deepEqual(readdirSync(instance.folder), []);
  assert.equal((await instance.cli(["migrate"])).code, 0);
  assert.deepEqual(wrong(await doctor(instance)), []);

  const server = await instance.start();
  const report = await doctor(instance, [], { listen: new URL(server.url).host });
  assert.deepEqual(wrong(report), []);
  const said = Object.fromEntries(report.findings.map(({ check, message }) => [check, message]));
  assert.match(said["server.running"]!, new RegExp(`pid ${server.pid}\\) is ready`));
  assert.match(said["server.listen"]!, /is served/);
  assert.match(said["store.schema"]!, /as this sallyport has it/);
  assert.match(said["store.key"]!, /ik_[0-9a-f]{16} is the database's/);
  await server.halt();
});

test("it writes nothing, with a server and without", async (t) => {
  const instance = await used(t);
  const before = seen(instance.folder);
  await doctor(instance);
  assert.deepEqual(seen(instance.folder), before);

  const server = await instance.start();
  const during = seen(instance.folder);
  await doctor(instance, ["--full"]);
  assert.deepEqual(seen(instance.folder), during);
  await server.halt();
});

test("for people: a line each, the fix below, and a sum", async (t) => {
  const instance = await used(t);
  chmodSync(instance.keyFile, 0o644);
  const result = await instance.cliWith(["doctor"], ports);
  assert.equal(result.code, 1);
  assert.match(result.stdout, /^ok +settings\.values +\d+ settings are given/m);
  assert.match(result.stdout, /^problem +store\.key +the instance key's file .* is open to others .*\n +fix: /m);
  assert.match(result.stdout, /^\d+ checks: \d+ ok, \d+ warnings?, \d+ problems?$/m);
  assert.equal(result.stderr, "");
});

test("settings that are wrong are named, and nothing else is looked at", async (t) => {
  const instance = await used(t);
  const report = await doctor(instance, [], { guess_limti: 5, workers: "many" });
  assert.deepEqual(report.findings.map(({ check }) => check), ["settings.values"]);
  finds(report, "settings.values", "problem", /^2 problems with the settings: workers .*must be a whole number .*did you mean SALLYPORT_GUESS_LIMIT\?$/, /Repair/);
});

test("a settings file that others may change, or whose secret others may read", async (t) => {
  const instance = await used(t);
  const file = join(instance.folder, "sallyport.conf");
  writeFileSync(file, "guess_limit = 5\n");
  chmodSync(file, 0o644);
  assert.deepEqual(wrong(await doctor(instance)), []);
  chmodSync(file, 0o664);
  finds(await doctor(instance), "settings.file", "problem", /Others may change .*0664/, /chmod go-w/);
  chmodSync(file, 0o644);
  writeFileSync(file, "admin_password = long enough a password\n");
  finds(await doctor(instance), "settings.file", "problem", /holds a secret/, /chmod o-r/);
  chmodSync(file, 0o640);
  assert.deepEqual(wrong(await doctor(instance)), []);
});

test("ports that are taken, by whom, and addresses that are not here", async (t) => {
  const instance = await used(t);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.after(() => taken.close());
  const address = `127.0.0.1:${(taken.address() as { port: number }).port}`;
  const byUs = new RegExp(`${address} is taken by pid ${process.pid} \\(`);
  finds(await doctor(instance, [], { listen: address }), "server.listen", "problem", byUs, /another port in listen/);
  finds(await doctor(instance, [], { metrics_listen: address }), "server.metrics", "problem", byUs, /another port in metrics_listen/);
  finds(await doctor(instance, [], { listen: "203.0.113.1:18080", public_url: "https://x.example" }), "server.listen", "problem", /cannot be listened on/, /address of this machine/);
  finds(await doctor(instance, [], { gate_peers: "10.0.0.0/8, 0.0.0.0/0" }), "settings.gateways", "warning", /0\.0\.0\.0\/0 ask about any key/, /gate-tokens create/);
  assert.match(said(await doctor(instance, [], { gate_peers: "10.0.0.0/8, fd00::/16" }), "settings.gateways"), /2 blocks/);
  finds(await doctor(instance, [], { listen: "0.0.0.0:0" }), "settings.public", "warning", /plain HTTP/, /https:/);
  assert.deepEqual(wrong(await doctor(instance, [], { listen: "0.0.0.0:0", public_url: "https://x.example" })), []);
});

test("limits that are too low for the settings", async (t) => {
  const instance = await used(t);
  finds(await doctor(instance, [], { connections_max: 1000000 }), "limits.files", "problem", /connections_max = 1000000 needs 10\d{5}/, /LimitNOFILE=10\d{5}/);
  finds(await doctor(instance, [], { body_memory: "64GiB" }), "limits.memory", "warning", /more than half/, /Lower body_memory/);
});

test("the instance key: open to others, missing, another one, no key; and a rotation that was cut off", async (t) => {
  const instance = await used(t);
  const key = readFileSync(instance.keyFile, "utf8");
  chmodSync(instance.keyFile, 0o640);
  finds(await doctor(instance), "store.key", "problem", /open to others .*0640/, /storage\.md/);
  renameSync(instance.keyFile, `${instance.keyFile}.away`);
  finds(await doctor(instance), "store.key", "problem", /is missing; this database was made with the key ik_/, /Put the file back/);
  writeFileSync(instance.keyFile, "f".repeat(64), { mode: 0o600 });
  finds(await doctor(instance), "store.key", "problem", /is not this database's, which was made with ik_/, /belongs to this database/);
  writeFileSync(instance.keyFile, "no key");
  finds(await doctor(instance), "store.key", "problem", /holds no key/, /storage\.md/);
  finds(await doctor(instance, [], { instance_key: "no key" }), "store.key", "problem", /holds no key/, /storage\.md/);
  writeFileSync(instance.keyFile, `${"f".repeat(64)}:${key}`);
  assert.deepEqual(wrong(await doctor(instance)), []);
  assert.deepEqual(wrong(await doctor(instance, [], { instance_key: key.trim() })), []);
});

test("a schema that is newer, or not ours", async (t) => {
  const instance = await used(t);
  const change = (statement: string): void => {
    if (onPostgres) instance.sql(statement);
    else sqlite(instance, statement);
  };
  change("UPDATE schema_migration SET digest = 'x' WHERE number = 1");
  finds(await doctor(instance), "store.schema", "problem", /Migration 1 \(first\) is not the one/, /Run the sallyport that made it/);
  change("INSERT INTO schema_migration (number, name, digest, applied_at_ms) VALUES (999, 'future', 'x', 1)");
  finds(await doctor(instance), "store.schema", "problem", /has schema 999/, /newer sallyport/);
});

test("a server that holds the store and does not answer here", async (t) => {
  const server = await startServer(ports);
  t.after(() => server.stop());
  const elsewhere = join(server.instance.folder, "other.sock");
  const report = await doctor(server.instance, [], { control_socket: elsewhere });
  if (onPostgres) assert.deepEqual(wrong(report), []);
  else finds(report, "store.lock", "problem", new RegExp(`pid ${server.pid} holds`), /Never delete the lock/);
  assert.deepEqual(wrong(await doctor(server.instance, [], { control_socket: server.instance.controlSocket })), []);
  const other = await doctor(server.instance, [], { listen: "127.0.0.1:1" });
  finds(other, "server.listen", "warning", /runs and does not listen on 127\.0\.0\.1:1/, /restart/);
});

test("ready: asks the server that runs, and opens nothing if none does", async (t) => {
  const instance = await used(t);
  const ask = async (): Promise<[number, string]> => {
    const { code, stdout } = await instance.cli(["ready", "--json"]);
    return [code, JSON.parse(stdout).status];
  };
  const before = seen(instance.folder);
  assert.deepEqual(await ask(), [1, "not running"]);
  assert.deepEqual(seen(instance.folder), before);
  const server = await instance.start();
  assert.deepEqual(await ask(), [0, "ready"]);
  await server.kill();
  assert.deepEqual(await ask(), [1, "not running"]);
});

test("reach: a name, a port, a certificate", async (t) => {
  const instance = await used(t);
  const server = await startServer();
  t.after(() => server.stop());
  const reaches = (url: string): Promise<Report> => doctor(instance, ["--reach", url]);
  assert.deepEqual(wrong(await reaches(server.url)), []);
  finds(await reaches("http://127.0.0.1:1/"), "reach", "problem", /is not reached: .*127\.0\.0\.1 port 1/, /firewall/);
  finds(await reaches("https://nowhere.invalid/"), "reach", "problem", /is not reached: .*nowhere\.invalid/, /DNS/);
  finds(await reaches("ftp://127.0.0.1/"), "reach", "problem", /is not reached: .*ftp/i, /./);

  const [keyPath, certPath] = [join(instance.folder, "tls.key"), join(instance.folder, "tls.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", keyPath, "-out", certPath], { stdio: "pipe" });
  const tls = createTlsServer({ key: readFileSync(keyPath), cert: readFileSync(certPath) }, (socket) => socket.on("error", () => {}).end());
  tls.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
  t.after(() => tls.close());
  const url = `https://127.0.0.1:${(tls.address() as { port: number }).port}`;
  finds(await reaches(url), "reach", "problem", /its certificate is refused: .*self.signed/, /update-ca-certificates/);
});

test("the certificate: none, good, soon over, over, missing, unreadable, of another key, open", async (t) => {
  const instance = await used(t);
  const certs = new Certs();
  t.after(() => certs.remove());
  const authority = certs.authority("authority");
  const good = certs.issue("good", authority, { days: 90 });
  const other = certs.issue("other", authority, { days: 90 });
  const with_ = (issued: Partial<Issued>): Promise<Report> => doctor(instance, [], { tls_cert: issued.cert ?? good.cert, tls_key: issued.key ?? good.key });

  assert.match(said(await doctor(instance), "tls.certificate"), /tls_cert is not set: .*plain HTTP/);
  const fine = await with_({});
  assert.deepEqual(wrong(fine), []);
  assert.match(said(fine, "tls.certificate"), /^The certificate of CN=good is valid until 20\d\d-/);
  assert.match(said(fine, "tls.key"), /good\.key is the certificate's key/);

  finds(await with_(certs.issue("soon", authority, { days: 29 })), "tls.certificate", "warning", /CN=soon ends in 28 days, on 20/, /renewed.*systemctl reload/);
  finds(await with_(certs.issue("late", authority, { days: -1 })), "tls.certificate", "problem", /CN=late has expired on 20/, /renewed/);
  finds(await with_({ cert: certs.path("none.pem") }), "tls.certificate", "problem", /tls_cert = ".*none\.pem" cannot be read: No such file/, /Put it there/);
  finds(await with_({ key: other.key }), "tls.certificate", "problem", /tls_key = ".*other\.key" is not the key of the certificate/, /asked for with/);
  finds(await with_({ key: good.cert }), "tls.certificate", "problem", /holds no private key/, /without a passphrase/);
  chmodSync(good.key, 0o644);
  finds(await with_({}), "tls.key", "problem", /Everybody .* may read the private key .*good\.key/, /^chmod o-r .*good\.key$/);
  chmodSync(good.key, 0o000);
  const closed = await with_({});
  // root reads it all the same.
  if (process.getuid?.() === 0) assert.deepEqual(wrong(closed), []);
  else finds(closed, "tls.certificate", "problem", /tls_key = ".*" cannot be read: Permission denied/, /chmod 640/);
  chmodSync(good.key, 0o600);
  assert.deepEqual(wrong(await doctor(instance, [], { listen: "0.0.0.0:0", tls_cert: good.cert, tls_key: good.key })), []);
});

// ---- what only one engine has

const onSqlite = (name: string, work: (t: TestContext) => Promise<void>): void => void (onPostgres || test(name, work));
const onCluster = (name: string, work: (t: TestContext) => Promise<void>): void => void (onPostgres && test(name, work));

onSqlite("SQLite: rights of the file and its folder", async (t) => {
  const instance = await used(t);
  chmodSync(pathOf(instance), 0o644);
  finds(await doctor(instance), "store.file", "problem", /open to others .*0644/, /^chmod 600 .*sallyport\.db\*$/);
  chmodSync(pathOf(instance), 0o600);
  chmodSync(instance.folder, 0o777);
  finds(await doctor(instance), "store.folder", "problem", /Others may put files into .*0777/, /chmod go-w/);
  chmodSync(instance.folder, 0o700);
  assert.deepEqual(wrong(await doctor(instance)), []);
});

onSqlite("SQLite: damage, something else in its place, no WAL, and a log without its index", async (t) => {
  const instance = await used(t);
  const path = pathOf(instance);
  sqlite(instance, "PRAGMA journal_mode = DELETE");
  finds(await doctor(instance), "store.journal", "warning", /not in WAL mode/, /turns WAL on/);
  sqlite(instance, "PRAGMA journal_mode = WAL");

  const server = await instance.start();
  await server.kill();
  const settled = await doctor(instance);
  assert.deepEqual(wrong(settled), []);
  rmSync(`${path}-shm`);
  const before = seen(instance.folder);
  finds(await doctor(instance), "store.journal", "warning", /-wal holds changes that are not in the database yet/, /Never delete it/);
  assert.deepEqual(seen(instance.folder), before);
  await (await instance.start()).halt();

  const whole = readFileSync(path);
  const damaged = Buffer.from(whole);
  damaged.fill(0xff, 4096, 8192);
  writeFileSync(path, damaged);
  assert.match(wrong(await doctor(instance)).join("\n"), /^store\.integrity: .*is damaged: /m);
  writeFileSync(path, "not a database at all, but long enough to have a header; ".repeat(4));
  finds(await doctor(instance), "store.integrity", "problem", /is no SQLite database/, /Restore a backup/);
});

onSqlite("SQLite: a database from the future", async (t) => {
  const instance = await used(t);
  sqlite(instance, `UPDATE schema_migration SET applied_at_ms = ${Date.now() + 3_600_000}`);
  finds(await doctor(instance), "clock.agrees", "problem", /This clock is at least 3[56]\d\d s behind/, /Set the clock/);
});

onCluster("PostgreSQL: fsync is off in this cluster, and that is found", async (t) => {
  const instance = await used(t);
  const { findings, code } = await doctor(instance);
  const found = findings.find(({ check }) => check === "store.durability");
  assert.deepEqual([code, found?.level], [1, "problem"]);
  assert.match(found!.message, /fsync is off and full_page_writes is off/);
  assert.match(found!.fix!, /ALTER SYSTEM SET fsync = on/);
});

onCluster("PostgreSQL: away, read-only, no right to make tables, another encoding, too few connections", async (t) => {
  const instance = await used(t);
  const name = new URL(instance.database.replace("@/", "@localhost/")).pathname.slice(1);
  const away = await doctor(instance, [], { database_url: "postgresql://sallyport:secret-word@127.0.0.1:1/none" });
  assert.match(wrong(away).join("\n"), /^store\.reachable: PostgreSQL is not reached: .*port 1/m);
  assert.ok(!JSON.stringify(away).includes("secret-word"));

  instance.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  finds(await doctor(instance), "store.writable", "problem", /a replica, or read-only/, /primary/);
  instance.sql(`BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT`);
  instance.sql(`CREATE ROLE ${name}_poor LOGIN`);
  try {
    const poor = await doctor(instance, [], { database_url: instance.database.replace("//sallyport@", `//${name}_poor@`) });
    assert.match(wrong(poor).join("\n"), /^store\.writable: The user may not make tables/m);
  } finally {
    instance.sql(`DROP ROLE ${name}_poor`);
  }
  finds(await doctor(instance, [], { database_connections: 1000, connections_max: 100 }), "store.connections", "problem", /database_connections = 1000 may not fit/, /max_connections/);

  instance.sql(`CREATE DATABASE ${name}_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`);
  try {
    const ascii = await doctor(instance, [], { database_url: instance.database.replace(name, `${name}_ascii`) });
    assert.match(wrong(ascii).join("\n"), /^store\.encoding: The database has the encoding SQL_ASCII/m);
  } finally {
    instance.sql(`DROP DATABASE ${name}_ascii`);
  }
});
