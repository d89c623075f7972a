import { useEffect, useMemo } from "preact/hooks";

import { address, hrefOf, param, setParams } from "../address";
import { Answer } from "../answer";
import type { Attribute, Span, Trace } from "../api";
import { clock, count, duration, middle, named, percent, visible } from "../format";
import { Name } from "../name";
import { useAnswer } from "../resource";
import { SpanIndex } from "../spanindex";
import { rankText, Waterfall, type Window } from "../waterfall";

/** The id in the address; empty once another view is shown. */
function id(): string {
  const [view, trace] = address.value.path.split("/");
  return view === "trace" ? (trace ?? "") : "";
}

export function TraceView() {
  // A trace that is too large for an answer comes without attributes, events and links; those of a span follow when it is chosen.
  const answer = useAnswer(() => (id() ? { path: "traces/{id}", id: id(), params: { bare: "auto" } } : undefined));
  return <Answer of={answer}>{(trace) => <Content trace={trace} />}</Answer>;
}

function Content(props: { trace: Trace }) {
  const { spans } = props.trace;
  const byID = useMemo(() => new Map(spans.map((s, i) => [s.span_id, i])), [spans]);
  const selected = byID.get(param("span")) ?? -1;
  const zoomed = spans[byID.get(param("zoom")) ?? -1];
  const window: Window = zoomed
    ? { from: zoomed.start_ns, to: zoomed.start_ns + zoomed.duration_ns }
    : { from: 0, to: props.trace.duration_ns };
  const search = param("q");
  const index = useMemo(() => new SpanIndex(spans), [spans]);
  useEffect(() => index.prepare(), [index]);
  const matches = useMemo(() => index.find(search), [index, search]);
  const select = (index: number) => setParams({ span: spans[index]?.span_id ?? "" }, true);
  return (
    <>
      <Head trace={props.trace} />
      <div class="tools">
        <input
          type="search"
          class="filter"
          data-search
          aria-label="Search the trace"
          placeholder='Search names, services, attributes (press "/"; Enter: next)'
          value={search}
          onInput={(e) => setParams({ q: e.currentTarget.value }, true)}
          onKeyDown={(e) => {
            if (e.key === "Enter" && matches?.size) select(next(matches, selected));
          }}
        />
        {matches && <span role="status">{count(matches.size)} found</span>}
        {props.trace.bare && <span>The trace is large: attributes and events are shown of the chosen span alone, and not searched.</span>}
        <span class="legend">
          <span class="swatch" aria-hidden="true" /> on the critical path
        </span>
        {zoomed && (
          <button type="button" onClick={() => setParams({ zoom: "" })}>
            Show the whole trace
          </button>
        )}
      </div>
      <div class="trace">
        <div class="lanes">
          <Ruler window={window} />
          <Waterfall spans={spans} window={window} selected={selected} matches={matches} onSelect={select} />
        </div>
        {selected >= 0 && (props.trace.bare ? <Single trace={props.trace} span={spans[selected] as Span} /> : <Details trace={props.trace} span={spans[selected] as Span} />)}
      </div>
    </>
  );
}

/** The first match behind the selected span, or the first of all. */
function next(matches: Set<number>, selected: number): number {
  const all = [...matches];
  return all.find((i) => i > selected) ?? all[0] ?? -1;
}

function Head(props: { trace: Trace }) {
  const t = props.trace;
  const jaeger = useAnswer(() => ({ path: "status" })).data.value?.endpoints.jaeger_ui;
  const root = t.spans.find((s) => s.parent < 0);
  const errors = useMemo(() => t.spans.filter((s) => s.status === "error").length, [t]);
  const services = useMemo(() => new Set(t.spans.map((s) => s.service)).size, [t]);
  return (
    <header class="title">
      <h1 title={visible(root?.name ?? "")}>{middle(named(root?.name ?? ""), 100)}</h1>
      <p class="summary">
        {duration(t.duration_ns)}, {count(t.spans.length)} spans of {services} {services === 1 ? "service" : "services"},{" "}
        {errors > 0 ? <span class="bad">{count(errors)} errors</span> : "no errors"}, {clock(t.start, true)}, trace <code>{t.trace_id}</code>
        {t.duplicates > 0 && `, ${count(t.duplicates)} spans came twice`}
        {jaeger && (
          <>
            {", "}
            <a href={`${jaeger}/trace/${t.trace_id}`} target="_blank" rel="noreferrer">
              open in Jaeger
            </a>
          </>
        )}
      </p>
    </header>
  );
}

function Ruler(props: { window: Window }) {
  const width = props.window.to - props.window.from;
  return (
    <div class="ruler" aria-hidden="true">
      <span class="what" />
      <span class="lane">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part} class={part === 1 ? "moment end" : "moment"} style={part === 1 ? { right: 0 } : { left: `${100 * part}%` }}>
            {duration(props.window.from + part * width)}
          </span>
        ))}
      </span>
      <span class="rank">rank</span>
    </div>
  );
}

/** A span of a trace that came without the details. */
function Single(props: { trace: Trace; span: Span }) {
  const answer = useAnswer(() => (id() && param("span") ? { path: "traces/{id}", id: id(), params: { span: param("span") } } : undefined));
  const full = answer.data.value?.spans[0];
  return <Details trace={props.trace} span={full?.span_id === props.span.span_id ? full : props.span} />;
}

function Details(props: { trace: Trace; span: Span }) {
  const { span: s, trace } = props;
  const origin = trace.origins[s.origin];
  const figures: [string, string][] = [
    ["service", visible(named(s.service))],
    ["kind", s.kind],
    ["start", "+" + duration(s.start_ns)],
    ["duration", duration(s.duration_ns)],
    ["self", `${duration(s.self_ns)} (${percent(s.duration_ns > 0 ? s.self_ns / s.duration_ns : 0)})`],
    ["critical", duration(s.critical_ns)],
    ["rank", rankText(s.rank) || "not known"],
    ["status", s.status + (s.status_message ? ": " + visible(s.status_message) : "")],
  ];
  const odd = [s.orphan && "Its parent is not in the trace.", s.cut && "It was its own ancestor.", s.moved && "Its clock differs from its parent's; self time is computed with its times moved.", s.backward && "It ended before it started, and counts as if it had taken no time."];
  return (
    <aside class="details" aria-label="The selected span">
      <h2 title={visible(s.name)}><Name of={s.name} most={120} /></h2>
      <p class="actions">
        <a href={hrefOf("block/" + s.block)}>Its block</a>
        <button type="button" class="quiet" onClick={() => setParams({ zoom: s.span_id })}>
          Zoom to it
        </button>
        <button type="button" class="quiet" onClick={() => setParams({ span: "" }, true)}>
          Close
        </button>
      </p>
      <Pairs of={figures} />
      {odd.filter(Boolean).map((text) => (
        <p key={String(text)} class="summary">
          {text}
        </p>
      ))}
      <Attributes title="Attributes" of={s.attributes} dropped={s.dropped.attributes} />
      {s.events.map((e, i) => (
        <Attributes key={i} title={`Event $<Name of={e.name} most={60} />, +${duration(e.start_ns - s.start_ns)}`} of={e.attributes} always />
      ))}
      {s.links.map((l, i) => (
        <div key={i}>
          <h3>
            Link to <a href={hrefOf("trace/" + l.trace_id, { span: l.span_id })}>{l.trace_id}</a>
          </h3>
          <Pairs of={l.attributes.map((a) => [a.key, a.value])} />
        </div>
      ))}
      {origin && <Attributes title="Resource" of={origin.attributes} />}
      {origin && (
        <>
          <h3>Scope</h3>
          <Pairs of={[["name", visible(origin.scope_name + " " + origin.scope_version)], ...origin.scope_attributes.map((a): [string, string] => [a.key, a.value])]} />
        </>
      )}
      <h3>Ids</h3>
      <Pairs
        of={[
          ["span", s.span_id],
          ["parent", s.parent_span_id],
        ]}
      />
    </aside>
  );
}

function Attributes(props: { title: string; of: Attribute[]; dropped?: number; always?: boolean }) {
  if (props.of.length === 0 && !props.dropped && !props.always) return null;
  return (
    <>
      <h3>{props.title}</h3>
      <Pairs of={props.of.map((a) => [a.key, a.value])} />
      {props.dropped ? <p class="summary">{count(props.dropped)} were dropped by the sender.</p> : null}
    </>
  );
}

function Pairs(props: { of: [string, string][] }) {
  return (
    <dl class="pairs">
      {props.of.map(([key, value], i) => (
        <div key={i}>
          <dt>{middle(key, 80)}</dt>
          <dd title={value.length > 400 ? visible(value.slice(0, 10_000)) : undefined}>{middle(value, 400)}</dd>
        </div>
      ))}
    </dl>
  );
}
