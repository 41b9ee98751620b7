/** Gateways that need no token: by a certificate, or by their user on the gate's Unix socket. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { Certs, type Issued } from "./harness/certs.js";
import { Instance, startServer, type Server, type Settings } from "./harness/server.js";
import { eventually, newTenant } from "./harness/util.js";

const certs = new Certs();
const authority = certs.authority("server authority");
const shown = certs.issue("server", authority);
const gateways = certs.authority("gateways");
const clients = certs.authority("clients");
after(() => certs.remove());

interface Answered {
  status: number;
  code: string | undefined;
  detail: string | undefined;
  fields: Record<string, string | string[] | undefined>;
}

async function withServer(settings: Settings, work: (server: Server, key: string, token: string) => Promise<void>): Promise<void> {
  const server = await startServer({ log_level: "info", ...settings });
  try {
    const created = await server.cliJson(["keys", "create", "--name", "k", "--scope", "fhir:read"]);
    const token = (await server.cliJson(["gate-tokens", "create", "--name", "t"])).token;
    await work(server, created.rawKey, token);
  } finally {
    await server.stop();
  }
}

function send(make: typeof httpRequest, options: object, fields: Record<string, string>): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const out = make({ method: "GET", path: "/gate/forward", ...options, headers: { host: "localhost", ...fields } }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => {
        const problem = text.startsWith("{") ? JSON.parse(text) : {};
        resolve({ status: answer.statusCode ?? 0, code: problem.code, detail: problem.detail, fields: answer.headers });
      });
    });
    out.on("error", reject);
    out.end();
  });
}

// ---- certificates ----

const tls = { tls_cert: shown.cert, tls_key: shown.key };
const identity = (issued: Issued, chain: Issued[] = []): object => ({
  cert: [issued, ...chain].map((each) => certs.read(each.cert)).join(""),
  key: certs.read(issued.key),
});
const overTls = (server: Server, key: string, who: object = {}, fields: Record<string, string> = {}): Promise<Answered> =>
  send(httpsRequest as typeof httpRequest, { host: "127.0.0.1", port: new URL(server.url).port, ca: certs.read(authority.cert), agent: false, ...who }, { "x-api-key": key, ...fields });

test("a certificate of gate_client_ca may ask, and no other", async () => {
  const gateway = certs.issue("gateway", gateways);
  const client = certs.issue("client", clients);
  await withServer({ ...tls, gate_client_ca: gateways.cert, tls_client_ca: clients.cert }, async (server, key, token) => {
    const passed = await overTls(server, key, identity(gateway));
    assert.equal(passed.status, 200);
    assert.ok(passed.fields["x-auth-key-id"]);
    assert.equal((await overTls(server, "mt_test_no", identity(gateway))).code, "INVALID_API_KEY");
    assert.equal((await overTls(server, key)).code, "GATEWAY_NOT_TRUSTED");
    assert.equal((await overTls(server, key, identity(client))).code, "GATEWAY_NOT_TRUSTED");
    assert.equal((await overTls(server, key, identity(client), { "x-gate-token": token })).status, 200);
    // A token that is sent decides, whoever sends it.
    assert.equal((await overTls(server, key, identity(gateway), { "x-gate-token": "no" })).code, "GATEWAY_NOT_TRUSTED");
  });
});

test("a certificate that is not good ends the handshake", async () => {
  const late = certs.issue("late gateway", gateways, { days: -1 });
  const serverOnly = certs.issue("no client", gateways, { use: "serverAuth" });
  const stranger = certs.issue("stranger", certs.authority("strangers"));
  const client = certs.issue("client", clients);
  await withServer({ ...tls, gate_client_ca: gateways.cert }, async (server, key) => {
    for (const bad of [late, serverOnly, stranger, client])
      await assert.rejects(overTls(server, key, identity(bad)), /certificate|unknown ca|ECONNRESET|EPIPE|socket hang up|unsupported/i);
    assert.equal((await overTls(server, key)).code, "GATEWAY_NOT_TRUSTED");
    assert.equal((await overTls(server, key, identity(certs.issue("gateway", gateways)))).status, 200);
  });
});

test("certificates behind an intermediate authority, with connections that are resumed", async () => {
  const between = certs.intermediate("between", gateways);
  const gateway = certs.issue("behind", between);
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    await withServer({ ...tls, gate_client_ca: gateways.cert, tls_client_ca: clients.cert }, async (server, key) => {
      const agent = new Agent({ keepAlive: false, maxCachedSessions: 10 });
      let nResumed = 0;
      for (let i = 0; i < 5; i++) {
        const options = { agent, minVersion: version, maxVersion: version, ...identity(gateway, [between]) };
        const answer = await new Promise<number>((resolve, reject) => {
          const out = httpsRequest(
            { host: "127.0.0.1", port: new URL(server.url).port, ca: certs.read(authority.cert), path: "/gate/forward", headers: { "x-api-key": key }, ...(options as object) },
            (reply) => {
              nResumed += Number((reply.socket as import("node:tls").TLSSocket).isSessionReused());
              reply.resume().on("end", () => resolve(reply.statusCode ?? 0));
            },
          );
          out.on("error", reject);
          out.end();
        });
        assert.equal(answer, 200, `${version}, call ${i}`);
      }
      assert.ok(nResumed > 0, `${version}: no session was resumed`);
      agent.destroy();
    });
  }
});

test("other authorities are in force after a reload, for resumed sessions as well", async () => {
  const inUse = certs.path("gate-ca.pem");
  copyFileSync(gateways.cert, inUse);
  const gateway = certs.issue("gateway", gateways);
  const next = certs.authority("next gateways");
  await withServer({ ...tls, gate_client_ca: inUse }, async (server, key) => {
    const agent = new Agent({ keepAlive: false, maxCachedSessions: 10 });
    assert.equal((await overTls(server, key, { ...identity(gateway), agent })).status, 200);
    copyFileSync(next.cert, inUse);
    process.kill(server.pid, "SIGHUP");
    await eventually(async () => (await overTls(server, key, identity(certs.issue("new gateway", next))).catch(() => undefined))?.status === 200, 5000, "the new authority");
    await assert.rejects(overTls(server, key, { ...identity(gateway), agent }));
    writeFileSync(inUse, "no certificate\n");
    process.kill(server.pid, "SIGHUP");
    await eventually(async () => /tls\.not_reloaded.*gate_client_ca/.test(server.log), 5000, "the log says so");
    assert.equal((await overTls(server, key, identity(certs.issue("new gateway", next)))).status, 200);
    agent.destroy();
  });
});

test("a start with settings that do not fit says which", async () => {
  const cases: [Settings, RegExp][] = [
    [{ gate_client_ca: gateways.cert }, /tls_cert\s+is missing/],
    [{ ...tls, gate_client_ca: certs.path("none") }, /gate_client_ca = ".*none" cannot be read: No such file/],
    [{ ...tls, gate_client_ca: shown.key }, /gate_client_ca = ".*" holds no certificate in PEM/],
    [{ gate_socket: "x".repeat(108) }, /gate_socket/],
    [{ gate_uids: "root, nobody-of-that-name" }, /there is no user "nobody-of-that-name"/],
    [{ gate_socket: certs.folder }, /gate_socket .* a file that is no socket is in its place/],
  ];
  const instance = new Instance();
  for (const [settings, expected] of cases) {
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name.replaceAll("_", "-")}`, String(value)]);
    const { code, stderr } = await instance.cli(["serve", "--listen", "127.0.0.1:0", ...flags]);
    assert.notEqual(code, 0);
    assert.match(stderr, expected);
  }
  instance.remove();
});

// ---- the Unix socket ----

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const overSocket = (socketPath: string, key: string, fields: Record<string, string> = {}, path = "/gate/forward"): Promise<Answered> =>
  send(httpRequest, { socketPath, path }, { "x-api-key": key, ...fields });

test("the gate's socket lets the server's own user ask, and has nothing but the gate", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
  const socket = join(folder, "gate.sock");
  await withServer({ gate_socket: socket }, async (server, key) => {
    assert.equal(statSync(socket).mode & 0o777, 0o666);
    const passed = await overSocket(socket, key, { "x-forwarded-for": "203.0.113.9", "x-forwarded-method": "GET", "x-forwarded-uri": "/" });
    assert.equal(passed.status, 200);
    assert.equal((await overSocket(socket, key, {}, "/oauth2/introspect")).status, 404);
    for (const path of ["/healthz", "/api/employer/api-keys", "/gate", "/api/version"]) {
      const answer = await overSocket(socket, key, {}, path);
      assert.equal(answer.code, "NOT_FOUND", path);
      assert.equal(answer.detail, "This socket serves /gate/ alone.");
    }
    // Its user does not stand for a gate token elsewhere.
    assert.equal((await overSocket(socket, key, {}, "/gate/verify")).code, "METHOD_NOT_ALLOWED");
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 20 });
    const many = await Promise.all(Array.from({ length: 200 }, () => send(httpRequest, { socketPath: socket, agent }, { "x-api-key": key })));
    assert.ok(many.every(({ status, code }) => status === 200 || code === "RATE_LIMITED"), JSON.stringify(many.find((each) => each.status !== 200)));
    agent.destroy();
    assert.ok(server.pid);
  });
  assert.throws(() => statSync(socket), /ENOENT/);
  rmSync(folder, { recursive: true });
});

test("a user who is not in gate_uids needs a token, and a reload changes who is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
  const socket = join(folder, "gate.sock");
  await withServer({ gate_socket: socket }, async (server, key, token) => {
    const settings = join(server.instance.folder, "sallyport.conf");
    const trust = (users: string): void => {
      writeFileSync(settings, `gate_uids = ${users}\n`);
      process.kill(server.pid, "SIGHUP");
    };
    trust("4000000000, daemon");
    await eventually(async () => (await overSocket(socket, key)).code === "GATEWAY_NOT_TRUSTED", 5000, "not trusted");
    assert.match(server.log, /gate\.not_trusted.*its user, number \d+, is not in gate_uids/);
    assert.equal((await overSocket(socket, key, { "x-gate-token": token })).status, 200);
    trust(String(process.getuid?.()));
    await eventually(async () => (await overSocket(socket, key)).status === 200, 5000, "trusted again");
  });
  rmSync(folder, { recursive: true });
});

test("a socket left behind is replaced, one in use is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
  const socket = join(folder, "gate.sock");
  await withServer({ gate_socket: socket }, async (server, key) => {
    const second = new Instance();
    const { code, stderr } = await second.cli(["serve", "--listen", "127.0.0.1:0", "--gate-socket", socket]);
    assert.notEqual(code, 0);
    assert.match(stderr, /gate_socket .* is in use: another server runs/);
    second.remove();
    assert.equal((await overSocket(socket, key)).status, 200);
  });
  const killed = await startServer({ gate_socket: socket });
  await killed.kill();
  assert.ok(statSync(socket).isSocket());
  killed.instance.remove();
  await withServer({ gate_socket: socket }, async (_, key) => assert.equal((await overSocket(socket, key)).status, 200));
  rmSync(folder, { recursive: true });
});

test("nginx asks over the socket as a user of its own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
  const port = await freePort();
  const socket = join(folder, "gate.sock");
  const isRoot = process.getuid?.() === 0;
  await withServer({ gate_socket: socket, ...(isRoot ? { gate_uids: "www-data" } : {}) }, async (server, key) => {
    const tenant = await newTenant(server);
    const narrow = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: null });
    writeFileSync(join(folder, "nginx.conf"), `
daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; ${isRoot ? "user www-data;" : ""} worker_processes 1;
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${folder}/${what};`).join(" ")}
  upstream sallyport { server unix:${socket}; keepalive 8; }
  server {
    listen 127.0.0.1:${port};
    location / { auth_request /_gate; return 204; }
    location /data { auth_request /_gate; alias ${folder}/data; }
    location = /_gate {
      internal; proxy_pass http://sallyport/gate/nginx?scopes=fhir:read; proxy_pass_request_body off; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Content-Length "";
      proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Real-IP $remote_addr;
    }
  }
}
`);
    writeFileSync(join(folder, "data"), "guarded\n");
    chmodSync(folder, 0o755);
    const nginx = spawn("nginx", ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")], { stdio: "inherit" });
    try {
      const ask = (rawKey: string): Promise<Answered> => send(httpRequest, { host: "127.0.0.1", port, path: "/data" }, { "x-api-key": rawKey });
      await eventually(async () => (await ask(key).catch(() => undefined))?.status === 200, 10_000, "nginx lets it pass");
      assert.equal((await ask(narrow.rawKey)).status, 403);
      assert.equal((await ask(`${key}0`)).status, 401);
    } finally {
      nginx.kill("SIGTERM");
      await new Promise((resolve) => nginx.on("close", resolve));
    }
  });
  rmSync(folder, { recursive: true });
});
