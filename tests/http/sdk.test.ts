/** The SDK as its users get it: packed, in an empty project, on old and new Node; and what it tries again. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { createClient, SallyportError, type ClientOptions } from "@sallyport/sdk";

import { root } from "./harness/paths.js";
import { startServer, type Server } from "./harness/server.js";
import { newTenant, refused, somebody } from "./harness/util.js";

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

// ---- what is tried again ----

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const problem = (status: number, code: string, fields: Record<string, string> = {}): Answer => (_, response) => {
  response.writeHead(status, { "content-type": "application/problem+json", ...fields });
  response.end(JSON.stringify({ code, status, title: "t", detail: "d", hint: "h", requestId: "r" }));
};
const cut: Answer = (request) => void request.socket.destroy();
const good: Answer = (_, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ patients: [], nextCursor: null, created: 1 }));
};

/** A server that answers so, one after the other, and what it was sent. */
async function scripted(answers: Answer[]): Promise<{ url: string; seen: { method: string; key: string | undefined; body: string }[]; stop: () => void }> {
  const seen: { method: string; key: string | undefined; body: string }[] = [];
  const http: HttpServer = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", key: request.headers["idempotency-key"] as string | undefined, body });
      (answers[seen.length - 1] ?? problem(500, "INTERNAL_ERROR"))(request, response);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const stop = (): void => {
    http.close();
    http.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, seen, stop };
}

async function withScript(answers: Answer[], options: Partial<ClientOptions>, use: (client: ReturnType<typeof createClient>) => Promise<void>): Promise<{ method: string; key: string | undefined; body: string }[]> {
  const script = await scripted(answers);
  try {
    await use(createClient({ baseUrl: script.url, apiKey: "k", ...options }));
    return script.seen;
  } finally {
    script.stop();
  }
}

const upload = (client: ReturnType<typeof createClient>): Promise<unknown> => client.uploadCohort([{ email: "kim@example.org", firstName: "K", lastName: "P" }]);

test("a change that met a limit, a busy store and a cut connection is sent again, whole and under one key", async () => {
  for (const answers of [
    [problem(429, "RATE_LIMITED", { "retry-after": "0" }), problem(503, "STORE_DOWN", { "retry-after": "0" }), good],
    [cut, cut, good],
    [problem(409, "IDEMPOTENCY_IN_PROGRESS", { "retry-after": "0" }), problem(502, "X"), good],
  ]) {
    const seen = await withScript(answers, {}, async (client) => void (await upload(client)));
    assert.equal(seen.length, 3);
    assert.ok((seen[0]!.key?.length ?? 0) > 20, seen[0]!.key);
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual(seen[2], seen[0]);
    assert.match(seen[0]!.body, /kim@example\.org/);
  }
});

test("each call has a key of its own, and one that was given is used", async () => {
  const keys = await withScript([good, good, good], {}, async (client) => {
    await upload(client);
    await upload(client);
    await client.uploadCohort([], {}, { idempotencyKey: "mine" });
  });
  assert.notEqual(keys[0]!.key, keys[1]!.key);
  assert.equal(keys[2]!.key, "mine");
});

test("the pause is the one the server names, and a long one is not waited for", async () => {
  const begin = Date.now();
  await withScript([problem(429, "RATE_LIMITED", { "retry-after": "1" }), good], {}, async (client) => void (await client.listCohort()));
  assert.ok(Date.now() - begin >= 1000, "Retry-After was not waited for");
  const seen = await withScript([problem(429, "RATE_LIMITED", { "retry-after": "31" }), good], {}, async (client) => {
    const error = await refused(client.listCohort(), "RATE_LIMITED");
    assert.equal(error.retryAfterSeconds, 31);
  });
  assert.equal(seen.length, 1);
});

test("what would be refused again is not sent again, and neither is anything with retries: 0", async () => {
  for (const [status, code] of [[400, "INVALID_REQUEST"], [401, "API_KEY_REVOKED"], [403, "INSUFFICIENT_SCOPE"], [409, "API_KEY_LIMIT"], [422, "COHORT_INVALID"], [500, "INTERNAL_ERROR"]] as const) {
    const seen = await withScript([problem(status, code), good], {}, async (client) => void (await refused(upload(client), code)));
    assert.equal(seen.length, 1, code);
  }
  const off = await withScript([problem(503, "STORE_DOWN"), good], { retries: 0 }, async (client) => void (await refused(upload(client), "STORE_DOWN")));
  assert.equal(off.length, 1);
  assert.equal(off[0]!.key, undefined);
  const given = await withScript([cut, cut, cut, cut], { retries: 3 }, (client) => assert.rejects(client.listCohort(), TypeError));
  assert.equal(given.length, 4);
});

test("against the server: an upload whose answers are lost is made once", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:write", "cohort:read"] });
  let lost = 0;
  const client = createClient({
    baseUrl: server.url,
    apiKey: key.rawKey,
    fetch: async (request) => {
      const answer = await globalThis.fetch(request);
      if (request.method !== "POST" || lost === 2) return answer;
      lost += 1;
      await answer.arrayBuffer();
      throw new TypeError("the connection was lost");
    },
  });
  const result = await client.uploadCohort([somebody(), somebody()]);
  assert.equal(lost, 2);
  assert.equal(result.created, 2, "the answer is the first one's");
  assert.equal((await client.listCohort()).patients.length, 2);
  assert.equal((await tenant.admin.listEmployerAudit({ action: "cohort.uploaded" })).lines.length, 1);
});

test("lists are read to the end, and left early where the caller stops", async () => {
  const tenant = await newTenant(server);
  await tenant.admin.uploadCohort(Array.from({ length: 7 }, () => somebody()));
  const seen: string[] = [];
  for await (const patient of tenant.admin.patients({ limit: 3 })) seen.push(patient.id);
  assert.equal(new Set(seen).size, 7);
  for await (const patient of tenant.admin.patients({ limit: 3 })) {
    assert.equal(patient.id, seen[0]);
    break;
  }
});

// ---- what is published ----

const OLD_NODE = "18.20.8";

/** Node 18, from npm; the package of this machine's kind is installed, the other is not. */
function oldNode(): string {
  const require = createRequire(import.meta.url);
  return join(require.resolve(`node-linux-${process.arch}/package.json`), "../bin/node");
}

const esm = `
import { createClient, SallyportError, errors, scopes } from "@sallyport/sdk";
const client = createClient({ baseUrl: process.env.URL, apiKey: process.env.KEY });
const result = await client.uploadCohort([{ email: process.env.EMAIL, firstName: "Kim", lastName: "Po" }]);
let n = 0;
for await (const patient of client.patients()) n += patient.email ? 1 : 0;
let refusal;
try { await createClient({ baseUrl: process.env.URL, apiKey: "mt_live_wrong" }).listCohort(); }
catch (e) { if (e instanceof SallyportError) refusal = e.code; else throw e; }
console.log(JSON.stringify([process.version, result.created, n > 0, refusal, "INVALID_API_KEY" in errors, Object.keys(scopes).length > 0]));
`;
const cjs = esm
  .replace(/import (.*) from (.*);/, "const $1 = require($2);")
  .replace("const client", "(async () => {\nconst client")
  .concat("})();\n");
const typed = `
import { createClient, SallyportError, type IssuedApiKey, type CohortUploaded } from "@sallyport/sdk";
const client = createClient({ baseUrl: "http://x", token: async () => "t", retries: 3, maxRetryWaitSeconds: 5 });
export const made: Promise<IssuedApiKey> = client.createApiKey({ name: "n", scopes: ["cohort:read"] });
export const up: Promise<CohortUploaded> = client.uploadCohort([{ email: "e", firstName: "f", lastName: "l" }], { partial: true });
// @ts-expect-error a scope that does not exist
void client.createApiKey({ name: "n", scopes: ["cohort:raed"] });
export const code = (e: SallyportError): boolean => e.code === "API_KEY_EXPIRED";
// @ts-expect-error a code that does not exist
export const none = (e: SallyportError): boolean => e.code === "API_KEY_EXPIERD";
`;

test("packed and installed in an empty project, it works as ESM and CommonJS, on Node 18 and this one, with types", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sdk-"));
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:write", "cohort:read"] });
  const run = (file: string, args: string[], env: Record<string, string> = {}): string =>
    execFileSync(file, args, { cwd: folder, encoding: "utf8", stdio: "pipe", env: { ...process.env, ...env } });
  try {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: join(root, "sdk/typescript"), stdio: "pipe" });
    const [archive] = readdirSync(folder);
    const listed = run("tar", ["-tzf", archive!]).trim().split("\n");
    assert.ok(listed.includes("package/README.md"));
    assert.deepEqual(listed.filter((name) => !/^package\/(README\.md|package\.json|dist\/(esm|cjs)\/[\w.]+)$/.test(name)), []);

    mkdirSync(join(folder, "empty"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", version: "1.0.0", private: true }));
    run("npm", ["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", `./${archive}`]);
    writeFileSync(join(folder, "first.mjs"), esm);
    writeFileSync(join(folder, "first.cjs"), cjs);
    for (const node of [oldNode(), process.execPath])
      for (const file of ["first.mjs", "first.cjs"]) {
        const out = JSON.parse(run(node, [file], { URL: server.url, KEY: key.rawKey, EMAIL: somebody().email }));
        assert.deepEqual(out.slice(1), [1, true, "INVALID_API_KEY", true, true], `${node} ${file}`);
        if (node !== process.execPath) assert.equal(out[0], `v${OLD_NODE}`);
      }
    writeFileSync(join(folder, "typed.mts"), typed);
    writeFileSync(join(folder, "typed.cts"), typed);
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    run(process.execPath, [tsc, "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck", "false", "--lib", "es2022,dom,dom.iterable", "typed.mts", "typed.cts"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("every error is a SallyportError with what the table says", async () => {
  const error = await refused(server.client({ apiKey: "nonsense" }).listCohort(), "INVALID_API_KEY");
  assert.ok(error instanceof SallyportError && error.isKnown);
  assert.equal(error.status, 401);
  assert.ok(error.title && error.detail && error.hint && error.requestId);
});
