// Sorting and filtering of blocks that are in the page already, by the rules of the server (query.ParseFilter), so that
// neither waits for it. The server says what is wrong with a filter that cannot be read.

import type { BlockRow, Stats } from "./api";

type Unit = "number" | "duration" | "ratio";

const FIGURES: Record<string, [Unit, (s: Stats) => number]> = {
  count: ["number", (s) => s.count],
  adjusted_count: ["number", (s) => s.adjusted_count],
  errors: ["number", (s) => s.errors],
  error_rate: ["ratio", (s) => s.error_rate],
  rate: ["number", (s) => s.rate],
  bytes: ["number", (s) => s.bytes],
  total: ["duration", (s) => s.total_ns],
  self: ["duration", (s) => s.self_ns],
  critical: ["duration", (s) => s.critical_ns],
  min: ["duration", (s) => s.min_ns],
  mean: ["duration", (s) => s.mean_ns],
  stddev: ["duration", (s) => s.stddev_ns],
  p50: ["duration", (s) => s.p50_ns],
  p90: ["duration", (s) => s.p90_ns],
  p95: ["duration", (s) => s.p95_ns],
  p99: ["duration", (s) => s.p99_ns],
  p999: ["duration", (s) => s.p999_ns],
  max: ["duration", (s) => s.max_ns],
};

const TEXTS: Record<string, (b: BlockRow) => string> = {
  service: (b) => b.service,
  track: (b) => b.track,
  name: (b) => b.name,
  kind: (b) => b.kind,
  function: (b) => b.function,
  file: (b) => b.file,
};

/** Sorts blocks by a figure, the largest first, or by a text, ascending. Equal ones keep their order. */
export function sorted(blocks: BlockRow[], by: string, reverse: boolean): BlockRow[] {
  const text = TEXTS[by];
  const figure = FIGURES[by]?.[1];
  const turn = reverse ? -1 : 1;
  if (text) return blocks.toSorted((a, b) => turn * (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
  if (figure) return blocks.toSorted((a, b) => turn * (figure(b.stats) - figure(a.stats)));
  return blocks;
}

type Term = (b: BlockRow) => boolean;

const TERM = /^(-?)(?:([^\s:=<>"]+)(:|=|>=?|<=?))?(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*)?)/;

/** Returns what a filter says of a block, or undefined for a filter that cannot be read. */
export function parseFilter(text: string): Term | undefined {
  const terms: Term[] = [];
  for (let rest = text.trimStart(); rest !== ""; rest = rest.trimStart()) {
    const found = TERM.exec(rest);
    const [all = "", minus, key, op = "", quoted, plain = ""] = found ?? [];
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    const term = key === undefined ? anywhere(value) : TEXTS[key.toLowerCase()] ? ofText(key, op, value) : ofFigure(key, op, value);
    if (!term || all === "") return undefined;
    terms.push(minus ? (b) => !term(b) : term);
    rest = rest.slice(all.length);
  }
  return (b) => terms.every((term) => term(b));
}

function anywhere(value: string): Term | undefined {
  const wanted = value.toLowerCase();
  if (wanted === "") return undefined;
  return (b) => [b.service, b.track, b.name, b.function, b.file].some((text) => text.toLowerCase().includes(wanted));
}

function ofText(key: string, op: string, value: string): Term | undefined {
  const text = TEXTS[key.toLowerCase()];
  const wanted = value.toLowerCase();
  if (!text || (op !== ":" && op !== "=")) return undefined;
  return op === "=" ? (b) => text(b) === value : (b) => text(b).toLowerCase().includes(wanted);
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "=": (a, b) => a === b,
};

function ofFigure(key: string, op: string, value: string): Term | undefined {
  const [unit, figure] = FIGURES[key.toLowerCase()] ?? [];
  const holds = COMPARE[op];
  const wanted = unit && parseFigure(unit, value);
  if (!figure || !holds || wanted === undefined || Number.isNaN(wanted)) return undefined;
  return (b) => holds(figure(b.stats), wanted);
}

const NANOSECONDS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 36e11, d: 864e11 };
const DURATION = /^(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d)/;

function parseFigure(unit: Unit, text: string): number {
  if (unit === "ratio" && text.endsWith("%")) return decimal(text.slice(0, -1)) / 100;
  if (unit !== "duration") return decimal(text);
  if (text === "0") return 0;
  let sum = text === "" ? Number.NaN : 0;
  for (let rest = text; rest !== ""; ) {
    const part = DURATION.exec(rest)?.[0];
    if (!part) return Number.NaN;
    const number = Number.parseFloat(part);
    sum += number * (NANOSECONDS[part.replace(/^[\d.]+/, "")] ?? Number.NaN);
    rest = rest.slice(part.length);
  }
  return sum;
}

function decimal(text: string): number {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}
