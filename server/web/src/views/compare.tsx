import { useMemo, useState } from "preact/hooks";

import { cssColor } from "../../../../report/html/color.js";
import { hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import type { Change, Diff, DiffSide, DiffSides, Site, Verdict } from "../api";
import { changeRGB } from "../changecolor";
import { FlameBox, nodeAt, pathOf } from "../flamebox";
import { clock, count, duration, named, percent, visible } from "../format";
import { Name } from "../name";
import { HistogramChart } from "../histogram";
import { useAnswer } from "../resource";
import { type Column, Table } from "../table";
import { isDark } from "../theme";

const SIDES = ["before", "after"] as const;
type Side = (typeof SIDES)[number];

/** Periods to choose from: since and until, as durations before now. */
const PERIODS: Record<Side, [string, string, string][]> = {
  before: [
    ["10m", "5m", "5 to 10 minutes ago"],
    ["30m", "15m", "15 to 30 minutes ago"],
    ["2h", "1h", "1 to 2 hours ago"],
    ["25h", "24h", "this hour yesterday"],
  ],
  after: [
    ["5m", "", "last 5 minutes"],
    ["15m", "", "last 15 minutes"],
    ["1h", "", "last hour"],
  ],
};

const DEFAULT: Record<Side, [string, string]> = { before: ["30m", "15m"], after: ["15m", ""] };

/** The parameters of one side, as the server names them. */
function sideOf(side: Side): Partial<Record<DiffSides, string>> {
  const snapshot = param(side + "_snapshot");
  if (snapshot) return { [side + "_snapshot"]: snapshot };
  const since = param(side + "_since");
  const [defaultSince, defaultUntil] = DEFAULT[side];
  return { [side + "_since"]: since || defaultSince, [side + "_until"]: since ? param(side + "_until") : defaultUntil };
}

export function CompareView() {
  const flame = param("as") === "flame";
  const answer = useAnswer(() => ({
    path: "diff",
    params: { ...sideOf("before"), ...sideOf("after"), service: param("service"), histograms: true, nodes: param("as") === "flame", limit: 5000 },
  }));
  return (
    <>
      <h1 class="hidden">Compare</h1>
      <div class="sides">
        {SIDES.map((side) => (
          <SidePicker key={side} side={side} />
        ))}
        <span class="switch" role="group" aria-label="Show the changes as">
          <button type="button" aria-pressed={!flame} onClick={() => setParams({ as: "" })}>
            table
          </button>
          <button type="button" aria-pressed={flame} onClick={() => setParams({ as: "flame" })}>
            flame graph
          </button>
        </span>
      </div>
      <Answer of={answer}>
        {(diff) => (diff.changes.length === 0 ? <Empty what="blocks" narrowed={true} /> : <Content diff={diff} flame={flame} />)}
      </Answer>
    </>
  );
}

function SidePicker(props: { side: Side }) {
  const { side } = props;
  const saved = useAnswer(() => ({ path: "snapshots" }));
  const now = sideOf(side);
  const snapshot = now[`${side}_snapshot`] ?? "";
  const since = now[`${side}_since`] ?? "";
  const until = now[`${side}_until`] ?? "";
  const value = snapshot ? "snapshot:" + snapshot : since + "/" + until;
  const known = Boolean(snapshot) || PERIODS[side].some(([a, b]) => a === since && b === until);
  const choose = (text: string) => {
    const name = text.startsWith("snapshot:") ? text.slice("snapshot:".length) : "";
    const [a = "", b = ""] = name ? [] : text.split("/");
    setParams({ [side + "_snapshot"]: name, [side + "_since"]: a, [side + "_until"]: b });
  };
  const input = (name: string, text: string, hint: string) => (
    <input
      type="text"
      aria-label={`${side}, ${name}`}
      placeholder={hint}
      value={text}
      onChange={(e) => setParams({ [side + "_snapshot"]: "", [side + "_since"]: since, [side + "_until"]: until, [`${side}_${name}`]: e.currentTarget.value.trim() })}
    />
  );
  return (
    <fieldset>
      <legend>{side === "before" ? "Before" : "After"}</legend>
      <select aria-label={side} value={value} onChange={(e) => choose(e.currentTarget.value)}>
        {!known && (
          <option value={value} selected>
            another period
          </option>
        )}
        {PERIODS[side].map(([a, b, text]) => (
          <option key={text} value={a + "/" + b} selected={value === a + "/" + b}>
            {text}
          </option>
        ))}
        {saved.data.value?.snapshots.map((s) => (
          <option key={s.name} value={"snapshot:" + s.name} selected={value === "snapshot:" + s.name}>
            snapshot {s.name}
          </option>
        ))}
      </select>
      {!snapshot && (
        <>
          {input("since", since, "since: 30m or a time")} to {input("until", until, "now")}
        </>
      )}
    </fieldset>
  );
}

function Content(props: { diff: Diff; flame: boolean }) {
  const { diff } = props;
  const chosen = diff.changes.find((c) => c.id === param("block"));
  const number = (v: Verdict) => diff.changes.filter((c) => c.verdict === v).length;
  return (
    <>
      <p class="summary">
        <span class={number("regression") > 0 ? "bad" : ""}>{number("regression")} slower or failing more</span>,{" "}
        <span class={number("improvement") > 0 ? "good" : ""}>{number("improvement")} better</span>, {number("appeared")} new, {number("disappeared")} gone,{" "}
        {number("unchanged")} unchanged, {number("inconclusive")} with too few calls. {sideText(diff.before)} against {sideText(diff.after)}.
      </p>
      {chosen && <Chosen change={chosen} />}
      {props.flame && diff.nodes ? <Flame diff={diff} /> : <Changes changes={diff.changes} />}
    </>
  );
}

function sideText(s: DiffSide): string {
  const period = s.since && s.until ? `${clock(s.since, true)} to ${clock(s.until)}` : "nothing";
  return `${s.snapshot || period} (${count(s.count)} calls)`;
}

function ratio(before: number, after: number): string {
  if (before === 0 || after === 0) return "–";
  const change = after / before - 1;
  return (change < 0 ? "−" : "+") + percent(Math.abs(change));
}

/** Figures of both sides. */
function both(before: string, after: string) {
  return (
    <>
      {before}
      <span class="arrow">→</span>
      {after}
    </>
  );
}

const COLUMNS: Column<Change>[] = [
  { id: "verdict", title: "Verdict", text: true, unsorted: true, cell: (c) => <span class={"verdict " + c.verdict}>{c.verdict}</span> },
  {
    id: "name",
    title: "Name",
    text: true,
    unsorted: true,
    cell: (c) => (
      <span class="site">
        <button type="button" class="quiet" title={visible(c.name)} onClick={() => setParams({ block: c.id })}>
          <Name of={c.name} most={50} />
        </button>
        <span class="where"><Name of={c.service} most={24} /></span>
      </span>
    ),
  },
  { id: "mean", title: "Mean", unsorted: true, cell: (c) => both(duration(c.before.mean_ns), duration(c.after.mean_ns)) },
  { id: "change", title: "Change", unsorted: true, cell: (c) => ratio(c.before.mean_ns, c.after.mean_ns) },
  { id: "p95", title: "p95", unsorted: true, cell: (c) => both(duration(c.before.p95_ns), duration(c.after.p95_ns)) },
  { id: "errors", title: "Errors", unsorted: true, cell: (c) => both(percent(c.before.error_rate), percent(c.after.error_rate)) },
  { id: "calls", title: "Calls", unsorted: true, cell: (c) => both(count(c.before.count), count(c.after.count)) },
  { id: "impact", title: "Impact", unsorted: true, cell: (c) => duration(c.impact_ns), hint: "how much longer the calls after took in all, in their own code" },
  { id: "slower", title: "Slower", unsorted: true, cell: (c) => percent(c.superiority), hint: "the probability that a call after takes longer than one before; 50 % is no difference" },
  { id: "q", title: "q", unsorted: true, cell: (c) => Math.min(c.durations.q, c.errors.q).toPrecision(2), hint: "the chance of seeing this without any change, for as many blocks" },
];

/** The changes as the server orders them: the important ones first. */
function Changes(props: { changes: Change[] }) {
  return <Table rows={props.changes} id={(c) => c.id} columns={COLUMNS} sort="" reverse={false} onSort={() => {}} caption="What changed, the important first" />;
}

function Chosen(props: { change: Change }) {
  const c = props.change;
  const h = c.histograms;
  return (
    <section class="chosen-change" aria-label="The chosen change">
      <p class="actions">
        <strong><Name of={c.name} most={80} /></strong> <span class={"verdict " + c.verdict}>{c.verdict}</span>
        <span>
          <span class="key-before" /> before <span class="key-after" /> after
        </span>
        <a href={hrefOf("block/" + c.id)}>In detail</a>
        {c.after.slowest && <a href={hrefOf("trace/" + c.after.slowest.trace_id, { span: c.after.slowest.span_id })}>Slowest trace after</a>}
        <button type="button" class="quiet" onClick={() => setParams({ block: "" })}>
          Close
        </button>
      </p>
      {h && (
        <HistogramChart
          scale={h.scale}
          offset={h.offset}
          by="count"
          shares
          series={[
            { label: "before", class: "before", counts: h.before },
            { label: "after", class: "after", counts: h.after },
          ]}
        />
      )}
    </section>
  );
}

function Flame(props: { diff: Diff }) {
  const nodes = props.diff.nodes as NonNullable<Diff["nodes"]>;
  const blocks = props.diff.blocks ?? [];
  const siteOf = (node: number) => blocks[nodes.block[node] ?? 0] as Site;
  const data = useMemo(
    () => ({
      parent: nodes.parent,
      metrics: { total: { values: nodes.after_total_ns.map((after, i) => Math.max(after, nodes.before_total_ns[i] ?? 0)), inclusive: true } },
      label: (node: number) => (node < 0 ? "everything" : visible(named(siteOf(node).name))),
    }),
    [nodes],
  );
  const search = param("q");
  const matches = useMemo(() => {
    const text = search.toLowerCase();
    const hits = blocks.map((b) => `${b.name} ${b.service}`.toLowerCase().includes(text));
    return text ? (node: number) => hits[nodes.block[node] ?? 0] ?? false : null;
  }, [search, nodes]);
  const [found, setFound] = useState<{ matches: number; share: number } | null>(null);
  const perCall = (total: number[], calls: number[], node: number) => (calls[node] ? (total[node] ?? 0) / (calls[node] ?? 1) : 0);
  const before = (node: number) => perCall(nodes.before_total_ns, nodes.before_count, node);
  const after = (node: number) => perCall(nodes.after_total_ns, nodes.after_count, node);
  return (
    <>
      <div class="tools">
        <input
          type="search"
          class="filter"
          data-search
          aria-label="Search the flame graph"
          placeholder='Search names, services (press "/")'
          value={search}
          onInput={(e) => setParams({ q: e.currentTarget.value }, true)}
        />
        {search && found && (
          <span role="status">
            {found.matches} frames, {percent(found.share)} of the width
          </span>
        )}
      </div>
      <p class="summary">The width is the total time, of the longer side. Red took longer per call, blue shorter; what may be chance is grey.</p>
      <FlameBox
        data={data}
        metric="total"
        zoom={nodeAt(props.diff, param("zoom"))}
        onZoom={(node) => setParams({ zoom: pathOf(props.diff, node) }, true)}
        matches={matches}
        onFound={setFound}
        color={(node) => cssColor(changeRGB(nodes.verdict[node] ?? "unchanged", before(node) ? after(node) / before(node) - 1 : 1, isDark.value))}
        describe={(node, hidden) => ({
          title: hidden > 0 ? `${hidden} small frames` : node < 0 ? "everything" : visible(named(siteOf(node).name)),
          rows:
            node < 0 || hidden > 0
              ? []
              : [
                  ["verdict", nodes.verdict[node] ?? ""],
                  ["per call before", duration(before(node))],
                  ["per call after", duration(after(node))],
                  ["change", ratio(before(node), after(node))],
                  ["calls", `${count(nodes.before_count[node] ?? 0)} → ${count(nodes.after_count[node] ?? 0)}`],
                ],
          notes: node < 0 ? [] : [visible(siteOf(node).service)],
        })}
      />
    </>
  );
}
