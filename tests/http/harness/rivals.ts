/** How others read the same bytes: Debian's nginx, and Node's own server. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

import { eventually } from "./util.js";

/** A request that went through to the application, as that has seen it. */
export interface Seen {
  /** Not there: what the application does with it does not show it. */
  path?: string;
  body?: string;
}

export interface Reading {
  /** In order. */
  seen: Seen[];
  /**
   * "refused": an error of the parser, or the connection closed without an answer; "closed": after an
   * answer that said so; "waiting": for more bytes.
   */
  end: "refused" | "closed" | "waiting";
  /** What the refusal said. */
  why: string;
}

export interface Piece {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** Sends the bytes on a connection of its own; the answers, until it is closed or nothing comes for a while. */
function converse(to: NetConnectOpts, bytes: Buffer, quietMs: number): Promise<{ text: string; isClosed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    let text = "";
    let isConnected = false;
    const done = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, isClosed });
    };
    const timer = setTimeout(() => done(false), quietMs);
    socket.on("connect", () => {
      isConnected = true;
      socket.write(bytes);
    });
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      timer.refresh();
    });
    socket.on("end", () => done(true));
    socket.on("error", (error) => (isConnected ? done(true) : reject(error)));
    socket.on("close", () => done(true));
  });
}

/** Of an answer's body, as it was sent. */
function lengthOf(status: number, headers: Map<string, string>, text: string, at: number): number {
  if (status < 200 || status === 204) return 0;
  const said = headers.get("content-length");
  if (said !== undefined) return Number(said);
  // Refusals alone come so, and none of them is long.
  if (headers.get("transfer-encoding") === "chunked") return text.indexOf("0\r\n\r\n", at) + 5 - at;
  return text.length - at;
}

/** The final answers in a stream; what is cut short does not count. */
export function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return pieces;
    const [first = "", ...lines] = text.slice(at, end).split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
    if (!status) throw new Error(`not a status line: ${JSON.stringify(first)}`);
    const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
    const length = lengthOf(status, headers, text, end + 4);
    if (status >= 200) pieces.push({ status, headers, body: text.slice(end + 4, end + 4 + length) });
    at = end + 4 + length;
  }
}

/** seen: what an answer says that the application has seen; a text: it is a refusal, and why. */
export async function read(to: NetConnectOpts, bytes: Buffer, quietMs: number, seen: (piece: Piece) => Seen | string): Promise<Reading> {
  const { text, isClosed } = await converse(to, bytes, quietMs);
  const reading: Reading = { seen: [], end: isClosed ? "refused" : "waiting", why: isClosed ? "closed without an answer" : "" };
  for (const piece of split(text)) {
    const what = seen(piece);
    if (typeof what === "string") return { ...reading, end: "refused", why: what };
    reading.seen.push(what);
    // What comes behind a last answer is no request any more.
    if (isClosed && piece.headers.get("connection") === "close") return { ...reading, end: "closed", why: "" };
  }
  return reading;
}

/* ---- the two ---- */

const ECHO = "x-echo";
/** An answer that is owed is one turn of the loop away. */
const OWED_WITHIN_MS = 50;

/** Tells what it was asked. nginx, in front, says in fields what it has made of the target. */
function echo(req: IncomingMessage, res: ServerResponse): void {
  const pieces: Buffer[] = [];
  req.on("data", (piece) => pieces.push(piece));
  req.on("error", () => {});
  req.on("end", () => {
    const said = req.headers["x-path"];
    const text = JSON.stringify({
      path: typeof said === "string" ? Buffer.from(said, "latin1").toString("utf8") : pathOf(req.url ?? ""),
      body: Buffer.concat(pieces).toString("latin1"),
    });
    res.writeHead(200, { [ECHO]: "1", "content-length": Buffer.byteLength(text) }).end(text);
  });
}

/** Decoded, without host and query. */
function pathOf(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?]*/i, "").split("?")[0] || "/";
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function seenByEcho(piece: Piece): Seen | string {
  if (!piece.headers.has(ECHO)) return `${piece.status}`;
  return JSON.parse(Buffer.from(piece.body, "latin1").toString("utf8")) as Seen;
}

/** By itself, Node says 400 at once, and forgets what it owes to the requests before. */
function refuse(_error: Error, socket: Duplex): void {
  setTimeout(() => socket.writable && socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), OWED_WITHIN_MS);
}

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(path, resolve);
  });

/** Limits far above those of the server under test: what they refuse, they refuse for its form. */
const configuration = (folder: string, backend: string): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
events { worker_connections 4096; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${folder}/${what};`).join(" ")}
  large_client_header_buffers 16 64k;
  client_max_body_size 0;
  keepalive_requests 100000;
  merge_slashes off;
  server {
    listen unix:${folder}/nginx.sock backlog=4096;
    location / {
      proxy_pass http://unix:${backend}:/;
      proxy_http_version 1.1;
      proxy_method POST;
      proxy_pass_request_headers off;
      proxy_ignore_client_abort on;
      proxy_set_header Host nginx;
      proxy_set_header Connection close;
      proxy_set_header X-Path $uri;
    }
  }
}
`;

export class Rivals {
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-rivals-"));
  // A Host is asked for, as RFC 9112 section 3.2 has it; Node 18 does not do so by itself.
  readonly #node = createServer({ maxHeaderSize: 128 * 1024, requireHostHeader: true } as object, echo);
  readonly #backend = createServer({ maxHeaderSize: 128 * 1024 }, echo);
  #nginx: ChildProcess | undefined;

  async start(): Promise<void> {
    const backend = join(this.#folder, "backend.sock");
    this.#node.on("clientError", refuse);
    await listening(this.#node, join(this.#folder, "node.sock"));
    await listening(this.#backend, backend);
    const file = join(this.#folder, "nginx.conf");
    writeFileSync(file, configuration(this.#folder, backend));
    this.#nginx = spawn("nginx", ["-p", this.#folder, "-e", join(this.#folder, "error.log"), "-c", file], { stdio: "pipe" });
    let said = "";
    this.#nginx.stderr?.on("data", (piece) => (said += piece));
    this.#nginx.on("error", (error) => (said += error));
    const hello = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await eventually(async () => (await this.nginx(hello, 5000).catch(() => undefined))?.seen.length === 1, 10_000, `nginx answers; ${said}${this.log}`);
  }

  nginx(bytes: Buffer, quietMs: number): Promise<Reading> {
    return read({ path: join(this.#folder, "nginx.sock") }, bytes, quietMs, seenByEcho);
  }

  node(bytes: Buffer, quietMs: number): Promise<Reading> {
    return read({ path: join(this.#folder, "node.sock") }, bytes, quietMs, seenByEcho);
  }

  /** nginx's; "" if there is none yet. */
  get log(): string {
    try {
      return readFileSync(join(this.#folder, "error.log"), "utf8");
    } catch {
      return "";
    }
  }

  async stop(): Promise<void> {
    const nginx = this.#nginx;
    const ended = new Promise((resolve) => nginx?.once("close", resolve));
    nginx?.kill("SIGKILL");
    if (nginx?.pid) await ended;
    for (const server of [this.#node, this.#backend]) {
      server.close();
      server.closeAllConnections?.();
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
