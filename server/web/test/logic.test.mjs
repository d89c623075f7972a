// What the views compute, without a browser. OTELPROF_LOGIC is the folder that the Go test bundled the sources into.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(join(process.env.OTELPROF_LOGIC, name + ".js")));
const { layered } = await load("layers");
const { callers, callees } = await load("merge");

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
