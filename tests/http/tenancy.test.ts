/** Two employers on one server: nothing of one is seen or touched by the other. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { IssuedApiKey, PatientInput } from "@sallyport/sdk";

import { type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { newTenant, somebody, type Tenant } from "./harness/util.js";

const CALLS = 500;
const seed = Number(process.env["SALLYPORT_TEST_SEED"] ?? Date.now() % 1_000_000_007);

/** mulberry32: small, and the same everywhere. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Side {
  name: string;
  tenant: Tenant;
  key: IssuedApiKey;
  /** Written into everything of this side; must never be read by the other. */
  mark: string;
  keys: string[];
  emails: Set<string>;
}

let server: Server;
before(async () => {
  server = await startServer({ foreign_email_limit: 1_000_000, guess_limit: 0 });
});
after(() => server.stop());

async function side(name: string): Promise<Side> {
  const mark = `mark-of-${name}-${Math.floor(Math.random() * 1e9)}`;
  const tenant = await newTenant(server, mark);
  const key = await tenant.admin.createApiKey({ name: mark, scopes: ["cohort:read", "cohort:write"], rateLimit: null });
  return { name, tenant, key, mark, keys: [key.id], emails: new Set() };
}

test(`${CALLS} random calls of two employers do not meet (SALLYPORT_TEST_SEED=${seed})`, async () => {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const sides = [await side("a"), await side("b")] as const;
  const person = (own: Side): PatientInput => {
    const row = somebody({ firstName: own.mark, department: own.mark });
    return { ...row, email: `${own.mark}-${row.email}` };
  };

  for (let n = 0; n < CALLS; n++) {
    const own = pick(sides);
    const other = own === sides[0] ? sides[1] : sides[0];
    const asPerson = { cookie: `sallyport_session=${own.tenant.admin.sessionCookie}` };
    const asKey = { "x-api-key": own.key.rawKey, "x-api-version": "v1" };
    const either = pick([asPerson, asKey]);
    const ofOther = next() < 0.5;
    const keyId = pick(ofOther ? other.keys : own.keys.slice(1).concat(own.keys[0] as string));
    const keyPath = `/api/employer/api-keys/${keyId}`;
    const call = async (what: Parameters<Server["call"]>[0]): Promise<Answer> => {
      const answer = await server.call(what);
      // What the caller sent itself may come back; anything else of the other side may not.
      const sent = JSON.stringify(what);
      for (const secret of [other.mark, other.tenant.employerId, other.key.rawKey, ...other.keys])
        assert.ok(!answer.body.includes(secret) || sent.includes(secret), `call ${n} of ${own.name} read ${secret}: ${JSON.stringify(what)} ${answer.body.slice(0, 500)}`);
      return answer;
    };
    const expect = (answer: Answer, wanted: number): void =>
      assert.equal(answer.status, ofOther ? 404 : wanted, `call ${n} (${own.name}, ${ofOther ? "foreign" : "own"} ${keyId}): ${answer.body}`);

    await pick<() => Promise<void>>([
      async () => expect(await call({ target: keyPath, fields: asPerson }), 200),
      async () => {
        const inUse = keyId === own.key.id;
        const body = inUse ? { name: own.mark } : { name: own.mark, scopes: ["export:read"], status: pick(["active", "inactive"]) };
        expect(await call({ method: "PATCH", target: keyPath, fields: asPerson, body }), 200);
      },
      async () => {
        if (keyId === own.key.id) return;
        expect(await call({ method: "POST", target: `${keyPath}/rotate`, fields: asPerson, body: { overlapSeconds: 0 } }), 200);
      },
      async () => {
        if (!ofOther) return;
        expect(await call({ method: "DELETE", target: keyPath, fields: asPerson }), 404);
      },
      async () => {
        const answer = await call({ method: "POST", target: "/api/employer/api-keys", fields: asPerson, body: { name: own.mark, scopes: ["cohort:read"] } });
        assert.equal(answer.status, 201);
        own.keys.push(JSON.parse(answer.body).id);
      },
      async () => {
        const answer = await call({ target: "/api/employer/api-keys?limit=1000", fields: asPerson });
        assert.deepEqual(JSON.parse(answer.body).keys.map((k: { id: string }) => k.id).sort(), [...own.keys].sort());
      },
      async () => {
        const answer = await call({ target: `/api/employer/cohort?limit=1000`, fields: either });
        assert.deepEqual(JSON.parse(answer.body).patients.map((p: { email: string }) => p.email).sort(), [...own.emails].sort());
      },
      async () => {
        const filter = pick([`department=${other.mark}`, ...[...other.emails].slice(-1).map((e) => `email=${encodeURIComponent(e)}`)]);
        const answer = await call({ target: `/api/employer/cohort?${filter}`, fields: either });
        assert.deepEqual(JSON.parse(answer.body), { patients: [], nextCursor: null });
      },
      async () => {
        const row = person(own);
        const answer = await call({ method: "POST", target: "/api/employer/upload-cohort", fields: either, body: { patients: [row] } });
        assert.equal(answer.status, 200, answer.body);
        own.emails.add(row.email);
      },
      async () => {
        const email = [...other.emails].at(-1);
        if (!email) return;
        const row = { ...person(own), email };
        const answer = await call({ method: "POST", target: "/api/employer/upload-cohort?partial=true", fields: either, body: { patients: [row] } });
        assert.equal(JSON.parse(answer.body).rejected, 1, answer.body);
      },
      async () => {
        const answer = await call({ target: "/api/employer/api-keys", fields: { ...asPerson, "x-employer-id": other.tenant.employerId } });
        assert.equal(answer.status, 403);
      },
      async () => {
        const answer = await call({ target: "/api/employer/cohort", fields: { ...asKey, "x-employer-id": other.tenant.employerId } });
        assert.equal(answer.status, 403);
      },
      async () => {
        const answer = await call({ target: `/api/admin/users?employerId=${other.tenant.employerId}`, fields: asPerson });
        assert.equal(answer.status, 403);
      },
    ])();
  }

  // And what each has is what it made itself.
  for (const own of sides) {
    const keys = (await own.tenant.admin.listApiKeys({ limit: 1000 })).keys;
    assert.deepEqual(keys.map((key) => key.id).sort(), [...own.keys].sort());
    assert.ok(keys.every((key) => key.name === own.mark && key.status !== "revoked"));
    const emails = new Set<string>();
    for await (const patient of own.tenant.admin.patients({ limit: 1000 })) {
      assert.equal(patient.firstName, own.mark);
      emails.add(patient.email);
    }
    assert.deepEqual(emails, own.emails);
  }
});

test("a foreign key and an invented one have the same answer", async () => {
  const [own, other] = [await side("c"), await side("d")];
  const cookie = { cookie: `sallyport_session=${own.tenant.admin.sessionCookie}`, "x-request-id": "same" };
  const invented = other.key.id.replace(/.$/, (c) => (c === "0" ? "1" : "0"));
  for (const [method, suffix, body] of [
    ["GET", "", undefined],
    ["PATCH", "", { name: "x" }],
    ["DELETE", "", undefined],
    ["POST", "/rotate", {}],
  ] as const) {
    const bodies = [];
    for (const id of [other.key.id, invented]) {
      const answer = await server.call({ method, target: `/api/employer/api-keys/${id}${suffix}`, fields: cookie, ...(body ? { body } : {}) });
      assert.equal(answer.status, 404);
      bodies.push(answer.body.replaceAll(id, "ID"));
    }
    assert.equal(bodies[0], bodies[1]);
  }
});

test("a cursor of one employer gives another nothing", async () => {
  const [own, other] = [await side("e"), await side("f")];
  for (let i = 0; i < 3; i++) await other.tenant.admin.createApiKey({ name: other.mark, scopes: ["cohort:read"] });
  const page = await other.tenant.admin.listApiKeys({ limit: 1 });
  const seen = await own.tenant.admin.listApiKeys({ cursor: page.nextCursor ?? "" });
  assert.ok(!JSON.stringify(seen).includes(other.mark));
});
