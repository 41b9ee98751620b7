#!/usr/bin/env node
// Build the SDK and the tests, run them against the real server, then ask whether all of the
// contract was reached. The last line is "http: N passed, M failed".
//
//     node tests/http/run.mjs [name …]         only the files whose name contains one of these
//     node tests/http/run.mjs --but name …     all the others
//
// SALLYPORT_BIN (build/sallyport), STORE_URL (a PostgreSQL of script/lib/postgres; not set: SQLite),
// SALLYPORT_TEST_SEED, SALLYPORT_TEST_JOBS (3: they wait a good deal)
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const dist = join(here, "dist");
const coverage = mkdtempSync(join(tmpdir(), "sallyport-coverage-"));
const but = process.argv[2] === "--but";
const wanted = process.argv.slice(but ? 3 : 2);

function must(what, args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  console.log(`${what} failed\nhttp: 0 passed, 1 failed`);
  process.exit(1);
}

if (!existsSync(join(root, "node_modules"))) {
  console.log("node_modules is missing: run npm ci\nhttp: 0 passed, 1 failed");
  process.exit(1);
}
must("building the SDK", [join(root, "sdk/typescript/build.mjs")]);
must("building the tests", [join(root, "node_modules/typescript/bin/tsc"), "-p", here]);

// The slow ones first, so that none of them is left to run alone.
const SLOW = ["browser", "hostile", "backup", "sdk", "cli", "cohort"];
const isSlow = (name) => SLOW.some((slow) => name.startsWith(slow));
const files = readdirSync(here)
  .filter((name) => name.endsWith(".test.ts") && (wanted.length === 0 || wanted.some((part) => name.includes(part)) !== but))
  .sort((a, b) => isSlow(b) - isSlow(a))
  .map((name) => join(dist, name.replace(/ts$/, "js")));
const jobs = Number(process.env.SALLYPORT_TEST_JOBS ?? 3);

// Node 18's own runner has no --test-concurrency; each file is a run of its own, `jobs` at a time.
const FILE_WITHIN_MS = 600_000;
const totals = { passed: 0, failed: 0 };
async function runFile(file) {
  const child = spawn(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=tap", file], {
    cwd: root,
    env: { ...process.env, SALLYPORT_COVERAGE: coverage },
    detached: true, // a group, so that what hangs ends with all that it started
  });
  const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), Number(process.env.SALLYPORT_TEST_WITHIN_MS ?? FILE_WITHIN_MS));
  let output = "";
  child.stdout.on("data", (piece) => (output += piece));
  child.stderr.on("data", (piece) => (output += piece));
  const code = await new Promise((done) => child.on("close", done));
  clearTimeout(timer);
  report(file, output, code);
}

/** Nested TAP: the lines of the tests themselves are those that are indented once, or not at all. */
function report(file, output, code) {
  const count = (name) => Number(new RegExp(`^# ${name} ([\\d.]+)$`, "m").exec(output)?.[1] ?? 0);
  let passed = count("pass");
  let failed = count("fail") + count("cancelled");
  const skipped = count("skipped") + count("todo");
  if (code !== 0 && failed === 0) failed = 1;
  failed += skipped; // A skip nobody declared is a failure.
  totals.passed += passed;
  totals.failed += failed;
  const name = file.slice(dist.length + 1);
  console.log(`${failed ? "FAILED" : "passed"} ${name}: ${passed} passed, ${failed} failed, ${Math.round(count("duration_ms") / 1000)} s`);
  // What a test has measured, as `# figures: …`.
  for (const [, line] of output.matchAll(/^# (?:\\# )?(figures: .*)$/gm)) console.log(`    ${line}`);
  const unneeded = /^ *# Subtest: .*\n|^( *)ok .*\n(\1  ---\n(\1  .*\n)*?\1  \.\.\.\n)?/gm;
  if (failed) console.log(output.replace(unneeded, "").split("\n").map((line) => `    ${line}`).join("\n"));
}

const queue = [...files];
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (let file = queue.shift(); file; file = queue.shift()) await runFile(file);
  }),
);
if (wanted.length === 0 || but) {
  const covered = spawnSync(process.execPath, [join(dist, "coverage.js")], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, SALLYPORT_COVERAGE: coverage },
  });
  totals[covered.status === 0 ? "passed" : "failed"] += 1;
}
rmSync(coverage, { recursive: true, force: true });
console.log(`http: ${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed || totals.passed === 0 ? 1 : 0;
