import { useMemo } from "preact/hooks";

import { address, hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import { apiHref, type BlockRow, type Blocks } from "../api";
import { count, duration, middle, named, percent, shortPath, visible } from "../format";
import { useAnswer } from "../resource";
import { Spark } from "../spark";
import { Table, type Column } from "../table";
import { Traffic } from "../traffic";

/** The columns, in their order; those marked as extra are off at first. */
const COLUMNS: (Column<BlockRow> & { extra?: boolean })[] = [
  { id: "name", title: "Name", text: true, grow: true, cell: nameCell, hint: "the span's name, its kind and where it starts" },
  { id: "service", title: "Service", text: true, cell: (b) => middle(named(b.service), 24) },
  { id: "track", title: "Track", text: true, extra: true, cell: (b) => middle(named(b.track), 30), hint: "the instrumentation scope" },
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
        {middle(named(b.name), 64)}
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

function question() {
  return {
    service: param("service"),
    filter: param("filter"),
    since: param("since", "1h"),
    until: param("until"),
  };
}

export function BlocksView() {
  const columns = param("columns") ? param("columns").split(",") : DEFAULT_COLUMNS;
  const answer = useAnswer<Blocks>(() => ({
    path: "blocks",
    params: {
      ...question(),
      sort: param("sort", "self"),
      reverse: param("reverse") === "1",
      limit: 5000,
      spark: shows("spark"),
      trend: shows("trend"),
    },
  }));
  const shown = useMemo(() => COLUMNS.filter((c) => columns.includes(c.id)), [columns.join(",")]);
  return (
    <>
      <h1 class="hidden">Blocks</h1>
      <Traffic />
      <div class="tools">
        <Filter placeholder='Filter: checkout service:cart p99>20ms errors>0 (press "/")' />
        <ColumnChooser chosen={columns} />
        <span class="downloads">
          Download{" "}
          {["csv", "pprof", "html", "folded"].map((format) => (
            <a key={format} href={apiHref("profile", { ...question(), filter: undefined, format })} download>
              {format}
            </a>
          ))}
        </span>
      </div>
      <Answer of={answer}>
        {(data) =>
          data.blocks.length === 0 ? (
            <Empty what="blocks" narrowed={Boolean(param("filter") || param("service") || param("since"))} />
          ) : (
            <>
              <p class="summary">
                {data.matched} {data.matched === 1 ? "block" : "blocks"}, {count(data.sum.count)} calls, {count(data.sum.errors)} errors,{" "}
                {duration(data.sum.self_ns)} of self time
                {data.matched > data.blocks.length && `; the first ${data.blocks.length} are shown`}
              </p>
              <Table
                rows={data.blocks}
                id={(b) => b.id}
                columns={shown}
                sort={param("sort", "self")}
                reverse={param("reverse") === "1"}
                onSort={(sort, reverse) => setParams({ sort, reverse: reverse ? "1" : "" })}
                caption="Statistics of every call site"
              />
            </>
          )
        }
      </Answer>
    </>
  );
}

function shows(column: string): boolean {
  const columns = address.value.params.get("columns");
  return columns ? columns.split(",").includes(column) : DEFAULT_COLUMNS.includes(column);
}

/** A field whose text is the parameter "filter", sent when typing rests. */
export function Filter(props: { placeholder: string }) {
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
        timer = setTimeout(() => setParams({ filter: text }, true), 250);
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
