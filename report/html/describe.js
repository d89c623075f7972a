// A node of the call tree in words, for the tooltip of the flame graph and for screen readers.

import { formatCount, formatDuration, formatPercent, shortPath } from "./format.js";
import { ROOT } from "./layout.js";

/** Below this ratio a sum of children above their parent is rounding, not concurrency. */
const OVERLAP = 1.005;

/**
 * Describes a node as {title, rows, notes}. layout is the flame graph's at present; it says how children overlap.
 * hidden > 0 describes that many small siblings, of which node is the first.
 */
function describeNode(profile, layout, metric, node, hidden) {
  if (hidden > 0) {
    return { title: `${formatCount(hidden)} more paths`, rows: [], notes: ["Too narrow to draw. Click to zoom in."] };
  }
  if (node === ROOT) return describeRoot(profile, layout, metric);
  const { count, errors, total, self, p50, p99 } = profile.nodes;
  const site = profile.siteOf(node);
  const roots = rootTotal(profile, layout);
  const rows = [
    ...(site.service ? [["Service", site.service]] : []),
    ["Track", site.track],
    ["Total", `${formatDuration(total[node])} (${formatPercent(roots > 0 ? total[node] / roots : 0)})`],
    ["Self", `${formatDuration(self[node])} (${formatPercent(profile.self > 0 ? self[node] / profile.self : 0)})`],
    ["Count", formatCount(count[node])],
    ["Mean", formatDuration(count[node] > 0 ? total[node] / count[node] : 0)],
    ["p50, p99", `${formatDuration(p50[node])}, ${formatDuration(p99[node])}`],
  ];
  const { critical } = profile.nodes;
  if (critical) rows.push(["Critical path", `${formatDuration(critical[node])} (${formatPercent(profile.critical > 0 ? critical[node] / profile.critical : 0)})`]);
  if (errors[node] > 0) rows.push(["Errors", `${formatCount(errors[node])} (${formatPercent(errors[node] / count[node])})`]);
  if (site.location) rows.push(["At", shortPath(site.location, 44)]);
  return { title: site.name, rows, notes: metric === "total" ? overlapNotes(layout, node) : [] };
}

function describeRoot(profile, layout, metric) {
  const rows = [
    ["Spans", formatCount(profile.spans)],
    ["Total of the roots", formatDuration(rootTotal(profile, layout))],
    ["Self time", formatDuration(profile.self)],
  ];
  if (metric === "errors") rows.push(["Errors", formatCount(profile.errors)]);
  return { title: "All paths", rows, notes: [] };
}

/** Returns the sum of the roots' totals in nanoseconds, whatever the layout's metric. */
function rootTotal(profile, layout) {
  return layout.childrenOf(ROOT).reduce((sum, root) => sum + profile.nodes.total[root], 0);
}

/**
 * Says where a width cannot be read as a total, because children ran at the same time and had to be scaled down to
 * fit below their parent.
 */
function overlapNotes(layout, node) {
  const notes = [];
  if (layout.overlap(node) > OVERLAP) {
    const times = layout.overlap(node).toFixed(2);
    notes.push(`Its children ran at the same time: together they have ${times} × its total, and are scaled to fit.`);
  }
  const scaled = layout.pathTo(node).slice(0, -1).some((above) => layout.overlap(above) > OVERLAP);
  if (scaled) notes.push("It is drawn narrower than its total, because it or a parent ran beside siblings.");
  return notes;
}

export { describeNode, rootTotal };
