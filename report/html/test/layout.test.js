import assert from "node:assert/strict";
import test from "node:test";
import { ROOT, TreeLayout, rectAt } from "../layout.js";

/** A small generator of random numbers 0…1, the same in every run. */
function generator(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

function randomTree(n, random) {
  const parent = Array.from({ length: n }, (_, i) => (i === 0 || random() < 0.1 ? ROOT : Math.floor(random() * i)));
  return { parent, values: parent.map(() => Math.floor(random() * 1000)) };
}

/** A parent of 10 with children of 6 and 8, which ran at the same time, beside a root of 10. */
function concurrent() {
  const layout = new TreeLayout([ROOT, 0, 0, ROOT]);
  layout.measure([10, 6, 8, 10], true);
  return layout;
}

test("children are packed from the left in descending order", () => {
  const layout = new TreeLayout([ROOT, 0, 0, 1, ROOT]);
  layout.measure([60, 10, 30, 5, 40], true);
  assert.deepEqual([...layout.childrenOf(ROOT)], [0, 4]);
  assert.deepEqual([...layout.childrenOf(0)], [2, 1]);
  assert.deepEqual([...layout.x].map((x) => Math.round(x * 100)), [0, 30, 0, 30, 60]);
  assert.deepEqual([...layout.width].map((w) => Math.round(w * 100)), [60, 10, 30, 5, 40]);
});

test("children that ran at the same time are scaled to fit and reported", () => {
  const layout = concurrent();
  assert.equal(layout.overlap(0), 1.4);
  assert.equal(layout.width[0], 0.5);
  assert.ok(Math.abs(layout.width[1] + layout.width[2] - 0.5) < 1e-12);
  assert.ok(Math.abs(layout.width[2] / layout.width[1] - 8 / 6) < 1e-12);
  assert.equal(layout.overlap(3), 0);
});

test("an exclusive metric adds up what is below", () => {
  const layout = new TreeLayout([ROOT, 0, 1]);
  layout.measure([1, 2, 5], false);
  assert.deepEqual([...layout.weight], [8, 7, 5]);
  assert.equal(layout.overlap(0), 7 / 8);
});

test("a metric that is zero everywhere, or a tree without nodes, draws only the root", () => {
  const layout = new TreeLayout([ROOT, 0]);
  layout.measure([0, 0], false);
  assert.deepEqual(layout.rows(ROOT, 100, 1), [[{ node: ROOT, x: 0, width: 100, hidden: 0 }]]);
  const empty = new TreeLayout([]);
  empty.measure([], true);
  assert.equal(empty.rows(ROOT, 100, 1).length, 1);
});

test("in any tree: children lie inside their parent, do not overlap, and keep their order", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const { parent, values } = randomTree(200, generator(seed));
    const layout = new TreeLayout(parent);
    layout.measure(values, seed % 2 === 0);
    for (let node = ROOT; node < parent.length; node++) {
      let end = layout.xOf(node);
      let before = Infinity;
      for (const child of layout.childrenOf(node)) {
        assert.equal(parent[child], node);
        assert.ok(Math.abs(layout.x[child] - end) < 1e-9, "gap or overlap");
        assert.ok(layout.weight[child] <= before, "not descending");
        end = layout.x[child] + layout.width[child];
        before = layout.weight[child];
      }
      assert.ok(end <= layout.xOf(node) + layout.widthOf(node) + 1e-9, "wider than the parent");
    }
  }
});

test("in any zoom: rows ascend without overlap, nothing is too narrow, what is left out is counted", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = generator(seed);
    const { parent, values } = randomTree(300, random);
    const layout = new TreeLayout(parent);
    layout.measure(values, true);
    const zoom = Math.floor(random() * 300);
    if (layout.widthOf(zoom) === 0) continue;
    const rows = layout.rows(zoom, 800, 3);
    assert.deepEqual(rows[layout.pathTo(zoom).length], [{ node: zoom, x: 0, width: 800, hidden: 0 }]);
    for (const row of rows) {
      let end = -1e-6;
      for (const rect of row) {
        assert.ok(rect.x >= end - 1e-6, "overlap");
        assert.ok(rect.width >= 3 - 1e-9, "too narrow");
        end = rect.x + rect.width;
      }
      assert.ok(end <= 800 + 1e-6);
    }
    for (const rect of rows.flat().filter(({ hidden }) => hidden > 0)) {
      const siblings = [...layout.childrenOf(parent[rect.node])];
      assert.equal(siblings.length - siblings.indexOf(rect.node), rect.hidden);
    }
  }
});

test("rectAt finds what a search one by one finds", () => {
  const row = [{ x: 0, width: 10 }, { x: 10, width: 5 }, { x: 20, width: 1.5 }, { x: 30, width: 2 }];
  for (let x = -1; x < 35; x += 0.25) {
    const slow = row.find((rect) => x >= rect.x && x < rect.x + rect.width) ?? null;
    assert.equal(rectAt(row, x), slow, `at ${x}`);
  }
  assert.equal(rectAt([], 1), null);
});

test("marks inside marks count once in the share", () => {
  const layout = new TreeLayout([ROOT, 0, 0, ROOT]);
  layout.measure([75, 50, 25, 25], true);
  assert.equal(layout.markedShare([0, 0, 0, 0]), 0);
  assert.equal(layout.markedShare([1, 1, 0, 0]), 0.75);
  assert.equal(layout.markedShare([0, 1, 0, 1]), 0.75);
  assert.equal(layout.markedShare([1, 1, 1, 1]), 1);
});

test("a chain of 100 000 nodes needs no stack", () => {
  const n = 100_000;
  const layout = new TreeLayout(Array.from({ length: n }, (_, i) => i - 1));
  layout.measure(new Array(n).fill(7), true);
  assert.equal(layout.rows(ROOT, 100, 1).length, n + 1);
  assert.equal(layout.pathTo(n - 1).length, n);
});
