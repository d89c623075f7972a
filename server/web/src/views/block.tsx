import { address, hrefOf, param, setParams } from "../address";
import { Answer } from "../answer";
import type { Block, BlockRow, Exemplar, Neighbour, Stats } from "../api";
import { clock, count, duration, middle, percent, visible } from "../format";
import { Name } from "../name";
import { HeatMapChart, type Part } from "../heatmap";
import { HistogramChart } from "../histogram";
import { useAnswer } from "../resource";

/** The id in the address; empty once another view is shown. */
function id(): string {
  const [view, block] = address.value.path.split("/");
  return view === "block" ? (block ?? "") : "";
}

function period() {
  return { since: param("since", "1h"), until: param("until") };
}

export function BlockView() {
  const answer = useAnswer(() => (id() ? { path: "blocks/{id}", id: id(), params: period() } : undefined));
  return <Answer of={answer}>{(data) => <Content of={data} />}</Answer>;
}

function Content(props: { of: Block }) {
  const { block, histogram } = props.of;
  const by = param("by") === "time" ? "time" : "count";
  return (
    <article class="block">
      <Head block={block} />
      <Figures block={block} />
      <div class="pair">
        <section>
          <h2>
            Durations{" "}
            <span class="switch" role="group" aria-label="Height of the bars">
              <button type="button" aria-pressed={by === "count"} onClick={() => setParams({ by: "" }, true)}>
                by calls
              </button>
              <button type="button" aria-pressed={by === "time"} onClick={() => setParams({ by: "time" }, true)}>
                by time
              </button>
              <button type="button" aria-pressed={param("heights") === "log"} onClick={() => setParams({ heights: param("heights") ? "" : "log" }, true)}>
                log heights
              </button>
            </span>
          </h2>
          <HistogramChart {...histogram} series={[{ label: "calls", class: "first", counts: histogram.counts }]} by={by} logarithmic={param("heights") === "log"} marks={quantiles(block.stats)} />
        </section>
        <OverTime block={block} />
      </div>
      <div class="pair">
        <Neighbours title="Called by" of={props.of.callers} none="Nothing in this period called it." />
        <Neighbours title="Calls" of={props.of.callees} none="It called nothing that has spans." />
      </div>
    </article>
  );
}

function quantiles(s: Stats): [string, number][] {
  return [
    ["p50", s.p50_ns],
    ["p95", s.p95_ns],
    ["p99", s.p99_ns],
  ];
}

function Head(props: { block: BlockRow }) {
  const b = props.block;
  return (
    <header class="title">
      <h1 title={visible(b.name)}>
        <Name of={b.name} most={120} /> <span class="kind">{b.kind}</span>
      </h1>
      <p class="summary">
        <a href={hrefOf("blocks", { service: b.service })}><Name of={b.service} /></a>
        {b.track && ` · ${middle(b.track, 80)}`}
        {b.file && (
          <>
            {" "}
            · <span title={visible(b.function)}>{middle(b.function, 60)}</span>{" "}
            <code title={visible(b.file)}>
              {middle(b.file, 60)}:{b.line}
            </code>
          </>
        )}
      </p>
      <p class="actions">
        <Example of={b.stats.slowest} text="Slowest trace" />
        <Example of={b.stats.last_error} text="Last error" />
        <a href={hrefOf("traces", { service: b.service, name: b.name, kind: searchable(b.kind) })}>Find its traces</a>
        <a href={hrefOf("flame", { q: b.name })}>In the flame graph</a>
      </p>
    </header>
  );
}

/** The kind for a search; blocks and unspecified spans cannot be looked for by it. */
function searchable(kind: string): string {
  return kind === "block" || kind === "unspecified" ? "" : kind;
}

function Example(props: { of: Exemplar | null; text: string }) {
  const e = props.of;
  if (!e) return null;
  return (
    <a href={hrefOf("trace/" + e.trace_id, { span: e.span_id })}>
      {props.text} ({duration(e.duration_ns)})
    </a>
  );
}

function Figures(props: { block: BlockRow }) {
  const s = props.block.stats;
  const figures: [string, string, string?][] = [
    ["calls", count(s.count), `${count(s.rate)}/s`],
    ["errors", count(s.errors), percent(s.error_rate)],
    ["total", duration(s.total_ns)],
    ["self", duration(s.self_ns), percent(props.block.self_share) + " of all"],
    ["critical", duration(s.critical_ns), percent(props.block.critical_share) + " of all"],
    ["mean", duration(s.mean_ns), "± " + duration(s.stddev_ns)],
    ["min", duration(s.min_ns)],
    ["p50", duration(s.p50_ns)],
    ["p90", duration(s.p90_ns)],
    ["p95", duration(s.p95_ns)],
    ["p99", duration(s.p99_ns)],
    ["p99.9", duration(s.p999_ns)],
    ["max", duration(s.max_ns)],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={name === "errors" && s.errors > 0 ? "bad" : ""}>
            {value}
            {more && <small> {more}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The part of the heat map that the address says is selected. */
function selected(): Part | null {
  const [from, to, min, max] = param("part").split(",").map(Number);
  return from && to && min && max ? { from, to, min, max } : null;
}

function OverTime(props: { block: BlockRow }) {
  const answer = useAnswer(() => (id() ? { path: "blocks/{id}/heatmap", id: id(), params: { ...period(), buckets: 48 } } : undefined));
  const part = selected();
  return (
    <section>
      <h2>
        Over time <small>drag to find traces</small>
      </h2>
      <Answer of={answer}>
        {(map) =>
          map.times.length === 0 ? (
            <p class="summary">Nothing in this period.</p>
          ) : (
            <HeatMapChart
              of={map}
              selected={part}
              onSelect={(p) => setParams({ part: [p.from, p.to, p.min, p.max].map(Math.round).join(",") })}
            />
          )
        }
      </Answer>
      {part && <Examples block={props.block} part={part} />}
    </section>
  );
}

function Examples(props: { block: BlockRow; part: Part }) {
  const b = props.block;
  const answer = useAnswer(() => {
    const p = selected();
    if (!p) return undefined;
    return {
      path: "traces",
      params: {
        service: b.service,
        name: b.name,
        kind: searchable(b.kind),
        since: new Date(p.from).toISOString(),
        until: new Date(p.to).toISOString(),
        min_duration: p.min + "ns",
        max_duration: p.max + "ns",
        limit: 10,
      },
    };
  });
  return (
    <>
      <p class="summary">
        Traces with a call of {duration(props.part.min)} to {duration(props.part.max)}{" "}
        <button type="button" class="quiet" onClick={() => setParams({ part: "" })}>
          Clear
        </button>
      </p>
      <Answer of={answer}>
        {(found) =>
          found.traces.length === 0 ? (
            <p class="summary">There is none here.</p>
          ) : (
            <ul class="examples">
              {found.traces.map((t) => (
                <li key={t.trace_id}>
                  <a href={hrefOf("trace/" + t.trace_id)}><Name of={t.root_name} most={40} /></a> {duration(t.duration_ns)}, {count(t.spans)} spans,{" "}
                  {clock(t.start)}
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
    </>
  );
}

function Neighbours(props: { title: string; of: Neighbour[]; none: string }) {
  const all = [...props.of].sort((a, b) => b.stats.total_ns - a.stats.total_ns);
  return (
    <section>
      <h2>{props.title}</h2>
      {all.length === 0 ? (
        <p class="summary">{props.none}</p>
      ) : (
        <div class="table short" tabIndex={0} role="region" aria-label={props.title}>
          <table>
            <thead>
              <tr>
                {["Name", "Service", "Calls", "Errors", "Total", "p50", "p99"].map((t, i) => (
                  <th key={t} scope="col" class={i < 2 ? "text" : "figure"}>
                    {t}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {all.slice(0, 200).map(({ site, stats }) => (
                <tr key={site?.id ?? ""}>
                  <td class="text site">{site ? <a href={hrefOf("block/" + site.id)}><Name of={site.name} most={44} /></a> : "(start of a trace)"}</td>
                  <td class="text">{site && <Name of={site.service} most={20} />}</td>
                  <td class="figure">{count(stats.count)}</td>
                  <td class="figure">{stats.errors > 0 ? <span class="bad">{count(stats.errors)}</span> : "0"}</td>
                  <td class="figure">{duration(stats.total_ns)}</td>
                  <td class="figure">{duration(stats.p50_ns)}</td>
                  <td class="figure">{duration(stats.p99_ns)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
