import assert from "node:assert/strict";
import test from "node:test";
import { axisTicks, histogramBars, spreadLabels } from "../histogram.js";

test("bars stand at the bounds of their buckets", () => {
  const bars = histogramBars({ scale: 1, offset: 4, counts: [3, 0, 5], zero: 2 });
  assert.deepEqual(bars, [
    { from: -1, to: 0, count: 2, zero: true },
    { from: 2, to: 2.5, count: 3, zero: false },
    { from: 3, to: 3.5, count: 5, zero: false },
  ]);
  assert.deepEqual(histogramBars({ scale: -1, offset: 2, counts: [1], zero: 0 }), [{ from: 4, to: 6, count: 1, zero: false }]);
  assert.deepEqual(histogramBars({ scale: 6, offset: 0, counts: [], zero: 0 }), []);
});

test("ticks are round, inside the axis and few", () => {
  assert.deepEqual(axisTicks(Math.log2(900), Math.log2(6000)), [1000, 2000, 5000]);
  assert.deepEqual(axisTicks(Math.log2(5e5), Math.log2(2e9)), [1e6, 1e7, 1e8, 1e9]);
  for (let width = 0.5; width < 66; width += 0.5) {
    for (let from = -1; from < 60; from += 3) {
      const ticks = axisTicks(from, from + width);
      assert.ok(ticks.length <= 7, `${ticks.length} ticks from 2^${from} over ${width} octaves`);
      assert.ok(ticks.every((ns) => ns >= 2 ** from && ns <= 2 ** (from + width)));
    }
  }
});

test("labels are moved apart and stay inside", () => {
  assert.deepEqual(spreadLabels([50, 150], 40, 0, 200), [50, 150]);
  for (const middles of [[10, 10, 10], [190, 195, 200], [5, 100, 198], [100, 101, 102]]) {
    const placed = spreadLabels(middles, 40, 0, 200);
    placed.forEach((middle, i) => {
      assert.ok(middle >= 20 && middle <= 180, `${middle} outside`);
      assert.ok(i === 0 || middle - placed[i - 1] >= 40, "overlap");
    });
  }
});
