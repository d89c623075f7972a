import { useMemo } from "preact/hooks";

import { go, hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import type { TraceSummary } from "../api";
import { clock, count, duration, middle, named } from "../format";
import { Name } from "../name";
import { useAnswer } from "../resource";
import { type Column, Table } from "../table";

const KINDS = ["", "server", "client", "producer", "consumer", "internal"];

/** What is looked for, besides the service and the period. */
const FIELDS = ["name", "kind", "min", "max", "attribute", "errors"];

export function TracesView() {
  const answer = useAnswer(() => ({
    path: "traces",
    params: {
      service: param("service"),
      since: param("since", "1h"),
      until: param("until"),
      name: param("name"),
      kind: param("kind"),
      min_duration: param("min").replaceAll(" ", ""),
      max_duration: param("max").replaceAll(" ", ""),
      attribute: attributes(param("attribute")),
      errors: param("errors") === "1",
      limit: param("limit", "200"),
    },
  }));
  return (
    <>
      <h1 class="hidden">Traces</h1>
      <Search />
      <Answer of={answer}>
        {(data) =>
          data.traces.length === 0 ? (
            <Empty what="traces" narrowed={Boolean(param("service") || FIELDS.some((f) => param(f)) || param("since"))} />
          ) : (
            <Results of={data.traces} />
          )
        }
      </Answer>
    </>
  );
}

/** The terms of the field for attributes: key=value, between spaces; a value with spaces stands in quotes. */
function attributes(text: string): string[] {
  return [...text.matchAll(/([^\s=]+)=(?:"([^"]*)"|(\S*))/g)].map((m) => m[1] + "=" + (m[2] ?? m[3] ?? ""));
}

function Search() {
  const field = (name: string, label: string, placeholder: string, size: number) => (
    <label>
      {label}{" "}
      <input type="text" name={name} size={size} placeholder={placeholder} value={param(name)} onChange={(e) => setParams({ [name]: e.currentTarget.value.trim() })} />
    </label>
  );
  return (
    <form class="tools" role="search" onSubmit={(e) => e.preventDefault()}>
      <label>
        Name{" "}
        <input data-search type="search" name="name" size={22} placeholder='exact, such as GET / (press "/")' value={param("name")} onChange={(e) => setParams({ name: e.currentTarget.value })} />
      </label>
      <label>
        Kind{" "}
        <select value={param("kind")} onChange={(e) => setParams({ kind: e.currentTarget.value })}>
          {KINDS.map((k) => (
            <option key={k} value={k} selected={k === param("kind")}>
              {k || "any"}
            </option>
          ))}
        </select>
      </label>
      {field("min", "Longer than", "20ms", 7)}
      {field("max", "Shorter than", "1s", 7)}
      {field("attribute", "Attributes", "http.route=/cart user=7", 24)}
      <label>
        <input type="checkbox" checked={param("errors") === "1"} onChange={(e) => setParams({ errors: e.currentTarget.checked ? "1" : "" })} /> errors only
      </label>
      <label>
        Id{" "}
        <input
          type="text"
          size={14}
          placeholder="open a trace"
          onChange={(e) => {
            const id = e.currentTarget.value.trim();
            if (/^[0-9a-f]{1,32}$/i.test(id)) go(hrefOf("trace/" + id.toLowerCase()));
            else if (id) e.currentTarget.setCustomValidity("An id has up to 32 hexadecimal digits.");
            e.currentTarget.reportValidity();
          }}
          onInput={(e) => e.currentTarget.setCustomValidity("")}
        />
      </label>
    </form>
  );
}

/** How to compare two traces for each column. */
const ORDERS: Record<string, (a: TraceSummary, b: TraceSummary) => number> = {
  start: (a, b) => Date.parse(b.start) - Date.parse(a.start),
  root: (a, b) => a.root_name.localeCompare(b.root_name),
  duration: (a, b) => b.duration_ns - a.duration_ns,
  spans: (a, b) => b.spans - a.spans,
  errors: (a, b) => b.errors - a.errors,
};

function Results(props: { of: TraceSummary[] }) {
  const sort = param("sort", "start");
  const reverse = param("reverse") === "1";
  const rows = useMemo(() => {
    const sorted = [...props.of].sort(ORDERS[sort] ?? ORDERS.start);
    return reverse ? sorted.reverse() : sorted;
  }, [props.of, sort, reverse]);
  const longest = Math.max(...props.of.map((t) => t.duration_ns), 1);
  const columns: Column<TraceSummary>[] = [
    { id: "root", title: "Root", text: true, grow: true, cell: rootCell },
    { id: "start", title: "Start", cell: (t) => clock(t.start, true) },
    {
      id: "duration",
      title: "Duration",
      cell: (t) => (
        <span class="bar" style={{ "--share": String(t.duration_ns / longest) }}>
          {duration(t.duration_ns)}
        </span>
      ),
    },
    { id: "spans", title: "Spans", cell: (t) => count(t.spans) },
    { id: "errors", title: "Errors", cell: (t) => (t.errors > 0 ? <span class="bad">{count(t.errors)}</span> : "0") },
    { id: "services", title: "Services", text: true, unsorted: true, cell: services },
  ];
  return (
    <>
      <p class="summary">
        {rows.length} {rows.length === 1 ? "trace" : "traces"}
        {String(rows.length) === param("limit", "200") && (
          <>
            , the latest; <a href={hrefOf("traces", { ...present(), limit: "1500" })}>show more</a>
          </>
        )}
      </p>
      <Table
        rows={rows}
        id={(t) => t.trace_id}
        columns={columns}
        sort={sort}
        reverse={reverse}
        onSort={(column, turned) => setParams({ sort: column, reverse: turned ? "1" : "" })}
        caption="Traces that match"
      />
    </>
  );
}

function present(): Record<string, string> {
  return Object.fromEntries(FIELDS.map((f) => [f, param(f)]));
}

function rootCell(t: TraceSummary) {
  return (
    <span class="site">
      <a href={hrefOf("trace/" + t.trace_id)}><Name of={t.root_name} most={60} /></a>
      <span class="where"><Name of={t.root_service} most={30} /></span>
      {t.orphans > 0 && <span class="kind">{count(t.orphans)} without parent</span>}
    </span>
  );
}

function services(t: TraceSummary) {
  return middle(t.services.map((s) => `${named(s.name)} ${s.spans}`).join(", "), 70);
}
