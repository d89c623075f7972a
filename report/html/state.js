// The state of the page lives in the fragment of its URL, so that a reload, a refresh or a shared link keeps it.

const DEFAULTS = { q: "", track: "", metric: "total", sort: "-self", zoom: "", block: "" };

/** Reads the state from a fragment such as "#q=cart&sort=-p99". Unknown keys are dropped, missing ones get defaults. */
function parseState(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(Object.entries(DEFAULTS).map(([key, value]) => [key, given.get(key) ?? value]));
}

/** Writes the state as a fragment; what has its default is left out. */
function formatState(state) {
  const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return changed.length === 0 ? "" : "#" + new URLSearchParams(changed);
}

export { formatState, parseState };
