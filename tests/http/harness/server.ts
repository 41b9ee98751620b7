/** The real binary, in a folder of its own. */
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createClient, type ClientOptions, type IssuedApiKey, type Sallyport } from "@sallyport/sdk";

import { assertNoViolations, check } from "./contract.js";
import { binary } from "./paths.js";
import * as postgres from "./postgres.js";
import { call, type Answer, type Call } from "./raw.js";

export const ADMIN_EMAIL = "root@sallyport.test";
export const ADMIN_PASSWORD = `pw ${randomBytes(16).toString("hex")}`;

const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 20_000;
const SANITIZER = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:|Assertion .* failed/;

export type Settings = Record<string, string | number | boolean>;

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
  /** The output of --json. */
  json(): any;
}

/** fetch, with each exchange held against the contract. */
export async function recordingFetch(request: Request): Promise<Response> {
  const requestBody = request.body ? await request.clone().text() : undefined;
  const response = await fetch(request);
  const url = new URL(request.url);
  const headers = new Map<string, string[]>();
  for (const [name, value] of response.headers) headers.set(name, [...(headers.get(name) ?? []), value]);
  check({
    origin: url.origin,
    method: request.method,
    target: url.pathname + url.search,
    requestBody,
    status: response.status,
    headers,
    body: await response.clone().text(),
  });
  return response;
}

function run(args: string[], env: NodeJS.ProcessEnv, cwd: string, input?: string): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { env, cwd, stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    child.stdout.on("data", (piece) => (stdout += piece));
    child.stderr.on("data", (piece) => (stderr += piece));
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (signal) return reject(new Error(`sallyport ${args.join(" ")} was ended by ${signal}: ${stderr}`));
      assert.ok(!SANITIZER.test(stderr), `sallyport ${args.join(" ")}: ${stderr}`);
      resolve({
        code: code ?? -1,
        stdout,
        stderr,
        json: () => {
          try {
            return JSON.parse(stdout);
          } catch {
            throw new Error(`sallyport ${args.join(" ")} printed no JSON: ${stdout}${stderr}`);
          }
        },
      });
    });
  });
}

/** The suite runs once on each engine. */
export const onPostgres = process.env["STORE_URL"] !== undefined;

/** A folder with a store in it, whether or not a server runs on it. */
export class Instance {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  readonly database: string;
  readonly #settings: Settings;

  /** database: "sqlite" is a file in the folder, whichever engine the suite runs on. */
  constructor(settings: Settings = {}, database?: string) {
    const file = `sqlite:${join(this.folder, "sallyport.db")}`;
    this.database = database === "sqlite" ? file : (database ?? (onPostgres ? postgres.makeDatabase() : file));
    this.#settings = settings;
  }

  get #isPostgres(): boolean {
    return this.database.startsWith("postgresql:");
  }

  get controlSocket(): string {
    return join(this.folder, "control.sock");
  }

  get keyFile(): string {
    return join(this.folder, "instance.key");
  }

  /** No setting of the caller's own environment reaches the server. */
  env(more: Settings = {}): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {};
    for (const [name, value] of Object.entries(process.env))
      if (!name.startsWith("SALLYPORT_")) env[name] = value;
    const settings: Settings = {
      database_url: this.database,
      control_socket: this.controlSocket,
      // Beside the database is nowhere, if that is another engine's.
      key_file: this.keyFile,
      metrics_listen: "",
      workers: 8,
      // The tests of one file sign many people in, all from one address.
      login_failures_per_address: 1000,
      ...this.#settings,
      ...more,
    };
    for (const [name, value] of Object.entries(settings)) env[`SALLYPORT_${name.toUpperCase()}`] = String(value);
    return env;
  }

  /** A command; it reaches the server if one runs, and the store itself if not. */
  cli(args: string[], input?: string): Promise<CliResult> {
    return run(args, this.env(), this.folder, input);
  }

  /** The same with other settings. */
  cliWith(args: string[], more: Settings): Promise<CliResult> {
    return run(args, this.env(more), this.folder);
  }

  async cliJson(args: string[], input?: string): Promise<any> {
    const result = await this.cli([...args, "--json"], input);
    assert.equal(result.code, 0, `sallyport ${args.join(" ")}: ${result.stdout}${result.stderr}`);
    return result.json();
  }

  /** One statement, past the server; each row is a line, its columns are parted by "|". */
  sql(statement: string): string[] {
    if (this.#isPostgres) return postgres.sql(this.database, statement);
    const how = /^\s*SELECT/i.test(statement) ? ["-readonly"] : ["-cmd", ".timeout 5000"];
    const output = execFileSync("sqlite3", [...how, this.database.slice("sqlite:".length), statement], { encoding: "utf8" });
    return output.split("\n").filter((line) => line !== "");
  }

  /** more: of the environment, as it is. */
  start(more: NodeJS.ProcessEnv = {}): Promise<Server> {
    return Server.start(this, more);
  }

  /** The same store once more, while nobody has it open. */
  copy(): Instance {
    const copy = new Instance(this.#settings, this.#isPostgres ? postgres.makeDatabase(this.database) : "sqlite");
    cpSync(this.folder, copy.folder, { recursive: true });
    return copy;
  }

  /** Every file that something may have been written to. */
  files(): string[] {
    return [this.folder, ...(this.#isPostgres ? postgres.folders(this.database) : [])].flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isFile() ? [join(folder, entry.name)] : [],
      ),
    );
  }

  remove(): void {
    if (this.#isPostgres) postgres.dropDatabase(this.database);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Server {
  readonly instance: Instance;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #output: { stdout: string; stderr: string };
  readonly #ended: Promise<number | string>;
  #admin: Promise<Sallyport> | undefined;

  private constructor(
    instance: Instance,
    url: string,
    child: ChildProcess,
    output: { stdout: string; stderr: string },
    ended: Promise<number | string>,
  ) {
    this.instance = instance;
    this.url = url;
    this.#child = child;
    this.#output = output;
    this.#ended = ended;
  }

  static async start(instance: Instance, more: NodeJS.ProcessEnv): Promise<Server> {
    assert.ok(existsSync(binary), `there is no server at ${binary}; build it, or set SALLYPORT_BIN`);
    const env = { ...instance.env({ admin_email: ADMIN_EMAIL, admin_password: ADMIN_PASSWORD }), ...more };
    const child = spawn(binary, ["serve", "--listen", "127.0.0.1:0"], { env, cwd: instance.folder, stdio: "pipe" });
    const output = { stdout: "", stderr: "" };
    const ended = new Promise<number | string>((resolve) =>
      child.on("close", (code, signal) => resolve(code ?? signal ?? "?")),
    );
    child.stderr.on("data", (piece) => (output.stderr += piece));
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string): void => {
        child.kill("SIGKILL");
        reject(new Error(`the server did not start: ${why}\n${output.stdout}${output.stderr}`));
      };
      const timer = setTimeout(() => fail("no address in time"), START_WITHIN_MS);
      child.on("error", (error) => fail(error.message));
      child.on("close", (code) => fail(`exit ${code}`));
      child.stdout.on("data", (piece) => {
        output.stdout += piece;
        const match = /^sallyport: listening on (https?:\/\/\S+)$/m.exec(output.stdout);
        if (!match?.[1]) return;
        clearTimeout(timer);
        resolve(match[1]);
      });
    });
    return new Server(instance, url, child, output, ended);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** All that it has printed and logged. */
  get log(): string {
    return this.#output.stdout + this.#output.stderr;
  }

  client(options: Partial<ClientOptions> = {}): Sallyport {
    return createClient({ baseUrl: this.url, fetch: recordingFetch, retries: 0, ...options });
  }

  /** The first ADMIN, signed in once. */
  admin(): Promise<Sallyport> {
    this.#admin ??= this.signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
    return this.#admin;
  }

  async signedIn(email: string, password: string): Promise<Sallyport> {
    const client = this.client();
    await client.login(email, password);
    return client;
  }

  /** It answers /readyz with 200 again. */
  async untilReady(): Promise<void> {
    const deadline = Date.now() + START_WITHIN_MS;
    while ((await fetch(`${this.url}/readyz`)).status !== 200) {
      assert.ok(Date.now() < deadline, `not ready again: ${this.#output.stderr.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** One call by hand. */
  call(what: Call): Promise<Answer> {
    return call(this.url, what);
  }

  /** One call by hand with a key, and the version that goes with it. */
  withKey(rawKey: string | IssuedApiKey, what: Partial<Call> = {}): Promise<Answer> {
    const text = typeof rawKey === "string" ? rawKey : rawKey.rawKey;
    const fields = { "x-api-key": text, "x-api-version": "2026-02-01", ...what.fields };
    return this.call({ target: "/api/employer/cohort", ...what, fields });
  }

  cli(args: string[], input?: string): Promise<CliResult> {
    return this.instance.cli(args, input);
  }

  cliJson(args: string[], input?: string): Promise<any> {
    return this.instance.cliJson(args, input);
  }

  /** SIGTERM; it must end with 0, without a word from a sanitizer. */
  async halt(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_WITHIN_MS);
    const how = await this.#ended;
    clearTimeout(timer);
    assert.ok(!SANITIZER.test(this.#output.stderr), this.#output.stderr);
    assert.equal(how, 0, `the server ended with ${how}: ${this.#output.stderr.slice(-2000)}`);
  }

  /** SIGKILL: nothing is finished, flushed or said. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
    assert.ok(!SANITIZER.test(this.#output.stderr), this.#output.stderr);
  }

  async stop(): Promise<void> {
    try {
      await this.halt();
    } finally {
      this.instance.remove();
    }
    assertNoViolations(this.url);
  }
}

export const startServer = (settings: Settings = {}): Promise<Server> => new Instance(settings).start();
