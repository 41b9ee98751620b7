/**
 * Every exchange of the tests is held against the contract: path, method, status, content type, body,
 * header fields, and the error code with its own status. Answers are read strictly here (an unknown
 * member is a fault), although clients are told to ignore what they do not know.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { errors, type ErrorCode } from "@sallyport/sdk";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

import { coverageFolder, snapshot } from "./paths.js";

export interface Exchange {
  /** The server that answered, http://127.0.0.1:43127. */
  origin: string;
  /** Absent when the request was not well-formed enough to have one. */
  method?: string | undefined;
  target?: string | undefined;
  requestBody?: string | undefined;
  status: number;
  /** Names in lower case; a field that came twice has two values. */
  headers: Map<string, string[]>;
  body: string;
}

type Json = Record<string, any>;

interface Operation {
  id: string;
  method: string;
  pattern: RegExp;
  /** Fewer parameters first: /import before /{keyId}. */
  parameters: number;
  /** A JSON pointer into the document. */
  pointer: string;
  spec: Json;
}

const methods = ["get", "put", "post", "patch", "delete"];
const doc: Json = JSON.parse(readFileSync(snapshot, "utf8"));
const strict: Json = closed(structuredClone(doc));
const ajv = new Ajv2020({ strict: false, allErrors: true });
(formats as unknown as (a: Ajv2020) => void)(ajv);
ajv.addSchema(strict, "openapi.json");

/** The same document with every object of known members closed to others. */
function closed<T>(node: T): T {
  if (Array.isArray(node)) node.forEach(closed);
  else if (typeof node === "object" && node !== null) {
    const schema = node as Json;
    if (schema["type"] === "object" && schema["properties"] && schema["additionalProperties"] === undefined)
      schema["additionalProperties"] = false;
    Object.values(schema).forEach(closed);
  }
  return node;
}

const escape = (step: string): string => step.replace(/~/g, "~0").replace(/\//g, "~1");

export const operations: Operation[] = Object.entries(doc["paths"] as Json)
  .flatMap(([path, item]) =>
    methods
      .filter((method) => item[method])
      .map((method) => ({
        id: item[method].operationId as string,
        method: method.toUpperCase(),
        pattern: new RegExp(`^${path.replace(/\./g, "\\.").replace(/\{[^}]+\}/g, item[method]["x-any-path"] ? ".*" : "[^/]+")}$`),
        parameters: path.split("{").length - 1,
        pointer: `/paths/${escape(path)}/${method}`,
        spec: { ...item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])] },
      })),
  )
  .sort((a, b) => a.parameters - b.parameters);

const resolve = (node: Json): Json => {
  const steps = (node["$ref"] as string | undefined)?.slice(2).split("/");
  return steps ? steps.reduce((at: Json, step) => at[step.replace(/~1/g, "/").replace(/~0/g, "~")], doc) : node;
};

/** Codes that any request may meet: those of every operation, and those of the server. */
const codesOf = (operation: Operation): string[] =>
  Object.values(operation.spec["responses"] as Json).flatMap((response) =>
    Object.keys(resolve(response)["content"]?.["application/problem+json"]?.examples ?? {}),
  );
const anywhere = new Set<string>([
  ...(doc["x-server-errors"] as string[]),
  ...operations.map(codesOf).reduce((all, codes) => all.filter((code) => codes.includes(code))),
]);

const validators = new Map<string, ValidateFunction>();
function faultsOf(pointer: string, value: unknown): string[] {
  let validate = validators.get(pointer);
  if (!validate) {
    validate = ajv.compile({ $ref: `openapi.json#${pointer}` });
    validators.set(pointer, validate);
  }
  if (validate(value)) return [];
  return (validate.errors ?? []).slice(0, 5).map((e) => `${e.instancePath || "/"} ${e.message} ${JSON.stringify(e.params)}`);
}

/** Is this a value of a schema of the contract, e.g. "ApiKey"? */
export function assertIs(schema: string, value: unknown): void {
  assert.deepEqual(faultsOf(`/components/schemas/${schema}`, value), [], `not a ${schema}: ${JSON.stringify(value)}`);
}

// ---- coverage ----

const reached = new Set<string>();
export const reach = (what: string): void => void reached.add(what);

process.on("exit", () => {
  mkdirSync(coverageFolder, { recursive: true });
  writeFileSync(join(coverageFolder, `${process.pid}.json`), JSON.stringify([...reached]));
});

/** All that the contract promises: a success of each operation, and each code. */
export const promised: string[] = [
  ...operations.flatMap((o) =>
    Object.keys(o.spec["responses"])
      .filter((status) => status < "300")
      .map((status) => `${o.id} ${status}`),
  ),
  ...Object.keys(errors),
];

// ---- one exchange ----

class Reading {
  readonly faults: string[] = [];
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  expect(holds: boolean, fault: string): void {
    if (!holds) this.faults.push(fault);
  }

  field(name: string): string | undefined {
    return this.#exchange.headers.get(name)?.[0];
  }

  json(): unknown {
    try {
      return JSON.parse(this.#exchange.body);
    } catch {
      this.faults.push("the body is not JSON");
      return undefined;
    }
  }

  declaredFields(fields: Json): void {
    for (const [name, reference] of Object.entries(fields)) {
      const header = resolve(reference);
      const values = this.#exchange.headers.get(name) ?? [];
      this.expect(values.length > 0 || !header["required"], `the field ${name} is missing`);
      this.expect(values.length < 2, `the field ${name} is there ${values.length} times`);
      const value = header["schema"].type === "integer" ? Number(values[0]) : values[0];
      if (values.length && !ajv.validate(header["schema"], value))
        this.faults.push(`the field ${name} is "${values[0]}": ${ajv.errorsText()}`);
    }
  }

  /** What holds for every problem, wherever it comes from. */
  problem(path: string | undefined): ErrorCode | undefined {
    const { status, headers } = this.#exchange;
    this.expect(this.field("content-type") === "application/problem+json", `content-type is ${this.field("content-type")}`);
    const problem = this.json() as Json | undefined;
    if (!problem) return undefined;
    this.faults.push(...faultsOf("/components/schemas/Problem", problem));
    const row = errors[problem["code"] as ErrorCode];
    if (!row) return undefined;
    reach(problem["code"]);
    this.expect(row.status === status, `${problem["code"]} has the status ${row.status} in the table`);
    this.expect(problem["status"] === status, `the body's status is ${problem["status"]}`);
    this.expect(problem["title"] === row.message, `title is "${problem["title"]}"`);
    this.expect(String(problem["type"]).endsWith(`/docs/errors/${problem["code"]}`), `type is ${problem["type"]}`);
    this.expect(problem["requestId"] === this.field("x-request-id"), "requestId is not x-request-id");
    this.expect(!problem["instance"] || !path || decodes(path, problem["instance"]), `instance is ${problem["instance"]}`);
    for (const member of doc["x-error-members"][problem["code"]] ?? [])
      this.expect(member in problem, `${problem["code"]} lacks its member ${member}`);
    const needed = { 401: "www-authenticate", 405: "allow", 429: "retry-after", 503: "retry-after" }[status];
    if (needed) this.expect(headers.has(needed), `${status} lacks ${needed}`);
    if (headers.has("retry-after"))
      this.expect(/^[1-9]\d*$/.test(this.field("retry-after") ?? ""), `retry-after is ${this.field("retry-after")}`);
    return problem["code"];
  }
}

/** A refusal under /api/v1, which has a form of its own. */
function readManagement(reading: Reading, exchange: Exchange): void {
  const body = reading.json() as { errors?: { code: ErrorCode; message: string; request_id: string }[] } | undefined;
  const [error, second] = body?.errors ?? [];
  if (!error) return;
  reading.expect(second === undefined, "there are several errors");
  reading.expect(error.code in errors, `there is no error ${error.code}`);
  reach(error.code);
  reading.expect(error.request_id === reading.field("x-request-id"), "request_id is not x-request-id");
  for (const needed of { 401: ["www-authenticate"], 405: ["allow"], 429: ["retry-after", "ratelimit-reset"], 503: ["retry-after"] }[exchange.status] ?? [])
    reading.expect(reading.field(needed) !== undefined, `${exchange.status} lacks ${needed}`);
  const reset = reading.field("ratelimit-reset");
  if (reset !== undefined) reading.expect(/^[1-9]\d*$/.test(reset), `ratelimit-reset is ${reset}`);
}

function decodes(path: string, instance: string): boolean {
  try {
    return decodeURIComponent(path) === instance;
  } catch {
    return true;
  }
}

function readOperation(reading: Reading, exchange: Exchange, operation: Operation): void {
  const { spec, pointer } = operation;
  const isHead = exchange.method === "HEAD";
  const reference = spec["responses"][exchange.status] as Json | undefined;
  if (!reference) {
    if (exchange.body && !isHead) reading.problem(exchange.target?.split("?")[0]);
    reading.faults.push(`${operation.id} does not declare the status ${exchange.status}: ${exchange.body.slice(0, 300)}`);
    return;
  }
  const response = resolve(reference);
  reading.declaredFields(response["headers"] ?? {});
  const types = Object.keys(response["content"] ?? {});
  if (types.length === 0 || isHead) {
    reading.expect(exchange.body === "", "there is a body");
    reach(`${operation.id} ${exchange.status}`);
    return;
  }
  const type = (reading.field("content-type") ?? "").split(";")[0] ?? "";
  const isOther = type === "application/json" && types.includes(type);
  if (exchange.status >= 400 && !isOther) reading.problem(exchange.target?.split("?")[0]);
  reading.expect(types.includes(type), `content-type is ${type}, declared are ${types.join(", ")}`);
  if (!types.includes(type)) return;
  if (exchange.status >= 400 && isOther && exchange.target?.startsWith("/api/v1")) readManagement(reading, exchange);
  const at = reference["$ref"] ? (reference["$ref"] as string).slice(1) : `${pointer}/responses/${exchange.status}`;
  const value = type.endsWith("json") ? reading.json() : exchange.body;
  reading.faults.push(...faultsOf(`${at}/content/${escape(type)}/schema`, value));
  reach(`${operation.id} ${exchange.status}`);
}

/** What the server has accepted must be a request that the contract allows. */
function readAccepted(reading: Reading, exchange: Exchange, operation: Operation): void {
  const { spec, pointer } = operation;
  const declared = (spec["parameters"] as Json[]).map(resolve).filter((p) => p["in"] === "query");
  const query = spec["x-any-path"] ? "" : (exchange.target?.split("?")[1] ?? "");
  for (const [name] of new URLSearchParams(query))
    reading.expect(declared.some((p) => p["name"] === name), `the parameter ${name} is not declared, and was accepted`);
  if (!exchange.requestBody || !spec["requestBody"]?.content["application/json"]) return;
  let body: unknown;
  try {
    body = JSON.parse(exchange.requestBody);
  } catch {
    reading.faults.push("a body that is not JSON was accepted");
    return;
  }
  const faults = faultsOf(`${pointer}/requestBody/content/application~1json/schema`, body);
  reading.faults.push(...faults.map((fault) => `the request was accepted, but ${fault}`));
}

/** The pages for people are no part of the contract, and have rules of their own. */
const ofPages = /^\/($|sign-in$|sign-out$|reset-password$|account($|\/)|docs\/troubleshooting$|assets\/|employer($|\/))/;

const CONTENT_SECURITY = ["default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"];

function readPage(reading: Reading, exchange: Exchange): void {
  const type = reading.field("content-type") ?? "";
  if (exchange.status === 303) {
    reading.expect((reading.field("location") ?? "").startsWith("/"), `it leads to ${reading.field("location")}`);
    reading.expect(reading.field("cache-control") === "no-store", "it may be kept");
    return;
  }
  reading.expect(reading.field("x-content-type-options") === "nosniff", "x-content-type-options is missing");
  if (/^(text\/(css|javascript); charset=utf-8|image\/svg\+xml)$/.test(type)) return;
  reading.expect(type === "text/html; charset=utf-8", `content-type is ${type}`);
  reading.expect(reading.field("content-security-policy") === CONTENT_SECURITY.join("; "), "another content-security-policy");
  reading.expect(reading.field("cache-control") === "no-store", "a page may be kept");
  reading.expect(reading.field("referrer-policy") === "same-origin", "referrer-policy is missing");
  if (exchange.method === "HEAD") return;
  reading.expect((exchange.body.match(/<h1>/g) ?? []).length === 1, "a page has one h1");
  reading.expect(!/<script(?! src="\/assets\/)|<style|\son[a-z]+="|\sstyle="|javascript:/i.test(exchange.body), "there is script or style in the page");
  const code = /data-code="([A-Z_]+)"/.exec(exchange.body)?.[1];
  reading.expect((code !== undefined) === exchange.status >= 400, `${exchange.status} with the code ${code}`);
  if (!code) return;
  reach(code);
  reading.expect(errors[code as ErrorCode]?.status === exchange.status, `${code} with the status ${exchange.status}`);
}

const violations: { origin: string; said: string }[] = [];

/** Throws if the exchange breaks the contract; also remembered, for those who swallow errors. */
export function check(exchange: Exchange): void {
  const reading = new Reading(exchange);
  const path = exchange.target?.split("?")[0];
  const method = exchange.method === "HEAD" ? "GET" : exchange.method;
  const onPath = path === undefined ? [] : operations.filter((o) => o.pattern.test(path));
  const operation = onPath.find((o) => o.method === method || o.spec["x-any-method"]);

  reading.expect(/^[A-Za-z0-9._-]{1,64}$/.test(reading.field("x-request-id") ?? ""), "x-request-id is missing");
  if (path !== undefined && ofPages.test(path) && exchange.method !== "OPTIONS") {
    readPage(reading, exchange);
  } else if (operation) {
    readOperation(reading, exchange, operation);
    if (exchange.status < 300) readAccepted(reading, exchange, operation);
  } else if (exchange.method === "OPTIONS" && (onPath.length || path === "*") && exchange.status === 204) {
    const allow = (reading.field("allow") ?? "").split(", ");
    for (const o of path === "*" ? operations : onPath.filter((each) => path === "*" || each.parameters === onPath[0]?.parameters))
      reading.expect(allow.includes(o.method), `Allow lacks ${o.method}`);
  } else if (exchange.method === "HEAD") {
    reading.expect(exchange.status === 404 && exchange.body === "", `${exchange.status} for HEAD of an unknown path`);
  } else {
    const code = reading.problem(path);
    reading.expect(code !== undefined && anywhere.has(code), `${code} outside any operation`);
    if (onPath.length && code === "NOT_FOUND") reading.faults.push("NOT_FOUND for a path that exists");
  }
  if (reading.faults.length === 0) return;
  const what = `${exchange.method ?? "?"} ${exchange.target ?? "?"} -> ${exchange.status} breaks the contract: `;
  const said = what + reading.faults.join("; ");
  violations.push({ origin: exchange.origin, said });
  throw new assert.AssertionError({ message: said });
}

/** Fails if any exchange with this server broke the contract. */
export function assertNoViolations(origin: string): void {
  assert.deepEqual(violations.filter((v) => v.origin === origin).map((v) => v.said), []);
}
