/** HTTP itself, by hand: what a client library would never send, and what it relies on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { ErrorCode, IssuedApiKey } from "@sallyport/sdk";

import { Connection, field, json, requestText } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";
import { eventually, inventedKey, refusedWith, somebody } from "./harness/util.js";

let server: Server;
let key: IssuedApiKey;
before(async () => {
  server = await startServer({ head_timeout: "1s", body_timeout: "1s", idle_timeout: "2s" });
  const admin = await server.admin();
  key = await admin.createApiKey({ name: "k", scopes: ["cohort:read", "cohort:write"], rateLimit: null });
});
after(() => server.stop());

const HEALTH = { method: "GET", target: "/healthz" };

test("HEAD answers what GET would, without the body", async () => {
  for (const target of ["/healthz", "/readyz", "/api/version", "/api/openapi", "/docs/errors/NOT_FOUND"]) {
    const connection = await Connection.open(server.url);
    connection.send({ target });
    const get = await connection.answer();
    connection.send({ method: "HEAD", target });
    const head = await connection.answer();
    assert.equal(get.status, 200, target);
    assert.equal(head.status, 200, target);
    for (const name of ["content-length", "content-type", "cache-control"]) assert.equal(field(head, name), field(get, name), name);
    // Had a body come along, this would not be read as an answer.
    connection.send({ target: "/healthz" });
    assert.equal((await connection.answer()).status, 200);
    connection.drop();
  }
  const nowhere = await server.call({ method: "HEAD", target: "/nowhere" });
  assert.equal(nowhere.status, 404);
});

test("OPTIONS lists the methods, and 405 says the same", async () => {
  const cases: [string, string, string][] = [
    ["/healthz", "GET, HEAD, OPTIONS", "POST"],
    ["/api/auth/login", "POST, OPTIONS", "GET"],
    ["/api/employer/api-keys", "GET, HEAD, POST, OPTIONS", "DELETE"],
    ["/api/employer/api-keys/key_x", "GET, HEAD, PATCH, DELETE, OPTIONS", "POST"],
    ["/api/employer/upload-cohort", "POST, OPTIONS", "PUT"],
  ];
  for (const [target, allow, other] of cases) {
    const options = await server.call({ method: "OPTIONS", target });
    assert.equal(options.status, 204, target);
    assert.equal(field(options, "allow"), allow);
    const refusal = await server.call({ method: other, target });
    refusedWith(refusal, "METHOD_NOT_ALLOWED");
    assert.equal(field(refusal, "allow"), allow);
  }
  refusedWith(await server.call({ method: "OPTIONS", target: "/nowhere" }), "NOT_FOUND");
  assert.equal((await server.call({ method: "OPTIONS", target: "*" })).status, 204);
});

test("a request id that is fit is given back, any other is replaced by a new one", async () => {
  for (const id of ["a", "0af7651916cd43dd8448eb211c80319c", "Job-7.retry_2", "x".repeat(64)])
    assert.equal(field(await server.call({ target: "/healthz", fields: { "x-request-id": id } }), "x-request-id"), id);
  const made = new Set<string>();
  for (const id of ["", "two words", "x".repeat(65), "<b>", "a\tb", undefined])
    made.add(field(await server.call({ target: "/nowhere", fields: id === undefined ? {} : { "x-request-id": id } }), "x-request-id") ?? "");
  assert.equal(made.size, 6);
  for (const id of made) assert.match(id, /^[0-9a-f]{32}$/);
});

test("one connection carries many calls, kept open until either side says close", async () => {
  const connection = await Connection.open(server.url);
  for (let i = 0; i < 20; i++) {
    connection.send({ target: i % 2 ? "/healthz" : "/api/employer/cohort" });
    const answer = await connection.answer();
    assert.equal(answer.status, i % 2 ? 200 : 401);
    assert.equal(field(answer, "connection"), undefined);
  }
  connection.send({ target: "/healthz", fields: { connection: "keep-alive, Close" } });
  assert.equal(field(await connection.answer(), "connection"), "close");
  assert.equal(await connection.closed(), "");
});

test("a refused body is read over, so that the next call on the connection is answered", async () => {
  const connection = await Connection.open(server.url);
  const body = JSON.stringify({ patients: [somebody()] });
  connection.send({ method: "POST", target: "/api/employer/upload-cohort", body });
  refusedWith(await connection.answer(), "MISSING_CREDENTIALS");
  connection.send({ target: "/healthz" });
  assert.equal((await connection.answer()).status, 200);
  connection.drop();
});

test("pipelined requests are answered in their order", async () => {
  const connection = await Connection.open(server.url);
  const targets = ["/healthz", "/api/employer/cohort", "/readyz", "/nowhere", "/api/version", "/docs/errors/NOT_FOUND"];
  const requests = targets.map((target, i) => requestText("x", { target, fields: { "x-request-id": `n${i}` } }));
  connection.write(requests.join(""), ...targets.map((target) => ({ method: "GET", target })));
  for (const [i, status] of [200, 401, 200, 404, 200, 200].entries()) {
    const answer = await connection.answer();
    assert.deepEqual([answer.status, field(answer, "x-request-id")], [status, `n${i}`]);
  }
  connection.drop();
});

test("a request cut into single bytes is the same request", async () => {
  const connection = await Connection.open(server.url);
  const text = requestText("x", { method: "POST", target: "/api/auth/login", body: "{}" });
  for (const byte of text.slice(0, -1)) {
    connection.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  connection.write(text.slice(-1), { method: "POST", target: "/api/auth/login" });
  refusedWith(await connection.answer(), "INVALID_REQUEST");
  connection.drop();
});

test("100 Continue comes only when the body is wanted", async () => {
  const upload = { method: "POST", target: "/api/employer/upload-cohort" };
  const body = JSON.stringify({ patients: [somebody()] });
  const head = (fields: Record<string, string>): string =>
    requestText("x", { ...upload, fields: { expect: "100-continue", "content-type": "application/json", "content-length": String(body.length), ...fields } });

  for (const [fields, code] of [
    [{}, "MISSING_CREDENTIALS"],
    [{ "x-api-key": inventedKey(), "x-api-version": "v1" }, "INVALID_API_KEY"],
    [{ "x-api-key": key.rawKey }, "UNSUPPORTED_API_VERSION"],
    [{ "x-api-key": key.rawKey, "x-api-version": "v1", "content-length": "20000000" }, "BODY_TOO_LARGE"],
  ] as [Record<string, string>, ErrorCode][]) {
    const connection = await Connection.open(server.url);
    connection.write(head(fields), upload);
    const answer = await connection.answer();
    refusedWith(answer, code);
    assert.deepEqual(answer.interim, [], "a body was asked for in vain");
    assert.equal(await connection.closed(), "");
  }

  const connection = await Connection.open(server.url);
  connection.write(head({ "x-api-key": key.rawKey, "x-api-version": "v1" }), upload);
  assert.equal(await connection.interim(), 100);
  connection.write(body);
  const answer = await connection.answer();
  assert.equal(answer.status, 200);
  assert.equal(json(answer).created, 1);
  connection.drop();
});

test("a chunked body is the same as a plain one", async () => {
  const body = JSON.stringify({ patients: [somebody()] });
  const connection = await Connection.open(server.url);
  const upload = { method: "POST", target: "/api/employer/upload-cohort" };
  connection.write(
    requestText("x", { ...upload, fields: { "x-api-key": key.rawKey, "x-api-version": "v1", "content-type": "application/json", "transfer-encoding": "chunked" } }),
    upload,
  );
  for (let i = 0; i < body.length; i += 10) {
    const piece = body.slice(i, i + 10);
    connection.write(`${piece.length.toString(16).toUpperCase()}\r\n${piece}\r\n`);
  }
  connection.write("0\r\n\r\n");
  assert.equal((await connection.answer()).status, 200);
  connection.drop();
});

const line = (rest: string): string => `GET /healthz HTTP/1.1\r\nhost: x\r\n${rest}\r\n\r\n`;
const posted = (rest: string): string => `POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${rest}`;

const refusals: [string, string, ErrorCode][] = [
  ["no host", "GET /healthz HTTP/1.1\r\n\r\n", "MALFORMED_REQUEST"],
  ["two hosts", line("host: y"), "MALFORMED_REQUEST"],
  ["two equal hosts", line("host: x"), "MALFORMED_REQUEST"],
  ["a host with a path", "GET /healthz HTTP/1.1\r\nhost: x/y\r\n\r\n", "MALFORMED_REQUEST"],
  ["another host in the target", "GET http://y/healthz HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["an empty line first", "\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["bare LF", "GET /healthz HTTP/1.1\nhost: x\n\n", "MALFORMED_REQUEST"],
  ["bare CR", line("a: b\rc: d"), "MALFORMED_REQUEST"],
  ["NUL in a field", line("a: b\0c"), "MALFORMED_REQUEST"],
  ["a folded field", line("a: b\r\n c"), "MALFORMED_REQUEST"],
  ["a space before the colon", line("a : b"), "MALFORMED_REQUEST"],
  ["a field without a name", line(": b"), "MALFORMED_REQUEST"],
  ["a line without a colon", line("abc"), "MALFORMED_REQUEST"],
  ["two spaces in the request line", "GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["no version", "GET /healthz\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["a version in lower case", "GET /healthz http/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "MALFORMED_REQUEST"],
  ["a dot segment", "GET /api/../healthz HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["an escaped dot segment", "GET /api/%2e%2e/healthz HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["an escaped slash", "GET /api%2Fversion HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["an escaped NUL", "GET /healthz%00 HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["half an escape", "GET /healthz%4 HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["a fragment", "GET /healthz#top HTTP/1.1\r\nhost: x\r\n\r\n", "MALFORMED_REQUEST"],
  ["length and chunks", posted("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), "MALFORMED_REQUEST"],
  ["two lengths", posted("content-length: 2\r\ncontent-length: 2\r\n\r\n{}"), "MALFORMED_REQUEST"],
  ["a list of lengths", posted("content-length: 2, 2\r\n\r\n{}"), "MALFORMED_REQUEST"],
  ["a negative length", posted("content-length: -2\r\n\r\n"), "MALFORMED_REQUEST"],
  ["a length with a sign", posted("content-length: +2\r\n\r\n{}"), "MALFORMED_REQUEST"],
  ["a length in hex", posted("content-length: 0x2\r\n\r\n{}"), "MALFORMED_REQUEST"],
  ["a length beyond 64 bits", posted("content-length: 18446744073709551618\r\n\r\n{}"), "MALFORMED_REQUEST"],
  ["chunks in HTTP/1.0", "POST /api/auth/login HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "MALFORMED_REQUEST"],
  ["a chunk length that is none", posted("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "MALFORMED_REQUEST"],
  ["a chunk with bare LF", posted("transfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n"), "MALFORMED_REQUEST"],
  ["a chunk longer than it says", posted("transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"), "MALFORMED_REQUEST"],
  ["authorization twice", line("authorization: a\r\nauthorization: b"), "MALFORMED_REQUEST"],
  ["a version twice", line("x-api-version: v1\r\nx-api-version: v1"), "MALFORMED_REQUEST"],
  ["a method nobody knows", "BREW /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "NOT_IMPLEMENTED"],
  ["CONNECT", "CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n", "NOT_IMPLEMENTED"],
  ["a coding that is not offered", posted("transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "NOT_IMPLEMENTED"],
  ["chunked twice", posted("transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), "NOT_IMPLEMENTED"],
  ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP_VERSION_NOT_SUPPORTED"],
  ["HTTP/1.2", "GET /healthz HTTP/1.2\r\nhost: x\r\n\r\n", "HTTP_VERSION_NOT_SUPPORTED"],
  ["an expectation", line("expect: 200-ok"), "EXPECTATION_FAILED"],
  ["a long request line", `GET /healthz?${"a".repeat(8200)} HTTP/1.1\r\nhost: x\r\n\r\n`, "URI_TOO_LONG"],
  ["a long field", line(`a: ${"b".repeat(8200)}`), "HEADERS_TOO_LARGE"],
  ["many fields", line(Array.from({ length: 101 }, (_, i) => `a${i}: b`).join("\r\n")), "HEADERS_TOO_LARGE"],
  ["much in all", line(Array.from({ length: 5 }, (_, i) => `a${i}: ${"b".repeat(8000)}`).join("\r\n")), "HEADERS_TOO_LARGE"],
];

for (const [what, text, code] of refusals)
  test(`refused as a problem, and closed: ${what}`, async () => {
    const connection = await Connection.open(server.url);
    connection.write(Buffer.from(text + requestText("x", { target: "/smuggled" }), "latin1"));
    const answer = await connection.answer();
    const problem = refusedWith(answer, code);
    assert.ok(problem.detail && problem.hint);
    assert.equal(field(answer, "connection"), "close");
    // What came behind it is not read as a request of its own.
    assert.equal(await connection.closed(), "");
  });

test("a body that does not come in time is refused, a head likewise, and idle connections are closed", async () => {
  const slowBody = await Connection.open(server.url);
  slowBody.write(posted("content-length: 10\r\n\r\n{"), { method: "POST", target: "/api/auth/login" });
  const slowHead = await Connection.open(server.url);
  slowHead.write("GET /healthz HTTP/1.1\r\nhost:");
  const idle = await Connection.open(server.url);
  idle.write(requestText("x", { target: "/healthz" }), HEALTH);
  assert.equal((await idle.answer()).status, 200);
  const silent = await Connection.open(server.url);

  for (const slow of [slowBody, slowHead]) {
    refusedWith(await slow.answer(8000), "REQUEST_TIMEOUT");
    assert.equal(await slow.closed(), "");
  }
  assert.equal(await idle.closed(8000), "");
  // One that never said a word is not owed an answer.
  const said = await silent.closed(8000);
  assert.ok(said === "" || said.includes(" 408 "), said);
});

test("drip-feeding bytes does not stretch the time for a head", async () => {
  const connection = await Connection.open(server.url);
  connection.write("GET /healthz HTTP/1.1\r\n");
  const drip = setInterval(() => connection.write("a: b\r\n"), 100);
  try {
    refusedWith(await connection.answer(5000), "REQUEST_TIMEOUT");
  } finally {
    clearInterval(drip);
    connection.drop();
  }
});

test("HTTP/1.0 is answered and closed", async () => {
  const connection = await Connection.open(server.url);
  connection.write("GET /healthz HTTP/1.0\r\n\r\n", HEALTH);
  assert.equal((await connection.answer()).status, 200);
  assert.equal(await connection.closed(), "");
});

test("the absolute form of the target is understood", async () => {
  const connection = await Connection.open(server.url);
  connection.write(`GET http://${connection.host}/healthz HTTP/1.1\r\nhost: ${connection.host}\r\n\r\n`, HEALTH);
  assert.equal((await connection.answer()).status, 200);
  connection.drop();
});

test("a client that leaves in the middle harms nobody", async () => {
  for (const text of [posted("content-length: 100\r\n\r\n{"), "GET /he", requestText("x", { target: "/readyz" })]) {
    const connection = await Connection.open(server.url);
    connection.write(text);
    connection.drop();
  }
  assert.equal((await server.call({ target: "/readyz" })).status, 200);
});

test("past connections_max the answer is 503, and there is room again afterwards", async () => {
  const small = await startServer({ connections_max: 4 });
  try {
    const held = [];
    for (let i = 0; i < 4; i++) {
      const connection = await Connection.open(small.url);
      connection.send({ target: "/healthz" });
      await connection.answer();
      held.push(connection);
    }
    const extra = await Connection.open(small.url);
    extra.write(requestText("x", { target: "/healthz" }), HEALTH);
    const answer = await extra.answer();
    refusedWith(answer, "OVERLOADED");
    assert.equal(field(answer, "connection"), "close");
    for (const connection of held) connection.drop();
    await eventually(
      async () => {
        const connection = await Connection.open(small.url);
        connection.send({ target: "/healthz" });
        const status = await connection.answer().then((a) => a.status, () => 0);
        connection.drop();
        return status === 200;
      },
      5000,
      "there is room again",
    );
  } finally {
    await small.stop();
  }
});

test("stopping finishes what is running and takes nothing new", async () => {
  const leaving = await startServer();
  const admin = await leaving.admin();
  const made = await admin.createApiKey({ name: "k", scopes: ["cohort:write"], rateLimit: null });
  const upload = leaving.withKey(made, {
    method: "POST",
    target: "/api/employer/upload-cohort",
    body: { patients: Array.from({ length: 3000 }, () => somebody()) },
  });
  const idle = await Connection.open(leaving.url);
  idle.send({ target: "/healthz" });
  await idle.answer();
  // Give the upload the time to arrive: it is then running, or done.
  await eventually(async () => leaving.call({ target: "/readyz" }).then((a) => a.status === 200), 2000, "ready");
  const stopped = leaving.stop();
  const answer = await upload;
  assert.equal(answer.status, 200);
  assert.equal(json(answer).created, 3000);
  assert.equal(await idle.closed(), "");
  await stopped;
});
