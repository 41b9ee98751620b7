/** When and from where a key was used last, and how often. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Instance } from "./harness/server.js";
import { eventually, newTenant, refused } from "./harness/util.js";

const SEEN_WITHIN_MS = 3000;

test("use is seen within three seconds, and is still there after a stop and start", async () => {
  const instance = new Instance({ trusted_proxies: "127.0.0.1/32" });
  let server = await instance.start();
  try {
    const tenant = await newTenant(server);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    const idle = await tenant.admin.createApiKey({ name: "never used", scopes: ["cohort:read"] });
    const before = Date.now();
    for (let i = 0; i < 7; i++)
      assert.equal((await server.withKey(key, { fields: { "x-forwarded-for": i < 6 ? "203.0.113.1" : "2001:db8::2" } })).status, 200);
    const used = await eventually(
      async () => {
        const shown = await tenant.admin.getApiKey(key.id);
        return shown.requestCount === 7 && shown;
      },
      SEEN_WITHIN_MS,
      "seven requests are counted",
    );
    const at = Date.parse(used.lastUsedAt ?? "");
    assert.ok(at >= before - 1 && at <= Date.now(), used.lastUsedAt ?? "never");
    assert.equal(used.lastUsedIp, "2001:db8::2");
    assert.equal((await tenant.admin.getApiKey(idle.id)).lastUsedAt, null);

    // Refused calls are not use.
    await tenant.admin.updateApiKey(key.id, { scopes: ["export:read"] });
    await refused(server.client({ apiKey: key.rawKey }).listCohort(), "INSUFFICIENT_SCOPE");
    await tenant.admin.updateApiKey(key.id, { scopes: ["cohort:read"] });

    // Stopped at once after the last use: what was counted is written on the way out.
    for (let i = 0; i < 5; i++) await server.withKey(key);
    await server.halt();
    server = await instance.start();
    const again = await server.signedIn(tenant.adminEmail, tenant.password);
    const kept = await again.getApiKey(key.id);
    assert.equal(kept.requestCount, 12);
    assert.equal(kept.lastUsedIp, "127.0.0.1");

    await server.withKey(key);
    await eventually(async () => (await again.getApiKey(key.id)).requestCount === 13, SEEN_WITHIN_MS, "counting goes on");
  } finally {
    await server.stop();
  }
});

test("the calls of both secrets of a rotated key are counted together", async () => {
  const server = await new Instance().start();
  try {
    const admin = await server.admin();
    const key = await admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    const rotated = await admin.rotateApiKey(key.id, 3600);
    for (const raw of [key.rawKey, rotated.rawKey, key.rawKey]) assert.equal((await server.withKey(raw)).status, 200);
    await eventually(async () => (await admin.getApiKey(key.id)).requestCount === 3, SEEN_WITHIN_MS, "three calls");
  } finally {
    await server.stop();
  }
});
