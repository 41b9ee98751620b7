/**
 * Two organizations, two APIs, hundreds of random operations, and a model of what should come of
 * them: no answer shows or accepts anything across organization or API.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Management } from "./harness/management.js";
import { startServer, type Server } from "./harness/server.js";
import { newTenant } from "./harness/util.js";

const OPERATIONS = 600;
const SCOPES = ["read:x", "write:x", "admin:x"];

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

/** mulberry32: the same story for the same seed. */
function chance(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Key {
  id: string;
  secret: string;
  old: string[];
  org: number;
  api: number;
  scopes: string[];
  status: "active" | "inactive" | "revoked";
}

test("a story of random operations is as the model has it", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  const next = chance(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const root = await Management.root(server);
  const tenants = [await newTenant(server), await newTenant(server)];
  const bosses = tenants.map((tenant) => Management.withCookie(server, tenant.admin.sessionCookie!));
  const apis = [await root.makeApi(SCOPES), await root.makeApi(SCOPES)];
  const keys: Key[] = [];
  const active = [true, true];

  const create = async (): Promise<void> => {
    const [org, api] = [pick([0, 1]), pick([0, 1])];
    const scopes = SCOPES.filter(() => next() < 0.5);
    const draft = { name: "k", api_id: apis[api], org_code: tenants[org]!.employerId, scope_ids: scopes, rate_limit: null };
    if (!active[org]) return void (await root.bad(400, "INVALID_REQUEST", "POST", "/api_keys", draft));
    const made = await (next() < 0.5 ? root : bosses[org]!).makeKey(draft);
    keys.push({ id: made.id, secret: made.key, old: [], org, api, scopes, status: "active" });
    await bosses[1 - org]!.call("POST", "/api_keys", draft).then((answer) => assert.ok([400, 403].includes(answer.status), answer.body));
  };
  const rotate = async (key: Key): Promise<void> => {
    if (key.status !== "active") return void (await root.bad(400, "API_KEY_NOT_ACTIVE", "PUT", `/api_keys/${key.id}`));
    const { api_key } = await root.good("PUT", `/api_keys/${key.id}`);
    key.old.push(key.secret);
    key.secret = api_key.key;
  };
  const flip = async (key: Key): Promise<void> => {
    const status = key.status === "active" ? "inactive" : "active";
    if (key.status === "revoked") return void (await root.bad(400, "API_KEY_NOT_ACTIVE", "PATCH", `/api_keys/${key.id}`, { status }));
    await root.good("PATCH", `/api_keys/${key.id}`, { status });
    key.status = status;
  };
  const revoke = async (key: Key): Promise<void> => {
    await root.good("DELETE", `/api_keys/${key.id}`);
    key.status = "revoked";
  };
  const narrow = async (key: Key): Promise<void> => {
    if (key.status === "revoked") return;
    key.scopes = key.scopes.filter(() => next() < 0.7);
    await root.good("PATCH", `/api_keys/${key.id}`, { scope_ids: key.scopes });
  };
  const suspend = async (): Promise<void> => {
    const org = pick([0, 1]);
    active[org] = !active[org];
    await root.good("PATCH", `/organizations/${tenants[org]!.employerId}`, { status: active[org] ? "active" : "inactive" });
  };

  /** As the contract has it, for whoever asks. */
  const expected = (key: Key, api: number | undefined, scope: string, asker: number | undefined, isOld: boolean): [boolean, string] => {
    if ((api !== undefined && api !== key.api) || (asker !== undefined && asker !== key.org)) return [false, "INVALID_API_KEY"];
    if (key.status === "revoked" || isOld) return [false, "API_KEY_REVOKED"];
    if (key.status === "inactive") return [false, "API_KEY_INACTIVE"];
    if (!active[key.org]) return [false, "EMPLOYER_INACTIVE"];
    if (scope && !key.scopes.includes(scope)) return [false, "INSUFFICIENT_SCOPE"];
    return [true, "API_KEY_VERIFIED"];
  };
  const ask = async (key: Key): Promise<void> => {
    const api = pick([undefined, 0, 1]);
    const scope = pick(["", ...SCOPES]);
    const asker = pick([undefined, 0, 1]);
    const isOld = key.old.length > 0 && next() < 0.3;
    if (asker !== undefined && !active[asker]) return;
    const caller = asker === undefined ? root : bosses[asker]!;
    const found = await caller.verify(isOld ? pick(key.old) : key.secret, { ...(api !== undefined ? { api_id: apis[api] } : {}), ...(scope ? { scopes: [scope] } : {}) });
    const [isValid, code] = expected(key, api, scope, asker, isOld);
    const where = `seed ${seed}, key ${key.id}, api ${api}, scope ${scope}, asker ${asker}, old ${isOld}`;
    assert.deepEqual([found.is_valid, found.code], [isValid, code], where);
    if (code === "INVALID_API_KEY") assert.deepEqual([found.key_id, found.org_code, found.scopes, found.status], [null, null, [], null], where);
    else assert.deepEqual([found.key_id, found.org_code, [...found.scopes].sort()], [key.id, tenants[key.org]!.employerId, [...key.scopes].sort()], where);
  };
  const look = async (): Promise<void> => {
    const org = pick([0, 1]);
    if (!active[org]) return;
    const { api_keys } = await bosses[org]!.good("GET", "/api_keys?page_size=500");
    assert.deepEqual(api_keys.map((key: any) => key.id).sort(), keys.filter((key) => key.org === org).map((key) => key.id).sort(), `seed ${seed}`);
  };

  await create();
  for (let i = 0; i < OPERATIONS; i++) {
    const roll = next();
    if (keys.length === 0 || roll < 0.1) await create();
    else if (roll < 0.15) await rotate(pick(keys));
    else if (roll < 0.22) await flip(pick(keys));
    else if (roll < 0.25) await revoke(pick(keys));
    else if (roll < 0.3) await narrow(pick(keys));
    else if (roll < 0.33) await suspend();
    else if (roll < 0.38) await look();
    else await ask(pick(keys));
  }
});
