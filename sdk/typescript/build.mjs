// Build dist/: ES modules, CommonJS, and declarations for both. Does nothing where all is fresh, so
// that two builds at a time do not take each other's files away.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const stamp = join(here, "dist", "stamp");

const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = [
  ...readdirSync(join(here, "src")).map((name) => join(here, "src", name)),
  ...["build.mjs", "package.json", "tsconfig.json", "tsconfig.cjs.json"].map((name) => join(here, name)),
];

if (sources.some((path) => changedAt(path) >= changedAt(stamp))) {
  for (const [project, folder, type] of [
    ["tsconfig.json", "esm", "module"],
    ["tsconfig.cjs.json", "cjs", "commonjs"],
  ]) {
    execFileSync(process.execPath, [tsc, "-p", join(here, project)], { stdio: "inherit" });
    mkdirSync(join(here, "dist", folder), { recursive: true });
    writeFileSync(join(here, "dist", folder, "package.json"), JSON.stringify({ type }) + "\n");
  }
  writeFileSync(stamp, "");
}
