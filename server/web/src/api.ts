// The client of /api/v1: one function a question, with the shapes of openapi.yaml. Durations are in nanoseconds.

export interface Period {
  since: string | null;
  until: string | null;
  seconds: number;
}

export interface Site {
  id: string;
  service: string;
  track: string;
  name: string;
  kind: string;
  function: string;
  file: string;
  line: number;
}

export interface Exemplar {
  trace_id: string;
  span_id: string;
  duration_ns: number;
  time: string | null;
  sampled: boolean;
}

export interface Stats {
  count: number;
  adjusted_count: number;
  rate: number;
  errors: number;
  error_rate: number;
  total_ns: number;
  self_ns: number;
  critical_ns: number;
  mean_ns: number;
  stddev_ns: number;
  min_ns: number;
  p50_ns: number;
  p90_ns: number;
  p95_ns: number;
  p99_ns: number;
  p999_ns: number;
  max_ns: number;
  bytes: number;
  active: number;
  first: string | null;
  last: string | null;
  slowest: Exemplar | null;
  last_error: Exemplar | null;
}

export interface Histogram {
  scale: number;
  offset: number;
  counts: number[];
  zero: number;
}

export interface Trend {
  count: number[];
  errors: number[];
  p95_ns: number[];
}

export interface BlockRow extends Site {
  stats: Stats;
  pending: number;
  self_share: number;
  critical_share: number;
  spark?: Histogram;
  trend?: Trend;
}

export interface Blocks {
  period: Period;
  matched: number;
  sum: Stats;
  blocks: BlockRow[];
  trend?: { step_seconds: number; times: string[] };
}

export interface Neighbour {
  site: Site | null;
  stats: Stats;
}

export interface Block {
  period: Period;
  block: BlockRow;
  histogram: Histogram;
  callers: Neighbour[];
  callees: Neighbour[];
}

export interface Timeline {
  period: Period;
  step_seconds: number;
  times: string[];
  count: number[];
  errors: number[];
  total_ns: number[];
  self_ns: number[];
  p50_ns: number[];
  p95_ns: number[];
  p99_ns: number[];
  max_ns: number[];
}

export interface HeatMap extends Site, Timeline {
  buckets: Histogram;
  rows: number[][];
  zeros: number[];
}

export interface Tree {
  period: Period;
  dropped: number;
  blocks: Site[];
  nodes: {
    parent: number[];
    block: number[];
    count: number[];
    errors: number[];
    total_ns: number[];
    self_ns: number[];
    critical_ns: number[];
    min_ns: number[];
    p50_ns: number[];
    p95_ns: number[];
    p99_ns: number[];
    max_ns: number[];
  };
}

export interface Status {
  version: string;
  now: string;
  spans: number;
  traces: number;
  bytes: number;
  log_entries: number;
  oldest: string | null;
  newest: string | null;
  endpoints: Record<string, string>;
}

/** An answer that says what went wrong and what to do about it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export type Params = Record<string, string | number | boolean | string[] | undefined>;

/** Returns the address of a question. */
export function apiHref(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v !== undefined && v !== "" && v !== false) query.append(name, String(v));
    }
  }
  const text = query.toString();
  return "/api/v1/" + path + (text ? "?" + text : "");
}

/** Asks, and returns the answer. The signal ends the wait. */
export async function ask<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(apiHref(path, params), { signal: signal ?? null, headers: { accept: "application/json" } });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError("The server does not answer.", "Is otelprof serve still running? This page asks again by itself.", 0);
  }
  if (response.ok) return (await response.json()) as T;
  const failure = await response.json().catch(() => null);
  const details = failure?.error ?? {};
  throw new ApiError(details.message ?? response.statusText, details.hint ?? "", response.status);
}
