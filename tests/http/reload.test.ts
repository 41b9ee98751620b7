/** SIGHUP: the settings file is read again; and what systemd is told. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Instance, type Server, type Settings } from "./harness/server.js";
import { eventually, newTenant, refusedWith } from "./harness/util.js";

const WITHIN_MS = 5000;

interface Line {
  event: string;
  [name: string]: unknown;
}

const lines = (server: Server, ...events: string[]): Line[] =>
  server.log.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Line).filter((line) => events.includes(line.event));

/** A server with a settings file; `reload` writes it anew, sends SIGHUP and waits for the last word. */
async function withFile(text: string, settings: Settings, work: (server: Server, reload: (text: string) => Promise<Line>) => Promise<void>): Promise<void> {
  const instance = new Instance({ log_format: "json", ...settings });
  const file = join(instance.folder, "sallyport.conf");
  writeFileSync(file, text);
  const server = await instance.start();
  try {
    const words = (): Line[] => lines(server, "settings.reloaded", "settings.not_reloaded");
    await work(server, async (next) => {
      const before = words().length;
      writeFileSync(file, next);
      process.kill(server.pid, "SIGHUP");
      await eventually(async () => words().length > before, WITHIN_MS, "the server says that it has read the file");
      return words().at(-1)!;
    });
  } finally {
    await server.stop();
  }
}

test("what may be taken over is in force, what may not is named, and both are told", () =>
  withFile("log_level = info\n", {}, async (server, reload) => {
    const tenant = await newTenant(server);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    const unversioned = () => server.call({ target: "/api/employer/cohort", fields: { "x-api-key": key.rawKey } });
    refusedWith(await unversioned(), "UNSUPPORTED_API_VERSION");

    const last = await reload("api_version_required = false\nlog_level = debug\nhead_timeout = 5s\n");
    assert.deepEqual([last.event, last["changed"], last["needRestart"]], ["settings.reloaded", 2, 1]);
    assert.equal((await unversioned()).status, 200);
    await eventually(async () => lines(server, "request.answered").length > 0, WITHIN_MS, "lines of debug");
    const told = (event: string): unknown[] => lines(server, event).map(({ name, from, to }) => [name, from, to]);
    assert.deepEqual(told("settings.changed"), [["api_version_required", "true", "false"], ["log_level", "info", "debug"]]);
    assert.deepEqual(told("settings.need_restart"), [["head_timeout", "10s", "5s"]]);

    // Back to the defaults, and what needs a restart is named as long as it differs.
    const back = await reload("head_timeout = 5s\n");
    assert.deepEqual([back["changed"], back["needRestart"]], [2, 1]);
    refusedWith(await unversioned(), "UNSUPPORTED_API_VERSION");
  }));

test("a proxy is trusted from the reload on, and limits are the new ones", () =>
  withFile("", {}, async (server, reload) => {
    const tenant = await newTenant(server);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], allowedIpCidrs: ["203.0.113.0/24"] });
    const through = () => server.withKey(key, { fields: { "x-forwarded-for": "203.0.113.7" } });
    refusedWith(await through(), "API_KEY_IP_NOT_ALLOWED");
    await reload("trusted_proxies = 127.0.0.1, ::1\napi_key_limit = 1\n");
    assert.equal((await through()).status, 200);
    await assert.rejects(tenant.admin.createApiKey({ name: "one too many", scopes: ["cohort:read"] }), { code: "API_KEY_LIMIT" });
    await reload("");
    refusedWith(await through(), "API_KEY_IP_NOT_ALLOWED");
    await tenant.admin.createApiKey({ name: "fits again", scopes: ["cohort:read"] });
  }));

test("a file that is wrong changes nothing, and the log says what is wrong with it", () =>
  withFile("api_key_limit = 2\n", {}, async (server, reload) => {
    const last = await reload("api_key_limit = 1\nguess_limti = 5\nworkers = many\n");
    assert.equal(last.event, "settings.not_reloaded");
    assert.match(String(last["reason"]), /2 problems .*sallyport\.conf:2.* did you mean guess_limit\?.*sallyport\.conf:3/);
    const tenant = await newTenant(server);
    for (const name of ["first", "second"]) await tenant.admin.createApiKey({ name, scopes: ["cohort:read"] });
    const right = await reload("api_key_limit = 1\n");
    assert.equal(right["changed"], 1);
  }));

test("flags and environment stay above the file", () =>
  withFile("guess_limit = 7\n", { api_version_required: false, guess_limit: 9 }, async (server, reload) => {
    const last = await reload("guess_limit = 8\napi_version_required = true\n");
    assert.deepEqual([last["changed"], last["needRestart"]], [0, 0]);
    const tenant = await newTenant(server);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"] });
    assert.equal((await server.call({ target: "/api/employer/cohort", fields: { "x-api-key": key.rawKey } })).status, 200);
  }));

test("requests that run meanwhile notice nothing", () =>
  withFile("", {}, async (server, reload) => {
    const tenant = await newTenant(server);
    const key = await tenant.admin.createApiKey({ name: "k", scopes: ["cohort:read"], rateLimit: null });
    let isOver = false;
    const statuses = new Set<number>();
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) statuses.add((await server.withKey(key)).status);
    });
    for (let i = 0; i < 20; i++) await reload(`guess_limit = ${10 + i}\ntrusted_proxies = 10.0.0.${i}\nlog_level = ${i % 2 ? "info" : "debug"}\n`);
    isOver = true;
    await Promise.all(clients);
    assert.deepEqual([...statuses], [200]);
  }));

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

test("systemd is told: ready, reloading, ready again, stopping", async () => {
  const instance = new Instance();
  const socket = join(instance.folder, "notify.sock");
  const listener = spawn("python3", ["-c", LISTENER, socket], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  listener.stdout.on("data", (piece) => (said += piece));
  const hears = (words: RegExp) => eventually(async () => words.test(said), WITHIN_MS, String(words));
  try {
    await hears(/^bound\n/);
    const server = await instance.start({ NOTIFY_SOCKET: socket });
    await hears(/^bound\nREADY=1\n$/);
    process.kill(server.pid, "SIGHUP");
    await hears(/READY=1\nRELOADING=1 MONOTONIC_USEC=\d+\nREADY=1\n$/);
    await server.halt();
    await hears(/\nSTOPPING=1\n$/);
  } finally {
    listener.kill("SIGKILL");
    instance.remove();
  }
});
