/** Uploading people and reading them back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { PatientInput, Sallyport } from "@sallyport/sdk";

import { Connection, requestText, type Answer } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { newTenant, refused, refusedWith, somebody, type Tenant } from "./harness/util.js";

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

interface Uploader extends Tenant {
  keyed: Sallyport;
  rawKey: string;
}

async function uploader(): Promise<Uploader> {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "hr", scopes: ["cohort:read", "cohort:write"], rateLimit: null });
  return { ...tenant, keyed: server.client({ apiKey: key.rawKey }), rawKey: key.rawKey };
}

const counts = (result: { received: number; created: number; updated: number; unchanged: number; rejected: number }): number[] =>
  [result.received, result.created, result.updated, result.unchanged, result.rejected];

async function roster(client: Sallyport, query = {}): Promise<string[]> {
  const emails = [];
  for await (const patient of client.patients({ limit: 1000, ...query })) emails.push(patient.email);
  return emails;
}

test("people are created, updated, or left as they are", async () => {
  const hr = await uploader();
  const kim = somebody({ firstName: "Kim", externalId: "E-1", dateOfBirth: "1984-02-29", phone: "+44 (0)20 7946 0000", department: "Payroll" });
  const ada = somebody({ firstName: "Ada", lastName: "Ó Súilleabháin-東" });
  assert.deepEqual(counts(await hr.keyed.uploadCohort([kim, ada])), [2, 2, 0, 0, 0]);
  assert.deepEqual(counts(await hr.keyed.uploadCohort([kim, ada])), [2, 0, 0, 2, 0]);

  const before = (await hr.keyed.listCohort({ email: kim.email })).patients[0];
  assert.deepEqual(before, { ...kim, id: before?.id, createdAt: before?.createdAt, updatedAt: before?.updatedAt });
  assert.equal((await hr.keyed.listCohort({ email: ada.email })).patients[0]?.department, null);

  // Absent members stay, null clears.
  const patch: PatientInput = { email: kim.email, firstName: "Kim", lastName: "New", phone: null };
  assert.deepEqual(counts(await hr.keyed.uploadCohort([patch, ada])), [2, 0, 1, 1, 0]);
  const now = (await hr.keyed.listCohort({ email: kim.email })).patients[0];
  assert.equal(now?.id, before?.id);
  assert.deepEqual([now?.lastName, now?.phone, now?.department, now?.externalId], ["New", null, "Payroll", "E-1"]);
  assert.ok((now?.updatedAt ?? "") >= (before?.updatedAt ?? "") && now?.createdAt === before?.createdAt);
});

test("an address is the same person in any case", async () => {
  const hr = await uploader();
  const kim = somebody({ email: `Kim.${Date.now()}@People.test` });
  await hr.keyed.uploadCohort([kim]);
  assert.deepEqual(counts(await hr.keyed.uploadCohort([{ ...kim, email: kim.email.toUpperCase(), lastName: "Other" }])), [1, 0, 1, 0, 0]);
  assert.equal((await hr.keyed.listCohort({ email: kim.email.toLowerCase() })).patients.length, 1);
  assert.equal((await roster(hr.keyed)).length, 1);
});

test("a session uploads and reads too", async () => {
  const hr = await uploader();
  assert.equal((await hr.admin.uploadCohort([somebody()])).created, 1);
  assert.equal((await hr.member.listCohort()).patients.length, 1);
});

test("one bad row and nothing is written; every fault is named by row and member", async () => {
  const hr = await uploader();
  const rows: object[] = [
    somebody(),
    { firstName: "No", lastName: "Address" },
    somebody({ email: "not an address" }),
    somebody({ firstName: "" }),
    somebody({ dateOfBirth: "1985-02-29" }),
    somebody({ dateOfBirth: "2999-01-01" }),
    somebody({ phone: "call me" }),
    { ...somebody(), salary: 5 },
    somebody({ department: "x".repeat(101) }),
    "not an object" as unknown as object,
  ];
  const error = await refused(hr.keyed.uploadCohort(rows as PatientInput[]), "COHORT_INVALID");
  assert.deepEqual(
    error.errors.map((e) => [e.index, e.member]),
    [[1, "email"], [2, "email"], [3, "firstName"], [4, "dateOfBirth"], [5, "dateOfBirth"], [6, "phone"], [7, "salary"], [8, "department"], [9, ""]],
  );
  assert.equal(error.members["received"], 10);
  assert.equal(error.members["rejected"], 9);
  assert.deepEqual(await roster(hr.keyed), []);
});

test("with partial the good rows are written and the others named", async () => {
  const hr = await uploader();
  const good = [somebody(), somebody()];
  const bad = somebody({ email: "nowhere" });
  const result = await hr.keyed.uploadCohort([good[0] as PatientInput, bad, good[1] as PatientInput], { partial: true });
  assert.deepEqual(counts(result), [3, 2, 0, 0, 1]);
  assert.deepEqual(result.errors?.map((e) => [e.index, e.member]), [[1, "email"]]);
  assert.deepEqual((await roster(hr.keyed)).sort(), good.map((p) => p.email).sort());
  assert.deepEqual((await hr.keyed.uploadCohort(good, { partial: true })).errors, []);
  const strict = await hr.keyed.uploadCohort(good, { partial: false });
  assert.equal(strict.errors, undefined);
  const answer = await server.withKey(hr.rawKey, { method: "POST", target: "/api/employer/upload-cohort?partial=maybe", body: { patients: good } });
  assert.equal(refusedWith(answer, "INVALID_REQUEST").errors[0].member, "partial");
});

test("one address twice in an upload is a fault of the second row, in any case", async () => {
  const hr = await uploader();
  const kim = somebody();
  const rows = [kim, somebody(), { ...kim, email: kim.email.toUpperCase() }];
  const error = await refused(hr.keyed.uploadCohort(rows), "COHORT_INVALID");
  assert.deepEqual(error.errors.map((e) => [e.index, e.member]), [[2, "email"]]);
  assert.match(error.errors[0]?.reason ?? "", /row 0/);
  assert.deepEqual(counts(await hr.keyed.uploadCohort(rows, { partial: true })), [3, 2, 0, 0, 1]);
});

test("what is no upload at all is named", async () => {
  const hr = await uploader();
  const post = (body: object | string): Promise<Answer> =>
    server.withKey(hr.rawKey, { method: "POST", target: "/api/employer/upload-cohort", body });
  for (const [body, member] of [
    [{}, "patients"],
    [{ patients: [] }, "patients"],
    [{ patients: {} }, "patients"],
    [{ patients: [somebody()], mode: "fast" }, "mode"],
  ] as const)
    assert.equal(refusedWith(await post(body), "INVALID_REQUEST").errors[0].member, member);
  refusedWith(await post('{"patients":['), "MALFORMED_JSON");
});

test("10,000 rows pass and 10,001 do not; the roster is read whole in pages", async () => {
  const hr = await uploader();
  const rows = Array.from({ length: 10_000 }, (_, i) => somebody({ department: `D${i % 4}` }));
  const before = Date.now();
  assert.deepEqual(counts(await hr.keyed.uploadCohort(rows)), [10_000, 10_000, 0, 0, 0]);
  assert.ok(Date.now() - before < 30_000, `${Date.now() - before} ms for 10,000 rows`);
  const error = await refused(hr.keyed.uploadCohort([...rows, somebody()]), "INVALID_REQUEST");
  assert.match(error.errors[0]?.reason ?? "", /10000/);
  const emails = await roster(hr.keyed, { limit: 999 });
  assert.equal(emails.length, 10_000);
  assert.deepEqual(new Set(emails), new Set(rows.map((row) => row.email)));
  assert.equal((await roster(hr.keyed, { department: "D1" })).length, 2500);
});

test("paging over 2,500 people: each once, while others are added", async () => {
  const hr = await uploader();
  const rows = Array.from({ length: 2500 }, () => somebody());
  await hr.keyed.uploadCohort(rows);
  const seen: string[] = [];
  for await (const patient of hr.keyed.patients({ limit: 100 })) {
    if (seen.length % 500 === 0) await hr.keyed.uploadCohort([somebody()]);
    seen.push(patient.email);
  }
  assert.equal(new Set(seen).size, seen.length);
  for (const row of rows) assert.ok(seen.includes(row.email));

  const first = await hr.keyed.listCohort({ limit: 1 });
  assert.ok(first.nextCursor);
  await refused(hr.keyed.listCohort({ cursor: first.nextCursor.slice(0, -2) }), "INVALID_CURSOR");
  await refused(hr.member.listApiKeys({ cursor: first.nextCursor }), "INVALID_CURSOR");
});

test("filters by email and department", async () => {
  const hr = await uploader();
  const [a, b, c] = [somebody({ department: "Ops & Co" }), somebody({ department: "Ops" }), somebody()];
  await hr.keyed.uploadCohort([a, b, c]);
  assert.deepEqual(await roster(hr.keyed, { department: "Ops & Co" }), [a.email]);
  assert.deepEqual(await roster(hr.keyed, { department: "ops" }), []);
  assert.deepEqual(await roster(hr.keyed, { email: c.email }), [c.email]);
  assert.deepEqual(await roster(hr.keyed, { email: c.email, department: "Ops" }), []);
  assert.deepEqual(await roster(hr.keyed, { email: "nobody@nowhere.test" }), []);
  const answer = await server.withKey(hr.rawKey, { target: "/api/employer/cohort?department=&emial=x" });
  assert.ok(refusedWith(answer, "INVALID_REQUEST").errors.some((e: { member: string }) => e.member === "emial"));
});

test("a body of more than 16 MiB is refused before it is read", async () => {
  const hr = await uploader();
  const connection = await Connection.open(server.url);
  const head = requestText(connection.host, {
    method: "POST",
    target: "/api/employer/upload-cohort",
    fields: { "x-api-key": hr.rawKey, "x-api-version": "v1", "content-type": "application/json", "content-length": String(16 * 1024 * 1024 + 1), expect: "100-continue" },
  });
  connection.write(head, { method: "POST", target: "/api/employer/upload-cohort" });
  const answer = await connection.answer();
  refusedWith(answer, "BODY_TOO_LARGE");
  assert.deepEqual(answer.interim, []);
  connection.drop();

  const chunked = await Connection.open(server.url);
  chunked.write(
    `POST /api/employer/upload-cohort HTTP/1.1\r\nhost: ${chunked.host}\r\nx-api-key: ${hr.rawKey}\r\nx-api-version: v1\r\n` +
      "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    { method: "POST", target: "/api/employer/upload-cohort" },
  );
  const piece = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000, " "), Buffer.from("\r\n")]);
  for (let i = 0; i < 17 && !chunked.isEnded; i++) chunked.write(piece);
  refusedWith(await chunked.answer(), "BODY_TOO_LARGE");
  chunked.drop();
});

test("a body of nearly 16 MiB is read", async () => {
  const hr = await uploader();
  const text = JSON.stringify({ patients: [somebody()] });
  const body = " ".repeat(16 * 1024 * 1024 - text.length) + text;
  const answer = await server.withKey(hr.rawKey, { method: "POST", target: "/api/employer/upload-cohort", body });
  assert.equal(answer.status, 200, answer.body);
});

test("an address that is somebody else's is refused in one way, whoever it is", async () => {
  const hr = await uploader();
  const other = await uploader();
  const theirs = somebody();
  await other.keyed.uploadCohort([theirs]);

  const reasons = [];
  for (const email of [theirs.email, other.adminEmail, hr.memberEmail, theirs.email.toUpperCase()]) {
    const error = await refused(hr.keyed.uploadCohort([somebody(), { ...somebody(), email }]), "COHORT_INVALID");
    assert.deepEqual(error.errors.map((e) => [e.index, e.member]), [[1, "email"]]);
    reasons.push(error.errors[0]?.reason);
  }
  assert.equal(new Set(reasons).size, 1, reasons.join("; "));
  assert.deepEqual(await roster(hr.keyed), []);
  assert.deepEqual((await other.keyed.listCohort()).patients.map((p) => [p.email, p.lastName]), [[theirs.email, theirs.lastName]]);
});

test("such refusals are limited by day and employer", async () => {
  const strict = await startServer({ foreign_email_limit: 3 });
  try {
    const [a, b] = [await newTenant(strict), await newTenant(strict)];
    const theirs = [somebody(), somebody(), somebody(), somebody()];
    await b.admin.uploadCohort(theirs);
    await refused(a.admin.uploadCohort(theirs.slice(0, 2)), "COHORT_INVALID");
    const partial = await a.admin.uploadCohort([theirs[2] as PatientInput, somebody()], { partial: true });
    assert.deepEqual(counts(partial), [2, 1, 0, 0, 1]);
    const error = await refused(a.admin.uploadCohort([theirs[3] as PatientInput, somebody()], { partial: true }), "FOREIGN_EMAIL_LIMIT");
    assert.ok((error.retryAfterSeconds ?? 0) > 0 && (error.retryAfterSeconds ?? 0) <= 86_400);
    assert.equal((await a.admin.listCohort()).patients.length, 1);
    assert.equal((await a.admin.uploadCohort([somebody()])).created, 1);
    await refused(b.admin.uploadCohort([{ ...somebody(), email: a.adminEmail }]), "COHORT_INVALID");
  } finally {
    await strict.stop();
  }
});

test("uploads at the same time make each person once", async () => {
  const hr = await uploader();
  const rows = Array.from({ length: 50 }, () => somebody());
  const results = await Promise.all(Array.from({ length: 6 }, () => hr.keyed.uploadCohort(rows)));
  assert.equal(results.reduce((sum, r) => sum + r.created, 0), 50);
  assert.equal(results.reduce((sum, r) => sum + r.unchanged, 0), 250);
  assert.equal((await roster(hr.keyed)).length, 50);
});
