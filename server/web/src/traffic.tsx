import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { hrefOf, param, setParams } from "./address";
import type { Timeline } from "./api";
import { timeTicks, useBrush, useWidth } from "./chart";
import { clock, count, duration } from "./format";
import { useAnswer } from "./resource";

const HEIGHT = 74;
const FOOT = 17;

/** The calls over time, errors among them; a drag chooses the period. While it waits, the server answers what matters more. */
export function Traffic(props: { wait: boolean }) {
  const wait = useSignal(props.wait);
  useEffect(() => {
    wait.value = props.wait;
  }, [props.wait]);
  const answer = useAnswer(() =>
    wait.value ? undefined : { path: "timeline", params: { service: param("service"), since: param("since", "1h"), until: param("until") } },
  );
  const data = answer.data.value;
  const [box, width] = useWidth<HTMLDivElement>();
  return (
    <div class="chart traffic" ref={box}>
      {data && data.times.length > 0 && width > 0 && <Bars of={data} width={width} />}
    </div>
  );
}

function Bars(props: { of: Timeline; width: number }) {
  const { of: t, width } = props;
  const step = 1000 * t.step_seconds;
  const a = Date.parse(t.period.since ?? t.times[0] ?? "");
  const b = Math.max(Date.parse(t.period.until ?? ""), a + step);
  const top = HEIGHT - FOOT;
  const most = Math.max(...t.count, 1);
  const { region, handlers } = useBrush((r) => {
    // Statistics are kept by the minute: what is chosen grows to these.
    const time = (x: number, round: (v: number) => number) => new Date(round((a + (x / width) * (b - a)) / 6e4) * 6e4).toISOString().replace(".000", "");
    setParams({ since: time(Math.max(r.left, 0), Math.floor), until: time(Math.min(r.right, width), Math.ceil) });
  });
  const x = (time: string) => ((Date.parse(time) - a) / (b - a)) * width;
  const bar = Math.max((step / (b - a)) * width - 1, 1);
  return (
    <>
      <svg width={width} height={HEIGHT} role="img" aria-label={`Calls over time, at most ${count(most)} in ${duration(1e9 * t.step_seconds)}`} {...handlers}>
        {t.times.map((time, i) => {
          const calls = t.count[i] ?? 0;
          const errors = t.errors[i] ?? 0;
          const height = Math.max((calls / most) * (top - 2), 1);
          const bad = errors > 0 ? Math.max((errors / most) * (top - 2), 2) : 0;
          return (
            <g key={time}>
              <title>{`${clock(time, true)}: ${count(calls)} calls, ${count(errors)} errors, p95 ${duration(t.p95_ns[i] ?? 0)}`}</title>
              <rect class="first" x={x(time)} y={top - height} width={bar} height={height} />
              {bad > 0 && <rect class="errors" x={x(time)} y={top - bad} width={bar} height={bad} />}
            </g>
          );
        })}
        <line class="axis" x1={0} x2={width} y1={top} y2={top} />
        {timeTicks(a, b, width / 110).map((tick) => (
          <text key={tick.at} class="label" x={tick.at * width} y={HEIGHT - 4} text-anchor={tick.at * width < 20 ? "start" : "middle"}>
            {tick.text}
          </text>
        ))}
        {region && <rect class="brush" x={region.left} y={0} width={region.right - region.left} height={top} />}
      </svg>
      {param("until") && (
        <a class="reset" href={hrefOf(location.pathname.slice(1), { since: "", until: "" })}>
          Show the last hour
        </a>
      )}
    </>
  );
}
