import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { address, hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import { apiHref, type BlockRow, type Blocks, type Params, type Stats } from "../api";
import { count, duration, middle, percent, shortPath, visible } from "../format";
import { Name } from "../name";
import { useAnswer } from "../resource";
import { parseFilter, sorted } from "../selection";
import { Spark } from "../spark";
import { Table, type Column } from "../table";
import { Traffic } from "../traffic";

/** The columns, in their order; those marked as extra are off at first. */
const COLUMNS: (Column<BlockRow> & { extra?: boolean })[] = [
  { id: "name", title: "Name", text: true, grow: true, cell: nameCell, hint: "the span's name, its kind and where it starts" },
  { id: "service", title: "Service", text: true, cell: (b) => <Name of={b.service} most={24} /> },
  { id: "track", title: "Track", text: true, extra: true, cell: (b) => <Name of={b.track} most={30} />, hint: "the instrumentation scope" },
  { id: "count", title: "Calls", cell: (b) => count(b.stats.count) },
  { id: "rate", title: "Rate", cell: (b) => count(b.stats.rate) + "/s" },
  { id: "errors", title: "Errors", cell: errorCell },
  { id: "total", title: "Total", cell: (b) => duration(b.stats.total_ns), hint: "from start to end, all calls" },
  { id: "self", title: "Self", cell: (b) => bar(duration(b.stats.self_ns), b.self_share), hint: "what no child covers; the bar is its share of all" },
  { id: "critical", title: "Critical", cell: (b) => bar(duration(b.stats.critical_ns), b.critical_share), hint: "by which traces would be shorter without it" },
  { id: "mean", title: "Mean", cell: (b) => duration(b.stats.mean_ns) },
  { id: "min", title: "Min", extra: true, cell: (b) => duration(b.stats.min_ns) },
  { id: "p50", title: "p50", cell: (b) => duration(b.stats.p50_ns) },
  { id: "p90", title: "p90", extra: true, cell: (b) => duration(b.stats.p90_ns) },
  { id: "p95", title: "p95", extra: true, cell: (b) => duration(b.stats.p95_ns) },
  { id: "p99", title: "p99", cell: (b) => duration(b.stats.p99_ns) },
  { id: "max", title: "Max", cell: (b) => duration(b.stats.max_ns) },
  { id: "spark", title: "Durations", cell: (b) => b.spark && <Spark counts={b.spark.counts} label="histogram of durations" />, unsorted: true },
  { id: "trend", title: "Trend", cell: (b) => b.trend && <Spark counts={b.trend.p95_ns} label="p95 over time" line />, unsorted: true },
];

const DEFAULT_COLUMNS = COLUMNS.filter((c) => !c.extra).map((c) => c.id);

function nameCell(b: BlockRow) {
  return (
    <span class="site">
      <a href={hrefOf("block/" + b.id)} title={visible(b.name)}>
        <Name of={b.name} most={64} />
      </a>
      {b.kind !== "internal" && b.kind !== "unspecified" && <span class="kind">{b.kind}</span>}
      {b.file && (
        <span class="where" title={visible(b.function + " " + b.file + ":" + b.line)}>
          {middle(shortPath(b.file, b.line), 40)}
        </span>
      )}
    </span>
  );
}

function errorCell(b: BlockRow) {
  if (b.stats.errors === 0) return "0";
  return (
    <span class="bad" title={percent(b.stats.error_rate) + " of the calls"}>
      {count(b.stats.errors)}
    </span>
  );
}

function bar(text: string, share: number) {
  return (
    <span class="bar" style={{ "--share": String(share) }} title={percent(share) + " of all"}>
      {text}
    </span>
  );
}

function period(): Params<"timeline"> {
  return { service: param("service"), since: param("since", "1h"), until: param("until") };
}

/** How many blocks are shown before all are there: no more than are in sight. */
const QUICK = 40;
const MOST = 10_000;

function question(): Params<"blocks"> {
  return { ...period(), spark: shows("spark") };
}

/**
 * The blocks, as fast as can be: at first those at the top as the server sorts and filters them, then all, which the page
 * sorts and filters itself. Where there are too many for that, it remains with the server.
 */
function useBlocks() {
  const begun = useSignal(false);
  const all = useAnswer(() => (begun.value ? { path: "blocks", params: { ...question(), trend: shows("trend"), limit: MOST } } : undefined));
  const tooMany = () => (all.data.value?.matched ?? 0) > MOST;
  const local = () => (all.data.value && !tooMany() ? parseFilter(param("filter")) : undefined);
  const narrow = useAnswer(() => {
    if (local()) return undefined;
    const own = { filter: param("filter"), sort: param("sort", "self"), reverse: param("reverse") === "1" };
    return { path: "blocks", params: { ...question(), ...own, ...(tooMany() ? { trend: shows("trend"), limit: MOST } : { limit: QUICK }) } };
  });
  const answered = narrow.data.value !== undefined || narrow.error.value !== undefined;
  useEffect(() => {
    begun.value = answered;
  }, [answered]);
  const filter = local();
  const data = all.data.value;
  const rows = useMemo(() => (filter && data ? data.blocks.filter(filter) : undefined), [data, param("filter")]);
  const blocks = useMemo(() => rows && sorted(rows, param("sort", "self"), param("reverse") === "1"), [rows, param("sort"), param("reverse")]);
  return blocks ? { resource: all, blocks } : { resource: narrow, blocks: undefined };
}

export function BlocksView() {
  const columns = param("columns") ? param("columns").split(",") : DEFAULT_COLUMNS;
  const { resource, blocks } = useBlocks();
  const shown = useMemo(() => COLUMNS.filter((c) => columns.includes(c.id)), [columns.join(",")]);
  return (
    <>
      <h1 class="hidden">Blocks</h1>
      <Traffic wait={resource.data.value === undefined && resource.error.value === undefined} />
      <div class="tools">
        <Filter placeholder='Filter: checkout service:cart p99>20ms errors>0 (press "/")' rest={blocks ? 0 : 250} />
        <ColumnChooser chosen={columns} />
        <span class="downloads">
          Download{" "}
          {["csv", "pprof", "html", "folded"].map((format) => (
            <a key={format} href={apiHref({ path: "profile", params: { ...period(), format } })} download>
              {format}
            </a>
          ))}
        </span>
      </div>
      <Answer of={resource}>{(data) => <Rows of={data} blocks={blocks} columns={shown} />}</Answer>
    </>
  );
}

function Rows(props: { of: Blocks; blocks: BlockRow[] | undefined; columns: Column<BlockRow>[] }) {
  const rows = props.blocks ?? props.of.blocks;
  const matched = props.blocks?.length ?? props.of.matched;
  const sum = useMemo(() => (props.blocks ? sums(props.blocks) : props.of.sum), [props.blocks, props.of]);
  if (rows.length === 0) return <Empty what="blocks" narrowed={Boolean(param("filter") || param("service") || param("since"))} />;
  return (
    <>
      <p class="summary" role="status">
        {matched} {matched === 1 ? "block" : "blocks"}, {count(sum.count)} calls, {count(sum.errors)} errors, {duration(sum.self_ns)} of self time
        {rows.length === MOST && matched > MOST && `; the first ${MOST} are shown`}
      </p>
      <Table
        rows={rows}
        id={(b) => b.id}
        columns={props.columns}
        sort={param("sort", "self")}
        reverse={param("reverse") === "1"}
        onSort={(sort, reverse) => setParams({ sort, reverse: reverse ? "1" : "" })}
        caption="Statistics of every call site"
      />
    </>
  );
}

function sums(blocks: BlockRow[]): Pick<Stats, "count" | "errors" | "self_ns"> {
  const sum = { count: 0, errors: 0, self_ns: 0 };
  for (const { stats } of blocks) {
    sum.count += stats.count;
    sum.errors += stats.errors;
    sum.self_ns += stats.self_ns;
  }
  return sum;
}

function shows(column: string): boolean {
  const columns = address.value.params.get("columns");
  return columns ? columns.split(",").includes(column) : DEFAULT_COLUMNS.includes(column);
}

/** A field whose text is the parameter "filter", when typing rests for some ms. */
function Filter(props: { placeholder: string; rest: number }) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (
    <input
      type="search"
      class="filter"
      data-search
      aria-label="Filter"
      placeholder={props.placeholder}
      value={param("filter")}
      onInput={(e) => {
        const text = e.currentTarget.value;
        clearTimeout(timer);
        timer = setTimeout(() => setParams({ filter: text }, true), props.rest);
      }}
    />
  );
}

function ColumnChooser(props: { chosen: string[] }) {
  const toggle = (id: string, on: boolean) => {
    const next = COLUMNS.map((c) => c.id).filter((c) => (c === id ? on : props.chosen.includes(c)));
    setParams({ columns: next.join(",") === DEFAULT_COLUMNS.join(",") ? "" : next.join(",") }, true);
  };
  return (
    <details class="menu">
      <summary>Columns</summary>
      <fieldset>
        <legend class="hidden">Columns</legend>
        {COLUMNS.slice(1).map((c) => (
          <label key={c.id}>
            <input type="checkbox" checked={props.chosen.includes(c.id)} onChange={(e) => toggle(c.id, e.currentTarget.checked)} /> {c.title}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
