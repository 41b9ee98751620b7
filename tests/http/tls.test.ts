/** TLS as Node, curl and openssl see it; what clients send that is none; certificates that change. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest, Agent } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { promisify } from "node:util";

import { Certs, type Issued } from "./harness/certs.js";
import { Connection, field, json } from "./harness/raw.js";
import { ADMIN_EMAIL, ADMIN_PASSWORD, Instance, startServer, type Server } from "./harness/server.js";
import { eventually, refusedWith, somebody } from "./harness/util.js";

const run = promisify(execFile);

const certs = new Certs();
const authority = certs.authority("authority");
const first = certs.issue("first", authority);
const second = certs.issue("second", authority, { rsa: true });
const ca = certs.read(authority.cert);

/** What the settings name; what is in there may change. */
const inUse: Issued = { cert: certs.path("in-use.pem"), key: certs.path("in-use.key") };
function use(issued: Issued): void {
  copyFileSync(issued.cert, inUse.cert);
  copyFileSync(issued.key, inUse.key);
}

let server: Server;
let key: string;
before(async () => {
  use(first);
  server = await startServer({ tls_cert: inUse.cert, tls_key: inUse.key, handshake_timeout: "2s", log_level: "info" });
  const issued = await server.cliJson(["keys", "create", "--name", "k", "--scope", "cohort:read", "--scope", "cohort:write"]);
  key = issued.rawKey;
});
after(async () => {
  await server.stop();
  certs.remove();
});

const portOf = (url: string): number => Number(new URL(url).port);

/** A TLS connection, or why there is none. */
function shake(options: ConnectionOptions = {}, url = server.url): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: portOf(url), ca, ...options }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** One request on it, by hand; the status, or why there is none. */
function ask(socket: TLSSocket | Socket, target = "/healthz"): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (piece: Buffer): void => {
      text += piece.toString("latin1");
      const [, length] = /content-length: (\d+)/.exec(text) ?? [];
      const body = text.indexOf("\r\n\r\n") + 4;
      if (body < 4 || text.length < body + Number(length)) return;
      socket.removeListener("data", hear);
      resolve(Number(text.slice(9, 12)));
    };
    socket.on("data", hear);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
    socket.write(`GET ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  });
}

const subject = (socket: TLSSocket): string => socket.getPeerCertificate().subject.CN as string;

const plainBytes = (socket: Socket): Promise<Buffer> =>
  new Promise((resolve) => {
    const pieces: Buffer[] = [];
    socket.on("data", (piece) => pieces.push(piece as Buffer));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(pieces)));
  });

const plain = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host: "127.0.0.1", port: portOf(server.url), noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });

/* ---- what is spoken ---- */

test("the address is an https one, and links name it", async () => {
  assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const connection = await Connection.open(server.url, { ca });
  connection.send({ target: "/nowhere" });
  const problem = refusedWith(await connection.answer(), "NOT_FOUND");
  assert.equal(problem.type, `${server.url}/docs/errors/NOT_FOUND`);
  connection.drop();
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}: many calls, a verified certificate, http/1.1, and resumption`, async () => {
    const range = { minVersion: version, maxVersion: version, ALPNProtocols: ["h2", "http/1.1"] };
    let session: Buffer | undefined;
    const socket = await shake({ ...range });
    socket.on("session", (bytes) => (session = bytes));
    assert.equal(socket.authorized, true);
    assert.equal(socket.getProtocol(), version);
    assert.equal(socket.alpnProtocol, "http/1.1");
    assert.equal(socket.isSessionReused(), false);
    assert.match(socket.getCipher().name, /^(TLS_|ECDHE-).*(GCM|POLY1305)/);
    for (let i = 0; i < 20; i++) assert.equal(await ask(socket), 200);
    session ??= socket.getSession();
    socket.end();
    // Each is taken by one of the I/O threads; which is the kernel's choice.
    for (let i = 0; i < 12; i++) {
      const again = await shake({ ...range, session });
      assert.equal(again.isSessionReused(), true, `connection ${i}`);
      assert.equal(await ask(again), 200);
      again.end();
    }
  });
}

test("older versions, and ALPN without http/1.1, are refused by name", async () => {
  await assert.rejects(shake({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }), /version/i);
  await assert.rejects(shake({ ALPNProtocols: ["h2"] }), /no.application.protocol/i);
});

test("Node's https client keeps its connections, and every call is answered", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca });
  const call = (i: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const req = httpsRequest(`${server.url}/${i % 2 ? "healthz" : "api/version"}`, { agent }, (res) => {
        res.resume();
        res.on("end", () => resolve(res.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    });
  const statuses = await Promise.all(Array.from({ length: 200 }, (_, i) => call(i)));
  assert.deepEqual(new Set(statuses), new Set([200]));
  agent.destroy();
});

test("a large upload and a large download arrive whole", async () => {
  const patients = Array.from({ length: 9000 }, () => somebody());
  const body = JSON.stringify({ patients });
  assert.ok(body.length > 500_000, String(body.length));
  const connection = await Connection.open(server.url, { ca });
  const fields = { "x-api-key": key, "x-api-version": "2026-02-01" };
  connection.send({ method: "POST", target: "/api/employer/upload-cohort", fields, body });
  assert.equal(json(await connection.answer(60_000)).created, 9000);
  connection.send({ target: "/api/employer/cohort?limit=1000", fields });
  const roster = await connection.answer(30_000);
  assert.equal(roster.status, 200, roster.body);
  // A large reply that is the last one: close_notify comes behind all of it.
  connection.send({ target: "/api/openapi", fields: { connection: "close" } });
  const contract = await connection.answer(30_000);
  assert.ok(contract.body.length > 100_000);
  assert.equal(json(contract).openapi, "3.1.0");
  assert.equal(await connection.closed(), "");
});

test("a sign-in's cookie is Secure, and its origin is the https one", async () => {
  const connection = await Connection.open(server.url, { ca });
  const body = { email: ADMIN_EMAIL, password: ADMIN_PASSWORD };
  connection.send({ method: "POST", target: "/api/auth/login", body, fields: { origin: server.url } });
  const answer = await connection.answer();
  assert.equal(answer.status, 200, answer.body);
  assert.match(field(answer, "set-cookie") ?? "", /; Secure/);
  const cookie = (field(answer, "set-cookie") ?? "").split(";")[0] ?? "";
  const logout = { method: "POST", target: "/api/auth/logout" };
  connection.send({ ...logout, fields: { cookie, origin: server.url.replace("https", "http") } });
  refusedWith(await connection.answer(), "ORIGIN_NOT_ALLOWED");
  connection.send({ ...logout, fields: { cookie, origin: server.url } });
  assert.equal((await connection.answer()).status, 204);
  connection.drop();
});

/* ---- other judges ---- */

test("curl: verified, 1.2 and 1.3, an upload, and http:// is told to use https://", async () => {
  for (const version of ["--tlsv1.2 --tls-max 1.2", "--tlsv1.3"]) {
    const { stdout } = await run("curl", ["-sS", ...version.split(" "), "--cacert", authority.cert, "-w", " %{http_code} %{ssl_verify_result}", `${server.url}/healthz`]);
    assert.equal(stdout, '{"status":"ok"} 200 0');
  }
  const body = JSON.stringify({ patients: [somebody()] });
  const fields = [`x-api-key: ${key}`, "x-api-version: 2026-02-01", "content-type: application/json"].flatMap((text) => ["-H", text]);
  const upload = await run("curl", ["-sS", "--cacert", authority.cert, ...fields, "-d", body, `${server.url}/api/employer/upload-cohort`]);
  assert.equal(JSON.parse(upload.stdout).created, 1);
  const plainly = await run("curl", ["-sS", "-i", server.url.replace("https", "http")]);
  assert.match(plainly.stdout, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(JSON.parse(plainly.stdout.split("\r\n\r\n")[1] ?? "").detail, /https:\/\//);
});

test("openssl s_client: versions, ciphers, renegotiation, compression, resumption", async () => {
  const client = async (input: string, ...args: string[]): Promise<string> => {
    const child = run("openssl", ["s_client", "-connect", `127.0.0.1:${portOf(server.url)}`, "-CAfile", authority.cert, ...args], { timeout: 20_000 });
    child.child.stdin?.end(input);
    const { stdout, stderr } = await child.catch((error) => error as { stdout: string; stderr: string });
    return stdout + stderr;
  };
  const request = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const modern = await client(request, "-tls1_3", "-ign_eof");
  assert.match(modern, /Verify return code: 0 \(ok\)/);
  assert.match(modern, /New, TLSv1\.3, Cipher is TLS_/);
  assert.match(modern, /"status":"ok"/);
  const older = await client(request, "-tls1_2", "-ign_eof");
  assert.match(older, /New, TLSv1\.2, Cipher is ECDHE-ECDSA-/);
  assert.match(older, /Compression: NONE/);
  assert.match(await client("", "-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"), /handshake failure|no cipher/i);
  assert.match(await client("", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), /alert protocol version/);
  assert.match(await client("R\n", "-tls1_2"), /no renegotiation/);
  const session = certs.path("session");
  await client(request, "-tls1_2", "-ign_eof", "-sess_out", session);
  assert.match(await client(request, "-tls1_2", "-ign_eof", "-sess_in", session), /^Reused, TLSv1\.2/m);
});

/* ---- what is no handshake ---- */

test("plain HTTP gets a plain 400 that names https, and the end", async () => {
  for (const text of ["GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "P", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nabc"]) {
    const connection = await Connection.open(server.url.replace("https", "http"));
    connection.write(text);
    assert.match(refusedWith(await connection.answer(), "MALFORMED_REQUEST").detail, /https:\/\//);
    assert.equal(await connection.closed(), "");
  }
});

test("garbage, half a handshake and silence are cut off; others are served meanwhile", async () => {
  const hello = Buffer.from("16030100a5010000a10303", "hex");
  const sockets = await Promise.all(Array.from({ length: 5 }, plain));
  // Before the first byte: the end of some may be here at once.
  const ends = sockets.map(plainBytes);
  const [garbage, half, gone, , slow] = sockets as [Socket, Socket, Socket, Socket, Socket];
  garbage.write(Buffer.concat([Buffer.from("160301000501", "hex"), Buffer.alloc(200, 0xff)]));
  half.write(hello);
  gone.end(hello);
  const drip = setInterval(() => slow.write(hello.subarray(0, 1)), 200);
  const good = await shake();
  assert.equal(await ask(good), 200);
  for (const [i, bytes] of (await Promise.all(ends)).entries()) assert.ok(bytes.length <= 7, `connection ${i} got ${bytes.length} bytes`);
  clearInterval(drip);
  assert.equal(await ask(good), 200);
  good.end();
});

test("a flood of failed handshakes is not a flood of log lines", async () => {
  const before = server.log.length;
  const sockets = await Promise.all(Array.from({ length: 200 }, plain));
  const ends = sockets.map(plainBytes);
  for (const socket of sockets) socket.write(Buffer.from("1603010004ffffffff", "hex"));
  await Promise.all(ends);
  const lines = server.log.slice(before).split("\n").filter((line) => line.includes("tls.handshake_failed"));
  assert.ok(lines.length > 0);
  // 10 in 10 seconds for each I/O thread, and what of the window before is left.
  assert.ok(lines.length < 200 / 2, `${lines.length} lines`);
});

/* ---- a new certificate ---- */

test("SIGHUP: new connections see the new certificate, the held one goes on", async () => {
  const held = await shake();
  assert.equal(await ask(held), 200);
  assert.equal(subject(held), "first");
  const running = Array.from({ length: 50 }, async () => {
    const socket = await shake();
    const status = await ask(socket);
    socket.end();
    return status;
  });
  use(second);
  process.kill(server.pid, "SIGHUP");
  await eventually(async () => {
    const fresh = await shake();
    const name = subject(fresh);
    fresh.end();
    return name === "second";
  }, 10_000, "the new certificate");
  assert.deepEqual(new Set(await Promise.all(running)), new Set([200]));
  for (let i = 0; i < 5; i++) assert.equal(await ask(held), 200);
  held.end();
});

test("ten reloads while clients call on kept and on new connections: no call is lost", async () => {
  let isOver = false;
  const seen = new Set<string>();
  let n = 0;
  const kept = Array.from({ length: 4 }, async () => {
    const socket = await shake();
    while (!isOver) assert.equal(await ask(socket), 200);
    socket.end();
  });
  const fresh = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const socket = await shake();
      seen.add(subject(socket));
      assert.equal(await ask(socket), 200);
      socket.end();
      n++;
    }
  });
  const loaded = (): number => server.log.split("tls.loaded").length;
  const reloads = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      const before = loaded();
      use(i % 2 ? second : first);
      process.kill(server.pid, "SIGHUP");
      await eventually(async () => loaded() > before, 10_000, "a log line");
    }
  };
  await Promise.all([reloads().finally(() => (isOver = true)), ...kept, ...fresh]);
  assert.deepEqual([...seen].sort(), ["first", "second"]);
  assert.ok(n > 20, `${n} connections`);
});

test("SIGHUP with files that are not good changes nothing, and the log says why", async () => {
  const faults: [() => void, RegExp][] = [
    [() => copyFileSync(first.key, inUse.key), /is not the key of the certificate/],
    [() => writeFileSync(inUse.cert, "nothing"), /holds no certificate/],
    [() => writeFileSync(inUse.key, "nothing"), /holds no (certificate|private key)/],
  ];
  for (const [spoil, reason] of faults) {
    use(second);
    const before = server.log.length;
    spoil();
    process.kill(server.pid, "SIGHUP");
    const line = await eventually(async () => /.*tls\.not_reloaded.*/.exec(server.log.slice(before))?.[0], 10_000, "a log line");
    assert.match(line, reason);
    const socket = await shake();
    assert.equal(subject(socket), "second");
    assert.equal(await ask(socket), 200);
    socket.end();
  }
  use(second);
});

/* ---- certificates of clients ---- */

test("client certificates: off, optional and required; none, good and bad ones", async () => {
  const clients = certs.authority("clients");
  const good = certs.issue("payroll", clients);
  const stranger = certs.issue("stranger", certs.authority("strangers"));
  const late = certs.issue("late", clients, { days: -1 });
  const table: Record<string, [none: boolean, good: boolean, bad: boolean]> = {
    off: [true, true, true],
    optional: [true, true, false],
    required: [false, true, false],
  };
  for (const [mode, expected] of Object.entries(table)) {
    const other = await startServer({ tls_cert: first.cert, tls_key: first.key, tls_client_ca: clients.cert, tls_client_certificates: mode });
    const isServed = async (issued?: Issued): Promise<boolean> => {
      try {
        const shown = issued ? { cert: certs.read(issued.cert), key: certs.read(issued.key) } : {};
        const socket = await shake(shown, other.url);
        const status = await ask(socket);
        socket.end();
        return status === 200;
      } catch (error) {
        assert.match(String(error), /certificate|unknown ca|ECONNRESET|EPIPE|closed after ""/i);
        return false;
      }
    };
    assert.deepEqual([await isServed(), await isServed(good), await isServed(stranger), await isServed(late)], [...expected, expected[2]], mode);
    await other.stop();
  }
});

/* ---- the start ---- */

test("a start with files that do not fit fails with a sentence", async () => {
  const open = certs.path("open.key");
  copyFileSync(first.key, open);
  const cases: [Record<string, string>, RegExp][] = [
    [{ tls_cert: first.cert }, /tls_key\s+is missing/],
    [{ tls_key: first.key }, /tls_cert\s+is missing/],
    [{ tls_cert: first.cert, tls_key: first.key, tls_client_certificates: "required" }, /tls_client_ca\s+is missing/],
    [{ tls_cert: first.cert, tls_key: second.key }, /is not the key of the certificate/],
    [{ tls_cert: certs.path("none"), tls_key: first.key }, /tls_cert = ".*none" cannot be read: No such file/],
    [{ tls_cert: first.cert, tls_key: first.cert }, /holds no private key/],
    [{ tls_cert: certs.folder, tls_key: first.key }, /is not a file/],
    [{ tls_cert: first.cert, tls_key: first.key, tls_min_version: "1.1" }, /tls_min_version/],
  ];
  const instance = new Instance();
  for (const [settings, expected] of cases) {
    const result = await instance.cliWith(["serve", "--listen", "127.0.0.1:0"], settings);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr + result.stdout, expected);
  }
  instance.remove();
});

test("a start with a key open to everybody, or an expired certificate, warns", async () => {
  const late = certs.issue("expired", authority, { days: -1 });
  chmodSync(late.key, 0o644);
  const other = await startServer({ tls_cert: late.cert, tls_key: late.key });
  assert.match(other.log, /tls\.key_is_open/);
  assert.match(other.log, /tls\.certificate_expired/);
  const socket = await shake({ rejectUnauthorized: false }, other.url);
  assert.equal(await ask(socket), 200);
  socket.end();
  await other.stop();
});
