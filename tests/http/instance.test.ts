/** The instance key: made, kept, compared with the store, rotated. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { assertIs } from "./harness/contract.js";
import { Instance, startServer, type Settings } from "./harness/server.js";
import { newTenant, refused } from "./harness/util.js";

const HEX = /^[0-9a-f]{64}\n$/;
const TWO_HEX = /^[0-9a-f]{64}:[0-9a-f]{64}\n$/;

const keyOf = (instance: Instance): string => readFileSync(instance.keyFile, "utf8");

async function withInstance(settings: Settings, work: (instance: Instance) => Promise<void>): Promise<void> {
  const instance = new Instance(settings);
  try {
    await work(instance);
  } finally {
    instance.remove();
  }
}

/** Any command that opens the store without a server. */
async function refusesToOpen(instance: Instance, why: RegExp): Promise<void> {
  const result = await instance.cli(["migrate"]);
  assert.equal(result.code, 1, result.stdout);
  assert.match(result.stderr, why);
  assert.match(result.stderr, /^sallyport: cannot use the instance key: /);
}

const opens = async (instance: Instance): Promise<void> => {
  const result = await instance.cli(["migrate"]);
  assert.equal(result.code, 0, result.stderr);
};

test("the first start makes a key for its owner alone, and later starts keep it", () =>
  withInstance({}, async (instance) => {
    await opens(instance);
    const made = keyOf(instance);
    assert.match(made, HEX);
    assert.equal(statSync(instance.keyFile).mode & 0o777, 0o600);
    await opens(instance);
    assert.equal(keyOf(instance), made);
  }));

test("a missing key, another one, a spoilt one and one open to others are refused, each with the fix", () =>
  withInstance({}, async (instance) => {
    await opens(instance);
    const made = keyOf(instance);

    renameSync(instance.keyFile, `${instance.keyFile}.away`);
    await refusesToOpen(instance, /instance\.key is missing, .* made with the key ik_[0-9a-f]{16}: put the file back/);
    assert.ok(!existsSync(instance.keyFile), "a second key was made");

    writeFileSync(instance.keyFile, randomBytes(32).toString("hex"), { mode: 0o600 });
    await refusesToOpen(instance, /the instance key ik_[0-9a-f]{16} is not this database's, which was made with ik_[0-9a-f]{16}/);

    writeFileSync(instance.keyFile, "not a key");
    await refusesToOpen(instance, /holds no key/);

    writeFileSync(instance.keyFile, made);
    chmodSync(instance.keyFile, 0o640);
    await refusesToOpen(instance, /open to others \(its rights are 0640\): run chmod 600 .*instance\.key/);

    chmodSync(instance.keyFile, 0o600);
    await opens(instance);
  }));

test("rekey without a server: a new key, the former kept beside it", () =>
  withInstance({}, async (instance) => {
    await opens(instance);
    const first = keyOf(instance).trim();
    const rotated = await instance.cliJson(["rekey"]);
    assertIs("InstanceKeyRotated", rotated);
    assert.match(keyOf(instance), TWO_HEX);
    assert.equal(keyOf(instance).trim().split(":")[1], first);
    assert.equal(statSync(instance.keyFile).mode & 0o777, 0o600);
    await opens(instance);

    const again = await instance.cliJson(["rekey"]);
    assert.equal(again.previousKeyId, rotated.keyId);
    assert.ok(!keyOf(instance).includes(first), "a third key is kept");

    // The key from before both rotations is another instance's by now.
    writeFileSync(instance.keyFile, first);
    await refusesToOpen(instance, /is not this database's/);
  }));

test("a rotation that a crash cut off after the file is completed by the next start", () =>
  withInstance({}, async (instance) => {
    await opens(instance);
    const cutOff = `${randomBytes(32).toString("hex")}:${keyOf(instance)}`;
    writeFileSync(instance.keyFile, cutOff);
    await opens(instance);
    // Now the store remembers the new one: without the former it still fits.
    writeFileSync(instance.keyFile, cutOff.slice(0, 64));
    await opens(instance);
  }));

test("rekey with a server, by command and by route", async () => {
  const server = await startServer();
  try {
    const admin = await server.admin();
    const tenant = await newTenant(server);
    const byRoute = await admin.rotateInstanceKey();
    const byCommand = await server.cliJson(["rekey"]);
    assert.equal(byCommand.previousKeyId, byRoute.keyId);
    assert.match((await server.cli(["rekey"])).stdout, /in force/);
    await refused(tenant.admin.rotateInstanceKey(), "INSUFFICIENT_ROLE");
    const both = await Promise.all(Array.from({ length: 4 }, () => admin.rotateInstanceKey()));
    assert.equal(new Set(both.map((each) => each.keyId)).size, 4);
    for (const half of keyOf(server.instance).trim().split(":")) assert.ok(!server.log.includes(half), "a key is in the log");
    await server.halt();
    const started = await server.instance.start();
    await started.halt();
  } finally {
    server.instance.remove();
  }
});

test("the key may be a setting; then no file is made, and a rotation is the operator's to do", async () => {
  const [one, two] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
  const server = await startServer({ instance_key: one });
  const { instance } = server;
  const migrate = (settings: Settings) => instance.cliWith(["migrate"], settings);
  try {
    await refused((await server.admin()).rotateInstanceKey(), "INSTANCE_KEY_FIXED");
    assert.ok(!existsSync(instance.keyFile));
    assert.ok(!readFileSync(`/proc/${server.pid}/environ`).includes(one), "the key is in the environment");
    await server.halt();

    assert.match((await migrate({ instance_key: two })).stderr, /is not this database's/);
    assert.match((await migrate({ instance_key: "abc" })).stderr, /instance_key holds no key/);
    const rotated = await migrate({ instance_key: `${two}:${one}` });
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.match((await migrate({ instance_key: one })).stderr, /is not this database's/);
    assert.equal((await migrate({ instance_key: "", key: two })).code, 2, "given twice");
  } finally {
    rmSync(instance.folder, { recursive: true, force: true });
  }
});

test("SALLYPORT_KEY is the short name", () =>
  withInstance({ key: randomBytes(32).toString("hex") }, async (instance) => {
    await opens(instance);
    assert.ok(!existsSync(instance.keyFile));
    assert.match((await instance.cli(["config"])).stdout, /instance_key +\(set\) +environment/);
  }));
