// The head of the page: what was profiled, what to be careful about, and the tracks.

import { element } from "./element.js";
import { formatCount, formatDuration, formatPercent, formatRate, formatTime } from "./format.js";

/** Fills the list of facts about the profile. */
function showFacts(container, profile) {
  const facts = [
    ["Spans", formatCount(profile.spans), formatRate(profile.spans, profile.windowNs)],
    ["Window", formatDuration(profile.windowNs), formatTime(profile.start)],
    ["Self time", formatDuration(profile.self), profile.windowNs > 0 ? `${(profile.self / profile.windowNs).toFixed(2)} running on average` : ""],
    ["Errors", formatCount(profile.errors), ""],
    ["Tracks", formatCount(profile.tracks.length), ""],
    ["Blocks", formatCount(profile.blocks.length), ""],
    ["Paths", formatCount(profile.nodes.parent.length), ""],
  ];
  container.replaceChildren(
    ...facts.map(([name, value, note]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value), note ? element("dd", { class: "muted" }, note) : null),
    ),
  );
}

/** Fills the list of warnings and hides its box when there is none. */
function showWarnings(box, profile) {
  box.hidden = profile.warnings.length === 0;
  box.querySelector("ul").replaceChildren(...profile.warnings.map((warning) => element("li", {}, warning)));
}

/** Fills the list of tracks with buttons that are pressed while only that track is shown. */
function showTracks(container, profile, color, selected, toggle) {
  const chips = profile.tracks.map(({ name, self }) => {
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = color(name);
    const share = formatPercent(profile.self > 0 ? self / profile.self : 0);
    return element(
      "li",
      {},
      element(
        "button",
        { type: "button", title: `${name}: ${formatDuration(self)} of self time`, "aria-pressed": String(name === selected), click: () => toggle(name) },
        swatch,
        element("span", { class: "name" }, name),
        element("span", { class: "muted" }, share),
      ),
    );
  });
  container.replaceChildren(...chips);
}

export { showFacts, showTracks, showWarnings };
