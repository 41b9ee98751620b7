/** Databases of the PostgreSQL that script/lib/postgres runs for the tests. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

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

/** A new, empty one; its URL. */
export function makeDatabase(): string {
  const name = `t${process.pid}_${randomBytes(4).toString("hex")}`;
  sql(urlOf(MAINTENANCE), `CREATE DATABASE ${name}`);
  return urlOf(name);
}

const nameOf = (url: string): string => new URL(url.replace("@/", "@localhost/")).pathname.slice(1);

export function dropDatabase(url: string): void {
  sql(urlOf(MAINTENANCE), `DROP DATABASE IF EXISTS ${nameOf(url)} WITH (FORCE)`);
}

/** Where the files of a database are, with all that is in it written to them; and the log of changes. */
export function folders(url: string): string[] {
  const [oid] = sql(urlOf(MAINTENANCE), `CHECKPOINT; SELECT oid FROM pg_database WHERE datname = '${nameOf(url)}'`);
  const data = join(setting("POSTGRES_FOLDER"), "data");
  return [join(data, "base", String(oid)), join(data, "pg_wal")];
}
