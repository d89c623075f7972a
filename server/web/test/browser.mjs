// A browser for the tests, and the servers that the Go test in server/blackbox started: one with traffic, one without, one with a hostile trace.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { chromium } from "playwright-core";

export const SERVER = process.env.OTELPROF_PAGE;
export const EMPTY = process.env.OTELPROF_EMPTY_PAGE;
export const HOSTILE_SERVER = process.env.OTELPROF_HOSTILE_PAGE;
export const HOSTILE = "<img src=x onerror=";

let context;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "otelprof-browser-"));
  context = await chromium.launchPersistentContext(folder, {
    executablePath: process.env.OTELPROF_CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    reducedMotion: "reduce",
    viewport: { width: 1400, height: 900 },
  });
  context.setDefaultTimeout(15_000);
});
after(async () => {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
});

export const api = async (path) => (await fetch(SERVER + "/api/v1/" + path)).json();

/** Opens an address, runs a test on it and demands that the page did nothing wrong but what is expected. */
export function viewTest(title, path, run, { server = SERVER, expected = [], media = {} } = {}) {
  test(title, async () => {
    const page = await context.newPage();
    const faults = [];
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(m.text()));
    page.on("pageerror", (e) => faults.push(String(e.stack)));
    page.on("request", (r) => r.url().startsWith(server) || faults.push("request: " + r.url()));
    await page.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error("CSP: " + e.violatedDirective)));
    try {
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce", ...media });
      await page.goto(server + (typeof path === "string" ? path : await path()));
      await run(page);
      assert.equal(await page.evaluate(() => window.pwned), undefined);
      assert.deepEqual(faults, expected);
    } finally {
      await page.close();
    }
  });
}

