// The columns of the table of blocks.

import { formatCount, formatDuration, formatNanoseconds, formatPercent, formatRate, shortPath } from "./format.js";

/** Returns the columns for a profile; swatch(block) is the colour of a block's track. */
function blockColumns(profile, swatch) {
  const time = (key, label, title, more = {}) => ({
    key, label, title, width: 70,
    value: (block) => block[key],
    text: (block) => formatDuration(block[key]),
    hint: (block) => formatNanoseconds(block[key]),
    ...more,
  });
  const text = (key, label, title, width, more = {}) => ({
    key, label, title, width,
    value: (block) => block[key],
    text: (block) => block[key],
    hint: (block) => block[key],
    ...more,
  });
  const share = (part, whole) => (whole > 0 ? part / whole : 0);
  const services = profile.services ? [text("service", "Service", "Service that the spans are of", 110, { value: (b) => b.service ?? "", text: (b) => b.service ?? "" })] : [];
  const critical = profile.critical > 0
    ? [time("critical", "Critical", "Time on the critical paths of traces", {
      width: 94, value: (b) => b.critical ?? 0, text: (b) => formatDuration(b.critical ?? 0), hint: (b) => formatNanoseconds(b.critical ?? 0),
      bar: (b) => share(b.critical ?? 0, profile.critical),
    })]
    : [];
  return [
    ...services,
    text("track", "Track", "Group of blocks: the instrumentation scope", 128, { text: (block) => shortPath(block.track, 14), swatch }),
    text("name", "Name", "Name of the span or block", 180, { style: () => "strong" }),
    text("kind", "Kind", "Kind of the span", 74),
    text("location", "Location", "Where it starts", 138, { text: (block) => shortPath(block.location, 18), style: () => "code" }),
    { ...text("count", "Count", "Spans that ended", 76), text: (b) => formatCount(b.count), hint: () => undefined },
    {
      ...text("rate", "Rate", "Spans per second of the window", 70),
      value: (block) => share(block.count, profile.windowNs),
      text: (block) => formatRate(block.count, profile.windowNs),
      hint: () => undefined,
    },
    {
      ...text("errors", "Errors", "Spans with status Error", 58),
      text: (block) => formatCount(block.errors),
      hint: (block) => formatPercent(share(block.errors, block.count)),
      style: (block) => (block.errors > 0 ? "error" : "muted"),
    },
    time("total", "Total", "Sum of the durations; the bar compares with the largest", {
      width: 94, bar: (block) => share(block.total, profile.mostTotal),
    }),
    time("self", "Self", "Time not covered by any child; the bar compares with the largest", {
      width: 94, bar: (block) => share(block.self, profile.mostSelf),
    }),
    {
      ...text("selfShare", "Self %", "Share of all self time", 68),
      value: (block) => share(block.self, profile.self),
      text: (block) => formatPercent(share(block.self, profile.self)),
      hint: () => undefined,
    },
    ...critical,
    time("min", "Min", "Shortest duration"),
    time("mean", "Mean", "Mean duration"),
    time("p50", "p50", "Half of the durations are at most this"),
    time("p95", "p95", "95 % of the durations are at most this"),
    time("p99", "p99", "99 % of the durations are at most this"),
    time("max", "Max", "Longest duration"),
  ];
}

export { blockColumns };
