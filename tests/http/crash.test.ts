/**
 * kill -9 at random moments, of the server and of PostgreSQL, under 32 clients that upload, create,
 * rotate and revoke. Afterwards what was acknowledged is there, what was refused is not, and what
 * was neither is there whole or not at all.
 *
 * SALLYPORT_CRASH_ROUNDS (4); script/crash runs many, and prints the figures of docs/durability.md.
 */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";

import type { ApiKey, Patient, Sallyport } from "@sallyport/sdk";

import * as postgres from "./harness/postgres.js";
import { ADMIN_EMAIL, ADMIN_PASSWORD, Instance, onPostgres, type Server } from "./harness/server.js";

const ROUNDS = Number(process.env["SALLYPORT_CRASH_ROUNDS"] ?? 4);
const CLIENTS = 32;
const EMPLOYERS = 4;
const MANY_ROWS = 300;

type Outcome = "acknowledged" | "refused" | "unanswered";
const figures = { acknowledged: 0, refused: 0, unanswered: 0, unansweredButThere: 0, sentAgain: 0, killedServers: 0, killedDatabases: 0, lost: 0 };

/** A patient as it should be: the last name tells one upload from another. */
type Names = Map<string, string | undefined>;

interface Upload {
  before: Names;
  after: Names;
  /** Sent with every second upload; the same again after the crash must not do it twice. */
  idempotencyKey: string | undefined;
}

interface Key {
  id: string;
  rawKey: string;
  secrets: number;
  isRevoked: boolean;
  /** What was asked of it and not answered. */
  perhaps?: "rotated" | "revoked";
}

const send = (admin: Sallyport, { after, idempotencyKey }: Upload): Promise<unknown> =>
  admin.uploadCohort(
    [...after].map(([email, name]) => ({ email, firstName: "C", lastName: name ?? "" })),
    {},
    idempotencyKey ? { idempotencyKey } : {},
  );

/** Where the server is just now, for one employer. */
interface Site {
  employerId: string;
  admin: Sallyport;
}

/** What one client has been told, and what it has asked without being told. */
class Client {
  readonly site: number;
  readonly patients: Names = new Map();
  readonly keys = new Map<string, Key>();
  unansweredUploads: Upload[] = [];
  refusedEmails: string[] = [];
  unansweredKeys: string[] = [];
  touched = new Set<Key>();

  constructor(site: number) {
    this.site = site;
  }

  async #ask<T>(call: () => Promise<T>): Promise<{ outcome: Outcome; value?: T }> {
    let outcome: Outcome = "acknowledged";
    let value: T | undefined;
    try {
      value = await call();
    } catch (error) {
      const status = (error as { status?: number }).status ?? 0;
      outcome = status >= 400 && status < 500 ? "refused" : "unanswered";
    }
    figures[outcome] += 1;
    return value === undefined ? { outcome } : { outcome, value };
  }

  async #upload(admin: Sallyport): Promise<void> {
    const name = `L${randomBytes(6).toString("hex")}`;
    const n = randomInt(20) === 0 ? MANY_ROWS : randomInt(1, 4);
    const emails = Array.from({ length: n }, () => `c${randomBytes(8).toString("hex")}@crash.test`);
    const known = [...this.patients.keys()];
    const again = known[randomInt(0, known.length + 1)];
    if (again && randomInt(3) === 0) emails.push(again);
    const upload: Upload = {
      before: new Map(emails.map((email) => [email, this.patients.get(email)])),
      after: new Map(emails.map((email) => [email, name])),
      idempotencyKey: randomInt(2) === 0 ? randomBytes(16).toString("hex") : undefined,
    };
    const { outcome } = await this.#ask(() => send(admin, upload));
    if (outcome === "acknowledged") for (const email of emails) this.patients.set(email, name);
    else if (outcome === "refused") this.refusedEmails.push(...emails.filter((email) => !this.patients.has(email)));
    else {
      this.unansweredUploads.push(upload);
      for (const email of emails) this.patients.delete(email);
    }
  }

  async #create(admin: Sallyport): Promise<void> {
    const name = `k-${randomBytes(8).toString("hex")}`;
    const { outcome, value } = await this.#ask(() => admin.createApiKey({ name, scopes: ["cohort:read"] }));
    if (!value) {
      if (outcome === "unanswered") this.unansweredKeys.push(name);
      return;
    }
    const key: Key = { id: value.id, rawKey: value.rawKey, secrets: 1, isRevoked: false };
    this.keys.set(key.id, key);
    this.touched.add(key);
  }

  #someKey(): Key | undefined {
    const live = [...this.keys.values()].filter((key) => !key.isRevoked && !key.perhaps);
    return live[randomInt(0, live.length + 1)];
  }

  async #rotate(admin: Sallyport): Promise<void> {
    const key = this.#someKey();
    if (!key) return;
    this.touched.add(key);
    const { outcome, value } = await this.#ask(() => admin.rotateApiKey(key.id, 24 * 3600));
    if (outcome === "unanswered") key.perhaps = "rotated";
    if (!value) return;
    key.rawKey = value.rawKey;
    key.secrets += 1;
  }

  async #revoke(admin: Sallyport): Promise<void> {
    const key = this.#someKey();
    if (!key) return;
    this.touched.add(key);
    const { outcome } = await this.#ask(async () => ((await admin.revokeApiKey(key.id)), true));
    if (outcome === "unanswered") key.perhaps = "revoked";
    if (outcome === "acknowledged") key.isRevoked = true;
  }

  async work(sites: Site[], isOver: () => boolean): Promise<void> {
    const { admin } = sites[this.site] ?? assert.fail();
    while (!isOver()) {
      const dice = randomInt(100);
      if (dice < 55) await this.#upload(admin);
      else if (dice < 75) await this.#create(admin);
      else if (dice < 88) await this.#rotate(admin);
      else await this.#revoke(admin);
    }
  }

  /** What was not answered and has a key is sent again, as a client would: then it is answered. */
  async sendAgain(admin: Sallyport): Promise<void> {
    const again = this.unansweredUploads.filter((upload) => upload.idempotencyKey);
    for (const upload of again) {
      await send(admin, upload);
      figures.sentAgain += 1;
      for (const [email, name] of upload.after) this.patients.set(email, name);
    }
    this.unansweredUploads = this.unansweredUploads.filter((upload) => !upload.idempotencyKey);
  }

  /** Names that the ledger gives, against those that are there. Then what is there becomes known. */
  checkPatients(there: Names): string[] {
    const faults: string[] = [];
    for (const [email, name] of this.patients)
      if (there.get(email) !== name) faults.push(`acknowledged ${email} is ${there.get(email) ?? "not there"}, not ${name}`);
    for (const email of this.refusedEmails) if (there.has(email)) faults.push(`refused ${email} is there`);
    for (const { before, after } of this.unansweredUploads) {
      const is = (wanted: Names): boolean => [...wanted].every(([email, name]) => there.get(email) === name);
      if (is(after)) figures.unansweredButThere += 1;
      else if (!is(before)) faults.push(`an upload of ${after.size} rows that was not answered is half there`);
      for (const email of after.keys()) {
        const name = there.get(email);
        if (name !== undefined) this.patients.set(email, name);
      }
    }
    this.unansweredUploads = [];
    this.refusedEmails = [];
    return faults;
  }

  checkKeys(there: Map<string, ApiKey>, secrets: Map<string, number>): string[] {
    const faults: string[] = [];
    for (const key of this.keys.values()) {
      const found = there.get(key.id);
      const n = secrets.get(key.id) ?? 0;
      if (key.perhaps === "revoked" && found?.status === "revoked") key.isRevoked = true;
      if (key.perhaps === "rotated" && n === key.secrets + 1) key.secrets = n;
      if (key.perhaps && (key.isRevoked || n > 1)) figures.unansweredButThere += 1;
      if (!found) faults.push(`acknowledged key ${key.id} is not there`);
      else if ((found.status === "revoked") !== key.isRevoked) faults.push(`key ${key.id} is ${found.status}`);
      if (n !== key.secrets) faults.push(`key ${key.id} has ${n} secrets, not ${key.secrets}`);
      delete key.perhaps;
    }
    const names = new Map([...there.values()].map((key) => [key.name, key]));
    for (const name of this.unansweredKeys) {
      const found = names.get(name);
      if (found) figures.unansweredButThere += 1;
      if (found && secrets.get(found.id) !== 1) faults.push(`key ${found.id} is there without its secret`);
    }
    this.unansweredKeys = [];
    return faults;
  }

  /** What the keys do at the door, for those that this round had to do with. */
  async checkDoor(server: Server): Promise<string[]> {
    const faults: string[] = [];
    for (const key of this.touched) {
      const { status } = await server.withKey(key.rawKey, { target: "/api/employer/cohort?limit=1" });
      if (status !== (key.isRevoked ? 401 : 200)) faults.push(`key ${key.id} is answered ${status}, revoked: ${key.isRevoked}`);
    }
    this.touched.clear();
    return faults;
  }
}

function countSecrets(instance: Instance): Map<string, number> {
  const rows = instance.sql("SELECT key_id, count(*) FROM api_key_secret GROUP BY key_id");
  return new Map(rows.map((row) => [row.split("|")[0] ?? "", Number(row.split("|")[1])]));
}

async function gather<K, T>(list: AsyncIterable<T>, entry: (item: T) => [K, T]): Promise<Map<K, T>> {
  const out = new Map<K, T>();
  for await (const item of list) out.set(...entry(item));
  return out;
}

/** One line of the audit for each key, each rotation and each revocation that is there: no more, no less. */
async function checkAudit(server: Server): Promise<string[]> {
  const faults: string[] = [];
  const count = (statement: string): number => Number(server.instance.sql(statement)[0]);
  const keys = count("SELECT count(*) FROM api_key");
  const created = count("SELECT count(*) FROM audit WHERE action = 'api_key.created'");
  if (keys !== created) faults.push(`there are ${keys} keys, and the audit has ${created}`);
  const revoked = count("SELECT count(*) FROM api_key WHERE revoked_at_ms > 0");
  const revocations = count("SELECT count(*) FROM audit WHERE action = 'api_key.revoked'");
  if (revoked !== revocations) faults.push(`${revoked} keys are revoked, and the audit has ${revocations}`);
  const secrets = count("SELECT count(*) FROM api_key_secret");
  const rotated = count("SELECT count(*) FROM audit WHERE action = 'api_key.rotated'");
  if (secrets !== keys + rotated) faults.push(`there are ${secrets} secrets of ${keys} keys, and the audit has ${rotated} rotations`);
  const verified = await server.cli(["audit", "verify"]);
  if (verified.code !== 0) faults.push(verified.stdout);
  return faults;
}

async function checkAll(server: Server, sites: Site[], clients: Client[]): Promise<void> {
  const faults: string[] = [];
  for (const client of clients) await client.sendAgain(sites[client.site]?.admin ?? assert.fail());
  const secrets = countSecrets(server.instance);
  for (const [i, site] of sites.entries()) {
    const patients = await gather<string, Patient>(site.admin.patients({ limit: 500 }), (patient) => [patient.email, patient]);
    const keys = await gather<string, ApiKey>(site.admin.apiKeys({ limit: 100 }), (key) => [key.id, key]);
    const names: Names = new Map([...patients.values()].map((patient) => [patient.email, patient.lastName]));
    for (const client of clients.filter((client) => client.site === i)) {
      faults.push(...client.checkPatients(names), ...client.checkKeys(keys, secrets));
      faults.push(...(await client.checkDoor(server)));
    }
  }
  faults.push(...(await checkAudit(server)));
  figures.lost += faults.length;
  assert.deepEqual(faults.slice(0, 10), []);
}

/** The sessions are kept in the store, so they outlive the server. */
async function sitesOf(server: Server, before: Site[]): Promise<Site[]> {
  if (before.length > 0)
    return before.map(({ employerId, admin }) => {
      const sessionCookie = admin.sessionCookie ?? assert.fail();
      return { employerId, admin: server.client({ fetch, sessionCookie, employerId }) };
    });
  const root = server.client({ fetch });
  await root.login(ADMIN_EMAIL, ADMIN_PASSWORD);
  const sessionCookie = root.sessionCookie ?? assert.fail();
  const employers = [];
  for (let i = 0; i < EMPLOYERS; i++) employers.push(await root.createEmployer({ name: `Crash ${i}` }));
  return employers.map(({ id }) => ({ employerId: id, admin: server.client({ fetch, sessionCookie, employerId: id }) }));
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A random moment, when some have been answered: however slow the machine is. */
async function untilBusy(): Promise<void> {
  const wanted = figures.acknowledged + randomInt(5, 100);
  while (figures.acknowledged < wanted) await wait(1);
  await wait(randomInt(0, 30));
}

async function runRounds(instance: Instance, strike: (server: Server, round: number) => Promise<Server>): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i % EMPLOYERS));
  let server = await instance.start();
  let sites: Site[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    sites = await sitesOf(server, sites);
    let isOver = false;
    const working = clients.map((client) => client.work(sites, () => isOver));
    await untilBusy();
    const next = strike(server, round);
    isOver = true;
    await Promise.all(working);
    server = await next;
    sites = await sitesOf(server, sites);
    await checkAll(server, sites, clients);
  }
  await server.halt();
}

function report(what: string): void {
  const shown = Object.entries(figures).map(([name, n]) => `${name} ${n}`);
  console.log(`# figures: ${what}: ${ROUNDS} rounds, ${shown.join(", ")}`);
  for (const name of Object.keys(figures) as (keyof typeof figures)[]) figures[name] = 0;
}

const settings = { api_key_limit: 1_000_000, log_level: "warn" };

test("kill -9 of the server loses nothing that was acknowledged", async () => {
  const instance = new Instance(settings);
  try {
    await runRounds(instance, async (server) => {
      figures.killedServers += 1;
      await server.kill();
      return instance.start();
    });
    assert.deepEqual(onPostgres ? ["ok"] : instance.sql("PRAGMA integrity_check"), ["ok"]);
  } finally {
    report("kill -9 of the server");
    instance.remove();
  }
});

if (onPostgres)
  test("kill -9 of PostgreSQL loses nothing that was acknowledged, and the server recovers by itself", async () => {
  const cluster = await postgres.ownCluster();
  const instance = new Instance(settings);
  try {
    await runRounds(instance, async (server) => {
      figures.killedDatabases += 1;
      postgres.kill();
      postgres.start();
      await server.untilReady();
      return server;
    });
  } finally {
    report("kill -9 of PostgreSQL");
    instance.remove();
    await cluster.stop();
  }
});
