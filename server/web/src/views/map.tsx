import { useMemo } from "preact/hooks";

import { hrefOf, param } from "../address";
import { Answer, Empty } from "../answer";
import type { ServiceMap } from "../api";
import { count, duration, middle, named, percent, visible } from "../format";
import { Name } from "../name";
import { layered } from "../layers";
import { useAnswer } from "../resource";

const BOX = { width: 168, height: 58 };
const GAP = { x: 190, y: 30 };
const EDGE = 24;

export function MapView() {
  const answer = useAnswer(() => ({ path: "service-map", params: { since: param("since", "1h"), until: param("until") } }));
  return (
    <>
      <h1 class="hidden">Map</h1>
      <Answer of={answer}>{(map) => (map.services.length === 0 ? <Empty what="services" narrowed={Boolean(param("since"))} /> : <Content map={map} />)}</Answer>
    </>
  );
}

function Content(props: { map: ServiceMap }) {
  const { map } = props;
  const places = useMemo(() => layered(map.services.map((s) => s.name), map.calls.map((c) => [c.caller, c.callee])), [map]);
  const tallest = Math.max(...[...places.values()].map((p) => p.of));
  const columns = Math.max(...[...places.values()].map((p) => p.layer)) + 1;
  const width = columns * (BOX.width + GAP.x) - GAP.x + 2 * EDGE;
  const height = tallest * (BOX.height + GAP.y) - GAP.y + 2 * EDGE + 20;
  const corner = (name: string) => {
    const p = places.get(name) ?? { layer: 0, row: 0, of: 1 };
    return { x: EDGE + p.layer * (BOX.width + GAP.x), y: EDGE + 10 + (p.row + (tallest - p.of) / 2) * (BOX.height + GAP.y) };
  };
  const busiest = Math.max(...map.calls.map((c) => c.stats.rate), 1e-9);
  return (
    <>
      <div class="map" tabIndex={0} role="region" aria-label="Services and the calls between them; the table below has the same">
        <svg width={width} height={height} role="group" aria-labelledby="map-title">
          <title id="map-title">Map of services</title>
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 0L8 4L0 8z" fill="currentColor" />
            </marker>
          </defs>
          {map.calls.map((c) => (
            <Call key={c.caller + "\u0000" + c.callee} call={c} from={corner(c.caller)} to={corner(c.callee)} busiest={busiest} />
          ))}
          {map.services.map((s) => (
            <Service key={s.name} service={s} {...corner(s.name)} />
          ))}
        </svg>
      </div>
      <Calls map={map} />
    </>
  );
}

function Service(props: { service: ServiceMap["services"][number]; x: number; y: number }) {
  const { service: s, x, y } = props;
  const r = s.requests;
  return (
    <a href={hrefOf("blocks", { service: s.name })} class={s.errors > 0 ? "service failing" : "service"}>
      <title>{`${visible(named(s.name).slice(0, 4000))}: ${count(s.spans)} spans, ${count(s.errors)} errors, ${duration(s.self_ns)} of self time, ${count(s.operations)} operations`}</title>
      <rect x={x} y={y} width={BOX.width} height={BOX.height} rx={7} />
      <text class="name" x={x + 11} y={y + 20}>
        {middle(named(s.name), 20)}
      </text>
      <text class="soft" x={x + 11} y={y + 36}>
        {r.count > 0 ? `${count(r.rate)}/s, p95 ${duration(r.p95_ns)}` : `${count(s.spans)} spans`}
      </text>
      <text class="soft" x={x + 11} y={y + 50}>
        {s.errors > 0 ? count(s.errors) + " errors" : "no errors"}
      </text>
    </a>
  );
}

function Call(props: { call: ServiceMap["calls"][number]; from: { x: number; y: number }; to: { x: number; y: number }; busiest: number }) {
  const { stats } = props.call;
  const back = props.to.x <= props.from.x;
  const a = { x: props.from.x + (back ? BOX.width / 2 : BOX.width), y: props.from.y + (back ? 0 : BOX.height / 2) };
  const b = { x: props.to.x + (back ? BOX.width / 2 : 0), y: props.to.y + (back ? 0 : BOX.height / 2) };
  const bend = (b.x - a.x) / 2;
  // A call back to the left, or of itself, leaves and arrives above.
  const path = back
    ? `M${a.x + 14} ${a.y}C${a.x + 34} ${a.y - 46} ${b.x - 34} ${b.y - 46} ${b.x - 14} ${b.y}`
    : `M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x} ${b.y}`;
  const width = 1 + 3.5 * Math.sqrt(stats.rate / props.busiest);
  return (
    <g class={stats.errors > 0 ? "call failing" : "call"}>
      <title>{`${middle(named(props.call.caller), 400)} calls ${middle(named(props.call.callee), 400)}: ${count(stats.count)} calls, ${count(stats.errors)} errors, p95 ${duration(stats.p95_ns)}`}</title>
      <path d={path} stroke-width={width} marker-end="url(#arrow)" />
      <text x={b.x - 10} y={b.y - (back ? 22 : 7)} text-anchor="end">
        {count(stats.rate)}/s, {duration(stats.p95_ns)}
        {stats.errors > 0 && `, ${percent(stats.error_rate)} errors`}
      </text>
    </g>
  );
}

function Calls(props: { map: ServiceMap }) {
  const calls = [...props.map.calls].sort((a, b) => b.stats.count - a.stats.count);
  if (calls.length === 0) return <p class="summary">No service called another one.</p>;
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Calls between services">
      <table>
        <thead>
          <tr>
            {["Caller", "Callee", "Calls", "Rate", "Errors", "p50", "p95", "p99"].map((t, i) => (
              <th key={t} scope="col" class={i < 2 ? "text" : "figure"}>
                {t}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {calls.map(({ caller, callee, stats }) => (
            <tr key={caller + "\u0000" + callee}>
              <td class="text site">
                <a href={hrefOf("blocks", { service: caller })}><Name of={caller} most={40} /></a>
              </td>
              <td class="text site">
                <a href={hrefOf("blocks", { service: callee })}><Name of={callee} most={40} /></a>
              </td>
              <td class="figure">{count(stats.count)}</td>
              <td class="figure">{count(stats.rate)}/s</td>
              <td class="figure">{stats.errors > 0 ? <span class="bad">{percent(stats.error_rate)}</span> : "0"}</td>
              <td class="figure">{duration(stats.p50_ns)}</td>
              <td class="figure">{duration(stats.p95_ns)}</td>
              <td class="figure">{duration(stats.p99_ns)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
