// What the views compute, without a browser. OTELPROF_LOGIC is the folder that the Go test bundled the sources into.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

import { contrast } from "../../../report/html/color.js";

const load = (name) => import(pathToFileURL(join(process.env.OTELPROF_LOGIC, name + ".js")));
const { changeRGB } = await load("changecolor");
const { layered } = await load("layers");
const { callers, callees, withoutRecursion } = await load("merge");
const { parseFilter, sorted } = await load("selection");
const { SpanIndex } = await load("spanindex");

test("a caller stands left of whom it calls, whatever circles there are", () => {
  const places = layered(["d", "c", "b", "a"], [["a", "b"], ["b", "c"], ["a", "c"], ["c", "a"], ["c", "d"], ["d", "d"]]);
  assert.deepEqual(new Set(places.keys()), new Set(["a", "b", "c", "d"]));
  const seen = new Set([...places.values()].map((p) => `${p.layer} ${p.row}`));
  assert.equal(seen.size, 4, "no two in one place");
  const line = layered(["z", "y", "x"], [["x", "y"], ["y", "z"], ["x", "z"]]);
  assert.deepEqual(["x", "y", "z"].map((n) => line.get(n).layer), [0, 1, 2]);
});

// root 0 calls block 1 twice by different ways: 0>1>2, 0>3>1>2, and 1 calls itself below the first.
const nodes = {
  parent: [-1, 0, 1, 1, 0, 4, 5],
  block: [0, 1, 2, 1, 3, 1, 2],
  count: [1, 10, 20, 5, 1, 7, 3],
  total_ns: [100, 40, 10, 8, 50, 30, 6],
};

test("callees are merged over all places, a call within itself not twice", () => {
  const m = callees(nodes, 1);
  assert.deepEqual([m.parent, m.block, m.total], [[-1, 0, 0], [1, 2, 1], [70, 16, 8]]);
  assert.deepEqual(m.count, [17, 23, 5]);
});

test("callers have the time of the calls that came from there", () => {
  const m = callers(nodes, 1);
  assert.deepEqual([m.parent, m.block, m.total], [[-1, 0, 0, 2], [1, 0, 3, 0], [70, 40, 30, 30]]);
});

test("a block right within itself is one node, with all of its calls and the time of the outer ones", () => {
  const columns = (n) => Object.fromEntries(["errors", "critical_ns", "min_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns"].map((c) => [c, Array(n).fill(1)]));
  // 0 > 1 > 1 > 2, and 1 > 2: the two nodes of 2 become one.
  const m = withoutRecursion({
    parent: [-1, 0, 1, 2, 1], block: [0, 1, 1, 2, 2], count: [1, 4, 3, 2, 5], total_ns: [100, 90, 60, 20, 10], self_ns: [10, 20, 40, 20, 10], ...columns(5),
  });
  assert.deepEqual([m.parent, m.block], [[-1, 0, 1], [0, 1, 2]]);
  assert.deepEqual([m.count, m.total_ns, m.self_ns], [[1, 7, 7], [100, 90, 30], [10, 60, 30]]);
  assert.equal(m.self_ns.reduce((a, b) => a + b), 100, "self time stays the same in all");
  assert.ok(Number.isNaN(m.p99_ns[1]));
});

const row = (name, figures, service = "shop") => ({ name, service, track: "t", kind: "server", function: "f", file: "a.go", stats: figures });
const rows = [row("GET /", { p99_ns: 5e6, errors: 0, error_rate: 0 }), row("POST /cart", { p99_ns: 3e7, errors: 2, error_rate: 0.02 }, "cart"), row("get it", { p99_ns: 1, errors: 1, error_rate: 0.5 })];

test("filters hold as the server says", () => {
  const names = (text) => rows.filter(parseFilter(text)).map((r) => r.name);
  for (const [text, want] of [
    ["", ["GET /", "POST /cart", "get it"]], ["get", ["GET /", "get it"]], ["-get", ["POST /cart"]], ['name="GET /"', ["GET /"]],
    ["service:CART p99>20ms", ["POST /cart"]], ["errors>0 error_rate<=2%", ["POST /cart"]], ["p99>=0.005s", ["GET /", "POST /cart"]], ['"get it"', ["get it"]],
    ["p99<1h2m", ["GET /", "POST /cart", "get it"]], ['name:"a\\"b"', []],
  ]) assert.deepEqual(names(text), want, text);
  for (const bad of ["p99>banana", "p99>5", "name>3", "nothing:1", 'name:"open', "p99:5ms", "error_rate>x%", "-", 'a:""b"', "count>0x10", "count>"]) {
    assert.equal(parseFilter(bad), undefined, bad);
  }
});

test("blocks are sorted by figures from the largest and by texts from A, equal ones as they were", () => {
  assert.deepEqual(sorted(rows, "p99", false).map((r) => r.name), ["POST /cart", "GET /", "get it"]);
  assert.deepEqual(sorted(rows, "p99", true).map((r) => r.name), ["get it", "GET /", "POST /cart"]);
  assert.deepEqual(sorted(rows, "service", false).map((r) => r.name), ["POST /cart", "GET /", "get it"]);
});

test("text on what changed is legible in both themes", () => {
  const css = readFileSync(new URL("../src/style.css", import.meta.url), "utf8");
  const texts = [...css.matchAll(/--flame-text: #(..)(..)(..);/g)].map(([, ...rgb]) => rgb.map((hex) => Number.parseInt(hex, 16)));
  assert.equal(texts.length, 2);
  texts.forEach((text, dark) => {
    for (const verdict of ["regression", "improvement", "unchanged", "inconclusive", "appeared", "disappeared"]) {
      for (let change = -1; change <= 2; change += 0.125) {
        const ratio = contrast(changeRGB(verdict, change, dark === 1), text);
        assert.ok(ratio >= 4.5, `${verdict} by ${change} has contrast ${ratio} in theme ${dark}`);
      }
    }
  });
});

test("a search of spans finds texts of all kinds, narrowed or not", () => {
  const span = (name, attributes = [], events = []) => ({ name, service: "Shop", span_id: "0a", status_message: "", attributes, events });
  const index = new SpanIndex([span("GET /"), span("SELECT", [{ key: "db.Table", value: "Users" }]), span("send", [], [{ name: "Retry", attributes: [{ key: "n", value: "3" }] }])]);
  const found = (text) => index.find(text) && [...index.find(text)];
  assert.equal(found(""), null);
  for (const [text, want] of [["s", [0, 1, 2]], ["se", [1, 2]], ["sel", [1]], ["selx", []], ["se", [1, 2]], ["USERS", [1]], ["retry", [2]], ["3", [2]], ["shop", [0, 1, 2]], ["usersdb", []]]) {
    assert.deepEqual(found(text), want, text);
  }
});
