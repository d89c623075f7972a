// Every view in a real browser, against the server that the Go test in server/blackbox started: its numbers are those of
// the API, and no view logs an error or breaks the content security policy.

import assert from "node:assert/strict";

import { api, EMPTY, HOSTILE, HOSTILE_SERVER, viewTest } from "./browser.mjs";

viewTest("blocks: the order and the names are the server's", "/", async (page) => {
  const { blocks, matched } = await api("blocks?sort=self");
  await page.locator(".table tbody tr").first().waitFor();
  assert.match(await page.locator(".summary").first().innerText(), new RegExp(`^${matched} blocks`));
  const names = await page.locator(".table tbody .site a").allInnerTexts();
  assert.equal(names.length, matched);
  assert.equal(names[0], blocks[0].name);
});

viewTest("blocks: the filter narrows, sorting is in the address, a click leads to the block", "/blocks", async (page) => {
  const { matched } = await api("blocks?filter=" + encodeURIComponent("service:catalog"));
  await page.locator(".table tbody tr").first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("service:catalog");
  await page.getByText(`${matched} blocks,`).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "p99" }).click();
  await page.waitForURL(/sort=p99/);
  const [slowest] = (await api("blocks?sort=p99&filter=" + encodeURIComponent("service:catalog"))).blocks;
  await page.locator(".table tbody .site a").first().click();
  await page.waitForURL(/\/block\//);
  await page.getByRole("heading", { level: 1, name: slowest.name }).waitFor();
});

viewTest("blocks: a wrong filter says what to do", "/blocks?filter=p99%3Ebanana", async (page) => {
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /banana/);
}, { expected: ["Failed to load resource: the server responded with a status of 400 (Bad Request)"] });

viewTest("blocks: a drag over the traffic sets the period", "/blocks?since=30m", async (page) => {
  await page.locator(".traffic rect").first().waitFor();
  const box = await page.locator(".traffic svg").boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/since=20.*until=20/);
  await page.locator(".table tbody tr").first().waitFor();
});

viewTest("flame: zoom and search are in the address", "/flame", async (page) => {
  await page.locator(".flame canvas").waitFor();
  assert.ok(await page.locator(".flame").evaluate((e) => e.scrollHeight <= e.clientHeight), "no needless scroll bar");
  await page.locator(".flame canvas").click({ position: { x: 80, y: 33 } });
  await page.waitForURL(/zoom=/);
  await page.getByRole("button", { name: "Show everything" }).click();
  await page.waitForURL((url) => !url.searchParams.get("zoom"));
  await page.keyboard.press("/");
  await page.keyboard.type("SELECT");
  await page.getByText(/\d+ frames, /).waitFor();
});

viewTest("flame: callers and callees of a block", async () => `/flame?sandwich=${(await api("blocks?filter=checkout")).blocks[0].id}`, async (page) => {
  await page.getByRole("heading", { name: "Callees" }).waitFor();
  assert.equal(await page.locator(".flame canvas").count(), 2);
});

viewTest("block: figures, histogram by time, a region of the heat map gives traces", async () => `/block/${(await api("blocks")).blocks[0].id}`, async (page) => {
  await page.locator(".heat").waitFor();
  await page.getByRole("button", { name: "by time" }).click();
  await page.waitForURL(/by=time/);
  const box = await page.locator(".heat").boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 1, box.y + box.height - 2, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/part=/);
  await page.locator(".examples a").first().click();
  await page.waitForURL(/\/trace\//);
  await page.locator(".waterfall .row").first().waitFor();
});

viewTest("trace: rows, keys, details and ranks", async () => {
  const { traces } = await api("traces?name=" + encodeURIComponent("POST /checkout") + "&limit=1");
  return "/trace/" + traces[0].trace_id;
}, async (page) => {
  const trace = await api("traces/" + page.url().split("/").pop());
  await page.locator(".waterfall .row").first().waitFor();
  assert.equal(await page.locator(".waterfall .row").count(), Math.min(trace.spans.length, 60));
  await page.locator(".waterfall").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.waitForURL(new RegExp("span=" + trace.spans[1].span_id));
  const details = page.getByRole("complementary", { name: "The selected span" });
  await details.waitFor();
  assert.match(await details.innerText(), new RegExp("of " + trace.spans[1].rank.of));
  await page.locator(".filter").fill(trace.spans.at(-1).name);
  await page.getByText(/\d+ found/).waitFor();
});

viewTest("trace: one that is too large for an answer has the details of the chosen span", "/blocks", async (page) => {
  const { traces } = await api("traces?name=" + encodeURIComponent("POST /checkout") + "&limit=1");
  const { spans } = await api("traces/" + traces[0].trace_id);
  await page.route((url) => url.searchParams.get("bare") === "auto", (route) => route.continue({ url: route.request().url().replace("bare=auto", "bare=true") }));
  await page.goto(new URL(`/trace/${traces[0].trace_id}?span=${spans[1].span_id}`, page.url()).href);
  await page.getByText("The trace is large").waitFor();
  const details = page.getByRole("complementary", { name: "The selected span" });
  await details.getByText(spans[1].attributes[0].key, { exact: true }).waitFor();
});

viewTest("traces: a search by name and errors", "/traces?errors=1", async (page) => {
  await page.locator(".table tbody tr").first().waitFor();
  const { traces } = await api("traces?errors=true&limit=200");
  assert.match(await page.locator(".summary").innerText(), new RegExp(`^${traces.length} traces?`));
  await page.locator(".table tbody a").first().click();
  await page.locator(".waterfall .bad").first().waitFor();
});

viewTest("compare: all blocks, histograms and the flame graph", "/compare?before_since=2h&before_until=0s&after_since=2h", async (page) => {
  await page.locator(".table tbody .verdict").first().waitFor();
  await page.locator(".table tbody button").first().click();
  await page.locator(".chosen-change .before").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "flame graph" }).click();
  await page.locator(".flame canvas").waitFor();
});

viewTest("map: a service leads to its blocks", "/map", async (page) => {
  const { services } = await api("service-map");
  await page.locator(".map a").first().waitFor();
  assert.equal(await page.locator(".map a").count(), services.length);
  await page.locator(".map a", { hasText: "checkout" }).click();
  await page.waitForURL(/\/blocks\?.*service=checkout/);
});

viewTest("snapshots: saved, and deleted at the second click", "/snapshots", async (page) => {
  await page.getByLabel("Name").fill("kept");
  await page.getByRole("button", { name: /^Save/ }).click();
  await page.getByRole("cell", { name: "kept", exact: true }).waitFor();
  assert.deepEqual((await api("snapshots")).snapshots.map((s) => s.name), ["kept"]);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Really delete" }).click();
  await page.getByText("No snapshot is saved yet.").waitFor();
  assert.deepEqual((await api("snapshots")).snapshots, []);
});

for (const path of ["/blocks", "/traces", "/trace/bad1?span=000000000000bad1", "/map"]) {
  viewTest(`a hostile name is text in ${path}`, path, async (page) => {
    await page.getByText(HOSTILE.slice(0, 8)).first().waitFor({ state: "attached" });
    assert.equal(await page.locator("main img, main script").count(), 0);
    const shown = await page.locator("main").innerText();
    for (const c of "\u202e\u001b") assert.ok(!shown.includes(c), JSON.stringify(c));
  }, { server: HOSTILE_SERVER });
}

viewTest("keys switch the view and show help", "/blocks", async (page) => {
  await page.locator(".table tbody tr").first().waitFor();
  for (const [key, path] of [["2", "/flame"], ["3", "/traces"], ["4", "/compare"], ["5", "/map"], ["6", "/snapshots"], ["1", "/blocks"]]) {
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
});

for (const path of ["/blocks", "/flame", "/traces", "/map"]) {
  viewTest(`an empty server says how to fill it: ${path}`, path, async (page) => {
    await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT=").waitFor();
  }, { server: EMPTY });
}

for (const filter of ["service:cart", 'name="GET /"', "-kind:client p99>1ms", "error_rate>=1%", "SELECT", "mean<0.5s calls", "max>=1m30s"]) {
  viewTest(`blocks: the page filters and sorts as the server: ${filter}`, `/blocks?sort=p99&filter=${encodeURIComponent(filter)}`, async (page) => {
    const { blocks, matched, sum } = await api(`blocks?sort=p99&filter=${encodeURIComponent(filter)}`);
    await page.waitForFunction(() => performance.getEntriesByType("resource").some((e) => e.name.includes("limit=10000") && e.responseEnd > 0));
    await page.locator(".answer[aria-busy=false]").waitFor();
    if (matched === 0) return page.getByRole("heading", { name: "No blocks match." }).waitFor();
    await page.getByText(`${matched} ${matched === 1 ? "block" : "blocks"}, `).waitFor();
    if (sum.count < 9999) await page.getByText(`, ${sum.count} calls, ${sum.errors} errors`).waitFor();
    assert.deepEqual(await page.locator(".table tbody .site a").allInnerTexts(), blocks.map((b) => b.name));
  });
}
