/** /metrics: what it counts, and what it never shows. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

import { Certs } from "./harness/certs.js";
import { readPage, valueOf, type Page } from "./harness/metrics.js";
import { Instance, startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, newTenant, refused, refusedWith } from "./harness/util.js";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8";

let server: Server;
let url: string;
before(async () => {
  server = await startServer({ metrics_listen: "127.0.0.1:0", log_format: "json" });
  url = metricsUrl(server);
});
after(() => server.stop());

function metricsUrl(of: Server): string {
  const address = /"event":"metrics.listening","address":"([^"]+)"/.exec(of.log)?.[1];
  assert.ok(address, of.log);
  return `http://${address}/metrics`;
}

async function read(): Promise<Page> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), TEXT);
  return readPage(await response.text());
}

/** A request is counted once its answer has left, which its caller may see a moment before. */
async function grows(name: string, labels: Record<string, string>, by: number, work: () => Promise<unknown>): Promise<void> {
  const before = valueOf(await read(), name, labels);
  await work();
  await eventually(async () => valueOf(await read(), name, labels) === before + by, 3000, `${name} ${JSON.stringify(labels)} grows by ${by}`);
}

test("a request is counted under its route, method and status, and is timed", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  const route = "/api/employer/cohort";
  await grows("sallyport_http_requests_total", { method: "GET", route, status: "200" }, 3, async () => {
    await grows("sallyport_http_request_duration_seconds_count", { route }, 3, async () => {
      for (let i = 0; i < 3; i++) assert.equal((await server.withKey(key)).status, 200);
    });
  });
  // A path with an id in it is counted under its pattern.
  const pattern = "/api/employer/api-keys/{keyId}";
  await grows("sallyport_http_requests_total", { method: "GET", route: pattern, status: "200" }, 1, () => tenant.admin.getApiKey(key.id));
  const took = valueOf(await read(), "sallyport_http_request_duration_seconds_sum", { route });
  assert.ok(took > 0 && took < 60, String(took));
});

test("the gate's verdicts are counted by dialect and code", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  const { token } = await (await server.admin()).createGateToken("metrics");
  const name = "sallyport_gate_verdicts_total";
  const ask = (target: string, more: Record<string, string> = {}) => server.call({ target, fields: { "x-gate-token": token, ...more } });
  await grows(name, { dialect: "forward", code: "VALID" }, 2, async () => {
    for (let i = 0; i < 2; i++) assert.equal((await ask("/gate/forward", { "x-api-key": key.rawKey })).status, 200);
  });
  await grows(name, { dialect: "nginx", code: "MISSING_CREDENTIALS" }, 1, () => ask("/gate/nginx"));
  await grows(name, { dialect: "envoy", code: "INVALID_API_KEY" }, 1, () => ask("/gate/envoy/x", { "x-api-key": "x" }));
  await grows(name, { dialect: "forward", code: "GATEWAY_NOT_TRUSTED" }, 1, () => server.call({ target: "/gate/forward" }));
  await grows(name, { dialect: "json", code: "VALID" }, 1, () => server.client({ token }).verifyKey({ key: key.rawKey }));
});

test("a refusal is counted by its code, and a request without a route as one", async () => {
  await grows("sallyport_refusals_total", { code: "INVALID_API_KEY" }, 1, async () =>
    refusedWith(await server.withKey("not a key"), "INVALID_API_KEY"),
  );
  await grows("sallyport_refusals_total", { code: "LOGIN_FAILED" }, 1, () =>
    refused(server.client().login("nobody@users.test", "not the password"), "LOGIN_FAILED"),
  );
  await grows("sallyport_http_requests_total", { method: "GET", route: "(none)", status: "404" }, 1, () =>
    server.call({ target: "/no/such/route" }),
  );
  await grows("sallyport_http_requests_total", { method: "GET", route: "(none)", status: "400" }, 1, () =>
    server.call({ target: "no-slash" }),
  );
});

test("callers cannot make new series, and nothing of a caller is in the page", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "in no label", scopes: ["cohort:read"] });
  const touch = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await server.call({ target: `/docs/errors/X${Math.random().toString(36).slice(2)}` });
      await server.call({ target: `/random-${Math.random()}` });
      await server.withKey(inventedKey());
      await server.withKey(key, { target: `/api/employer/api-keys/key_${i}` });
    }
  };
  const count = (page: Page): number => [...page.values()].reduce((n, family) => n + family.samples.length, 0);
  await touch();
  await eventually(async () => valueOf(await read(), "sallyport_http_requests_total", { method: "GET", route: "(none)", status: "404" }) >= 20, 3000, "all are counted");
  const before = count(await read());
  await touch();
  const text = await (await fetch(url)).text();
  assert.equal(count(readPage(text)), before);
  for (const secret of [key.id, key.rawKey, key.rawKey.slice(0, 20), tenant.employerId, tenant.adminEmail, "in no label", "127.0.0.1", "random-"])
    assert.ok(!text.includes(secret), `${secret} is in the page`);
});

test("connections that are turned away, and handshakes by how they end", async (t) => {
  const certs = new Certs();
  t.after(() => certs.remove());
  const { cert, key } = certs.issue("here", certs.authority("authority"));
  const other = await startServer({ metrics_listen: "127.0.0.1:0", log_format: "json", tls_cert: cert, tls_key: key, connections_per_address: 2 });
  t.after(() => other.stop());
  const page = async (): Promise<Page> => readPage(await (await fetch(metricsUrl(other))).text());
  const port = Number(new URL(other.url).port);
  const open = (options: ConnectionOptions = {}): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options }, () => resolve(socket));
      socket.once("error", reject);
    });
  const handshakes = async (): Promise<number[]> => {
    const now = await page();
    return ["full", "resumed", "failed"].map((result) => valueOf(now, "sallyport_tls_handshakes_total", { result }));
  };
  assert.deepEqual(await handshakes(), [0, 0, 0]);
  const first = await open({ maxVersion: "TLSv1.2" });
  const second = await open({ maxVersion: "TLSv1.2", session: first.getSession() });
  await assert.rejects(open());
  assert.equal(valueOf(await page(), "sallyport_connections_turned_away_total"), 1);
  assert.equal(valueOf(await page(), "sallyport_connections"), 2);
  second.destroy();
  await eventually(async () => valueOf(await page(), "sallyport_connections") === 1, 3000, "one is closed");
  await assert.rejects(open({ ALPNProtocols: ["h2"] }));
  await eventually(async () => (await handshakes()).join() === "1,1,1", 3000, "one of each kind");
  first.destroy();
});

test("what it says of store, keys, log and process is so", async () => {
  const tenant = await newTenant(server);
  const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
  const first = await read();
  await server.withKey(key);
  await tenant.admin.createApiKey({ name: "another", scopes: ["cohort:read"] });
  const page = await read();
  assert.ok(valueOf(page, "sallyport_store_commits_total") > valueOf(first, "sallyport_store_commits_total"));
  assert.ok(valueOf(page, "sallyport_store_requests_total") >= valueOf(page, "sallyport_store_commits_total"));
  assert.equal(valueOf(page, "sallyport_store_failed_commits_total"), 0);
  assert.ok(valueOf(page, "sallyport_key_table_keys") > valueOf(first, "sallyport_key_table_keys"));
  assert.ok(valueOf(page, "sallyport_log_lines_total", { level: "info" }) > 0);
  assert.equal(valueOf(page, "sallyport_connections_max"), 10000);
  const version = (await server.cliJson(["version"])).version;
  assert.equal(valueOf(page, "sallyport_build_info", { version }), 1);
  assert.ok(Math.abs(valueOf(page, "process_start_time_seconds") - Date.now() / 1000) < 3600);
  assert.ok(valueOf(page, "process_cpu_seconds_total") > 0);
  assert.ok(valueOf(page, "process_resident_memory_bytes") > 1024 * 1024);
  assert.ok(valueOf(page, "process_open_fds") > 5 && valueOf(page, "process_open_fds") <= valueOf(page, "process_max_fds"));
});

test("OpenMetrics for those who ask for it, nothing else is served, and the main listener has no /metrics", async () => {
  const asked = await fetch(url, { headers: { accept: "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1" } });
  assert.equal(asked.headers.get("content-type"), OPEN);
  const open = readPage(await asked.text(), true);
  assert.equal(open.get("sallyport_refusals")?.type, "counter");
  assert.equal((await fetch(url, { headers: { accept: "*/*" } })).headers.get("content-type"), TEXT);
  assert.deepEqual([...(await read()).keys()].map((name) => name.replace(/_total$/, "")), [...open.keys()]);

  assert.equal((await fetch(url, { method: "HEAD" })).status, 200);
  const posted = await fetch(url, { method: "POST", body: "x" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
  for (const path of ["/", "/metrics/", "/healthz", "/api/employer/cohort"]) assert.equal((await fetch(new URL(path, url))).status, 404, path);
  refusedWith(await server.call({ target: "/metrics" }), "NOT_FOUND");
});

test("empty turns it off; an address that is set must be free", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const quiet = new Instance({ metrics_listen: "" });
  const wanting = new Instance({ metrics_listen: `127.0.0.1:${port}` });
  try {
    const started = await quiet.start();
    assert.ok(!started.log.includes("metrics."), started.log);
    await started.halt();
    const result = await wanting.cli(["serve", "--listen", "127.0.0.1:0"]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, new RegExp(`metrics_listen: port ${port} is in use`));
  } finally {
    taken.close();
    quiet.remove();
    wanting.remove();
  }
});

test("at debug each answered request is a line, without a secret in it", async () => {
  const talkative = await startServer({ log_level: "debug", log_format: "json" });
  try {
    const tenant = await newTenant(talkative);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    await talkative.withKey(key, { fields: { "x-request-id": "seen-at-debug" } });
    await talkative.withKey(key, { target: `/api/employer/cohort/${key.rawKey}` });
    const line = await eventually(async () => talkative.log.split("\n").find((each) => each.includes("seen-at-debug")), 3000, "the line");
    const { event, status, method, path, caller } = JSON.parse(line);
    assert.deepEqual({ event, status, method, path, caller }, { event: "request.answered", status: 200, method: "GET", path: "/api/employer/cohort", caller: key.id });
    for (const secret of [key.rawKey, tenant.password]) assert.ok(!talkative.log.includes(secret), "a secret is in the log");
  } finally {
    await talkative.stop();
  }
});
