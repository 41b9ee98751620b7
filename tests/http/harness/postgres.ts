/** Databases of the PostgreSQL that script/lib/postgres runs for the tests. */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "./paths.js";

const MAINTENANCE = "postgres";

/** POSTGRES_URL and POSTGRES_FOLDER are set by script/lib/postgres. */
function setting(name: "POSTGRES_URL" | "POSTGRES_FOLDER"): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with script/lib/postgres, as script/test does`);
  return value;
}

const urlOf = (database: string): string => setting("POSTGRES_URL").replace("{name}", database);

/** One statement, past the server; each row is a line, its columns are parted by "|". */
export function sql(url: string, statement: string): string[] {
  const output = execFileSync("psql", [url, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement], { encoding: "utf8" });
  return output.split("\n").filter((line) => line !== "");
}


const nameOf = (url: string): string => new URL(url.replace("@/", "@localhost/")).pathname.slice(1);

/** A new one, empty or a copy; its URL. */
export function makeDatabase(copied?: string): string {
  const name = `t${process.pid}_${randomBytes(4).toString("hex")}`;
  sql(urlOf(MAINTENANCE), `CREATE DATABASE ${name}${copied ? ` TEMPLATE ${nameOf(copied)}` : ""}`);
  return urlOf(name);
}

export function dropDatabase(url: string): void {
  sql(urlOf(MAINTENANCE), `DROP DATABASE IF EXISTS ${nameOf(url)} WITH (FORCE)`);
}

/** Where the files of a database are, with all that is in it written to them; and the log of changes. */
export function folders(url: string): string[] {
  const [oid] = sql(urlOf(MAINTENANCE), `CHECKPOINT; SELECT oid FROM pg_database WHERE datname = '${nameOf(url)}'`);
  const data = join(setting("POSTGRES_FOLDER"), "data");
  return [join(data, "base", String(oid)), join(data, "pg_wal")];
}

/** A cluster of this test's own, which it may break: the databases made from now on are there. */
export async function ownCluster(): Promise<{ stop: () => Promise<void> }> {
  const says = 'printf "%s\\n" "$POSTGRES_URL" "$POSTGRES_FOLDER"; cat';
  const child = spawn(join(root, "script/lib/postgres"), ["bash", "-c", says], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const [url, folder] = await new Promise<string[]>((resolve, reject) => {
    let output = "";
    child.on("close", () => reject(new Error("there is no PostgreSQL")));
    child.stdout.on("data", (piece) => {
      output += piece;
      const lines = output.split("\n");
      if (lines.length > 2) resolve(lines);
    });
  });
  const shared = { POSTGRES_URL: process.env["POSTGRES_URL"], POSTGRES_FOLDER: process.env["POSTGRES_FOLDER"] };
  Object.assign(process.env, { POSTGRES_URL: url, POSTGRES_FOLDER: folder });
  return {
    stop: async () => {
      Object.assign(process.env, shared);
      child.stdin.end();
      await ended;
    },
  };
}

function signalAll(signal: NodeJS.Signals): void {
  const main = readFileSync(join(setting("POSTGRES_FOLDER"), "data", "postmaster.pid"), "utf8").split("\n")[0] ?? "";
  const others = execFileSync("ps", ["-o", "pid=", "--ppid", main], { encoding: "utf8" }).split("\n");
  for (const pid of [main, ...others].map(Number).filter(Boolean))
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
}

/** Kill -9 of the whole cluster at once. */
export const kill = (): void => signalAll("SIGKILL");

/** It is there, takes connections, and says nothing: as behind a network that loses everything. */
export const freeze = (): void => signalAll("SIGSTOP");
export const thaw = (): void => signalAll("SIGCONT");

/** Its processes take a moment to be gone; it refuses to start before. */
export function start(): void {
  for (let tries = 1; ; tries++)
    try {
      execFileSync(join(root, "script/lib/postgres-start"), { stdio: "pipe" });
      return;
    } catch (error) {
      if (tries === 50) throw error;
      execFileSync("sleep", ["0.1"]);
    }
}
