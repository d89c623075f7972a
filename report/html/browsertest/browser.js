// Starting Debian's Chromium and watching what a page does wrong.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Starts a browser with a user data directory of its own. Its close() ends it and removes the directory. */
async function startBrowser() {
  const directory = mkdtempSync(join(tmpdir(), "otelprof-browser-"));
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: process.env.OTELPROF_CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    reducedMotion: "reduce", // and no colour in between when the scheme changes
    viewport: { width: 1440, height: 1000 },
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Opens a page. What it logs as an error, throws, or requests from elsewhere than its own origin is put into faults. */
async function openPage(context, url) {
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`thrown: ${error.stack}`));
  page.on("request", (request) => {
    const allowed = request.url().startsWith("data:") || request.url().split("#")[0] === url.split("#")[0];
    if (!allowed) faults.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.sample}`));
    // The flame graph sets the height of its box, and draws in the frame after.
    const watch = () => {
      if (document.querySelector(".flame")?.style.height) requestAnimationFrame(() => performance.mark("graph drawn"));
      else requestAnimationFrame(watch);
    };
    watch();
  });
  await page.goto(url);
  await settle(page);
  return { page, faults };
}

/** Waits until what was asked for before is drawn: two frames. */
function settle(page) {
  return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Returns the profile that is embedded in a page. */
async function embeddedProfile(page) {
  return JSON.parse(await page.locator("#profile").textContent());
}

export { embeddedProfile, openPage, settle, startBrowser };
