// The call tree as text: where the flame graph is zoomed to, and what lies below, as buttons.

import { element } from "./element.js";
import { formatCount, formatDuration, formatPercent } from "./format.js";
import { ROOT } from "./layout.js";
import { rootTotal } from "./describe.js";

const MAX_CHILDREN = 100;

/** Fills the breadcrumb with the path from the root to a node; a click on a part calls pick with it. */
function showPath(container, profile, layout, node, pick) {
  const parts = [ROOT, ...layout.pathTo(node)].map((part) => {
    const name = part === ROOT ? "All paths" : profile.siteOf(part).name;
    const here = part === node ? "location" : undefined;
    return element("li", {}, element("button", { type: "button", "aria-current": here, click: () => pick(part) }, name));
  });
  container.replaceChildren(...parts);
}

/** Fills a table with the children of a node in the order of the flame graph; a click calls pick. */
function showChildren(container, profile, layout, node, pick) {
  const all = layout.childrenOf(node);
  const { count, errors, total, self } = profile.nodes;
  const roots = rootTotal(profile, layout);
  const rows = Array.from(all.slice(0, MAX_CHILDREN), (child) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("button", { type: "button", click: () => pick(child) }, profile.siteOf(child).name)),
      element("td", {}, profile.siteOf(child).track),
      element("td", { class: "number" }, formatCount(count[child])),
      element("td", { class: "number" }, formatCount(errors[child])),
      element("td", { class: "number" }, formatDuration(total[child])),
      element("td", { class: "number" }, formatPercent(roots > 0 ? total[child] / roots : 0)),
      element("td", { class: "number" }, formatDuration(self[child])),
    ),
  );
  const header = ["Path", "Track", "Count", "Errors", "Total", "Share", "Self"].map((label, i) =>
    element("th", { scope: "col", class: i > 1 ? "number" : undefined }, label),
  );
  const more = all.length - rows.length;
  container.replaceChildren(
    all.length === 0
      ? element("p", { class: "muted" }, "Nothing was called from here.")
      : element("table", {}, element("thead", {}, element("tr", {}, ...header)), element("tbody", {}, ...rows)),
  );
  if (more > 0) container.append(element("p", { class: "muted" }, `and ${formatCount(more)} smaller ones`));
}

export { showChildren, showPath };
