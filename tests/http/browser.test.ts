/**
 * The pages in a real browser: from the sign-in to the sign-out with the keyboard alone, the rules of
 * accessibility in light and dark, the width of a telephone, and without script.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

import { startServer, type Server } from "./harness/server.js";
import { eventually, newTenant, refusedWith, type Tenant } from "./harness/util.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
/** What the pages look like, for whoever wants to see it. */
const shots = process.env["SALLYPORT_SHOTS"] ?? mkdtempSync(join(tmpdir(), "sallyport-shots-"));

let server: Server;
let tenant: Tenant;
let browser: Browser;
before(async () => {
  assert.ok(executablePath, "there is no chromium: script/bootstrap --tests installs it");
  server = await startServer();
  tenant = await newTenant(server);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
after(async () => {
  await browser?.close();
  await server.stop();
});

type Look = NonNullable<Parameters<Browser["newContext"]>[0]>;

/** A page whose every complaint is a failure: of the content security policy, of the script, of a file. */
async function open(look: Look = {}): Promise<{ context: BrowserContext; page: Page; complaints: string[] }> {
  const context = await browser.newContext({ baseURL: server.url, ...look });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    // A page that is a refusal is one on purpose.
    if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // A page that is left takes what it was loading with it.
    if (why !== "net::ERR_ABORTED") complaints.push(`${request.url()}: ${why}`);
  });
  return { context, page, complaints };
}

async function signIn(page: Page, who = tenant): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("Email").fill(who.adminEmail);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/employer/api-keys");
}

/** Tab until this is focused, as somebody without a mouse does. */
async function tabTo(page: Page, role: string, name: string | RegExp): Promise<void> {
  const wanted = page.getByRole(role as "button", { name }).first();
  await wanted.waitFor();
  for (let i = 0; i < 60; i++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) {
      const outline = await wanted.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.notEqual(outline, "none", `the focus on ${name} is not to be seen`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${role} ${name}`);
}

async function press(page: Page, role: string, name: string | RegExp, key = "Enter"): Promise<void> {
  await tabTo(page, role, name);
  const [response] = await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
  assert.ok(response);
}

async function type(page: Page, role: string, name: string | RegExp, text: string): Promise<void> {
  await tabTo(page, role, name);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}

const heading = (page: Page): Promise<string> => page.locator("h1").innerText();
const notice = (page: Page): Promise<string> => page.locator(".notice").innerText();

test("a key lives from its creation to its end by the keyboard alone", async () => {
  const { context, page, complaints } = await open();
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url });

  // The first Tab of a page is the way past its head.
  await page.goto("/");
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  assert.ok(await page.getByLabel("Email").evaluate((element) => element === document.activeElement));
  await page.keyboard.type(tenant.adminEmail);
  await page.keyboard.press("Tab");
  await page.keyboard.type("a wrong password");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(await page.getByRole("alert").innerText(), /Email or password is wrong/);
  assert.equal(await page.getByLabel("Password").inputValue(), "");
  await page.keyboard.press("Tab");
  await page.keyboard.type(tenant.password);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await heading(page), "API keys");

  await tabTo(page, "link", "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Create a key");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);

  // Without a scope: the form says so, at the field.
  await type(page, "textbox", "Name", "nightly upload");
  await press(page, "button", "Create the key");
  assert.match(await page.getByRole("group", { name: "Scopes" }).innerText(), /Scopes need at least one to be ticked/);
  assert.equal(await page.getByLabel("Name").inputValue(), "nightly upload");
  await tabTo(page, "checkbox", /cohort:read/);
  await page.keyboard.press("Space");
  await press(page, "button", "Create the key");
  assert.equal(await heading(page), "The key was created");

  await tabTo(page, "button", "Copy");
  await page.keyboard.press("Enter");
  await page.locator("#copied", { hasText: "The key was copied." }).waitFor();
  const raw: string = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(raw, /^mt_live_[0-9a-f]{64}$/);
  assert.equal((await server.withKey(raw)).status, 200);
  refusedWith(await server.withKey(raw, { method: "POST", target: "/api/employer/upload-cohort", body: { patients: [] } }), "INSUFFICIENT_SCOPE");

  // A reload asks the browser to send the form again; it makes no second key.
  await page.reload();
  assert.match(await page.getByRole("alert").innerText(), /sent before/);
  await press(page, "link", "To the key");
  assert.equal(await heading(page), "nightly upload");
  assert.ok(!(await page.content()).includes(raw.slice(12, -4)));
  await eventually(async () => {
    await page.reload();
    return (await page.locator("main").innerText()).includes("The key lacks: cohort:write.");
  }, 10_000, "the refusal on the key's page");
  assert.match(await page.locator(".refusal").first().innerText(), /INSUFFICIENT_SCOPE[\s\S]*127\.0\.0\.1[\s\S]*Ask an admin to add this to the key/);

  await press(page, "link", "Rotate…");
  await tabTo(page, "radio", "for 24 hours");
  await page.keyboard.press("ArrowDown");
  assert.ok(await page.getByLabel("for an hour").isChecked());
  await press(page, "button", "Rotate the key");
  assert.equal(await heading(page), "The key was rotated");
  await tabTo(page, "button", "Copy");
  await page.keyboard.press("Enter");
  await page.locator("#copied", { hasText: "copied" }).waitFor();
  const next: string = await page.evaluate(() => navigator.clipboard.readText());
  assert.notEqual(next, raw);
  for (const text of [raw, next]) assert.equal((await server.withKey(text)).status, 200);
  await press(page, "link", "To the key");

  await press(page, "button", "Switch off");
  assert.match(await notice(page), /switched off/);
  refusedWith(await server.withKey(next), "API_KEY_INACTIVE");
  await press(page, "button", "Switch on");
  assert.match(await notice(page), /switched on/);
  assert.equal((await server.withKey(next)).status, 200);

  await press(page, "link", "Revoke…");
  assert.match(await page.locator("main").innerText(), /nightly upload[\s\S]*cannot be undone/);
  await press(page, "button", "Revoke “nightly upload”");
  assert.match(await notice(page), /was revoked/);
  for (const text of [raw, next]) refusedWith(await server.withKey(text), "API_KEY_REVOKED");

  await press(page, "button", "Sign out");
  assert.match(await notice(page), /signed out/);
  await page.goBack();
  await page.goto("/employer/api-keys");
  assert.equal(await heading(page), "Sign in");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("leaving a key that was not copied is asked about first", async () => {
  const { context, page } = await open();
  await signIn(page);
  await page.goto("/employer/api-keys/new");
  await page.getByLabel("Name").fill("left behind");
  await page.getByLabel(/export:read/).check();
  await page.getByRole("button", { name: "Create the key" }).click();
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    void (asked.length === 1 ? dialog.dismiss() : dialog.accept());
  });
  await page.getByRole("link", { name: "To the key" }).click();
  assert.equal(await heading(page), "The key was created");
  await page.getByRole("link", { name: "To the key" }).click();
  await page.waitForURL("**/key_*");
  assert.equal(asked.length, 2);
  assert.match(asked[0] ?? "", /not shown again/);
  await context.close();
});

test("everything works without script, and times are in UTC", async () => {
  const { context, page } = await open({ javaScriptEnabled: false });
  await signIn(page);
  await page.goto("/employer/api-keys/new");
  await page.getByLabel("Name").fill("no script");
  await page.getByLabel(/export:read/).check();
  await page.getByRole("button", { name: "Create the key" }).click();
  assert.match(await page.getByLabel("New API key").inputValue(), /^mt_live_/);
  assert.ok(await page.locator("#copy").isHidden());
  await page.getByRole("link", { name: "To the key" }).click();
  assert.match(await page.locator(".facts").innerText(), /Created\s+\d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  await page.getByRole("link", { name: "Revoke…" }).click();
  await page.getByRole("button", { name: /Revoke “no script”/ }).click();
  assert.match(await notice(page), /was revoked/);
  await context.close();
});

test("times are those of the reader where there is a script", async () => {
  const { context, page } = await open({ timezoneId: "Asia/Tokyo", locale: "en-GB" });
  const key = await tenant.admin.createApiKey({ name: "in Tokyo", scopes: ["cohort:read"], expiresAt: "2099-12-31T20:30:00.000Z" });
  await signIn(page);
  await page.goto(`/employer/api-keys/${key.id}`);
  const expires = page.locator('time[datetime="2099-12-31T20:30:00.000Z"]');
  assert.match(await expires.innerText(), /1 Jan 2100, 05:30/);
  assert.equal(await expires.getAttribute("title"), "2099-12-31 20:30 UTC");
  await context.close();
});

/** Each page by name, and how to get there. */
async function pages({ admin }: Tenant): Promise<[string, string][]> {
  const patients = { patients: [] };
  const long = await admin.createApiKey({ name: "seed-import_from_the_former_provider_of_occupational_health_services", scopes: ["cohort:write"] });
  const old = await admin.createApiKey({ name: "Reporting, former provider", scopes: ["cohort:read", "export:read"] });
  const reporting = await admin.createApiKey({ name: "Reporting", scopes: ["cohort:read", "export:read", "export:create"] });
  const upload = await admin.createApiKey({ name: "Nightly upload, HR server", scopes: ["cohort:read", "cohort:write"], allowedIpCidrs: ["203.0.113.0/24"], expiresAt: "2099-12-31T23:59:59.999Z" });
  await admin.revokeApiKey(old.id);
  await server.withKey(upload);
  for (let i = 0; i < 3; i++) await server.withKey(reporting);
  await server.withKey(reporting, { method: "POST", target: "/api/employer/upload-cohort", body: patients });
  await admin.updateApiKey(long.id, { status: "inactive" });
  await server.withKey(long);
  await eventually(async () => (await admin.listEmployerAudit({ actorId: long.id, action: "authorization.denied" })).lines.length > 0, 10_000, "refusals");
  return [
    ["keys", "/employer/api-keys"],
    ["new", "/employer/api-keys/new"],
    ["key", `/employer/api-keys/${reporting.id}`],
    ["rotate", `/employer/api-keys/${reporting.id}/rotate`],
    ["revoke", `/employer/api-keys/${upload.id}/revoke`],
    ["refusals", "/employer/refusals"],
    ["account", "/account"],
    ["troubleshooting", "/docs/troubleshooting"],
    ["reset", "/reset-password?token=0"],
    ["lost", "/employer/nothing"],
  ];
}

/** No rule of axe-core is broken (WCAG 2.2 A and AA, and its best practices). */
async function assertAccessible(page: Page, what: string): Promise<void> {
  // By the debugger, which the content security policy does not bind.
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<any> } }).axe.run());
  assert.ok(passes.length > 10, "axe has looked at nothing");
  assert.deepEqual(violations.map((v: any) => `${what}: ${v.id}: ${v.help}: ${v.nodes.map((n: any) => n.target).join(", ")}`), []);
}

async function assertNoSideways(page: Page, what: string): Promise<void> {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok((wide ?? 0) <= (room ?? 0), `${what} is ${wide} wide, and there is room for ${room}`);
}

const looks: [string, Look][] = [
  ["light", { colorScheme: "light", viewport: { width: 1200, height: 850 } }],
  ["dark", { colorScheme: "dark", viewport: { width: 1200, height: 850 } }],
  ["phone", { colorScheme: "light", viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }],
  ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }],
];

test("every page is accessible in light and dark, and fits on a telephone", async () => {
  const others = await newTenant(server, "Harbour Health");
  const targets = await pages(others);
  for (const [look, options] of looks) {
    const { context, page, complaints } = await open(options);
    const see = async (name: string): Promise<void> => {
      await assertAccessible(page, `${name} in ${look}`);
      await assertNoSideways(page, `${name} in ${look}`);
      await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true });
    };
    await page.goto("/sign-in");
    await see("sign-in");
    await page.getByLabel("Email").fill("nobody@users.test");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await see("sign-in-wrong");
    await signIn(page, others);
    for (const [name, target] of targets) {
      await page.goto(target);
      await see(name);
    }
    await page.goto("/employer/api-keys/new");
    await page.getByLabel("Name").fill("Data warehouse");
    await page.getByLabel("Addresses").fill("10.0.0.1/8");
    await page.getByRole("button", { name: "Create the key" }).click();
    await page.getByRole("alert").waitFor();
    await see("new-wrong");
    await page.getByLabel(/export:read/).check();
    await page.getByLabel("Addresses").fill("");
    await page.getByRole("button", { name: "Create the key" }).click();
    await page.getByLabel("New API key").waitFor();
    await see("created");
    assert.deepEqual(complaints, [], look);
    await context.close();
  }
  const { context, page } = await open();
  await page.goto("/sign-in");
  await page.getByLabel("Email").fill(tenant.memberEmail);
  await page.getByLabel("Password").fill(tenant.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  assert.equal(await heading(page), "Your role is not enough");
  await assertAccessible(page, "the role");
  await page.screenshot({ path: join(shots, "role-light.png"), fullPage: true });
  await context.close();
});

test("another site can neither frame a page nor send its forms", async () => {
  const { context, page } = await open();
  await signIn(page);
  await page.route("http://elsewhere.test/**", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<iframe src="${server.url}/employer/api-keys"></iframe><form method="post" action="${server.url}/sign-out"><button>Win</button></form>`,
    }),
  );
  await page.goto("http://elsewhere.test/");
  assert.ok(!(await page.frames()[1]?.content())?.includes("API keys"));
  await page.getByRole("button", { name: "Win" }).click();
  await page.waitForURL(`${server.url}/**`);
  // The cookie stays at home (SameSite), and the Origin is another.
  await page.goto("/employer/api-keys");
  assert.equal(await heading(page), "API keys");
  await context.close();
});
