// The distribution of a block's durations as an SVG: logarithmic time axis, quantile lines.

import { svgElement } from "./element.js";
import { formatCount, formatDuration, formatPercent, formatTick } from "./format.js";

const WIDTH = 380;
const HEIGHT = 176;
const PLOT = { left: 8, right: WIDTH - 8, top: 34, bottom: HEIGHT - 22 };
const MAX_TICKS = 6;

/**
 * Returns the bars of an exponential histogram {scale, offset, counts, zero} as {from, to, count}: bounds in the
 * binary logarithm of nanoseconds, empty buckets left out. Zeros, which no logarithm reaches, get a bar of their own
 * below 1 ns.
 */
function histogramBars({ scale, offset, counts, zero }) {
  const step = 2 ** -scale;
  const bars = zero > 0 ? [{ from: -1, to: 0, count: zero, zero: true }] : [];
  counts.forEach((count, i) => {
    if (count > 0) bars.push({ from: (offset + i) * step, to: (offset + i + 1) * step, count, zero: false });
  });
  return bars;
}

/** Returns the round durations (in ns) to label between two binary logarithms: powers of ten, or 1-2-5 steps. */
function axisTicks(from, to) {
  const decades = (to - from) * Math.log10(2);
  const steps = decades < 1.5 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / MAX_TICKS));
  const ticks = [];
  for (let power = Math.floor(from * Math.log10(2)); power <= to * Math.log10(2); power++) {
    if (((power % every) + every) % every !== 0) continue;
    for (const digit of steps) {
      const ns = digit * 10 ** power;
      if (ns >= 1 && Math.log2(ns) >= from && Math.log2(ns) <= to) ticks.push(ns);
    }
  }
  return ticks;
}

/**
 * Moves labels apart: given their middles in ascending order, the width each needs and the room, returns new middles
 * in the same order that keep the distance, as near to the wanted ones as that allows.
 */
function spreadLabels(middles, width, from, to) {
  const placed = [...middles];
  for (let i = 0; i < placed.length; i++) {
    placed[i] = Math.max(placed[i], i === 0 ? from + width / 2 : placed[i - 1] + width);
  }
  for (let i = placed.length - 1; i >= 0; i--) {
    placed[i] = Math.min(placed[i], i === placed.length - 1 ? to - width / 2 : placed[i + 1] - width);
  }
  return placed;
}

/** Draws the histogram of a block with lines at the quantiles [[label, ns]…], which must ascend. */
function drawHistogram(histogram, quantiles, count) {
  const bars = histogramBars(histogram);
  const picture = svgElement("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  if (bars.length === 0) return picture;
  // Some air on both sides; at least one octave, so that a single bucket does not fill the picture.
  const middle = (bars[0].from + bars.at(-1).to) / 2;
  const half = Math.max((bars.at(-1).to - bars[0].from) * 0.54, 0.5);
  const [from, to] = [middle - half, middle + half];
  const x = (log) => PLOT.left + ((log - from) / (to - from)) * (PLOT.right - PLOT.left);
  const lines = quantiles.map(([label, ns]) => ({ label, ns, x: x(ns > 0 ? Math.log2(ns) : -0.5) }));
  picture.setAttribute(
    "aria-label",
    `Distribution of ${formatCount(count)} durations: ${quantiles.map(([l, ns]) => `${l} ${formatDuration(ns)}`).join(", ")}`,
  );
  picture.append(...drawAxis(from, to, x), ...bars.map((bar) => drawBar(bar, bars, x, count)), ...drawQuantiles(lines));
  return picture;
}

function drawAxis(from, to, x) {
  const axis = svgElement("line", { class: "axis", x1: PLOT.left, x2: PLOT.right, y1: PLOT.bottom + 0.5, y2: PLOT.bottom + 0.5 });
  const ticks = axisTicks(from, to).flatMap((ns) => {
    const at = x(Math.log2(ns));
    const anchor = at < PLOT.left + 18 ? "start" : at > PLOT.right - 18 ? "end" : "middle";
    return [
      svgElement("line", { class: "tick", x1: at, x2: at, y1: PLOT.bottom, y2: PLOT.bottom + 4 }),
      svgElement("text", { class: "tick", x: at, y: HEIGHT - 5, "text-anchor": anchor }, formatTick(ns)),
    ];
  });
  return [axis, ...ticks];
}

function drawBar(bar, bars, x, count) {
  const most = bars.reduce((max, other) => Math.max(max, other.count), 0);
  // What is there must be seen: at least a pixel and a half of height.
  const height = Math.max((bar.count / most) * (PLOT.bottom - PLOT.top), 1.5);
  const width = Math.max(x(bar.to) - x(bar.from) - 0.5, 0.8);
  const range = bar.zero ? "0 ns" : `${formatDuration(2 ** bar.from)} – ${formatDuration(2 ** bar.to)}`;
  return svgElement(
    "rect",
    { class: "bar", x: x(bar.from), y: PLOT.bottom - height, width, height },
    svgElement("title", {}, `${range}: ${formatCount(bar.count)} (${formatPercent(bar.count / count)})`),
  );
}

function drawQuantiles(lines) {
  const labels = spreadLabels(lines.map((line) => line.x), 74, PLOT.left - 6, PLOT.right + 6);
  return lines.flatMap((line, i) => [
    svgElement("path", { class: "quantile", d: `M${labels[i]} 28 L${line.x} ${PLOT.top} V${PLOT.bottom}` }),
    svgElement("text", { class: "quantile", x: labels[i], y: 11, "text-anchor": "middle" }, line.label),
    svgElement("text", { class: "value", x: labels[i], y: 24, "text-anchor": "middle" }, formatDuration(line.ns)),
  ]);
}

export { axisTicks, drawHistogram, histogramBars, spreadLabels };
