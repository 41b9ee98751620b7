/** Calls under /api/v1, by hand: as a key of the management API or as somebody signed in. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import type { ErrorCode } from "@sallyport/sdk";

import { json, type Answer, type Fields } from "./raw.js";
import type { Server } from "./server.js";

export interface Made {
  id: string;
  key: string;
}

export class Management {
  constructor(
    readonly server: Server,
    readonly fields: Fields,
  ) {}

  static withKey = (server: Server, key: string): Management => new Management(server, { authorization: `Bearer ${key}` });
  static withCookie = (server: Server, token: string): Management => new Management(server, { cookie: `sallyport_session=${token}` });

  /** Somebody who sees everything: a key that an ADMIN makes. */
  static async root(server: Server): Promise<Management> {
    const admin = await server.admin();
    const session = Management.withCookie(server, admin.sessionCookie!);
    const me = await admin.me();
    const { scopes } = await session.good("GET", "/apis/management/scopes");
    const made = await session.makeKey({ api_id: "management", org_code: me.employerId, scope_ids: scopes.map((scope: any) => scope.key), instance: true, rate_limit: null });
    return Management.withKey(server, made.key);
  }

  call(method: string, path: string, body?: object, more: Fields = {}): Promise<Answer> {
    return this.server.call({ method, target: `/api/v1${path}`, fields: { ...this.fields, ...more }, ...(body ? { body } : {}) });
  }

  async good(method: string, path: string, body?: object, status?: number): Promise<any> {
    const answer = await this.call(method, path, body);
    assert.ok(status ? answer.status === status : answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
    return json(answer);
  }

  /** Refused with this status and code; the one error. */
  async bad(status: number, code: ErrorCode, method: string, path: string, body?: object, more: Fields = {}): Promise<any> {
    return refusedByManagement(await this.call(method, path, body, more), status, code);
  }

  async makeApi(scopes: string[] = [], more: object = {}): Promise<string> {
    const tag = randomBytes(6).toString("hex");
    const { api } = await this.good("POST", "/apis", { name: `API ${tag}`, audience: `https://${tag}.example`, ...more }, 200);
    for (const key of scopes) await this.good("POST", `/apis/${api.id}/scopes`, { key }, 200);
    return api.id;
  }

  async makeOrganization(more: object = {}): Promise<string> {
    const { organization } = await this.good("POST", "/organizations", { name: "Organization" }, 201);
    if (Object.keys(more).length) await this.good("PATCH", `/organizations/${organization.code}`, more, 200);
    return organization.code;
  }

  async makeUser(org_code: string): Promise<string> {
    const { user } = await this.good("POST", "/users", { email: `u-${randomBytes(6).toString("hex")}@users.test`, org_code }, 201);
    return user.id;
  }

  async makeKey(draft: object): Promise<Made> {
    const { api_key } = await this.good("POST", "/api_keys", { name: "k", ...draft }, 201);
    return api_key;
  }

  verify(api_key: string, more: object = {}): Promise<any> {
    return this.good("POST", "/api_keys/verify", { api_key, ...more }, 200);
  }
}

export function refusedByManagement(answer: Answer, status: number, code: ErrorCode): any {
  assert.equal(answer.status, status, answer.body);
  const { errors } = json(answer);
  assert.ok(Array.isArray(errors) && errors.length === 1, answer.body);
  assert.equal(errors[0].code, code, answer.body);
  return errors[0];
}
