import assert from "node:assert/strict";
import test from "node:test";
import { blockColumns } from "../columns.js";
import { describeNode } from "../describe.js";
import { ROOT, TreeLayout } from "../layout.js";
import { blockFilter, prepareProfile } from "../profile.js";
import { formatState, parseState } from "../state.js";

function profile() {
  const block = (track, name, self, total) => ({
    track, name, kind: "server", location: `/src/${track}/${name}.go:1`, function: "f", self, total, errors: 1, count: 2,
  });
  const zeros = [0, 0, 0, 0];
  return prepareProfile({
    start: "", windowNs: 0, spans: 6, warnings: [],
    blocks: [block("a", "get", 10, 100), block("b", "Load", 60, 60), block("b", "__proto__", 30, 80)],
    nodes: {
      parent: [-1, 0, 0, -1], block: [0, 1, 2, -1], count: [2, 2, 2, 0], errors: [1, 1, 1, 0], total: [100, 60, 80, 0],
      self: [10, 60, 30, 0], min: zeros, p50: zeros, p95: zeros, p99: zeros, max: zeros,
    },
  });
}

test("sums, tracks and the nodes of blocks are added", () => {
  const { self, errors, mostTotal, tracks, blocks, siteOf } = profile();
  assert.deepEqual([self, errors, mostTotal], [100, 3, 100]);
  assert.deepEqual(tracks, [{ name: "b", self: 90 }, { name: "a", self: 10 }]);
  assert.deepEqual(blocks.map((block) => block.nodes), [[0], [1], [2]]);
  assert.equal(siteOf(3).name, "(pending)");
});

test("keys of nodes depend on the path, not on the place in the list", () => {
  const { nodeKeys, blocks } = profile();
  assert.equal(new Set(nodeKeys).size, 4);
  assert.equal(new Set(blocks.map((block) => block.key)).size, 3);
});

test("every word must match, in any field and case", () => {
  const { blocks } = profile();
  const names = (query, track) => blocks.filter(blockFilter(query, track)).map((block) => block.name);
  assert.equal(blockFilter("  ", ""), null);
  assert.deepEqual(names("LOAD", ""), ["Load"]);
  assert.deepEqual(names("server /src/b", ""), ["Load", "__proto__"]);
  assert.deepEqual(names("", "a"), ["get"]);
  assert.deepEqual(names("load", "a"), []);
});

test("the description says when children ran at the same time", () => {
  const data = profile();
  const layout = new TreeLayout(data.nodes.parent);
  layout.measure(data.nodes.total, true);
  const root = describeNode(data, layout, "total", 0, 0);
  assert.equal(root.title, "get");
  assert.match(root.notes.join(), /same time: together they have 1\.40 × its total/);
  assert.match(describeNode(data, layout, "total", 1, 0).notes.join(), /narrower than its total/);
  assert.deepEqual(describeNode(data, layout, "self", 0, 0).notes, []);
  assert.equal(describeNode(data, layout, "total", ROOT, 0).title, "All paths");
  assert.equal(describeNode(data, layout, "total", 1, 7).title, "7 more paths");
});

test("services and critical paths are shown where there are any", () => {
  const plain = profile();
  assert.deepEqual([plain.services, plain.critical], [false, 0]);
  const keys = (data) => blockColumns(data, () => "").map((column) => column.key);
  assert.ok(!keys(plain).includes("service") && !keys(plain).includes("critical"));
  const data = prepareProfile({
    ...plain,
    blocks: plain.blocks.map((block, i) => (i === 1 ? { ...block, service: "Cart", critical: 40 } : block)),
    nodes: { ...plain.nodes, critical: [0, 40, 0, 0] },
  });
  assert.deepEqual([data.services, data.critical], [true, 40]);
  assert.deepEqual(keys(data).filter((key) => key === "service" || key === "critical"), ["service", "critical"]);
  assert.deepEqual(data.blocks.filter(blockFilter("cart", "")).map((block) => block.name), ["Load"]);
  assert.equal(data.blocks[0].key, plain.blocks[0].key, "without a service the key is as before");
  assert.notEqual(data.blocks[1].key, plain.blocks[1].key);
  const layout = new TreeLayout(data.nodes.parent);
  layout.measure(data.nodes.critical, false);
  const { rows } = describeNode(data, layout, "critical", 1, 0);
  assert.deepEqual(rows[0], ["Service", "Cart"]);
  assert.ok(rows.some(([name, value]) => name === "Critical path" && value.includes("100")));
});

test("the state survives the URL, and what is unknown there does not", () => {
  const state = { ...parseState(""), q: "a&b=c #%", track: "x/y", sort: "name" };
  assert.deepEqual(parseState(formatState(state)), state);
  assert.equal(formatState(parseState("")), "");
  assert.equal(parseState("#evil=1&__proto__=2").evil, undefined);
  assert.equal(parseState("#sort=p99").sort, "p99");
});
