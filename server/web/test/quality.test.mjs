// What holds for every view: contrast in both themes, a visible focus, no motion where none is wanted, work by keyboard alone,
// names of any kind as text, and a picture of each for the documentation.

import assert from "node:assert/strict";
import { join } from "node:path";

import { api, HOSTILE, viewTest } from "./browser.mjs";

const checkout = async () => (await api("blocks?filter=" + encodeURIComponent('name="POST /checkout" kind:server'))).blocks[0].id;
const oneTrace = async () => (await api("traces?limit=1&name=" + encodeURIComponent("POST /checkout"))).traces[0].trace_id;
const oneSpan = async (id) => (await api("traces/" + id)).spans[1].span_id;

/** All views, with what is there once they are drawn. */
const VIEWS = {
  blocks: { path: () => "/blocks", ready: ".table tbody tr td a" },
  flame: { path: () => "/flame", ready: ".flame canvas" },
  sandwich: { path: async () => "/flame?sandwich=" + (await checkout()), ready: ".flame canvas" },
  block: { path: async () => "/block/" + (await checkout()), ready: ".heat" },
  traces: { path: () => "/traces", ready: ".table tbody tr td a" },
  trace: { path: async () => { const id = await oneTrace(); return `/trace/${id}?span=${await oneSpan(id)}`; }, ready: ".details dl" },
  compare: { path: async () => "/compare?before_since=2h&before_until=30m&after_since=30m&block=" + (await checkout()), ready: ".chosen-change path" },
  map: { path: () => "/map", ready: ".map a" },
  snapshots: { path: () => "/snapshots", ready: ".message" },
};

// Runs in the page: the texts whose contrast to what is behind them is less than AA asks for.
function faint() {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  };
  const over = (top, below) => Object.fromEntries(["r", "g", "b"].map((c) => [c, top[c] * top.a + below[c] * (1 - top.a)]));
  const luminance = (c) => [c.r, c.g, c.b].map((v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => {
    const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (hi + 0.05) / (lo + 0.05);
  };
  /** Every colour that may be behind an element: a gradient has several. */
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(e);
    let colors = [{ r: 255, g: 255, b: 255 }];
    for (const e of layers.reverse()) {
      const style = getComputedStyle(e);
      const solid = parse(style.backgroundColor);
      colors = colors.map((c) => over(solid, c));
      const stops = style.backgroundImage.match(/(?:rgba?|oklch|oklab|color)\([^()]*\)/g) ?? [];
      colors.push(...stops.flatMap((stop) => colors.map((c) => over(parse(stop), c))));
      if (e instanceof SVGElement && e.parentElement?.querySelector(":scope > rect")) {
        colors = colors.map((c) => over(parse(getComputedStyle(e.parentElement.querySelector(":scope > rect")).fill), c));
      }
    }
    return colors;
  };
  const found = [];
  const check = (element, color, what) => {
    const style = getComputedStyle(element);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    for (const below of behind(element)) {
      const r = ratio(over(parse(color), below), below);
      if (r < (large ? 3 : 4.5)) found.push(`${what}: ${r.toFixed(2)} ${color} on ${JSON.stringify(below)}`);
    }
  };
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest("title, option, noscript, script, .hidden, .visually-hidden, .skip")) continue;
    const style = getComputedStyle(element);
    check(element, element instanceof SVGElement ? style.fill : style.color, walker.currentNode.textContent.trim().slice(0, 30));
    checked++;
  }
  for (const field of document.querySelectorAll("input[placeholder]")) check(field, getComputedStyle(field, "::placeholder").color, "placeholder " + field.placeholder);
  return { found: [...new Set(found)], checked };
}

for (const colorScheme of ["light", "dark"]) {
  for (const [name, view] of Object.entries(VIEWS)) {
    viewTest(`contrast is AA: ${name}, ${colorScheme}`, view.path, async (page) => {
      await page.locator(view.ready).first().waitFor();
      const { found, checked } = await page.evaluate(faint);
      assert.ok(checked > 10, "texts were looked at");
      assert.deepEqual(found, []);
    }, { media: { colorScheme } });
  }
}

for (const [name, view] of Object.entries(VIEWS)) {
  viewTest(`the focus is visible, every control has a name, nothing moves: ${name}`, view.path, async (page) => {
    await page.locator(view.ready).first().waitFor();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const e = document.activeElement;
        const style = getComputedStyle(e);
        const label = e.getAttribute("aria-label") || e.getAttribute("title") || e.labels?.[0]?.textContent || e.textContent || e.querySelector("[aria-label]")?.ariaLabel || "";
        const ring = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
        return { what: e.outerHTML.slice(0, 120), body: e === document.body, ring, named: label.trim() !== "" };
      });
      if (at.body) break;
      assert.ok(at.ring, "no ring on " + at.what);
      assert.ok(at.named, "no name of " + at.what);
    }
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => {
      const style = getComputedStyle(e);
      return style.animationName !== "none" || style.transitionDuration.split(", ").some((d) => Number.parseFloat(d) > 0);
    }).map((e) => e.outerHTML.slice(0, 80)));
    assert.deepEqual(moving, []);
  });
}

viewTest("three clicks by keyboard: the block with the most self time, its slowest trace, the block of a span", "/blocks", async (page) => {
  const [most] = (await api("blocks?sort=self&limit=1")).blocks;
  await page.locator(".table tbody .site a").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/block\//);
  await page.getByRole("heading", { level: 1, name: most.name }).waitFor();
  await page.getByRole("link", { name: /^Slowest trace/ }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/trace/${most.stats.slowest.trace_id}.*span=${most.stats.slowest.span_id}`));
  await page.getByRole("link", { name: "Its block" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/block\//);
});

viewTest("flame by keyboard: a walk is told, Enter zooms, the list has the same", "/flame", async (page) => {
  const tree = await api("tree");
  await page.locator(".flame canvas").focus();
  await page.keyboard.press("ArrowDown");
  assert.match(await page.locator(".flame [role=status]").innerText(), /level 1, calls \d/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/zoom=/);
  await page.keyboard.press("Escape");
  await page.waitForURL((url) => !url.searchParams.get("zoom"));
  await page.locator(".outline summary").focus();
  await page.keyboard.press("Enter");
  await page.locator(".outline li").first().waitFor();
  assert.equal(await page.locator(".outline li").count(), tree.nodes.parent.filter((p) => p === -1).length);
});

viewTest("flame: narrow frames are left out, recursion is one, the choice is in the address", "/flame", async (page) => {
  await page.locator(".flame canvas").waitFor();
  await page.getByLabel("Frames from").selectOption("60");
  await page.waitForURL(/least=60/);
  await page.getByLabel("recursion as one").check();
  await page.waitForURL(/recursion=one/);
  await page.locator(".flame canvas").waitFor();
});

viewTest("heat map by keyboard: the list leads to traces", VIEWS.block.path, async (page) => {
  await page.locator(".outline summary").focus();
  await page.keyboard.press("Enter");
  await page.locator(".outline li button").last().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/part=/);
  await page.locator(".examples a").first().waitFor();
});

viewTest("a period from a moment to another", "/blocks", async (page) => {
  await page.getByText("From … to …").click();
  await page.getByLabel("From", { exact: true }).fill("2026-01-02T03:04");
  await page.getByLabel(/^to/).fill("2026-01-02T04:04");
  await page.keyboard.press("Enter");
  await page.waitForURL(/since=2026-01-0.*until=2026-01-0/);
  await page.getByRole("heading", { name: "No blocks match." }).waitFor();
});

const LONG = HOSTILE + "\u202e\u2066\u001b[31m\u0000" + "long name ".repeat(100_000);
const TEXTS = new Set(["name", "service", "track", "function", "file", "root_name", "root_service", "caller", "callee", "key", "value", "status_message", "scope_name"]);

/** Puts a name of a megabyte in place of the first texts of each kind. */
function poisoned(value, left = new Map()) {
  if (Array.isArray(value)) return value.map((v) => poisoned(v, left));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => {
    if (typeof v !== "string" || !TEXTS.has(key)) return [key, poisoned(v, left)];
    left.set(key, (left.get(key) ?? 0) + 1);
    return [key, left.get(key) <= 2 ? LONG : v];
  }));
}

for (const [name, view] of Object.entries(VIEWS)) {
  viewTest(`a megabyte of HTML, bidi and ANSI is short text: ${name}`, view.path, async (page) => {
    await page.route("**/api/v1/**", async (route) => {
      const response = await route.fetch();
      const json = response.headers()["content-type"]?.startsWith("application/json");
      await route.fulfill(json ? { response, json: poisoned(await response.json()) } : { response });
    });
    await page.reload();
    await page.locator(view.ready).first().waitFor();
    if (!["flame", "sandwich", "snapshots"].includes(name)) await page.getByText("<img src=x").first().waitFor({ state: "attached" });
    assert.equal(await page.locator("main img, main script").count(), 0);
    const { text, wide } = await page.evaluate(() => ({ text: document.body.innerText, wide: document.documentElement.scrollWidth > innerWidth }));
    for (const c of "\u202e\u2066\u001b\0") assert.ok(!text.includes(c), JSON.stringify(c));
    assert.ok(text.length < 60_000, `${text.length} characters are shown`);
    assert.ok(!wide, "the page is not wider than the window");
  });
}

const PICTURES = process.env.OTELPROF_TEST_PICTURES;
if (PICTURES) {
  for (const [name, view] of Object.entries(VIEWS)) {
    viewTest(`a picture of ${name}`, view.path, async (page) => {
      await page.setViewportSize({ width: 1440, height: 760 });
      await page.locator(view.ready).first().waitFor();
      await page.waitForTimeout(800);
      await page.screenshot({ path: join(PICTURES, `web-${name}.png`) });
    });
  }
}

