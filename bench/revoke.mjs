// Revoke keys on the first server while all are under load, and see when each refuses them.
//
//     node bench/revoke.mjs CONTROL_SOCKET URL,METRICS_URL …
//     KEYS (of the load), GATE_TOKEN, ROUNDS (300), CONNECTIONS (8, of the load on each server; 0: no load)
//
// On each server two connections call with the key all the time, one the gate, one an enterprise route.
// Times are from the moment the answer to the revocation was there: on the first server not one call
// that began later may pass. Printed are the time of the first refusal's answer, which reads the key from
// the store again, and when the last call that still passed had begun. Beside it, how long the change
// itself was on its way from the end of its transaction, the commit included, by the server's own metric:
// to this bound in 99 of 100.
import { spawn } from "node:child_process";
import { Agent, request } from "node:http";

const [socket, ...servers] = process.argv.slice(2);
const urls = servers.map((each) => each.split(",")[0]);
const metrics = servers.map((each) => each.split(",")[1]);
const rounds = Number(process.env.ROUNDS ?? 300);

function call(agent, url, method, path, headers, body) {
  const options = typeof url === "string" ? { host: new URL(url).hostname, port: new URL(url).port } : url;
  return new Promise((resolve, reject) => {
    const out = request({ ...options, agent, method, path, headers }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    out.on("error", reject);
    out.end(body);
  });
}

const control = new Agent({ keepAlive: true });
const operator = (method, path, body) =>
  call(control, { socketPath: socket }, method, path, { host: "localhost", "content-type": "application/json" }, body && JSON.stringify(body));

const atGate = async (agent, url, key) => {
  const answer = await call(agent, url, "POST", "/gate/verify",
    { authorization: `Bearer ${process.env.GATE_TOKEN}`, "content-type": "application/json" }, JSON.stringify({ key }));
  return JSON.parse(answer.text).code;
};
const atRoute = async (agent, url, key) => {
  const answer = await call(agent, url, "GET", "/api/employer/cohort?limit=1", { "x-api-key": key, "x-api-version": "2026-02-01" });
  return answer.status === 200 ? "VALID" : JSON.parse(answer.text).code;
};

/** Calls until the key is refused; when that was, and when the last call that passed had begun. */
async function probe(ask, agent, url, key) {
  let lastPassBegan = 0;
  for (;;) {
    const began = performance.now();
    const code = await ask(agent, url, key);
    if (code === "API_KEY_REVOKED") return { lastPassBegan, refusedAt: performance.now() };
    if (code !== "VALID") throw new Error(`the key was answered ${code}`);
    lastPassBegan = began;
  }
}

const routes = [atGate, atRoute];
const probes = urls.flatMap((url, node) => routes.map((ask) => ({ node, url, ask, agent: new Agent({ keepAlive: true, maxSockets: 1 }) })));
const delays = probes.map(() => []);
const passes = probes.map(() => []);
let passedHere = 0;

const connections = process.env.CONNECTIONS ?? "8";
const loads = (connections === "0" ? [] : urls).map((url) => spawn("wrk", ["-t1", `-c${connections}`, "-d3600s", "-s", "bench/known_keys.lua", url], { stdio: ["ignore", "pipe", "inherit"] }));
const results = loads.map((load) => new Promise((resolve) => {
  let text = "";
  load.stdout.on("data", (piece) => (text += piece));
  load.on("close", () => resolve(text.trim().split("\n").at(-1)));
}));

await new Promise((resolve) => setTimeout(resolve, 2000));
for (let round = 0; round < rounds; round++) {
  const { id, rawKey } = JSON.parse((await operator("POST", "/api/employer/api-keys", { name: "r", scopes: ["cohort:read"], rateLimit: null })).text);
  for (const { ask, agent, url } of probes) if ((await ask(agent, url, rawKey)) !== "VALID") throw new Error("a new key is refused");
  const running = probes.map(({ ask, agent, url }) => probe(ask, agent, url, rawKey));
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 30));
  const { status } = await operator("DELETE", `/api/employer/api-keys/${id}`);
  const acknowledged = performance.now();
  if (status !== 204) throw new Error(`the revocation was answered ${status}`);
  (await Promise.all(running)).forEach(({ lastPassBegan, refusedAt }, i) => {
    const { node } = probes[i];
    if (node === 0) passedHere += Number(lastPassBegan > acknowledged);
    delays[i].push(Math.max(0, refusedAt - acknowledged));
    passes[i].push(Math.max(0, lastPassBegan - acknowledged));
  });
}
for (const load of loads) load.kill("SIGINT");
const rates = await Promise.all(results);

async function changeDelay(url) {
  const page = await (await fetch(url)).text();
  const buckets = [...page.matchAll(/^sallyport_change_delay_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(([, le, n]) => [le, Number(n)]);
  const all = buckets.at(-1)[1];
  return `${Number(buckets.find(([, n]) => n >= all * 0.99)[0]) * 1000} ms`;
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2).padStart(9);
console.log(`${rounds} revocations on server 1, two callers with the key on each server; from the acknowledgement:`);
console.log("                   first refusal answered          last pass began");
console.log("  server  caller    p50 ms    p99 ms    max ms    p50 ms    p99 ms    max ms");
const row = (list) => {
  const sorted = list.sort((x, y) => x - y);
  return `${at(sorted, 0.5)} ${at(sorted, 0.99)} ${at(sorted, 1)}`;
};
probes.forEach(({ node, ask }, i) =>
  console.log(`${String(node + 1).padStart(8)}  ${ask === atGate ? "gate  " : "route "} ${row(delays[i])} ${row(passes[i])}`));
for (const [node, url] of metrics.entries()) {
  const [rate, bad, slow] = (rates[node] ?? "0 0 0").split(" ");
  console.log(`server ${node + 1}: ${rate} calls/s of the load, ${bad} of them failed and ${slow} took longer than 2 s; the change was there within ${await changeDelay(url)}`);
}
console.log(`calls that passed on server 1 and began after the acknowledgement: ${passedHere}`);
process.exit(passedHere ? 1 : 0);
