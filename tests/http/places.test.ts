/** Keys, APIs and organizations that may be used from certain countries only. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import { open, type CountryResponse } from "maxmind";

import { Management, refusedByManagement, type Made } from "./harness/management.js";
import { json } from "./harness/raw.js";
import { startServer, type Server } from "./harness/server.js";

const shipped = join(dirname(createRequire(import.meta.url).resolve("@ip-location-db/geo-whois-asn-country-mmdb/package.json")), "geo-whois-asn-country.mmdb");
const folder = mkdtempSync(join(tmpdir(), "sallyport-places-"));
const database = join(folder, "countries.mmdb");

/** 8.8.8.8 and so on: addresses whose country the judge says below. */
const GERMAN = "141.2.1.1", FRENCH = "129.175.1.1", AMERICAN = "8.8.8.8", JAPANESE6 = "2001:2f8::1", NOWHERE = "10.0.0.1";

let server: Server;
let root: Management;
let api: string;
let org: string;
before(async () => {
  copyFileSync(shipped, database);
  server = await startServer({ geoip_database: database });
  root = await Management.root(server);
  api = await root.makeApi(["read"]);
  org = await root.makeOrganization();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const makeKey = (places: unknown, more: object = {}): Promise<Made> => root.makeKey({ api_id: api, org_code: org, rate_limit: null, places, ...more });
const code = async (key: string, client_address?: string): Promise<string> => (await root.verify(key, { api_id: api, ...(client_address ? { client_address } : {}) })).code;

test("addresses are where another reader of the file says", async () => {
  const judge = await open<CountryResponse & { country_code?: string }>(database);
  const key = await makeKey({ allow: ["DE"] });
  const addresses = [GERMAN, FRENCH, AMERICAN, JAPANESE6, NOWHERE, "1.1.1.1", "192.0.2.1", "::1", "2a00:1450::1", "2003::1", "255.255.255.255"];
  for (let i = 0; i < 100; i++) addresses.push([1 + ((i * 37) % 222), (i * 91) % 256, (i * 53) % 256, 1].join("."));
  for (const address of addresses) {
    const found = judge.get(address);
    const expected = found?.country?.iso_code ?? found?.country_code ?? null;
    const answer = await root.verify(key.key, { client_address: address });
    assert.equal(answer.code, expected === "DE" ? "API_KEY_VERIFIED" : "GEO_NOT_ALLOWED", address);
    if (expected !== "DE") assert.equal(answer.country, expected, address);
  }
});

test("an allow list refuses what is unknown, unless it says otherwise", async () => {
  const strict = await makeKey({ allow: ["DE", "FR"] });
  assert.equal(await code(strict.key, GERMAN), "API_KEY_VERIFIED");
  assert.equal(await code(strict.key, FRENCH), "API_KEY_VERIFIED");
  assert.equal(await code(strict.key, AMERICAN), "GEO_NOT_ALLOWED");
  assert.equal(await code(strict.key, NOWHERE), "GEO_NOT_ALLOWED");
  assert.equal(await code(strict.key), "GEO_NOT_ALLOWED");
  const mild = await makeKey({ allow: ["DE"], unknown: "allow" });
  assert.equal(await code(mild.key, NOWHERE), "API_KEY_VERIFIED");
  assert.equal(await code(mild.key), "API_KEY_VERIFIED");
  assert.equal(await code(mild.key, AMERICAN), "GEO_NOT_ALLOWED");
});

test("a deny list lets all others pass, and wins", async () => {
  const denied = await makeKey({ deny: ["US"] });
  assert.equal(await code(denied.key, AMERICAN), "GEO_NOT_ALLOWED");
  assert.equal(await code(denied.key, GERMAN), "API_KEY_VERIFIED");
  assert.equal(await code(denied.key, NOWHERE), "API_KEY_VERIFIED");
  const known = await makeKey({ deny: ["US"], unknown: "deny" });
  assert.equal(await code(known.key, NOWHERE), "GEO_NOT_ALLOWED");
  assert.equal(await code(known.key, GERMAN), "API_KEY_VERIFIED");
  assert.deepEqual((await root.good("GET", `/api_keys/${known.id}`)).api_key.places, { allow: [], deny: ["US"], unknown: "deny" });
  const both = await makeKey({ allow: ["US", "DE"], deny: ["US"] });
  assert.equal(await code(both.key, AMERICAN), "GEO_NOT_ALLOWED");
  assert.equal(await code(both.key, GERMAN), "API_KEY_VERIFIED");
});

test("key, API and organization must all let a place pass; a change counts at the next call", async () => {
  const its = await root.makeOrganization();
  const another = await root.makeApi(["read"], { places: { allow: ["DE", "US"] } });
  const key = await root.makeKey({ api_id: another, org_code: its });
  const answer = async (address: string): Promise<string> => (await root.verify(key.key, { client_address: address })).code;
  assert.equal(await answer(AMERICAN), "API_KEY_VERIFIED");
  assert.equal(await answer(FRENCH), "GEO_NOT_ALLOWED");
  await root.good("PATCH", `/organizations/${its}`, { places: { deny: ["US"] } });
  assert.equal(await answer(AMERICAN), "GEO_NOT_ALLOWED");
  assert.equal(await answer(GERMAN), "API_KEY_VERIFIED");
  await root.good("PATCH", `/apis/${another}`, { places: null });
  assert.equal(await answer(FRENCH), "API_KEY_VERIFIED");
  await root.good("PATCH", `/api_keys/${key.id}`, { places: { allow: ["JP"] } });
  assert.equal(await answer(FRENCH), "GEO_NOT_ALLOWED");
  assert.equal(await answer(JAPANESE6), "API_KEY_VERIFIED");
  await root.good("PATCH", `/api_keys/${key.id}`, { places: null });
  assert.equal(await answer(FRENCH), "API_KEY_VERIFIED");
});

test("what was set is shown again", async () => {
  const places = { allow: ["DE", "AT"], deny: ["RU"], unknown: "allow" };
  const key = await makeKey(places);
  assert.deepEqual((await root.good("GET", `/api_keys/${key.id}`)).api_key.places, places);
  const its = await root.makeApi([], { places: { deny: ["RU"] } });
  assert.deepEqual((await root.good("GET", `/apis/${its}`)).api.places, { allow: [], deny: ["RU"], unknown: "allow" });
  const organization = await root.makeOrganization({ places: { allow: ["DE"] } });
  assert.deepEqual((await root.good("GET", `/organizations/${organization}`)).organization.places, { allow: ["DE"], deny: [], unknown: "deny" });
});

test("what is no country is refused by name", async () => {
  for (const [places, member] of [
    [{ allow: ["UK"] }, "places.allow[0]"],
    [{ allow: ["DE", "de"] }, "places.allow[1]"],
    [{ deny: ["EU"] }, "places.deny[0]"],
    [{ deny: "RU" }, "places.deny"],
    [{ unknown: "perhaps" }, "places.unknown"],
    [{ allowed: ["DE"] }, "places.allowed"],
    ["DE", "places"],
    [[], "places"],
    [{ allow: Array(251).fill("DE") }, "places.allow"],
  ] as const) {
    const refusal = refusedByManagement(await root.call("POST", "/api_keys", { name: "k", api_id: api, org_code: org, places }), 400, "INVALID_REQUEST");
    assert.ok(JSON.stringify(refusal).includes(member), `${member}: ${JSON.stringify(refusal)}`);
  }
});

test("the gate names the country seen", async () => {
  const key = await makeKey({ allow: ["DE"] });
  const { token } = await server.cliJson(["gate-tokens", "create", "--name", "places"]);
  const ask = async (clientAddress: string): Promise<any> => json(await server.call({ method: "POST", target: "/gate/verify", fields: { authorization: `Bearer ${token}` }, body: { key: key.key, api, clientAddress } }));
  assert.equal((await ask(GERMAN)).code, "VALID");
  const refused = await ask(AMERICAN);
  assert.equal(refused.code, "GEO_NOT_ALLOWED");
  assert.match(JSON.stringify(refused), /country US/);
});

test("a key of the enterprise API is judged alike at the door", async () => {
  const key = await root.makeKey({ api_id: "enterprise", org_code: org, scope_ids: ["cohort:read"], places: { allow: ["DE"] } });
  const answer = await server.withKey(key.key);
  assert.equal(answer.status, 403, answer.body);
  assert.equal(json(answer).code, "GEO_NOT_ALLOWED");
  assert.match(answer.body, /none was known/);
});

test("a newer file takes the place of the former, a broken one does not", async () => {
  const key = await makeKey({ allow: ["DE"] });
    writeFileSync(`${database}.new`, "this is no database");
  renameSync(`${database}.new`, database);
  while (!server.log.includes("geoip.not_reloaded")) await sleep(100);
  assert.equal(await code(key.key, GERMAN), "API_KEY_VERIFIED");
  copyFileSync(shipped, `${database}.new`);
  utimesSync(`${database}.new`, new Date(), new Date());
  renameSync(`${database}.new`, database);
  while (!server.log.includes("geoip.reloaded")) await sleep(100);
  assert.equal(await code(key.key, GERMAN), "API_KEY_VERIFIED");
  assert.equal(await code(key.key, AMERICAN), "GEO_NOT_ALLOWED");
  writeFileSync(database, ""); // over the file that is in use
  assert.equal(await code(key.key, GERMAN), "API_KEY_VERIFIED");
});

test("without a database no address has a country, and a missing file stops the start", async () => {
  const plain = await startServer();
  try {
    const its = await Management.root(plain);
    const key = await its.makeKey({ api_id: await its.makeApi(), org_code: await its.makeOrganization(), places: { allow: ["DE"] } });
    assert.equal((await its.verify(key.key, { client_address: GERMAN })).code, "GEO_NOT_ALLOWED");
  } finally {
    await plain.stop();
  }
  await assert.rejects(startServer({ geoip_database: join(folder, "nothing.mmdb") }), /nothing\.mmdb: No such file/);
});
