// Looks at a profile in Jaeger's user interface, and makes pictures of the two views that show it.
//
//	node jaeger.mjs URL-OF-THE-TRACE FOLDER COUNT SPAN...
//
// The spans are the names on one path of the call tree, the last of which has the given count. playwright-core is that of
// the report's tests.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(new URL("../../report/html/browsertest/", import.meta.url))("playwright-core");
const [trace, folder, count, ...names] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.OTELPROF_CHROMIUM || "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 }, reducedMotion: "reduce" });
  await page.goto(trace);
  await timeline(page);
  await page.screenshot({ path: join(folder, "jaeger-timeline.png") });
  await page.getByText("Trace Timeline").hover();
  await page.getByRole("menuitem", { name: "Trace Flamegraph" }).click();
  await flameGraph(page);
  await page.screenshot({ path: join(folder, "jaeger-flamegraph.png") });
} finally {
  await browser.close();
}

/** Finds the path in the timeline, each span below and within the one before, and the count among the last one's tags. */
async function timeline(page) {
  let above;
  for (const name of names) {
    const row = page.locator(".VirtualizedTraceView--row", { has: page.locator(".endpoint-name").getByText(name, { exact: true }) }).first();
    await row.waitFor();
    const bar = await row.locator(".SpanBar--bar").boundingBox();
    if (above) {
      assert.ok(bar.y > above.y, `${name} is below its parent`);
      assert.ok(bar.x >= above.x - 1 && bar.x + bar.width <= above.x + above.width + 1, `${name} lies within its parent`);
    }
    above = bar;
    if (name === names.at(-1)) await row.locator(".span-name").click();
  }
  const tags = page.locator(".AccordianKeyValues--header", { hasText: "otelprof.count" });
  assert.match(await tags.innerText(), new RegExp(`otelprof\\.count\\s*=\\s*${count}(?!\\d)`));
}

/** Finds the path in the table of the flame graph's view. */
async function flameGraph(page) {
  for (const name of names) await page.getByRole("cell", { name }).or(page.locator("td", { hasText: name })).first().waitFor();
  await page.locator("canvas").last().waitFor();
}
