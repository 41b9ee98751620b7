/** After all tests: each promise of the contract was met by some test, or is excused with a reason. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { promised } from "./harness/contract.js";
import { allowList, coverageFolder } from "./harness/paths.js";
import { onPostgres } from "./harness/server.js";

const reached = new Set<string>(
  readdirSync(coverageFolder).flatMap((name) => JSON.parse(readFileSync(join(coverageFolder, name), "utf8")) as string[]),
);
// A reason is a text, or { "sqlite": text } where only the run on PostgreSQL can reach it.
const reasons: [string, string | { sqlite: string }][] = Object.entries(JSON.parse(readFileSync(allowList, "utf8")));
const excused = new Map<string, string>(
  reasons.flatMap(([what, why]) => (typeof why === "string" ? [[what, why]] : onPostgres ? [] : [[what, why.sqlite]])),
);
const complaints = [
  ...promised.filter((what) => !reached.has(what) && !excused.has(what)).map((what) => `no test reached ${what}`),
  ...[...excused.keys()].filter((what) => !promised.includes(what)).map((what) => `unreached.json excuses ${what}, which nobody promises`),
  ...[...excused.keys()].filter((what) => reached.has(what)).map((what) => `unreached.json excuses ${what}, which was reached`),
  ...[...excused].filter(([, why]) => why.length < 10).map(([what]) => `unreached.json gives no reason for ${what}`),
];

for (const [what, why] of excused) console.log(`not reached: ${what}: ${why}`);
for (const complaint of complaints) console.log(`coverage: ${complaint}`);
console.log(`coverage: ${promised.filter((what) => reached.has(what)).length} of ${promised.length} promises of the contract reached`);
process.exitCode = complaints.length ? 1 : 0;
