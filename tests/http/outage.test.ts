/** A store that is away for a while: 503 and Retry-After, and then as before, without a hand. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { binary } from "./harness/paths.js";
import * as postgres from "./harness/postgres.js";
import { field } from "./harness/raw.js";
import { Instance, onPostgres, type Server } from "./harness/server.js";
import { newTenant, refusedWith, somebody } from "./harness/util.js";

const library = join(dirname(binary), "tests/faults/libdisk_fault.so");

/** Uploads before, during and after; only the first and the last are kept. */
async function passThrough(server: Server, begin: () => void, end: () => void): Promise<void> {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read", "cohort:write"], rateLimit: null });
  const upload = (email: string): ReturnType<typeof server.withKey> =>
    server.withKey(key, { method: "POST", target: "/api/employer/upload-cohort", body: { patients: [somebody({ email })] } });
  const uploaded: string[] = [];
  for (let round = 0; round < 3; round++) {
    const good = `good-${round}@outage.test`;
    assert.equal((await upload(good)).status, 200);
    uploaded.push(good);

    begin();
    for (let i = 0; i < 5; i++) {
      const answer = await upload(`bad-${round}-${i}@outage.test`);
      refusedWith(answer, "STORE_DOWN");
      assert.match(field(answer, "retry-after") ?? "", /^[1-9][0-9]*$/);
    }
    refusedWith(await server.call({ target: "/readyz" }), "STORE_DOWN");
    assert.equal((await server.call({ target: "/healthz" })).status, 200);

    end();
    await server.untilReady();
  }
  const kept = (await tenant.admin.listCohort({ limit: 500 })).patients.map((patient) => patient.email).sort();
  assert.deepEqual(kept, uploaded.sort());
}

async function failFor(error: "ENOSPC" | "EROFS" | "EIO"): Promise<void> {
  assert.ok(existsSync(library), `${library} is not built`);
  const instance = new Instance();
  const flag = join(tmpdir(), `disk-fault-${process.pid}-${error}`);
  const server = await instance.start({
    // A sanitizer wants to be first, and does not mind.
    LD_PRELOAD: library,
    ASAN_OPTIONS: `${process.env["ASAN_OPTIONS"] ?? ""}:verify_asan_link_order=0`,
    DISK_FAULT_FOLDER: instance.folder,
    DISK_FAULT_FILE: flag,
  });
  try {
    await passThrough(server, () => writeFileSync(flag, error), () => rmSync(flag));
    assert.deepEqual(instance.sql("PRAGMA integrity_check"), ["ok"]);
  } finally {
    rmSync(flag, { force: true });
    await server.stop();
  }
}

if (onPostgres)
  test("a PostgreSQL that is away for a while loses nothing", async () => {
    const cluster = await postgres.ownCluster();
    const server = await new Instance().start();
    try {
      await passThrough(server, postgres.kill, postgres.start);
    } finally {
      await server.stop();
      await cluster.stop();
    }
  });
else
  for (const [error, what] of [["ENOSPC", "full"], ["EROFS", "read-only"], ["EIO", "broken"]] as const)
    test(`a disk that is ${what} for a while loses nothing`, () => failFor(error));
