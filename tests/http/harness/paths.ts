/** Where things are, seen from tests/http/dist/harness. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
export const snapshot = join(root, "contracts/openapi.enterprise.v1.json");
export const generator = join(root, "contracts/generate.py");
export const binary = resolve(root, process.env["SALLYPORT_BIN"] ?? "build/sallyport");
/** Each test process leaves a file here. */
export const coverageFolder = process.env["SALLYPORT_COVERAGE"] ?? join(root, "tests/http/dist/coverage");
export const allowList = join(root, "tests/http/unreached.json");
