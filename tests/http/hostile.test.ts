/**
 * Clients that want to keep the server from serving others: many, slow, endless, and handshakes that
 * lead nowhere. Each once in plain HTTP and once over TLS. What counts is who is answered, what the
 * hostile ones could send, and how much memory the server has.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from "node:net";
import { after, test } from "node:test";
import { connect as connectTls } from "node:tls";

import { Certs } from "./harness/certs.js";
import { metricOf } from "./harness/metrics.js";
import { binary } from "./harness/paths.js";
import { Connection, field, requestText } from "./harness/raw.js";
import { split } from "./harness/rivals.js";
import { Instance, type Server, type Settings } from "./harness/server.js";
import { eventually, refusedWith } from "./harness/util.js";

const MIB = 1024 * 1024;
const WITHIN_MS = 60_000;

/** AddressSanitizer keeps what was freed for a while, and puts much around each block. */
const isSanitized = readFileSync(binary).includes("__asan_init");
const FREED = "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=1";
const perSanitizer = (release: number, sanitized: number): number => (isSanitized ? sanitized : release);
/** What caches and threads' own heaps may come to, whatever the clients do. */
const SLACK = perSanitizer(16, 48) * MIB;

const certs = new Certs();
after(() => certs.remove());
const { cert, key } = certs.issue("here", certs.authority("authority"));

const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const kinds: { name: string; settings: Settings }[] = [
  { name: "plain", settings: {} },
  { name: "TLS", settings: { tls_cert: cert, tls_key: key } },
];

async function withServer(settings: Settings, work: (server: Server) => Promise<void>): Promise<void> {
  const instance = new Instance({ log_format: "json", metrics_listen: "127.0.0.1:0", io_threads: 2, connections_per_address: 0, ...settings });
  const server = await instance.start({ ASAN_OPTIONS: [process.env["ASAN_OPTIONS"], FREED].filter(Boolean).join(":") });
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

for (const { name, settings } of kinds) {
  // In a loop, so that each sentence below is a test for either.
  const hostile = (what: string, more: Settings, work: (server: Server) => Promise<void>): void => void test(`${name}: ${what}`, () => withServer({ ...settings, ...more }, work));
  describeHostile(hostile, name === "TLS");
}

/* ---- looking at the server ---- */

const memory = (server: Server): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]);

const connections = (server: Server): Promise<number> => metricOf(server, "sallyport_connections");

/** Looks at the memory all the while; what work has made it grow by at most. */
async function growth(server: Server, work: () => Promise<void>): Promise<number> {
  const before = memory(server);
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, memory(server))), 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, memory(server)) - before;
}

const isFlat = (bytes: number, allowed: number): void => assert.ok(bytes < allowed, `memory grew by ${(bytes / MIB).toFixed(1)} MiB, and ${(allowed / MIB).toFixed(1)} MiB are allowed`);

/* ---- clients ---- */

const tlsOptions = { rejectUnauthorized: false };
const open = (server: Server, options: { localAddress?: string } = {}): Promise<Connection> => Connection.open(server.url, { ...tlsOptions, ...options });

let session: Buffer | undefined;

/** A socket and nothing around it; what it hears is kept as a text. */
interface Bare {
  socket: Socket;
  heard: string;
  isOver: boolean;
}

function bare(server: Server): Promise<Bare> {
  const { hostname, port, protocol } = new URL(server.url);
  const to = { host: hostname, port: Number(port), noDelay: true };
  return new Promise((resolve, reject) => {
    const isTls = protocol === "https:";
    const socket: Socket = isTls ? connectTls({ ...to, ...tlsOptions, ...(session ? { session } : {}) }) : connectTcp(to);
    const client: Bare = { socket, heard: "", isOver: false };
    if (isTls) socket.on("session", (bytes) => (session = bytes));
    socket.on("data", (piece) => (client.heard += piece.toString("latin1")));
    socket.on("close", () => (client.isOver = true));
    socket.on("end", () => (client.isOver = true));
    socket.on("error", (error) => {
      client.isOver = true;
      reject(error);
    });
    socket.on(isTls ? "secureConnect" : "connect", () => resolve(client));
  });
}

/** text: what each says as soon as it may. */
async function many(server: Server, n: number, text = ""): Promise<Bare[]> {
  const one = async (): Promise<Bare> => {
    const client = await bare(server);
    if (text) client.socket.write(text);
    return client;
  };
  const made: Bare[] = [await one()];
  while (made.length < n) made.push(...(await Promise.all(Array.from({ length: Math.min(50, n - made.length) }, one))));
  return made;
}

const dropAll = (clients: Bare[]): void => clients.forEach(({ socket }) => socket.destroy());

/** Writes until it is told off, the connection is gone, or `most` bytes are with the kernel. */
async function pour(client: Bare, piece: Buffer, most: number): Promise<number> {
  const { socket } = client;
  const handed = (): number => socket.bytesWritten - socket.writableLength;
  const start = handed();
  while (!client.isOver && handed() - start < most) {
    if (socket.write(piece)) {
      await nap(0);
      continue;
    }
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off("drain", go).off("close", go).off("error", go);
        resolve();
      };
      socket.once("drain", go).once("close", go).once("error", go);
      if (client.isOver) go();
    });
  }
  return handed() - start;
}

/** A good client: one connection, one call after the other; how long they took, the slowest and all. */
async function calls(connection: Connection, n: number): Promise<{ slowest: number; all: number }> {
  const took: number[] = [];
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    connection.send({ target: i % 2 ? "/healthz" : "/api/version" });
    assert.equal((await connection.answer(WITHIN_MS)).status, 200);
    took.push(performance.now() - start);
  }
  return { slowest: Math.max(...took), all: took.reduce((a, b) => a + b, 0) };
}

const statusOf = (client: Bare): number | undefined => split(client.heard).at(-1)?.status;
const codeOf = (client: Bare): string => JSON.parse(split(client.heard).at(-1)?.body ?? "{}").code;

async function newKey(server: Server): Promise<Record<string, string>> {
  const issued = await server.cliJson(["keys", "create", "--name", "k", "--scope", "cohort:write"]);
  return { "x-api-key": issued.rawKey, "x-api-version": "2026-02-01" };
}

const figures = (text: string): void => console.log(`# figures: ${text}`);

/* ---- the tests ---- */

function describeHostile(hostile: (what: string, more: Settings, work: (server: Server) => Promise<void>) => void, isTls: boolean): void {
  const kind = isTls ? "TLS" : "plain";

  hostile("2,000 idle connections and 200 that send a byte a second do not slow a good client", { head_timeout: "4s" }, async (server) => {
    const IDLE = 2000;
    const SLOW = 200;
    const good = await open(server);
    await calls(good, 50);
    const alone = await calls(good, 200);
    const before = memory(server);
    // Between two requests, for which there is more time than for the first.
    const idle = await many(server, IDLE, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(async () => idle.every(({ heard }) => heard.includes('{"status":"ok"}')), WITHIN_MS, "all are served once");
    const perConnection = (memory(server) - before) / IDLE;
    const slow = await many(server, SLOW);
    const text = "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ";
    let at = 0;
    const drip = setInterval(() => {
      for (const { socket, isOver } of slow) if (!isOver) socket.write(text[at] ?? "x");
      at++;
    }, 1000);
    const crowded = await calls(good, 200);
    assert.ok((await connections(server)) >= IDLE + SLOW - 1);
    await Promise.all(Array.from({ length: 10 }, async () => calls(await open(server), 10)));
    figures(`${kind}: 200 calls alone ${alone.all.toFixed(0)} ms, beside ${IDLE} idle and ${SLOW} slow ones ${crowded.all.toFixed(0)} ms; ${(perConnection / 1024).toFixed(1)} KiB a connection`);
    // A clear sign of a connection that waits for others; a machine that is busy is no such sign.
    assert.ok(crowded.all < alone.all * 5 + 3000, `${crowded.all} ms instead of ${alone.all} ms`);
    assert.ok(crowded.slowest < 3000, `${crowded.slowest} ms for one call`);
    isFlat(perConnection, (isTls ? perSanitizer(48, 160) : perSanitizer(8, 24)) * 1024);

    // Those that are slow are told off in time, each with the sentence for it; the others stay.
    await eventually(async () => slow.every(({ isOver }) => isOver), WITHIN_MS, "the slow ones are cut off");
    clearInterval(drip);
    for (const client of slow) assert.deepEqual([statusOf(client), codeOf(client)], [408, "REQUEST_TIMEOUT"]);
    assert.equal(idle.filter(({ isOver }) => isOver).length, 0);
    await calls(good, 10);
    dropAll(idle);
    await eventually(async () => (await connections(server)) <= 11, WITHIN_MS, "all are gone");
  });

  hostile("those who say nothing, between requests or before the first, are closed in silence", { head_timeout: "1s", idle_timeout: "1s" }, async (server) => {
    const clients = await many(server, 100);
    for (const { socket } of clients.slice(50)) socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(async () => clients.every(({ isOver }) => isOver), WITHIN_MS, "all are closed");
    for (const { heard } of clients.slice(0, 50)) assert.equal(heard, "");
    for (const { heard } of clients.slice(50)) assert.deepEqual(split(heard).map(({ status }) => status), [200]);
    dropAll(clients);
  });

  hostile("a body at a byte a second is cut off when its time is over", { body_timeout: "1s" }, async (server) => {
    const clients = await many(server, 50);
    const head = ["content-length: 1000", "transfer-encoding: chunked"].map((length) => `POST /api/auth/login HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
    clients.forEach(({ socket }, i) => socket.write(head[i % 2]!));
    const drip = setInterval(() => clients.forEach(({ socket, isOver }, i) => !isOver && socket.write(i % 2 ? "1\r\n \r\n" : " ")), 300);
    await eventually(async () => clients.every(({ isOver }) => isOver), WITHIN_MS, "all are cut off");
    clearInterval(drip);
    for (const client of clients) assert.deepEqual([statusOf(client), codeOf(client)], [408, "REQUEST_TIMEOUT"]);
    assert.equal(await metricOf(server, "sallyport_request_body_bytes"), 0);
    dropAll(clients);
  });

  hostile("bodies of 1 GB are cut off early, whoever sends them, and memory is flat", {}, async (server) => {
    const GB = 1024 * MIB;
    const fields = await newKey(server);
    const piece = Buffer.alloc(64 * 1024, " ");
    const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]);
    const head = (more: Record<string, string>): string => requestText("a", { method: "POST", target: "/api/employer/upload-cohort", fields: { "content-type": "application/json", ...more } });
    const cases: [string, Buffer, number, string][] = [
      [head({ "content-length": String(GB) }), piece, 401, "MISSING_CREDENTIALS"],
      [head({ "transfer-encoding": "chunked" }), chunk, 401, "MISSING_CREDENTIALS"],
      [head({ ...fields, "content-length": String(GB) }), piece, 413, "BODY_TOO_LARGE"],
      [head({ ...fields, "transfer-encoding": "chunked" }), chunk, 413, "BODY_TOO_LARGE"],
      [head({ ...fields, "transfer-encoding": "chunked" }) + `${GB.toString(16)}\r\n`, piece, 413, "BODY_TOO_LARGE"],
    ];
    const good = await open(server);
    for (const [text, bytes, status, code] of cases) {
      const grown = await growth(server, async () => {
        const clients = await many(server, 4);
        const sent = await Promise.all(clients.map(async (client) => {
          client.socket.write(text, "latin1");
          return pour(client, bytes, GB);
        }));
        for (const [i, client] of clients.entries()) {
          assert.deepEqual([statusOf(client), codeOf(client)], [status, code]);
          // The limit of the route (16 MiB), as much again that is read and thrown away, and what kernels hold.
          assert.ok(sent[i]! < 64 * MIB, `${sent[i]} bytes were taken`);
        }
        dropAll(clients);
      });
      // Those that are received until their limit is seen: 16 MiB for each of the four, and the growing of their buffers.
      isFlat(grown, SLACK + (text.includes("chunked") && status === 413 && !text.includes(GB.toString(16)) ? 4 * 48 * MIB : 0));
      await calls(good, 5);
    }
    assert.equal(await metricOf(server, "sallyport_request_body_bytes"), 0);
  });

  hostile("endless heads are cut off early: one field, many fields, the target; and memory is flat", {}, async (server) => {
    const cases: [string, Buffer, number, string][] = [
      ["GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", Buffer.alloc(16 * 1024, "x"), 431, "HEADERS_TOO_LARGE"],
      ["GET /healthz HTTP/1.1\r\nHost: a\r\n", Buffer.from("X: y\r\n".repeat(2000)), 431, "HEADERS_TOO_LARGE"],
      ["GET /", Buffer.alloc(16 * 1024, "x"), 414, "URI_TOO_LONG"],
      ["GET /healthz HTTP/1.1\r\nHost: a\r\nCookie: ", Buffer.alloc(16 * 1024, "a=b;"), 431, "HEADERS_TOO_LARGE"],
    ];
    const good = await open(server);
    for (const [text, bytes, status, code] of cases) {
      const grown = await growth(server, async () => {
        const clients = await many(server, 20);
        const sent = await Promise.all(clients.map(async (client) => {
          client.socket.write(text);
          return pour(client, bytes, 1024 * MIB);
        }));
        for (const [i, client] of clients.entries()) {
          assert.deepEqual([statusOf(client), codeOf(client)], [status, code]);
          assert.ok(sent[i]! < 48 * MIB, `${sent[i]} bytes were taken`);
        }
        dropAll(clients);
      });
      isFlat(grown, SLACK);
      await calls(good, 5);
    }
  });

  hostile("requests that nobody hears the answers of are held back", {}, async (server) => {
    const clients = await many(server, 10);
    const request = Buffer.from("GET /api/openapi HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500));
    const grown = await growth(server, async () => {
      const sent = clients.map((client) => {
        client.socket.pause();
        // As much as the kernels on both sides take, which may be all of a small flood.
        void pour(client, request, 1024 * MIB);
        return () => client.socket.bytesWritten - client.socket.writableLength;
      });
      let last = -1;
      await eventually(async () => {
        const now = sent.reduce((n, each) => n + each(), 0);
        const isHeld = now === last;
        last = now;
        await nap(500);
        return isHeld;
      }, WITHIN_MS, "nothing more is taken");
      for (const each of sent) assert.ok(each() < 32 * MIB, `${each()} bytes were taken`);
      await calls(await open(server), 20);
    });
    isFlat(grown, SLACK);
    dropAll(clients);
  });

  hostile("connections past the limit of an address: told so, and other addresses are served", { connections_per_address: 20 }, async (server) => {
    const held = await Promise.all(Array.from({ length: 20 }, () => open(server)));
    for (const each of held) await calls(each, 1); // so that all have been accepted
    for (let i = 0; i < 30; i++) {
      if (isTls) {
        await assert.rejects(open(server));
        continue;
      }
      const one = await open(server);
      const answer = await one.answer();
      assert.match(refusedWith(answer, "OVERLOADED").detail, /from this address/);
      assert.ok(Number(field(answer, "retry-after")) >= 1);
      assert.equal(field(answer, "connection"), "close");
      one.drop();
    }
    assert.equal(await metricOf(server, "sallyport_connections_turned_away_total"), 30);
    await eventually(async () => (await connections(server)) === 20, WITHIN_MS, "none of them is held");
    for (const each of held) await calls(each, 1);
    await calls(await open(server, { localAddress: "127.0.0.2" }), 2);
    held.pop()?.drop();
    await eventually(async () => open(server).then((one) => calls(one, 1)).then(() => true, () => false), WITHIN_MS, "there is room again");
  });

  hostile("connections past the limit of all: told so; those that are open, and the operator, go on", { connections_max: 40 }, async (server) => {
    const held = await Promise.all(Array.from({ length: 40 }, (_, i) => open(server, { localAddress: `127.0.0.${1 + (i % 5)}` })));
    for (const each of held) await calls(each, 1); // so that all have been accepted
    for (let i = 0; i < 10; i++) {
      if (isTls) {
        await assert.rejects(open(server));
        continue;
      }
      const one = await open(server, { localAddress: "127.0.0.9" });
      const answer = await one.answer();
      assert.equal(refusedWith(answer, "OVERLOADED").detail, "Too many connections are open.");
      assert.ok(Number(field(answer, "retry-after")) >= 1);
      one.drop();
    }
    for (const each of held) await calls(each, 1);
    assert.equal((await server.cli(["employers", "list"])).code, 0);
    // A crowd that comes all at once is turned away as a whole, and the server is none the larger.
    isFlat(await growth(server, async () => {
      const crowd = await Promise.allSettled(Array.from({ length: 500 }, () => open(server)));
      for (const each of crowd) if (each.status === "fulfilled") each.value.drop();
    }), SLACK);
    await eventually(async () => (await connections(server)) === 40, WITHIN_MS, "none of the crowd is left");
    await calls(held[0]!, 5);
  });

  hostile("bodies that together pass body_memory are refused before they are received", { body_memory: "16MiB" }, async (server) => {
    const fields = { ...(await newKey(server)), "content-type": "application/json", "content-length": String(6 * MIB), expect: "100-continue" };
    const clients = await Promise.all(Array.from({ length: 10 }, () => open(server)));
    const refused: Connection[] = [];
    const taken: Connection[] = [];
    const grown = await growth(server, async () => {
      for (const each of clients) {
        each.send({ method: "POST", target: "/api/employer/upload-cohort", fields });
        await eventually(async () => each.pending.includes("\r\n\r\n"), WITHIN_MS, "a word");
        if (each.pending.startsWith("HTTP/1.1 100 ")) taken.push(each);
        else refused.push(each);
      }
      assert.deepEqual([taken.length, refused.length], [2, 8]);
      for (const each of refused) {
        const answer = await each.answer();
        refusedWith(answer, "OVERLOADED");
        assert.equal(answer.status, 503);
        assert.ok(Number(field(answer, "retry-after")) >= 1);
      }
    });
    isFlat(grown, SLACK);
    assert.equal(await metricOf(server, "sallyport_request_body_bytes"), 12 * MIB);
    await calls(await open(server), 5);
    for (const each of taken) each.drop();
    await eventually(async () => (await metricOf(server, "sallyport_request_body_bytes")) === 0, WITHIN_MS, "it is given back");
    const again = await open(server);
    again.send({ method: "POST", target: "/api/employer/upload-cohort", fields });
    assert.equal(await again.interim(), 100);
    again.drop();
  });
}

/* ---- handshakes ---- */

/** What OpenSSL says first. */
async function clientHello(): Promise<Buffer> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const heard = new Promise<Buffer>((resolve) => listener.on("connection", (socket) => socket.once("data", (bytes) => (socket.destroy(), resolve(bytes as Buffer)))));
  const socket = connectTls({ host: "127.0.0.1", port: (listener.address() as AddressInfo).port, ...tlsOptions });
  socket.on("error", () => {});
  const hello = await heard;
  socket.destroy();
  listener.close();
  return hello;
}

const plainSocket = (server: Server): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const socket = connectTcp({ host: hostname, port: Number(port), noDelay: true }, () => resolve(socket));
    socket.once("error", reject).on("error", () => {}).resume();
  });

test("TLS: handshakes that are begun and left are bounded, and others get through", () =>
  withServer({ tls_cert: cert, tls_key: key, handshakes_max: 64, handshake_timeout: "30s" }, async (server) => {
    const hello = await clientHello();
    const good = await open(server);
    const before = memory(server);
    const left: Socket[] = [];
    for (let i = 0; i < 1500; i += 50) {
      const batch = await Promise.all(Array.from({ length: 50 }, () => plainSocket(server)));
      batch.forEach((socket, k) => socket.write(k % 2 ? hello : hello.subarray(0, 100)));
      left.push(...batch);
      await calls(good, 1);
      await calls(await open(server), 1);
    }
    // 64 for each of two threads, and those that are served.
    await eventually(async () => (await connections(server)) <= 2 * 64 + 1 + 30, WITHIN_MS, "the oldest are ended");
    isFlat(memory(server) - before, SLACK);
    assert.ok((await metricOf(server, "sallyport_tls_handshakes_total", { result: "failed" })) >= 1500 - 2 * 64);
    assert.equal(await metricOf(server, "sallyport_tls_handshakes_total", { result: "full" }), 31);
    const lines = server.log.split("\n").filter((line) => line.includes("tls.handshake_failed")).length;
    assert.ok(lines > 0 && lines < 200, `${lines} lines`);
    left.forEach((socket) => socket.destroy());
  }));

test("TLS: a flood of handshakes does not keep those who are through waiting", () =>
  withServer({ tls_cert: cert, tls_key: key, handshakes_max: 64 }, async (server) => {
    const hello = await clientHello();
    const good = await open(server);
    await calls(good, 20);
    const before = memory(server);
    let isOver = false;
    let n = 0;
    const floods = Array.from({ length: 40 }, async () => {
      while (!isOver) {
        const socket = await plainSocket(server).catch(() => undefined);
        socket?.write(hello);
        n++;
        // For the server's side of the handshake, which is the dear one.
        await new Promise<void>((resolve) => (socket ? socket.once("data", () => resolve()).once("close", () => resolve()) : resolve()));
        socket?.destroy();
      }
    });
    const flooded = async (): Promise<number> => {
      const { slowest } = await calls(good, 200);
      for (let i = 0; i < 10; i++) await calls(await open(server), 1);
      return slowest;
    };
    const slowest = await flooded().finally(() => (isOver = true));
    await Promise.all(floods);
    figures(`${n} handshakes begun meanwhile; the slowest of 200 calls took ${slowest.toFixed(0)} ms`);
    assert.ok(n > 200, `${n} handshakes are no flood`);
    assert.ok(slowest < 3000, `${slowest} ms for one call`);
    isFlat(memory(server) - before, SLACK);
    await eventually(async () => (await connections(server)) <= 12, WITHIN_MS, "they are gone");
  }));

test("TLS: a message of the handshake that says it is 16 MiB long is cut off early", () =>
  withServer({ tls_cert: cert, tls_key: key, handshake_timeout: "3s", head_timeout: "3s" }, async (server) => {
    const good = await open(server);
    const grown = await growth(server, async () => {
      const hostile = await Promise.all(Array.from({ length: 20 }, () => plainSocket(server)));
      // A ClientHello, in records that are all full.
      const record = Buffer.concat([Buffer.from("1603014000", "hex"), Buffer.alloc(16384, 0)]);
      const first = Buffer.from(record);
      first.write("01ffffff", 5, "hex");
      const clients = hostile.map((socket): Bare => {
        const client: Bare = { socket, heard: "", isOver: false };
        socket.on("close", () => (client.isOver = true));
        socket.write(first);
        return client;
      });
      const sent = await Promise.all(clients.map((client) => pour(client, record, 1024 * MIB)));
      for (const n of sent) assert.ok(n < 16 * MIB, `${n} bytes were taken`);
      await eventually(async () => clients.every(({ isOver }) => isOver), WITHIN_MS, "all are cut off");
    });
    isFlat(grown, SLACK);
    await calls(good, 10);
  }));
