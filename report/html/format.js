// Numbers, times and names as the page shows them. Everything here is pure.

/** A narrow no-break space: between groups of digits and before units. */
const SPACE = "\u202f";

const MICROSECOND = 1e3;
const MILLISECOND = 1e6;
const SECOND = 1e9;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Rounds to three significant digits, without an exponent and without padding below ten thousand. */
function threeDigits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2);
}

/** Shows nanoseconds with three significant digits, or as two whole units from 1 000 s on: "1 h 24 min". */
function formatDuration(ns) {
  // A unit is left early enough that rounding never shows "1000 µs".
  if (ns < 999.5) return (Number.isInteger(ns) ? String(ns) : threeDigits(ns)) + SPACE + "ns";
  if (ns < 999.5 * MICROSECOND) return threeDigits(ns / MICROSECOND) + SPACE + "µs";
  if (ns < 999.5 * MILLISECOND) return threeDigits(ns / MILLISECOND) + SPACE + "ms";
  if (ns < 999.5 * SECOND) return threeDigits(ns / SECOND) + SPACE + "s";
  if (ns < HOUR - SECOND / 2) return twoUnits(ns, MINUTE, "min", SECOND, "s");
  if (ns < DAY - MINUTE / 2) return twoUnits(ns, HOUR, "h", MINUTE, "min");
  return twoUnits(ns, DAY, "d", HOUR, "h");
}

function twoUnits(ns, big, bigName, small, smallName) {
  const smalls = Math.round(ns / small);
  const perBig = big / small;
  const bigs = formatCount(Math.floor(smalls / perBig)) + SPACE + bigName;
  return smalls % perBig === 0 ? bigs : `${bigs} ${smalls % perBig}${SPACE}${smallName}`;
}

/** Shows a round duration, such as the label of an axis, without needless digits: "1 ms", "200 s". */
function formatTick(ns) {
  const [unit, name] =
    ns < MICROSECOND ? [1, "ns"] : ns < MILLISECOND ? [MICROSECOND, "µs"] : ns < SECOND ? [MILLISECOND, "ms"] : [SECOND, "s"];
  return formatCount(ns / unit) + SPACE + name;
}

/** Shows a whole number with its digits in groups of three. */
function formatCount(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, SPACE);
}

/** Shows an exact number of nanoseconds, for tooltips. */
function formatNanoseconds(ns) {
  return formatCount(ns) + SPACE + "ns";
}

/** Shows events per second; an empty window has no rate. */
function formatRate(count, windowNs) {
  if (windowNs <= 0) return "–";
  const rate = count / (windowNs / SECOND);
  if (rate >= 999.5) return formatCount(rate) + "/s";
  if (rate >= 0.01 || rate === 0) return threeDigits(rate) + "/s";
  return threeDigits(rate * 3600) + "/h";
}

/** Shows a fraction of one as a percentage: 0.1234 is "12.3 %". What is not nothing never shows as zero. */
function formatPercent(fraction) {
  const percent = fraction * 100;
  if (percent > 0 && percent < 0.05) return "<0.1" + SPACE + "%";
  return percent.toFixed(percent >= 99.95 || percent === 0 ? 0 : 1) + SPACE + "%";
}

/** Shows a number of bytes in binary units. */
function formatBytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  while (n >= 1023.5 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return (unit === 0 ? String(n) : threeDigits(n)) + SPACE + units[unit];
}

/** Shows an RFC 3339 time as "2026-05-04 12:30:05 UTC"; an empty string stays empty. */
function formatTime(rfc3339) {
  const time = new Date(rfc3339);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

/**
 * Shortens a path to at most n UTF-16 units if it has parts to leave out: "/src/shop/cart/cart.go:12" is
 * "…/cart/cart.go:12". The last part always stays whole.
 */
function shortPath(path, n) {
  if (path.length <= n) return path;
  const parts = path.split("/");
  let short = parts.pop();
  while (parts.length > 0 && short.length + parts.at(-1).length + 3 <= n) short = parts.pop() + "/" + short;
  return parts.length > 0 ? "…/" + short : short;
}

/** Cuts a text after at most n UTF-16 units, never inside a surrogate pair, and marks the cut. */
function cutText(text, n) {
  if (text.length <= n) return text;
  const last = text.charCodeAt(n - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? n - 1 : n) + "…";
}

export {
  cutText, formatBytes, formatCount, formatDuration, formatNanoseconds, formatPercent, formatRate, formatTick,
  formatTime, shortPath,
};
