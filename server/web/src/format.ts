// Figures and names as people read them.

const UNITS = ["ns", "µs", "ms", "s"];

/** Writes nanoseconds with three digits. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return "–";
  if (ns === 0) return "0";
  let v = Math.abs(ns);
  let unit = 0;
  while (v >= 999.5 && unit < UNITS.length - 1) {
    v /= 1000;
    unit++;
  }
  if (unit === 3 && v >= 5999.5) return sign(ns) + Math.round(v / 60) + " min";
  return sign(ns) + digits(v, unit === 0 && Number.isInteger(v)) + " " + UNITS[unit];
}

function sign(v: number): string {
  return v < 0 ? "−" : "";
}

function digits(v: number, whole: boolean): string {
  if (whole || v >= 99.95) return v.toFixed(0);
  return v < 9.995 ? v.toFixed(2) : v.toFixed(1);
}

const SCALES = ["", " k", " M", " G", " T"];

/** Writes a number with three digits. */
export function count(n: number): string {
  let v = n;
  let scale = 0;
  while (v >= 9999.5 && scale < SCALES.length - 1) {
    v /= 1000;
    scale++;
  }
  return (scale === 0 ? String(Math.round(v * 100) / 100) : digits(v, false)) + SCALES[scale];
}

/** Writes a part of 1 in per cent. */
export function percent(share: number): string {
  if (share === 0) return "0";
  const p = 100 * share;
  if (p < 0.01) return "<0.01 %";
  return (p < 1 ? p.toFixed(2) : p < 99.95 ? p.toFixed(1) : "100") + " %";
}

/** Writes a number of bytes. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let v = n;
  let unit = 0;
  while (v >= 1023.5 && unit < units.length - 1) {
    v /= 1024;
    unit++;
  }
  return digits(v, unit === 0) + " " + units[unit];
}

// Characters that show nothing, or turn what comes after them around.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

/** Makes invisible and direction-changing characters of a name visible. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (c) => "\\u" + (c.codePointAt(0) ?? 0).toString(16).padStart(4, "0"));
}

/** Cuts a long name in the middle: what differs is mostly at one of its ends. */
export function middle(text: string, most = 60): string {
  const shown = visible(text.length > 4 * most ? text.slice(0, 2 * most) + text.slice(-2 * most) : text);
  if (shown.length <= most) return shown;
  const head = Math.ceil((most - 1) / 2);
  return shown.slice(0, head) + "…" + shown.slice(shown.length - (most - 1 - head));
}

/** The name of a site for people: one that is empty is said so. */
export function named(text: string): string {
  return text === "" ? "(no name)" : text;
}

/** The end of a path, with its last folder. */
export function shortPath(file: string, line: number): string {
  if (!file) return "";
  const parts = file.split("/");
  return parts.slice(-2).join("/") + (line > 0 ? ":" + line : "");
}

/** A moment as the clock of whoever looks shows it. */
export function clock(iso: string, withDate = false): string {
  const t = new Date(iso);
  const two = (n: number) => String(n).padStart(2, "0");
  const time = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  return withDate ? `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${time}` : time;
}
