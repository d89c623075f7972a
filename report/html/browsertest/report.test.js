// The pages that the Go test wrote into OTELPROF_PAGES, looked at in a real browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { assignTints, blockRGB, contrast } from "../color.js";
import { formatCount, formatDuration, formatPercent, formatRate, shortPath } from "../format.js";
import { ROOT, TreeLayout } from "../layout.js";
import { embeddedProfile, openPage, settle, startBrowser } from "./browser.js";

const directory = process.env.OTELPROF_PAGES;
const fileURL = (name) => pathToFileURL(join(directory, name)).href;
let browser;

before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

/** Runs a test on a page and demands that the page did nothing wrong. */
function pageTest(title, file, run) {
  test(title, async () => {
    const { page, faults } = await openPage(browser.context, fileURL(file));
    try {
      await run(page, await embeddedProfile(page));
      assert.deepEqual(faults, []);
    } finally {
      await page.close();
    }
  });
}

/** Returns the texts of all rows of the table, in order, by scrolling through it. */
async function tableRows(page) {
  const rows = new Map();
  const scroller = page.locator(".table-scroller");
  for (let top = 0; ; top += 300) {
    await scroller.evaluate((node, y) => node.scrollTo(0, y), top);
    await settle(page);
    const seen = await page.locator("#blocks tbody tr:not(.gap)").evaluateAll((all) =>
      all.map((row) => [Number(row.getAttribute("aria-rowindex")), [...row.cells].map((cell) => cell.innerText.trim())]),
    );
    for (const [index, cells] of seen) rows.set(index, cells);
    if (await scroller.evaluate((node) => node.scrollTop + node.clientHeight >= node.scrollHeight - 1)) break;
  }
  return [...rows].sort(([a], [b]) => a - b).map(([, cells]) => cells);
}

function expectedCells(block, profile) {
  const self = profile.blocks.reduce((sum, other) => sum + other.self, 0);
  const times = ["min", "mean", "p50", "p95", "p99", "max"].map((key) => formatDuration(block[key]));
  return [
    shortPath(block.track, 14), block.name, block.kind, shortPath(block.location, 18), formatCount(block.count),
    formatRate(block.count, profile.windowNs), formatCount(block.errors), formatDuration(block.total), formatDuration(block.self),
    formatPercent(block.self / self), ...times,
  ];
}

/** Returns the middle of a node's rectangle in the page, at the present zoom. */
async function nodePoint(page, layout, zoom, node) {
  const box = await page.locator("#flame").boundingBox();
  const rows = layout.rows(zoom, box.width, 1.5);
  const row = layout.pathTo(node).length;
  const rect = rows[row].find((candidate) => candidate.node === node);
  return { x: box.x + rect.x + rect.width / 2, y: box.y + row * 22 + 11 };
}

function layoutOf(profile, metric = "total") {
  const layout = new TreeLayout(profile.nodes.parent);
  layout.measure(profile.nodes[metric], metric === "total");
  return layout;
}

const nameOf = (profile, node) => profile.blocks[profile.nodes.block[node]].name;
const pathTexts = (page) => page.locator("#path button").allInnerTexts();

pageTest("the table shows the numbers of the profile, by self time first", "webshop.html", async (page, profile) => {
  const blocks = [...profile.blocks].sort((a, b) => b.self - a.self);
  assert.deepEqual(await tableRows(page), blocks.map((block) => expectedCells(block, profile)));
  assert.equal(await page.locator("#blocks table").getAttribute("aria-rowcount"), String(blocks.length + 1));
});

pageTest("a header sorts, and sorts the other way round when clicked again", "webshop.html", async (page, profile) => {
  const counts = profile.blocks.map((block) => block.count).sort((a, b) => b - a).map(formatCount);
  const header = page.locator("#blocks th", { hasText: "Count" });
  await header.getByRole("button").click();
  assert.equal(await header.getAttribute("aria-sort"), "descending");
  assert.deepEqual((await tableRows(page)).map((cells) => cells[4]), counts);
  await header.getByRole("button").click();
  assert.equal(await header.getAttribute("aria-sort"), "ascending");
  assert.deepEqual((await tableRows(page)).map((cells) => cells[4]), counts.reverse());
});

pageTest("the search filters the table and shows the share of the graph", "webshop.html", async (page, profile) => {
  await page.keyboard.press("/");
  await page.keyboard.type("SELECT");
  await settle(page);
  const matching = profile.blocks.filter((block) => block.name.includes("SELECT"));
  assert.equal((await tableRows(page)).length, matching.length);
  const marks = profile.nodes.block.map((block) => (profile.blocks[block].name.includes("SELECT") ? 1 : 0));
  const share = formatPercent(layoutOf(profile).markedShare(marks));
  const paths = marks.reduce((sum, mark) => sum + mark, 0);
  assert.equal(await page.locator("#share").innerText(), `${formatCount(paths)} paths, ${share} of the graph`);
  await page.keyboard.press("Escape");
  assert.equal((await tableRows(page)).length, profile.blocks.length);
  await page.locator("#search").fill("no such thing");
  assert.equal(await page.locator("#none").isVisible(), true);
});

pageTest("a track's button shows that track alone", "webshop.html", async (page, profile) => {
  const button = page.locator("#tracks button", { hasText: "shop/cache" });
  await button.click();
  const count = profile.blocks.filter((block) => block.track === "shop/cache").length;
  assert.equal((await tableRows(page)).length, count);
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  await button.click();
  assert.equal((await tableRows(page)).length, profile.blocks.length);
});

pageTest("a click zooms and opens the details, reset shows everything again", "webshop.html", async (page, profile) => {
  const layout = layoutOf(profile);
  const [root] = layout.childrenOf(ROOT);
  const [child] = layout.childrenOf(root);
  const at = await nodePoint(page, layout, ROOT, child);
  await page.mouse.move(at.x, at.y);
  assert.match(await page.locator(".flame-tooltip").innerText(), new RegExp(`^${nameOf(profile, child)}\n`));
  await page.mouse.click(at.x, at.y);
  assert.deepEqual(await pathTexts(page), ["All paths", nameOf(profile, root), nameOf(profile, child)]);
  assert.equal(await page.locator("#details h2").innerText(), nameOf(profile, child));
  assert.equal(await page.locator("#details svg.histogram rect.bar").count() > 5, true);
  await page.locator("#reset").click();
  assert.deepEqual(await pathTexts(page), ["All paths"]);
});

pageTest("the tooltip says when children ran at the same time", "webshop.html", async (page, profile) => {
  const layout = layoutOf(profile);
  const node = profile.nodes.parent.findIndex((_, i) => layout.overlap(i) > 1.5);
  const at = await nodePoint(page, layout, ROOT, node);
  await page.mouse.move(at.x, at.y);
  assert.match(await page.locator(".flame-tooltip").innerText(), /ran at the same time: together they have \d\.\d\d × its total/);
});

pageTest("nodes are painted where they are hit, in the colour of their track, on any screen", "webshop.html", async (page, profile) => {
  const tints = assignTints([...new Set(profile.blocks.map((block) => block.track))]);
  const layout = layoutOf(profile);
  const devtools = await browser.context.newCDPSession(page);
  for (const deviceScaleFactor of [1, 2, 1.25]) {
    await devtools.send("Emulation.setDeviceMetricsOverride", { width: 1440, height: 1000, deviceScaleFactor, mobile: false });
    await page.reload();
    await settle(page);
    const box = await page.locator("#flame").boundingBox();
    assert.equal(await page.locator("#flame").evaluate((canvas) => canvas.width), Math.round(box.width * deviceScaleFactor));
    // One line of pixels through the roots, below their text.
    const y = Math.round((22 + 11 + 8) * deviceScaleFactor);
    const line = await page.locator("#flame").evaluate((canvas, top) => [...canvas.getContext("2d").getImageData(0, top, canvas.width, 1).data], y);
    for (const node of layout.childrenOf(ROOT)) {
      const block = profile.blocks[profile.nodes.block[node]];
      const at = await nodePoint(page, layout, ROOT, node);
      const x = Math.round((at.x - box.x) * deviceScaleFactor);
      const want = [...blockRGB(tints.get(block.track), block.name, false), 255];
      assert.deepEqual(line.slice(4 * x, 4 * x + 4), want, `${block.name} at ${deviceScaleFactor}`);
    }
  }
});

pageTest("every metric can be shown", "webshop.html", async (page) => {
  for (const metric of ["Self", "Count", "Errors", "Total"]) {
    await page.locator("#metrics label", { hasText: metric }).click();
    assert.equal(await page.locator(`#metrics input[value=${metric.toLowerCase()}]`).isChecked(), true);
    await settle(page);
    assert.ok(await page.locator("#flame").evaluate((canvas) => canvas.height > 40));
  }
});

pageTest("the flame graph can be walked by keyboard and speaks", "webshop.html", async (page, profile) => {
  const layout = layoutOf(profile);
  const [first, second] = layout.childrenOf(ROOT);
  await page.locator("#flame").focus();
  const status = page.locator(".flame [role=status]");
  await page.keyboard.press("ArrowDown");
  assert.match(await status.innerText(), new RegExp(`^${nameOf(profile, first)}, level 1, Track `));
  await page.keyboard.press("ArrowRight");
  assert.ok((await status.innerText()).startsWith(nameOf(profile, second)));
  await page.keyboard.press("Enter");
  assert.deepEqual(await pathTexts(page), ["All paths", nameOf(profile, second)]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal((await pathTexts(page)).length, 3);
  await page.keyboard.press("Backspace");
  assert.equal((await pathTexts(page)).length, 2);
  await page.keyboard.press("ArrowUp");
  assert.ok((await status.innerText()).startsWith("All paths"));
  await page.keyboard.press("Escape");
  assert.deepEqual(await pathTexts(page), ["All paths"]);
});

pageTest("the table can be walked by keyboard", "webshop.html", async (page, profile) => {
  const blocks = [...profile.blocks].sort((a, b) => b.self - a.self);
  const active = () => page.locator("#blocks tr.active").getAttribute("aria-rowindex");
  await page.locator("#blocks table").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await active(), "4");
  await page.keyboard.press("End");
  assert.equal(await active(), String(blocks.length + 1));
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#details h2").innerText(), blocks.at(-1).name);
  await page.locator("#details .close").focus();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#details").isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "TABLE");
});

pageTest("the call tree is there as text, too", "webshop.html", async (page, profile) => {
  const layout = layoutOf(profile);
  const names = Array.from(layout.childrenOf(ROOT), (node) => nameOf(profile, node));
  await page.locator("#outline summary").click();
  assert.deepEqual(await page.locator("#children tbody th").allInnerTexts(), names);
  await page.locator("#children tbody button").first().press("Enter");
  assert.deepEqual(await pathTexts(page), ["All paths", names[0]]);
});

pageTest("the URL keeps the state over a reload", "webshop.html", async (page, profile) => {
  const layout = layoutOf(profile);
  const at = await nodePoint(page, layout, ROOT, layout.childrenOf(ROOT)[1]);
  await page.mouse.click(at.x, at.y);
  await page.locator("#search").fill("shop/cache");
  await page.locator("#blocks th", { hasText: "p99" }).getByRole("button").click();
  const state = async () => [await pathTexts(page), await tableRows(page), await page.locator("#details h2").innerText()];
  const before = await state();
  await page.reload();
  assert.deepEqual(await state(), before);
});

pageTest("text is legible in both colour schemes", "webshop.html", async (page) => {
  await page.locator("#blocks tbody tr:not(.gap)").first().click();
  const backgrounds = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await settle(page);
    for (const { text, front, back } of await page.evaluate(visibleTexts)) {
      assert.ok(contrast(front, back) >= 4.5, `${colorScheme}: ${text} has contrast ${contrast(front, back)}`);
    }
    backgrounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.notEqual(backgrounds[0], backgrounds[1]);
});

/** Runs in the page: returns every element with text of its own, with its colour and that of its background. */
function visibleTexts() {
  const rgb = (color) => color.match(/[\d.]+/g).map(Number);
  const opaque = (color) => rgb(color).length === 3;
  const own = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== "");
  const nodes = [...document.querySelectorAll("body *")].filter(
    (node) => own(node) && node.checkVisibility() && !node.closest("svg, script, style, :disabled, .skip"),
  );
  return nodes.map((node) => {
    let back = node;
    while (!opaque(getComputedStyle(back).backgroundColor)) back = back.parentElement;
    return {
      text: node.textContent.slice(0, 40),
      front: rgb(getComputedStyle(node).color),
      back: rgb(getComputedStyle(back).backgroundColor),
    };
  });
}

pageTest("hostile names are shown, not run", "hostile.html", async (page, profile) => {
  const rows = await tableRows(page);
  assert.equal(rows.length, profile.blocks.length);
  assert.deepEqual(new Set(rows.map((cells) => cells[1])), new Set(profile.blocks.map((block) => block.name.replace(/\s+/g, " ").trim())));
  await page.locator("#outline summary").click();
  await page.locator("#blocks table").focus();
  for (let i = 0; i < rows.length; i++) {
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
  }
  const box = await page.locator("#flame").boundingBox();
  for (let x = 2; x < box.width; x += 20) await page.mouse.move(box.x + x, box.y + 33);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator("img, iframe, b, body script:not(#profile):not(:last-of-type)").count(), 0);
  assert.equal(await page.locator("nav a").evaluateAll((links) => links.filter((link) => link.protocol === "javascript:").length), 0);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(overflow, false, "a name makes the page wider than the window");
});

pageTest("an empty profile says so", "empty.html", async (page) => {
  assert.equal(await page.locator("#empty").isVisible(), true);
  assert.equal(await page.locator("#content").isVisible(), false);
});

test("the policy forbids any other script and style", async () => {
  const { page, faults } = await openPage(browser.context, fileURL("webshop.html"));
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.pwned = true";
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(script, style);
    document.body.setAttribute("style", "display: none");
  });
  await settle(page);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator("h1").isVisible(), true);
  assert.ok(faults.length >= 3, "the violations were not noticed");
  await page.close();
});

test("the page works under the policy that servers send", async () => {
  const policy = readFileSync(join(directory, "policy.txt"), "utf8");
  const server = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy });
    response.end(readFileSync(join(directory, "webshop.html")));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    const { page, faults } = await openPage(browser.context, `http://127.0.0.1:${server.address().port}/`);
    assert.ok((await tableRows(page)).length > 40);
    assert.deepEqual(faults, []);
    await page.close();
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

/** Runs in the page: does one thing and returns the milliseconds until the frame with its effect is drawn. */
async function timeOf(what) {
  const [verb, ...rest] = what.split(" ");
  const target = rest.join(" ");
  const acts = {
    key: () => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: target, bubbles: true })),
    click: () => document.querySelector(target).click(),
    search: () => {
      document.getElementById("search").value = target;
      document.getElementById("search").dispatchEvent(new Event("input"));
    },
  };
  await new Promise(requestAnimationFrame);
  const start = performance.now();
  acts[verb]();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return Math.round(performance.now() - start);
}

for (const file of ["forest10k.html", "forest50k.html"]) {
  pageTest(`${file}: everything works, and this is how long it takes`, file, async (page, profile) => {
    const layout = layoutOf(profile);
    const [root] = layout.childrenOf(ROOT);
    const paint = await page.evaluate(() => performance.getEntriesByName("graph drawn")[0].startTime);
    await page.locator("#flame").focus();
    await page.keyboard.press("ArrowDown");
    const zoom = await page.evaluate(timeOf, "key Enter");
    assert.deepEqual(await pathTexts(page), ["All paths", nameOf(profile, root)]);
    const reset = await page.evaluate(timeOf, "key Escape");
    const search = await page.evaluate(timeOf, "search track-03");
    const metric = await page.evaluate(timeOf, "click #metrics [value=self]");
    const sort = await page.evaluate(timeOf, "click #blocks th:nth-child(15) button");
    await page.locator("#search").fill("");
    await page.locator("#blocks table").focus();
    await page.keyboard.press("End");
    assert.equal(await page.locator("#blocks tr.active").getAttribute("aria-rowindex"), String(profile.blocks.length + 1));
    assert.ok((await page.locator("#blocks tbody tr").count()) < 100, "the table is not virtual");
    console.log(`${file}: graph drawn after ${Math.round(paint)} ms, zoom ${zoom}, reset ${reset}, search ${search}, metric ${metric}, sort ${sort} ms, next frame included`);
  });
}
