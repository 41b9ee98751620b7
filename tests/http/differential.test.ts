/**
 * The parser beside two others: what nginx or Node refuse is not let through here, and what is let
 * through has the same path, the same body and the same end for all three. Requests that are read in
 * two ways are how one of them is smuggled past a gate (RFC 9112 section 11.2).
 *
 * SALLYPORT_TEST_SEED, SALLYPORT_TEST_REQUESTS (3000)
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Chance, each, request } from "./harness/requests.js";
import { read, Rivals, type Piece, type Reading, type Seen } from "./harness/rivals.js";
import { startServer, type Server } from "./harness/server.js";

const seed = Number(process.env["SALLYPORT_TEST_SEED"] ?? Date.now() % 1_000_000_007);
const REQUESTS = Number(process.env["SALLYPORT_TEST_REQUESTS"] ?? 3000);
const AT_ONCE = 48;
const QUIET_MS = 300;
/** A machine that is busy may make one wait: before two readings count as unlike, they are read again. */
const QUIET_AGAIN_MS = 4000;

let server: Server;
const rivals = new Rivals();
before(async () => {
  server = await startServer({ log_level: "warn", connections_per_address: 0 });
  await rivals.start();
});
after(async () => {
  await rivals.stop();
  await server.stop();
});

/* ---- how the server reads it ---- */

/** The codes with which the HTTP layer refuses; all others are the application's. */
const REFUSALS = ["MALFORMED_REQUEST", "URI_TOO_LONG", "HEADERS_TOO_LARGE", "BODY_TOO_LARGE", "NOT_IMPLEMENTED", "HTTP_VERSION_NOT_SUPPORTED", "EXPECTATION_FAILED", "REQUEST_TIMEOUT"];

/** Bodies of this form are shown; of others it is known that they are others. */
const shown = (body: string): string => (/^\{"m-[0-9a-z]+":0\}$/.test(body) ? body : "another");

/** A sign-in names the member that it does not know. */
function bodyOf(problem: { errors?: { member: string; reason: string }[] }): string {
  const unknown = problem.errors?.find(({ reason }) => reason.startsWith("is not known here"));
  return shown(`{"${unknown?.member}":0}`);
}

function seenHere(piece: Piece): Seen | string {
  const body = Buffer.from(piece.body, "latin1").toString("utf8");
  if (piece.status === 200) return { path: "/healthz" };
  // Nothing to say; or one of the pages for people, which does not say for which path it is.
  if (piece.status === 204 || piece.status === 303 || piece.headers.get("content-type")?.startsWith("text/")) return {};
  const problem = JSON.parse(body);
  if (REFUSALS.includes(problem.code)) return `${problem.code}: ${problem.detail}`;
  return piece.status === 400 ? { path: problem.instance, body: bodyOf(problem) } : { path: problem.instance };
}

const here = (bytes: Buffer, quietMs: number): Promise<Reading> =>
  read({ host: "127.0.0.1", port: Number(new URL(server.url).port) }, bytes, quietMs, seenHere);

/* ---- holding them side by side ---- */

/** What is refused elsewhere for a reason that is not one of meaning. */
const EXCEPTIONS: { reason: string; rival: "nginx" | "node"; applies: (bytes: string, why: string) => boolean }[] = [
  // RFC 9112 section 3.2.4. nginx takes paths and addresses alone; the target has no second meaning.
  { reason: "nginx knows no OPTIONS *", rival: "nginx", applies: (bytes, why) => bytes.startsWith("OPTIONS * HTTP/1.") && why === "400" },
];

/** Refused for what its head asks, and closed: nobody has looked at its body. The others read that first. */
const isUnread = (seen: Seen): boolean => seen.body === undefined && seen.path !== "/healthz";

/** What this server lets through and the other does not, or lets through as something else. */
function difference(ours: Reading, other: Reading): string | undefined {
  const isLast = (i: number): boolean => ours.end === "closed" && i === ours.seen.length - 1;
  for (const [i, mine] of ours.seen.entries()) {
    const theirs = other.seen[i];
    if (!theirs) {
      if (other.end === "closed" || (isLast(i) && isUnread(mine))) return undefined;
      return other.end === "refused" ? `request ${i} is refused there (${other.why})` : `request ${i} is not yet one there`;
    }
    // A path that ends with a space does not come through a header field whole.
    if (mine.path !== undefined && mine.path.trim() !== theirs.path?.trim()) return `request ${i} has the path ${JSON.stringify(mine.path)} here and ${JSON.stringify(theirs.path)} there`;
    if (mine.body !== undefined && mine.body !== shown(theirs.body ?? "")) return `request ${i} has the body ${JSON.stringify(mine.body)} here and ${JSON.stringify(theirs.body)} there`;
  }
  if (ours.end === "waiting" && other.end !== "waiting") return `more is waited for here, and not there (${other.end}, ${other.seen.length} requests)`;
  return undefined;
}

interface Counts {
  accepted: number;
  refusedHere: number;
  refusedThere: number;
  stricter: number;
  excepted: Map<string, number>;
}

async function compare(bytes: Buffer, counts: Counts, faults: string[]): Promise<void> {
  const ask = async (quietMs: number) => Promise.all([here(bytes, quietMs), rivals.nginx(bytes, quietMs), rivals.node(bytes, quietMs)]);
  let readings = await ask(QUIET_MS);
  const unlike = (): ("nginx" | "node")[] => (["nginx", "node"] as const).filter((_, i) => difference(readings[0], readings[i + 1]!));
  if (unlike().length) readings = await ask(QUIET_AGAIN_MS);
  const [ours, nginx, node] = readings;
  counts.accepted += ours.seen.length ? 1 : 0;
  counts.refusedHere += ours.seen.length ? 0 : 1;
  counts.refusedThere += nginx.seen.length && node.seen.length ? 0 : 1;
  counts.stricter += !ours.seen.length && nginx.seen.length && node.seen.length ? 1 : 0;
  for (const rival of unlike()) {
    const other = rival === "nginx" ? nginx : node;
    const exception = EXCEPTIONS.find((e) => e.rival === rival && e.applies(bytes.toString("latin1"), other.why));
    if (exception) counts.excepted.set(exception.reason, (counts.excepted.get(exception.reason) ?? 0) + 1);
    else faults.push(`${rival}: ${difference(ours, other)}\n  ${JSON.stringify(bytes.toString("latin1"))}\n  here ${JSON.stringify(ours)}\n  ${rival} ${JSON.stringify(other)}`);
  }
}

async function compareAll(requests: Iterable<Buffer>): Promise<Counts> {
  const counts: Counts = { accepted: 0, refusedHere: 0, refusedThere: 0, stricter: 0, excepted: new Map() };
  const faults: string[] = [];
  const queue = [...requests];
  const n = queue.length;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let bytes = queue.pop(); bytes; bytes = queue.pop()) await compare(bytes, counts, faults);
    }),
  );
  assert.deepEqual(faults, [], `${faults.length} of ${n} requests are read in two ways:\n${faults.slice(0, 40).join("\n")}`);
  console.log(`# figures: ${n} requests: ${counts.accepted} accepted, ${counts.refusedHere} refused, ${counts.stricter} of them here alone`);
  return counts;
}

/* ---- the tests ---- */

test("good requests are let through by all, each with its path, its body and the one behind it", async () => {
  const chance = new Chance(seed);
  for (let i = 0; i < 100; i++) {
    const bytes = request(chance, 0);
    const readings = await Promise.all([here(bytes, QUIET_AGAIN_MS), rivals.nginx(bytes, QUIET_AGAIN_MS), rivals.node(bytes, QUIET_AGAIN_MS)]);
    for (const reading of readings) assert.deepEqual([reading.seen.length, reading.end], [2, "closed"], `${JSON.stringify(bytes.toString("latin1"))} ${JSON.stringify(readings)}`);
    assert.equal(difference(readings[0], readings[1]), undefined);
    assert.equal(difference(readings[0], readings[2]), undefined);
  }
});

test("a difference is found where there is one", () => {
  const seen = (...paths: string[]): Seen[] => paths.map((path) => ({ path }));
  const reading = (end: Reading["end"], ...paths: string[]): Reading => ({ seen: seen(...paths), end, why: "" });
  const two = reading("closed", "/a", "/b");
  const three = reading("closed", "/a", "/b", "/healthz");
  assert.match(difference(three, reading("refused", "/a")) ?? "", /request 1 is refused/);
  assert.match(difference(three, reading("waiting", "/a")) ?? "", /not yet one there/);
  assert.match(difference(two, reading("closed", "/a", "/c")) ?? "", /has the path/);
  assert.match(difference(reading("waiting", "/a"), two) ?? "", /waited for here/);
  assert.match(difference({ ...two, seen: [{ path: "/a", body: "another" }] }, { ...two, seen: [{ path: "/a", body: '{"m-1":0}' }] }) ?? "", /has the body/);
  assert.equal(difference(reading("refused"), two), undefined);
  assert.equal(difference(two, reading("closed", "/a")), undefined);
  assert.equal(difference(two, reading("refused", "/a")), undefined);
});

test("each known oddity alone is read as nginx and Node read it, or refused", async () => {
  const counts = await compareAll(each(new Chance(seed)));
  assert.deepEqual([...counts.excepted.keys()], EXCEPTIONS.map(({ reason }) => reason), "an exception that nothing needs, or that is not tried");
  assert.ok(counts.accepted > 30 && counts.refusedHere > 100 && counts.refusedThere > 100, JSON.stringify(counts));
});

test(`${REQUESTS} generated requests are read as nginx and Node read them, or refused (SALLYPORT_TEST_SEED=${seed})`, async () => {
  const chance = new Chance(seed);
  const counts = await compareAll(Array.from({ length: REQUESTS }, () => request(chance, 1 + Math.min(chance.below(3), chance.below(3)))));
  // All three do judge: a test in which everything is refused would see no difference.
  for (const n of [counts.accepted, counts.refusedHere, counts.refusedThere, counts.stricter]) assert.ok(n > REQUESTS / 100, JSON.stringify(counts));
});
