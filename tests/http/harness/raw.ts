/** HTTP by hand, for what a client library would put right before it is sent. */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

import { check } from "./contract.js";

export interface Answer {
  status: number;
  /** Names in lower case. */
  headers: Map<string, string[]>;
  body: string;
  /** Statuses of 1xx answers that came before. */
  interim: number[];
}

export type Fields = Record<string, string | string[]>;

export interface Call {
  method?: string;
  target: string;
  fields?: Fields;
  /** An object is sent as JSON. */
  body?: string | object;
}

export const field = (answer: Answer, name: string): string | undefined => answer.headers.get(name)?.[0];
export const json = (answer: Answer): any => JSON.parse(answer.body);

/** The bytes of a request; Host, Content-Length and Content-Type are added unless they are there. */
export function requestText(host: string, call: Call): string {
  const body = typeof call.body === "object" ? JSON.stringify(call.body) : call.body;
  const names = new Set(Object.keys(call.fields ?? {}).map((name) => name.toLowerCase()));
  const lines = [`${call.method ?? "GET"} ${call.target} HTTP/1.1`];
  const add = (name: string, value: string): void => {
    if (!names.has(name)) lines.push(`${name}: ${value}`);
  };
  add("host", host);
  for (const [name, values] of Object.entries(call.fields ?? {}))
    for (const value of Array.isArray(values) ? values : [values]) lines.push(`${name}: ${value}`);
  if (body !== undefined) {
    add("content-type", "application/json");
    if (!names.has("transfer-encoding")) add("content-length", String(Buffer.byteLength(body)));
  }
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

export class Connection {
  readonly host: string;
  readonly #origin: string;
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};
  /** What was asked, in order, for the record. */
  readonly #asked: { method?: string; target?: string; body?: string }[] = [];

  private constructor(socket: Socket, url: URL) {
    this.#socket = socket;
    this.host = url.host;
    this.#origin = url.origin;
    socket.on("data", (piece) => {
      this.#bytes = Buffer.concat([this.#bytes, piece as Buffer]);
      this.#wake();
    });
    const ended = (error?: Error): void => {
      this.#ended = true;
      this.#error ??= error;
      this.#wake();
    };
    socket.on("end", () => ended());
    socket.on("close", () => ended());
    socket.on("error", ended);
  }

  /** options: of TLS, for an https address; localAddress also without. */
  static open(address: string, options: ConnectionOptions & { localAddress?: string } = {}): Promise<Connection> {
    const url = new URL(address);
    const to = { host: url.hostname, port: Number(url.port), noDelay: true, ...options };
    const isTls = url.protocol === "https:";
    return new Promise((resolve, reject) => {
      const socket = isTls ? connectTls(to) : connect(to);
      // Stays: there may be a second one, and it would end the process.
      socket.on("error", reject);
      socket.once(isTls ? "secureConnect" : "connect", () => resolve(new Connection(socket, url)));
    });
  }

  /** A TLSSocket, where the address is an https one. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Bytes as they are. `asked` is what they ask for, if they are well-formed requests. */
  write(bytes: string | Uint8Array, ...asked: { method: string; target: string }[]): void {
    this.#asked.push(...asked);
    this.#socket.write(bytes);
  }

  send(call: Call): void {
    const body = typeof call.body === "object" ? JSON.stringify(call.body) : call.body;
    this.#asked.push({ method: call.method ?? "GET", target: call.target, ...(body === undefined ? {} : { body }) });
    this.#socket.write(requestText(this.host, call));
  }

  /** The next final answer, held against the contract. */
  async answer(withinMs = 10_000): Promise<Answer> {
    const asked = this.#asked.shift() ?? {};
    const interim: number[] = [];
    for (;;) {
      const head = await this.#until(() => this.#bytes.indexOf("\r\n\r\n"), withinMs, "a response head");
      const lines = this.#take(head + 4).toString("latin1").trimEnd().split("\r\n");
      const match = /^HTTP\/1\.1 (\d{3}) /.exec(lines[0] ?? "");
      if (!match) throw new Error(`not a status line: ${lines[0]}`);
      const status = Number(match[1]);
      if (status < 200) {
        interim.push(status);
        continue;
      }
      const headers = new Map<string, string[]>();
      for (const line of lines.slice(1)) {
        const [, name = "", value = ""] = /^([^:\s]+):[ \t]*(.*)$/.exec(line) ?? [];
        if (!name) throw new Error(`not a header line: ${line}`);
        headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
      }
      const body = await this.#body(status, asked.method, headers, withinMs);
      const answer = { status, headers, body, interim };
      check({ ...answer, origin: this.#origin, method: asked.method, target: asked.target, requestBody: asked.body });
      return answer;
    }
  }

  async #body(status: number, method: string | undefined, headers: Map<string, string[]>, withinMs: number): Promise<string> {
    if (method === "HEAD" || status === 204 || status === 304) return "";
    if (headers.get("transfer-encoding")) throw new Error("a chunked answer, which this reader does not know");
    const length = Number(headers.get("content-length")?.[0]);
    if (!Number.isInteger(length)) throw new Error("the answer has no Content-Length");
    await this.#until(() => (this.#bytes.length >= length ? 0 : -1), withinMs, "the response body");
    return this.#take(length).toString("utf8");
  }

  /** Waits until the server has closed; returns what else it sent. */
  async closed(withinMs = 10_000): Promise<string> {
    await this.#until(() => (this.#ended ? 0 : -1), withinMs, "the end of the connection", true);
    return this.#bytes.toString("latin1");
  }

  /** 100 Continue, without what comes after. */
  async interim(withinMs = 10_000): Promise<number> {
    const head = await this.#until(() => this.#bytes.indexOf("\r\n\r\n"), withinMs, "an interim response");
    return Number(this.#take(head + 4).toString("latin1").slice(9, 12));
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  get pending(): string {
    return this.#bytes.toString("latin1");
  }

  /** Our side is done; the other may still answer. */
  end(): void {
    this.#socket.end();
  }

  drop(): void {
    this.#socket.destroy();
  }

  #take(n: number): Buffer {
    const taken = this.#bytes.subarray(0, n);
    this.#bytes = this.#bytes.subarray(n);
    return taken;
  }

  async #until(found: () => number, withinMs: number, what: string, endIsFine = false): Promise<number> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const at = found();
      if (at >= 0) return at;
      if (this.#ended && !endIsFine)
        throw new Error(`the connection ended before ${what}: ${this.#error?.message ?? "closed"}`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${what} within ${withinMs} ms; got ${JSON.stringify(this.pending.slice(0, 200))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** One call on a connection of its own. */
export async function call(url: string, what: Call): Promise<Answer> {
  const connection = await Connection.open(url);
  try {
    connection.send(what);
    return await connection.answer(30_000);
  } finally {
    connection.drop();
  }
}
