// Many keys at a time, while others have theirs verified. See bench/bulk.
//
//     node bench/bulk.mjs URL FOLDER
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [url, folder] = process.argv.slice(2);
const total = Number(process.env.KEYS ?? 500_000);
const rate = process.env.RATE ?? "2000";
const AT_ONCE = 10_000, ORGANIZATIONS = 10, VERIFIED = 1000, SLICE_SECONDS = "2";

let fields = { "content-type": "application/json" };
async function call(method, path, body) {
  const answer = await fetch(url + path, { method, headers: fields, ...(body ? { body: JSON.stringify(body) } : {}) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  return { json: text ? JSON.parse(text) : {}, cookie: answer.headers.get("set-cookie")?.split(";")[0] };
}
const v1 = async (method, path, body) => (await call(method, `/api/v1${path}`, body)).json;

// ---- who there is ----

const { cookie } = await call("POST", "/api/auth/login", { email: "bench@example.org", password: process.env.SALLYPORT_ADMIN_PASSWORD });
fields.cookie = cookie;
const me = (await call("GET", "/api/auth/me")).json;
const scopes = (await v1("GET", "/apis/management/scopes")).scopes.map((scope) => scope.key);
const { api_key: manager } = await v1("POST", "/api_keys", { name: "bulk", api_id: "management", org_code: me.employerId, scope_ids: scopes, instance: true, rate_limit: null });
fields = { "content-type": "application/json", authorization: `Bearer ${manager.key}` };
const apis = [];
for (const name of ["orders", "parcels"]) {
  const { api } = await v1("POST", "/apis", { name, audience: `https://${name}.example` });
  await v1("POST", `/apis/${api.id}/scopes`, { key: "read" });
  apis.push(api.id);
}
const organizations = [];
for (let i = 0; i < ORGANIZATIONS; i++) organizations.push((await v1("POST", "/organizations", { name: `Organization ${i}` })).organization.code);
const verified = (await v1("POST", "/organizations", { name: "Verified" })).organization.code;

// ---- those whose keys are verified ----

const texts = Array.from({ length: VERIFIED }, () => randomBytes(36).toString("hex"));
await v1("POST", "/api_keys/import", { keys: texts.map((key) => ({ name: "v", api_id: apis[0], org_code: verified, scope_ids: ["read"], key, rate_limit: null })) });
writeFileSync(join(folder, "keys"), texts.map((text) => `g${text}\n`).join(""));
const body = `{"api_key":"{key}","api_id":"${apis[0]}","scopes":["read"]}`;
const host = new URL(url).host;
writeFileSync(join(folder, "request"), [`POST /api/v1/api_keys/verify HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${manager.key}`, `content-type: application/json`, `content-length: ${body.length - "{key}".length + 72}`, "", body].join("\r\n"));

/** One slice after the other until stop() is called: each request is charged from when it was due. */
function load() {
  const slices = [];
  let isOver = false;
  const running = (async () => {
    do {
      const tool = spawn("build/bench/load", ["--connections", "8", "--threads", "1", "--seconds", SLICE_SECONDS, "--rate", rate, "--passes", '"is_valid":true', new URL(url).port, join(folder, "request"), join(folder, "keys")], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      tool.stdout.on("data", (piece) => (text += piece));
      await new Promise((resolve) => tool.on("close", resolve));
      slices.push(JSON.parse(text));
    } while (!isOver);
  })();
  return async () => {
    isOver = true;
    await running;
    return slices;
  };
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const rows = [];
async function step(what, work) {
  const stop = load();
  const began = performance.now();
  const n = await work();
  const seconds = (performance.now() - began) / 1000;
  const slices = await stop();
  const sum = (of) => slices.reduce((all, slice) => all + of(slice), 0);
  const asked = sum((slice) => slice.requests), passed = sum((slice) => slice.classes.g?.passed ?? 0);
  const row = { what, n, seconds, p50: median(slices.map((slice) => slice.p50_ms)), p99: median(slices.map((slice) => slice.p99_ms)), max: Math.max(...slices.map((slice) => slice.max_ms)), asked, refused: asked - passed };
  rows.push(row);
  console.log(`${what.padEnd(44)} ${String(n ?? "").padStart(8)} ${seconds.toFixed(2).padStart(8)} s ${(n ? Math.round(n / seconds) : "").toString().padStart(9)}/s   verify p50 ${row.p50.toFixed(2)} p99 ${row.p99.toFixed(2)} max ${row.max.toFixed(1)} ms, ${row.asked} asked, ${row.refused} not passed`);
}

// ---- the steps ----

let halfway;
async function importAll() {
  for (let at = 0; at < total; at += AT_ONCE) {
    if (at >= total / 2) halfway ??= new Date().toISOString();
    const keys = Array.from({ length: Math.min(AT_ONCE, total - at) }, (_, i) => ({
      name: `key ${at + i}`, api_id: apis[(at + i) & 1], org_code: organizations[((at + i) >> 1) % ORGANIZATIONS], scope_ids: ["read"],
      sha256: createHash("sha256").update(`bulk ${at + i}`).digest("hex"),
    }));
    await v1("POST", "/api_keys/import", { keys });
  }
  return total;
}

async function listAll(filter) {
  for (let n = 0, after = ""; ; ) {
    const page = await v1("GET", `/api_keys?page_size=500${filter}${after && `&starting_after=${after}`}`);
    n += page.api_keys.length;
    if (!page.has_more) return n;
    after = page.api_keys.at(-1).id;
  }
}

const revoke = async (filter) => (await v1("POST", "/api_keys/revoke", filter)).affected;

await step("at rest", () => new Promise((resolve) => setTimeout(resolve, 10_000)));
await step("import, 10,000 a call", importAll);
await step("at rest, with all keys", () => new Promise((resolve) => setTimeout(resolve, 10_000)));
await step("list all, 500 a page", () => listAll(""));
await step("list one organization's", () => listAll(`&org_code=${organizations[0]}`));
await step("list one API's", () => listAll(`&api_id=${apis[1]}`));
await step("list the revoked (none)", () => listAll("&status=revoked"));
await step("count, one organization's older than half", () => revoke({ org_code: organizations[1], created_before: halfway, dry_run: true }));
await step("revoke one organization's", () => revoke({ org_code: organizations[0] }));
await step("revoke one API's", () => revoke({ api_id: apis[1] }));
await step("revoke those older than half, org by org", async () => {
  let n = 0;
  for (const org_code of organizations) n += await revoke({ org_code, created_before: halfway });
  return n;
});
const left = (await revoke({ api_id: apis[0], dry_run: true })) - VERIFIED;
console.log(`live keys left: ${left} of ${total}; expected ${total * 0.9 / 4}`);
process.exit(left === (total * 0.9) / 4 && rows.every((row) => row.refused === 0) ? 0 : 1);
