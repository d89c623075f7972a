// The pane about one block: all of its statistics, its distribution, and where it is called.

import { element } from "./element.js";
import { formatBytes, formatCount, formatDuration, formatNanoseconds, formatPercent, formatRate, formatTime } from "./format.js";
import { drawHistogram } from "./histogram.js";

const MAX_PLACES = 20;

/**
 * Fills the pane with a block. node is the path the block was picked at, or -1; color its colour; pick(node) is called
 * when the user picks another path, close() when the user closes the pane.
 */
function showDetails(pane, profile, block, node, { color, pick, close }) {
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = color;
  pane.replaceChildren(
    element(
      "header",
      {},
      element("h2", { id: "details-title" }, block.name),
      element("button", { type: "button", class: "close", "aria-label": "Close details", click: close }, "×"),
      element("p", { class: "muted" }, swatch, [block.service, block.track, block.kind].filter(Boolean).join(" · ")),
      block.location ? element("p", { class: "code" }, block.location) : null,
      block.function && block.function !== block.location ? element("p", { class: "code muted" }, block.function) : null,
    ),
    element("h3", {}, "Distribution"),
    distribution(block),
    element("h3", {}, "Statistics"),
    definitions(statistics(profile, block)),
    definitions(seen(block), true),
    ...path(profile, node),
    element("h3", {}, block.nodes.length === 1 ? "Called at 1 path" : `Called at ${formatCount(block.nodes.length)} paths`),
    places(profile, block, node, pick),
    ...exemplars(block),
  );
}

function distribution(block) {
  if (block.count === 0) return element("p", { class: "muted" }, "None has ended yet.");
  return drawHistogram(block.histogram, [["p50", block.p50], ["p95", block.p95], ["p99", block.p99], ["max", block.max]], block.count);
}

function statistics(profile, block) {
  const share = (part, whole) => (whole > 0 ? ` (${formatPercent(part / whole)})` : "");
  const time = (ns) => [formatDuration(ns), formatNanoseconds(ns)];
  const rows = [
    ["Count", formatCount(block.count)],
    ["Rate", formatRate(block.count, profile.windowNs)],
    ["Errors", formatCount(block.errors) + share(block.errors, block.count)],
    ["Total", ...time(block.total)],
    ["Self", formatDuration(block.self) + share(block.self, profile.self), formatNanoseconds(block.self)],
    ...(profile.critical > 0
      ? [["Critical path", formatDuration(block.critical ?? 0) + share(block.critical ?? 0, profile.critical), formatNanoseconds(block.critical ?? 0)]]
      : []),
    ["Mean", ...time(block.mean)],
    ["Std. deviation", ...time(block.stddev)],
    ["Min", ...time(block.min)],
    ["p50", ...time(block.p50)],
    ["p90", ...time(block.p90)],
    ["p95", ...time(block.p95)],
    ["p99", ...time(block.p99)],
    ["Max", ...time(block.max)],
    ...(block.selfP50 === undefined ? [] : [["Self p50", ...time(block.selfP50)], ["Self p99", ...time(block.selfP99)]]),
    ["Active now", formatCount(block.active)],
  ];
  if (block.bytes > 0) rows.push(["Bytes", formatBytes(block.bytes)]);
  if (block.bytes > 0 && block.total > 0) rows.push(["Bandwidth", formatBytes(block.bytes / (block.total / 1e9)) + "/s"]);
  if (block.pending > 0) rows.push(["Not in the tree", formatCount(block.pending)]);
  return rows;
}

function seen({ first, last }) {
  return first ? [["First start", formatTime(first), first], ["Last end", formatTime(last), last]] : [];
}

/** Shows [name, value, hint] rows in two columns, or in one if the values are long. */
function definitions(rows, long = false) {
  return element(
    "dl",
    { class: long ? "statistics long" : "statistics" },
    ...rows.map(([name, value, hint]) => element("div", {}, element("dt", {}, name), element("dd", { title: hint }, value))),
  );
}

function path(profile, node) {
  if (node < 0) return [];
  const { count, errors, total, self, min, p50, p95, p99, max } = profile.nodes;
  const rows = [
    ["Count", formatCount(count[node])],
    ["Errors", formatCount(errors[node])],
    ["Total", formatDuration(total[node]), formatNanoseconds(total[node])],
    ["Self", formatDuration(self[node]), formatNanoseconds(self[node])],
    ["Mean", formatDuration(count[node] > 0 ? total[node] / count[node] : 0)],
    ["Min", formatDuration(min[node])],
    ["p50", formatDuration(p50[node])],
    ["p95", formatDuration(p95[node])],
    ["p99", formatDuration(p99[node])],
    ["Max", formatDuration(max[node])],
  ];
  return [element("h3", {}, "On the selected path"), definitions(rows)];
}

/** Lists the paths that lead to the block, the one with the most time first. */
function places(profile, block, selected, pick) {
  const { total, count } = profile.nodes;
  const nodes = [...block.nodes].sort((a, b) => total[b] - total[a] || a - b);
  const items = nodes.slice(0, MAX_PLACES).map((node) =>
    element(
      "li",
      {},
      element(
        "button",
        { type: "button", "aria-current": node === selected ? "true" : undefined, click: () => pick(node) },
        element("span", {}, callers(profile, node)),
        element("span", { class: "muted" }, `${formatDuration(total[node])} in ${formatCount(count[node])} calls`),
      ),
    ),
  );
  if (nodes.length > MAX_PLACES) items.push(element("li", { class: "muted" }, `and ${formatCount(nodes.length - MAX_PLACES)} more`));
  return element("ol", { class: "places" }, ...items);
}

/** Names the callers of a node from the root on; the middle of a long path is left out. */
function callers(profile, node) {
  const { parent } = profile.nodes;
  const names = [];
  for (let i = parent[node]; i >= 0; i = parent[i]) names.unshift(profile.siteOf(i).name);
  if (names.length === 0) return "at the root";
  if (names.length > 5) names.splice(2, names.length - 4, "…");
  return names.join(" › ");
}

function exemplars(block) {
  const show = (label, { trace, span, duration, time, sampled }) => [
    element("h3", {}, label),
    definitions([
      ["Duration", formatDuration(duration), formatNanoseconds(duration)],
      ["Ended", formatTime(time), time],
      ["Trace", trace],
      ["Span", span],
      ["Sampled", sampled ? "yes" : "no"],
    ], true),
  ];
  return [
    ...(block.slowest ? show("Slowest span", block.slowest) : []),
    ...(block.lastError ? show("Last error", block.lastError) : []),
  ];
}

export { showDetails };
