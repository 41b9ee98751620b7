/** Requests that are almost right: a good one, and one to three things about it that are odd. */

export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to n - 1 (mulberry32). */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

interface Field {
  name: string;
  /** Between name and value. */
  colon: string;
  value: string;
  end: string;
}

/** All texts are bytes, as latin1. */
interface Parts {
  before: string;
  method: string;
  gap: string;
  target: string;
  gap2: string;
  version: string;
  end: string;
  fields: Field[];
  headEnd: string;
  /** Its content, and the pieces that it goes in where it is chunked. */
  content: string;
  cuts: number[];
  isChunked: boolean;
  /** What is done to the body's bytes last. */
  spoil: (body: string) => string;
}

/** Where the body goes; it answers with the name of a member that it does not know. */
const ECHO_TARGET = "/api/auth/login";
/** What follows on the same connection. */
const FOLLOWING = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

const field = (name: string, value: string): Field => ({ name, colon: ": ", value, end: "\r\n" });

const find = (parts: Parts, name: string): Field | undefined => parts.fields.find((f) => f.name.toLowerCase() === name);

function base(chance: Chance, id: string): Parts {
  const kind = chance.of(["plain", "length", "length", "chunked", "chunked"]);
  const parts: Parts = {
    before: "", method: kind === "plain" ? "GET" : "POST", gap: " ", target: kind === "plain" ? `/d/${id}` : ECHO_TARGET, gap2: " ",
    version: "HTTP/1.1", end: "\r\n", fields: [field("Host", "localhost")], headEnd: "\r\n", content: "", cuts: [], isChunked: kind === "chunked", spoil: (body) => body,
  };
  if (chance.below(3) === 0) parts.fields.push(field("User-Agent", "differential/1"));
  if (kind === "plain") return parts;
  parts.content = chance.below(4) ? `{"m-${id}":0}` : SMUGGLED;
  parts.fields.push(field("Content-Type", "application/json"));
  if (kind === "chunked") {
    parts.fields.push(field("Transfer-Encoding", "chunked"));
    while (chance.below(2)) parts.cuts.push(chance.below(parts.content.length));
  } else {
    parts.fields.push(field("Content-Length", String(parts.content.length)));
  }
  return parts;
}

/* ---- what is odd ---- */

const BYTES = ["\0", "\x01", "\t", "\n", "\r", "\r\n", "\v", "\f", " ", "  ", "\x1b", '"', "#", "%", ",", ":", ";", "/", "\\", "0", "A", "_", "{", "\x7f", "\x80", "\xa0", "\xff"];
const SPACES = ["", " ", "  ", "\t", " \t ", "\r", "\n", "\v", "\f", "\xa0", "\r\n ", "\r\n\t", "\n "];
const LINE_ENDS = ["\n", "\r", "\r\r\n", " \r\n", "\t\r\n", "\0\r\n", "\r\n\r\n", "\r\n \r\n", "\n\r\n", ""];
const METHODS = ["get", "Get", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO", "G@T", "GET\t", "", "PRI", "M-SEARCH", "POST,GET", "\xe9", "G:T", "(GET)"];
const VERSIONS = ["HTTP/1.0", "HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "HTTP/11", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/01.1", "http/1.1", "HTTP/1,1", "HTTP/1.1x", "HTTP /1.1", "XTTP/1.1", "HTTPS/1.1", ""];
const HOSTS = ["", "a b", "a,b", "a/b", "a?b", "a#b", "a@b", "user@localhost", "localhost:", "localhost:80", "localhost:99999", "localhost:x", "localhost:+80", "a:80:80", "[::1]", "[::1]:80", "[::1", "::1", "..", "a..b", ".a", "a.", "a_b", "-a", "a%20b", "a\tb", "a\0b", "\x80", "loc\r\nalhost", "localhost\t", "\tlocalhost", "'a'", "{a}", "a|b", "a\\b", "a;b", "LOCALHOST", "127.0.0.1", "0x7f.1"];
const CODINGS = ["chunked", "Chunked", "CHUNKED", "chunked ", " chunked", "\tchunked", "chunked\t", "\vchunked", "\fchunked", "chunked\v", "chunked\f", "\x00chunked", "chunked\x00", "chunke", "chunkedx", "xchunked", "chunked,", ",chunked", ", chunked", "chunked, chunked", "chunked,identity", "identity", "identity, chunked", "gzip", "gzip, chunked", "chunked, gzip", "chunked;q=1", "chunked; a=b", '"chunked"', "", "\xa0chunked", "chunked\r\n ", "\r\n chunked", "chun\r\n ked", "c hunked", "trailers", "deflate"];

/** Said of a body of n bytes. */
const lengths = (n: number): string[] => [`+${n}`, `-${n}`, `0${n}`, `000000000000000000000000${n}`, `${n}.0`, `${n},${n}`, `${n}, ${n}`, `${n},`, `,${n}`, `${n};`, `${n} ${n}`, `0x${n.toString(16)}`, n.toString(16), `${n}e0`, `\t${n}`, `${n}\t`, ` ${n} `, `\v${n}`, `${n}\v`, `${n}\f`, `${n}\0`, `\xa0${n}`, "", " ", "-1", "-0", "+0", "00", "0", String(n - 1), String(n + 1), "18446744073709551616", "9223372036854775808", `1844674407370955161${(n + 6) % 10}`, "99999999999999999999999", "4294967296", "NaN", "١", `${n}\r\n `, `\r\n ${n}`, `${Math.floor(n / 10)}\r\n ${n % 10}`, `"${n}"`, `${n}_0`, `${n}L`];
const ODD_FIELDS = ["X: a\r\n b", "X : a", "X\t: a", " X: a", "\tX: a", "X", ": a", "X:", "X:a", "X: \0", "X: \x01", "X: \x7f", "X: \xe9", "X\0: a", "X\x01: a", "X\xe9: a", "X(: a", "X/: a", "X[: a", "X_y: a", "X@: a", 'X": a', "X,Y: a", "X;Y: a", "X{: a", "X : Y: a", "X: a\rY: b", "X: a\nY: b", "X:: a", "X\r\n: a", "Expect: 100-continue", "Expect: 200-ok", "Expect:", "Connection: close", "Connection: keep-alive", "Connection: close, x", "Connection: x, close", "Connection: xclose", "Connection: Transfer-Encoding", "Connection: Content-Length", "Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAAP__", "TE: trailers", "Trailer: X", "Keep-Alive: 1", "Content-Encoding: gzip", "Range: bytes=0-1", "Proxy-Connection: close", "X-HTTP-Method-Override: PUT", "Transfer_Encoding: chunked", "Content_Length: 5", "Content-Length-: 5", "Transfer-Encodin\x67: chunked", "GET /smuggled HTTP/1.1"];

const setValue = (parts: Parts, name: string, value: string): void => {
  const there = find(parts, name.toLowerCase());
  if (there) there.value = value;
  else parts.fields.push(field(name, value));
};

const insert = (text: string, at: number, what: string, over = 0): string => text.slice(0, at) + what + text.slice(at + over);

const CHUNK_ODDS: ((body: string, chance: Chance) => string)[] = [
  (body) => body.replace("\r\n", "\n"),
  (body) => body.replace("\r\n", "\r"),
  (body) => body.replace("\r\n", " \r\n"),
  (body) => body.replace("\r\n", "\t\r\n"),
  (body) => body.replace("\r\n", "\r\r\n"),
  (body) => body.replace("\r\n", "\r\n\r\n"),
  (body) => body.replace("\r\n", "\0\r\n"),
  (body, chance) => body.replace("\r\n", `${chance.of([";", ";a", ";a=b", ' ; a="b"', ";\xff", ";\n", ";\r", ";a\nb", ";\0", ",a", "=", "a;", '; a="\r\n'])}\r\n`),
  (body, chance) => chance.of(["0x", "0X", "+", "-", " ", "\t", "00", "0000000000000000", "00000000000000000", "1000000000000000", "10000000000000000", "8000000000000000", "f000000000000000", "fffffffffffffff", "\r\n", "\n", "g", ";", "_"]) + body,
  (body) => body.toUpperCase(),
  (body) => body.replace(/^([0-9a-f]+)/, (size) => (parseInt(size, 16) + 1).toString(16)),
  (body) => body.replace(/^([0-9a-f]+)/, (size) => (parseInt(size, 16) - 1).toString(16)),
  (body) => body.replace(/^([0-9a-f]+)/, ""),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\n\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\n\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\n\r"),
  (body) => body.replace(/0\r\n\r\n$/, "00\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0;a\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\nX: a\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\nContent-Length: 5\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\nX\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\n X: a\r\n\r\n"),
  (body) => body.replace(/0\r\n\r\n$/, "0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
  (body) => body.replace(/\r\n0\r\n\r\n$/, "0\r\n\r\n"),
  (body) => body.replace(/\r\n0\r\n\r\n$/, "xx0\r\n\r\n"),
  (body) => body.replace(/\r\n0\r\n\r\n$/, "\n0\r\n\r\n"),
  (body) => body.replace(/\r\n0\r\n\r\n$/, "\r0\r\n\r\n"),
  (body, chance) => insert(body, chance.below(body.length + 1), chance.of(BYTES), chance.below(2)),
];

const ODDS: ((parts: Parts, chance: Chance) => void)[] = [
  (p, c) => (p.before = c.of(["\r\n", "\n", "\r", " ", "\t", "\0", "\r\n\r\n", "\xef\xbb\xbf"])),
  (p, c) => (p.method = c.of(METHODS)),
  (p, c) => (p.gap = c.of(SPACES)),
  (p, c) => (p.gap2 = c.of(SPACES)),
  (p, c) => (p.version = c.of(VERSIONS)),
  (p, c) => (p.end = c.of(LINE_ENDS)),
  (p, c) => (p.headEnd = c.of(["\n", "\r", "\r\r\n", " \r\n", "\n\r\n", "\r\n\r\n", "\0\r\n"])),
  (p, c) => (p.target = c.of(["", "*", "x", "//", "//a/b", "/a//b", "/./a", "/a/../b", "/..", "/%2e%2e/a", "/a%2fb", "/a%5cb", "/%00", "/%0d%0a", "/%", "/%2", "/%zz", "/%u0041", "/a b", "/a\tb", "/a\\b", "/\xe9", "/%c3%a9", "/%ff", "/%c0%af", "/a#b", "/#", "/?", "/??", "/?a=%", "/?a b", "/?\x00", "/a;b=c", "/a|b", "/a{b}", "/a\"b", "/a<b>", "/a^b", "/a`b", "/~a", "/a%20b", "/a+b", "http://localhost/d/x", "http://localhost", "http://localhost?x", "http://other/d/x", "https://localhost/d/x", "HTTP://localhost/d/x", "http://localhost:80/d/x", "http://u@localhost/d/x", "http:///d/x", "http:/d/x", "ftp://localhost/d/x", "localhost:80", "http://localhost/a b", "http://[::1]/d/x", "/http://other/x"])),
  (p, c) => (p.target = insert(p.target, c.below(p.target.length + 1), c.of(BYTES), c.below(2))),
  (p, c) => setValue(p, "Host", c.of(HOSTS)),
  (p, c) => p.fields.push(field(c.of(["Host", "host", "HOST"]), c.of(["localhost", "other", "", ...HOSTS]))),
  (p) => (p.fields = p.fields.filter((f) => f.name !== "Host")),
  (p, c) => setValue(p, "Transfer-Encoding", c.of(CODINGS)),
  (p, c) => setValue(p, "Transfer-Encoding", c.of(CODINGS)),
  (p, c) => p.fields.push(field("Transfer-Encoding", c.of(CODINGS))),
  (p, c) => setValue(p, "Content-Length", c.of(lengths(p.content.length))),
  (p, c) => setValue(p, "Content-Length", c.of(lengths(p.content.length))),
  (p, c) => p.fields.push(field("Content-Length", c.of([String(p.content.length), ...lengths(p.content.length)]))),
  (p, c) => p.fields.unshift(field("Content-Length", c.of([String(p.content.length), ...lengths(p.content.length)]))),
  (p) => (p.fields = p.fields.filter((f) => !["Content-Length", "Transfer-Encoding"].includes(f.name))),
  (p, c) => {
    const [name, ...rest] = c.of(ODD_FIELDS).split(":");
    p.fields.splice(c.below(p.fields.length + 1), 0, { name: name ?? "", colon: rest.length ? ":" : "", value: rest.join(":"), end: "\r\n" });
  },
  (p, c) => {
    const [name, ...rest] = c.of(ODD_FIELDS).split(":");
    p.fields.splice(c.below(p.fields.length + 1), 0, { name: name ?? "", colon: rest.length ? ":" : "", value: rest.join(":"), end: "\r\n" });
  },
  (p, c) => (c.of(p.fields.length ? p.fields : [field("X", "a")]).end = c.of(LINE_ENDS)),
  (p, c) => (c.of(p.fields.length ? p.fields : [field("X", "a")]).colon = c.of([":", " : ", "\t:", ":\t", ":  ", ": \t ", "", "=", ";", "\0:", ":\r\n ", ":\n ", "\r\n:", ":\v", ":\xa0", "::"])),
  (p, c) => {
    const f = c.of(p.fields.length ? p.fields : [field("X", "a")]);
    f.name = insert(f.name, c.below(f.name.length + 1), c.of(BYTES), c.below(2));
  },
  (p, c) => {
    const f = c.of(p.fields.length ? p.fields : [field("X", "a")]);
    f.value = insert(f.value, c.below(f.value.length + 1), c.of(BYTES), c.below(2));
  },
  (p, c) => {
    const f = c.of(p.fields.length ? p.fields : [field("X", "a")]);
    f.name = c.below(2) ? f.name.toUpperCase() : f.name.toLowerCase();
  },
  (p, c) => {
    const i = c.below(p.fields.length + 1);
    const f = p.fields[i];
    if (f) p.fields.splice(c.below(p.fields.length + 1), 0, { ...f });
  },
  (p, c) => {
    const spoil = c.of(CHUNK_ODDS);
    if (p.isChunked) p.spoil = (body) => spoil(body, c);
  },
  (p, c) => {
    const spoil = c.of(CHUNK_ODDS);
    if (p.isChunked) p.spoil = (body) => spoil(body, c);
  },
  (p) => (p.isChunked = !p.isChunked),
];

function chunked(content: string, cuts: number[]): string {
  const at = [0, ...[...new Set(cuts)].filter((cut) => cut > 0).sort((a, b) => a - b), content.length];
  const pieces = at.slice(1).map((end, i) => content.slice(at[i], end)).filter((piece) => piece !== "");
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("")}0\r\n\r\n`;
}

function write(parts: Parts): string {
  const fields = parts.fields.map((f) => f.name + f.colon + f.value + f.end).join("");
  const body = parts.isChunked ? chunked(parts.content, parts.cuts) : parts.content;
  return parts.before + parts.method + parts.gap + parts.target + parts.gap2 + parts.version + parts.end + fields + parts.headEnd + parts.spoil(body) + FOLLOWING;
}

/** The bytes of one connection: the request, and a good one behind it. n_odd: 0 is a good one. */
export function request(chance: Chance, nOdd: number): Buffer {
  const parts = base(chance, chance.below(1_000_000_000).toString(36));
  for (let i = 0; i < nOdd; i++) chance.of(ODDS)(parts, chance);
  return Buffer.from(write(parts), "latin1");
}

/** Every line of the tables above once, alone. */
export function* each(chance: Chance): Generator<Buffer> {
  const build = (isWanted: (parts: Parts) => boolean, change: (parts: Parts) => void): Buffer => {
    for (;;) {
      const parts = base(chance, chance.below(1_000_000_000).toString(36));
      if (!isWanted(parts)) continue;
      change(parts);
      return Buffer.from(write(parts), "latin1");
    }
  };
  const any = (): boolean => true;
  const has = (name: string) => (parts: Parts) => find(parts, name) !== undefined;
  for (const value of HOSTS) yield build(any, (p) => setValue(p, "Host", value));
  yield build((p) => p.method === "GET", (p) => ((p.method = "OPTIONS"), (p.target = "*")));
  for (const value of METHODS) yield build(any, (p) => (p.method = value));
  for (const value of VERSIONS) yield build(any, (p) => (p.version = value));
  for (const value of SPACES) yield build(any, (p) => (p.gap = value));
  for (const value of LINE_ENDS) for (const name of ["host", "content-length", "transfer-encoding"]) yield build(has(name), (p) => (find(p, name)!.end = value));
  for (const value of CODINGS) {
    yield build(has("transfer-encoding"), (p) => setValue(p, "Transfer-Encoding", value));
    yield build(has("content-length"), (p) => setValue(p, "Transfer-Encoding", value));
    yield build(has("transfer-encoding"), (p) => p.fields.push(field("Transfer-Encoding", value)));
  }
  for (let i = 0; i < lengths(13).length; i++) {
    yield build(has("content-length"), (p) => setValue(p, "Content-Length", lengths(p.content.length)[i]!));
    yield build(has("content-length"), (p) => p.fields.push(field("Content-Length", lengths(p.content.length)[i]!)));
    yield build(has("transfer-encoding"), (p) => setValue(p, "Content-Length", lengths(p.content.length)[i]!));
  }
  for (const odd of CHUNK_ODDS) for (let i = 0; i < 3; i++) yield build(has("transfer-encoding"), (p) => (p.spoil = (body) => odd(body, chance)));
  for (const text of ODD_FIELDS) yield build(any, (p) => p.fields.push({ name: text, colon: "", value: "", end: "\r\n" }));
}
