// The client of /api/v1. A test in server/internal/web holds all of its shapes, paths and parameters against openapi.yaml.
// Durations are in nanoseconds.

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
  time: string;
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

export interface TraceSummary {
  trace_id: string;
  root_service: string;
  root_name: string;
  start: string;
  duration_ns: number;
  spans: number;
  errors: number;
  orphans: number;
  services: { name: string; spans: number; errors: number }[];
}

export interface Traces {
  period: Period;
  traces: TraceSummary[];
}

export interface Attribute {
  key: string;
  type: string;
  value: string;
}

export interface Span {
  span_id: string;
  parent_span_id: string;
  /** An index in the spans of the trace, or -1. */
  parent: number;
  depth: number;
  children: number;
  origin: number;
  block: string;
  service: string;
  track: string;
  name: string;
  kind: string;
  start: string;
  start_ns: number;
  duration_ns: number;
  self_ns: number;
  critical_ns: number;
  status: "unset" | "ok" | "error";
  status_message: string;
  trace_state: string;
  flags: number;
  orphan: boolean;
  cut: boolean;
  moved: boolean;
  backward: boolean;
  rank: { fraction: number; of: number } | null;
  attributes: Attribute[];
  events: { name: string; start_ns: number; attributes: Attribute[] }[];
  links: { trace_id: string; span_id: string; trace_state: string; attributes: Attribute[] }[];
  dropped: { attributes: number; events: number; links: number };
}

export interface Trace {
  trace_id: string;
  start: string;
  duration_ns: number;
  duplicates: number;
  /** Attributes, events and links of the spans are left out. */
  bare: boolean;
  ranked: Period;
  origins: { service: string; attributes: Attribute[]; scope_name: string; scope_version: string; scope_attributes: Attribute[]; dropped_attributes: number }[];
  /** Depth first: a parent stands before its children. */
  spans: Span[];
}

export type Verdict = "regression" | "improvement" | "appeared" | "disappeared" | "inconclusive" | "unchanged";

export interface Change extends Site {
  verdict: Verdict;
  durations: { p: number; q: number; verdict: Verdict };
  errors: { p: number; q: number; verdict: Verdict };
  superiority: number;
  impact_ns: number;
  before: Stats;
  after: Stats;
  histograms?: { scale: number; offset: number; before: number[]; after: number[]; before_zero: number; after_zero: number };
}

export interface DiffSide {
  since: string | null;
  until: string | null;
  seconds: number;
  snapshot: string;
  count: number;
}

export interface Diff {
  before: DiffSide;
  after: DiffSide;
  alpha: number;
  min_change: number;
  min_count: number;
  regressed: boolean;
  matched: number;
  changes: Change[];
  blocks?: Site[];
  nodes?: {
    parent: number[];
    block: number[];
    verdict: Verdict[];
    impact_ns: number[];
    before_count: number[];
    after_count: number[];
    before_total_ns: number[];
    after_total_ns: number[];
    before_self_ns: number[];
    after_self_ns: number[];
  };
}

export interface ServiceMap {
  period: Period;
  services: { name: string; requests: Stats; spans: number; errors: number; self_ns: number; critical_ns: number; operations: number }[];
  calls: { caller: string; callee: string; stats: Stats }[];
}

export interface Services {
  services: string[];
}

export interface Snapshots {
  snapshots: SavedSnapshot[];
}

export interface SavedSnapshot {
  name: string;
  saved: string;
  start: string | null;
  end: string | null;
  spans: number;
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
  completed: string | null;
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

/** What a parameter may be; an empty text, false and undefined are left out. */
type Value = string | number | boolean | string[] | undefined;

type Within = "since" | "until";

/** What the page asks: the paths below /api/v1/ with their parameters and answers. */
export interface Questions {
  status: { params: never; answer: Status };
  services: { params: never; answer: Services };
  blocks: { params: Within | "service" | "filter" | "sort" | "reverse" | "limit" | "spark" | "trend"; answer: Blocks };
  "blocks/{id}": { params: Within; answer: Block };
  "blocks/{id}/heatmap": { params: Within | "buckets"; answer: HeatMap };
  timeline: { params: Within | "service"; answer: Timeline };
  tree: { params: Within | "service" | "limit"; answer: Tree };
  "service-map": { params: Within; answer: ServiceMap };
  traces: { params: Within | "service" | "name" | "kind" | "min_duration" | "max_duration" | "attribute" | "errors" | "limit"; answer: Traces };
  "traces/{id}": { params: "bare" | "span"; answer: Trace };
  diff: { params: DiffSides | "service" | "histograms" | "nodes" | "limit"; answer: Diff };
  snapshots: { params: never; answer: Snapshots };
}

export type DiffSides = "before_snapshot" | "before_since" | "before_until" | "after_snapshot" | "after_since" | "after_until";

/** The paths from which something is loaded down. */
export interface Downloads {
  profile: { params: Within | "service" | "format" };
  "snapshots/{name}": { params: "format" };
}

type Paths = Questions & Downloads;

export type Params<P extends keyof Paths> = Partial<Record<Paths[P]["params"], Value>>;

/** One question; id is what stands in the braces of the path. */
export interface Question<P extends keyof Paths> {
  path: P;
  id?: string;
  params?: Params<P>;
}

/** Returns the address of a question. */
export function apiHref<P extends keyof Paths>(question: Question<P>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries<Value>((question.params ?? {}) as Record<string, Value>)) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v !== undefined && v !== "" && v !== false) query.append(name, String(v));
    }
  }
  const text = query.toString();
  return "/api/v1/" + question.path.replace(/\{\w+\}/, encodeURIComponent(question.id ?? "")) + (text ? "?" + text : "");
}

/** Asks, and returns the answer. The signal ends the wait. */
export function ask<P extends keyof Questions>(question: Question<P>, signal?: AbortSignal): Promise<Questions[P]["answer"]> {
  return send(apiHref(question), { signal: signal ?? null, headers: { accept: "application/json" } });
}

/** Saves the statistics of a period under a name. */
export function saveSnapshot(body: { name: string; since: string; until: string; service: string }): Promise<SavedSnapshot> {
  return send("/api/v1/snapshots", { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
}

/** Deletes a saved snapshot. */
export function deleteSnapshot(name: string): Promise<void> {
  return send("/api/v1/snapshots/" + encodeURIComponent(name), { method: "DELETE" });
}

async function send<T>(href: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(href, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError("The server does not answer.", "Is otelprof serve still running? This page asks again by itself.", 0);
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const failure = await response.json().catch(() => null);
  const details = failure?.error ?? {};
  throw new ApiError(details.message ?? response.statusText, details.hint ?? "", response.status);
}
