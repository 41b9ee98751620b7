/** Small things that several tests need. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { crc32 as tableCrc } from "./crc32.js";

import type { ErrorCode, PatientInput, Sallyport } from "@sallyport/sdk";

import { json, type Answer } from "./raw.js";
import type { Server } from "./server.js";

/** Asks again until it holds; for what happens soon, at a time nobody promises. */
export async function eventually<T>(ask: () => Promise<T | undefined | false>, withinMs: number, what: string): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (value) return value;
    if (Date.now() > deadline) throw new assert.AssertionError({ message: `not within ${withinMs} ms: ${what}` });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The call is refused with this code. Returns the error. */
export async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<import("@sallyport/sdk").SallyportError> {
  try {
    await promise;
  } catch (error) {
    const e = error as import("@sallyport/sdk").SallyportError;
    if (e.name !== "SallyportError") throw error;
    assert.equal(e.code, code, `${e.code}: ${e.detail} ${JSON.stringify(e.members)}`);
    return e;
  }
  throw new assert.AssertionError({ message: `expected ${code}, and the call passed` });
}

/** A hand-made call was refused with this code. Returns the problem. */
export function refusedWith(answer: Answer, code: ErrorCode): any {
  assert.ok(answer.status >= 400, `expected ${code}, got ${answer.status} ${answer.body.slice(0, 200)}`);
  const problem = json(answer);
  assert.equal(problem.code, code, answer.body);
  return problem;
}

export const crc32 = tableCrc;

/** The text of a key that fits and does not exist. */
export function inventedKey(head = "mt_live_"): string {
  const body = head + randomBytes(28).toString("hex");
  return body + crc32(body).toString(16).padStart(8, "0");
}

let people = 0;

/** Somebody new. */
export function somebody(more: Partial<PatientInput> = {}): PatientInput {
  people += 1;
  const tag = `${people}-${randomBytes(4).toString("hex")}`;
  return { email: `person-${tag}@people.test`, firstName: "Some", lastName: `Body ${people}`, ...more };
}

export interface Tenant {
  employerId: string;
  admin: Sallyport;
  adminEmail: string;
  member: Sallyport;
  memberEmail: string;
  password: string;
}

/** A new employer with an EMPLOYER_ADMIN and a MEMBER, both signed in. */
export async function newTenant(server: Server, name = "Tenant"): Promise<Tenant> {
  const root = await server.admin();
  const employer = await root.createEmployer({ name });
  const password = `pw ${randomBytes(12).toString("hex")}`;
  const tag = randomBytes(4).toString("hex");
  const adminEmail = `boss-${tag}@users.test`;
  const memberEmail = `clerk-${tag}@users.test`;
  await root.createUser({ email: adminEmail, role: "EMPLOYER_ADMIN", employerId: employer.id, password });
  await root.createUser({ email: memberEmail, role: "MEMBER", employerId: employer.id, password });
  const admin = await server.signedIn(adminEmail, password);
  const member = await server.signedIn(memberEmail, password);
  return { employerId: employer.id, admin, adminEmail, member, memberEmail, password };
}
