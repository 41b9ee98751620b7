/** The contract itself: one text everywhere, valid, and told the same by every page. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { errors, scopes } from "@sallyport/sdk";
import { Validator } from "@seriousme/openapi-schema-validator";

import { operations } from "./harness/contract.js";
import { generator, root, snapshot } from "./harness/paths.js";
import { field, json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const generated = (what: string): string => execFileSync("python3", [generator, what, "-"], { encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });

test("the served document is the generated one", async () => {
  const answer = await server.call({ target: "/api/openapi" });
  assert.equal(answer.status, 200);
  assert.equal(field(answer, "cache-control"), "public, max-age=300");
  assert.deepEqual(json(answer), JSON.parse(generated("openapi")));
  assert.equal(answer.body.trimEnd(), generated("openapi").trimEnd());
});

test("what is committed is what the generator makes", () => {
  for (const [what, path] of [
    ["snapshot", snapshot],
    ["errors-md", join(root, "docs/errors.md")],
    ["errors-ts", join(root, "sdk/typescript/src/errors.generated.ts")],
  ] as const)
    assert.equal(readFileSync(path, "utf8"), generated(what), `${path} is stale: npm run contracts:export && npm run sdk:ts:generate`);
});

test("it is a valid OpenAPI 3.1 document", async () => {
  const result = await new Validator().validate(JSON.parse(readFileSync(snapshot, "utf8")));
  assert.ok(result.valid, JSON.stringify(result.errors));
});

test("every operation has what a reader needs", () => {
  for (const { id, spec } of operations) {
    assert.ok(spec["summary"] && spec["tags"]?.length && spec["security"], id);
    assert.ok(spec["responses"]["500"], `${id} does not declare INTERNAL_ERROR`);
  }
});

test("every error has its page, and a misspelt one has none", async () => {
  for (const [code, error] of Object.entries(errors)) {
    for (const spelt of [code, code.toLowerCase()]) {
      const page = await server.call({ target: `/docs/errors/${spelt}` });
      assert.equal(page.status, 200, code);
      assert.match(field(page, "content-type") ?? "", /^text\/plain/);
      for (const text of [code, String(error.status), error.message, error.cause, error.fix]) assert.ok(page.body.includes(text), `${code}: ${text}`);
    }
  }
  assert.equal((await server.call({ target: "/docs/errors/API_KEY_EXPIRE" })).status, 404);
});

test("version, health and readiness", async () => {
  const client = server.client();
  const version = await client.version();
  assert.equal(version.current, "2026-02-01");
  assert.deepEqual(version.supportedVersions, ["2026-02-01", "v1"]);
  assert.deepEqual(await client.health(), { status: "ok" });
  assert.equal((await client.readiness()).status, "ready");
  assert.ok(Object.keys(scopes).length === 11);
});
