import { useEffect, useRef } from "preact/hooks";

import type { HeatMap } from "./api";
import { bound, durationTicks, placeOf, timeTicks, useBrush, useWidth } from "./chart";
import { clock, count, duration } from "./format";
import { isDark } from "./theme";

const HEIGHT = 210;
const LEFT = 58;
const FOOT = 20;

/** A part of a heat map: moments in ms, durations in ns. */
export interface Part {
  from: number;
  to: number;
  min: number;
  max: number;
}

/** Durations over time: the darker, the more calls. A drag selects a part of it. */
export function HeatMapChart(props: { of: HeatMap; selected: Part | null; onSelect: (part: Part) => void }) {
  const map = props.of;
  const [box, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const n = Math.max(map.buckets.counts.length, 1);
  const a = Date.parse(map.period.since ?? map.times[0] ?? "");
  const b = Math.max(Date.parse(map.period.until ?? ""), a + 1000 * map.step_seconds);
  const plot = { width: Math.max(width - LEFT, 1), height: HEIGHT - FOOT };
  const dark = isDark.value;
  useEffect(() => draw(canvas.current, map, plot, a, b, dark), [map, width, dark]);

  const { region, handlers } = useBrush((r) => {
    const time = (x: number) => a + (Math.min(Math.max(x, 0), plot.width) / plot.width) * (b - a);
    const ns = (y: number) => bound(map.buckets, n * (1 - Math.min(Math.max(y, 0), plot.height) / plot.height));
    props.onSelect({ from: time(r.left), to: time(r.right), min: ns(r.bottom), max: ns(r.top) });
  });
  const chosen = region ?? (props.selected && regionOf(props.selected));
  function regionOf(p: Part) {
    const x = (t: number) => (Math.min(Math.max((t - a) / (b - a), 0), 1)) * plot.width;
    const y = (v: number) => (1 - Math.min(Math.max(placeOf(map.buckets, v) / n, 0), 1)) * plot.height;
    return { left: x(p.from), right: x(p.to), top: y(p.max), bottom: y(p.min) };
  }
  return (
    <div class="chart" ref={box}>
      <svg width={width} height={HEIGHT} aria-hidden="true">
        {durationTicks(map.buckets, n)
          .filter((t) => t.at < n - n / 20)
          .map((t) => (
            <text key={t.at} class="label" x={LEFT - 6} y={plot.height * (1 - t.at / n) + 4} text-anchor="end">
              {t.text}
            </text>
          ))}
        {timeTicks(a, b, Math.max(plot.width / 90, 2)).map((t) => (
          <text key={t.at} class="label" x={LEFT + t.at * plot.width} y={HEIGHT - 4} text-anchor="middle">
            {t.text}
          </text>
        ))}
      </svg>
      <canvas ref={canvas} class="heat" role="img" aria-label="Durations over time; the list below has the same" {...handlers} />
      {chosen && (
        <div
          class="region"
          style={{ left: `${LEFT + chosen.left}px`, top: `${chosen.top}px`, width: `${chosen.right - chosen.left}px`, height: `${chosen.bottom - chosen.top}px` }}
        />
      )}
      <Steps of={map} onSelect={props.onSelect} />
    </div>
  );
}

/** The same as text, for those who read rather than look, or have no pointer to drag. */
function Steps(props: { of: HeatMap; onSelect: (part: Part) => void }) {
  const map = props.of;
  const n = map.buckets.counts.length;
  return (
    <details class="outline">
      <summary>As a list</summary>
      <ul>
        {map.times.map((time, i) => {
          const from = Date.parse(time);
          const part = { from, to: from + 1000 * map.step_seconds, min: bound(map.buckets, 0), max: bound(map.buckets, n) };
          return (
            <li key={time}>
              <button type="button" class="quiet" onClick={() => props.onSelect(part)}>
                {clock(time, true)}
              </button>{" "}
              {count(map.count[i] ?? 0)} calls, {count(map.errors[i] ?? 0)} errors, p50 {duration(map.p50_ns[i] ?? 0)}, p99 {duration(map.p99_ns[i] ?? 0)}, at most{" "}
              {duration(map.max_ns[i] ?? 0)}
            </li>
          );
        })}
      </ul>
    </details>
  );
}

function draw(canvas: HTMLCanvasElement | null, map: HeatMap, plot: { width: number; height: number }, a: number, b: number, dark: boolean): void {
  const context = canvas?.getContext("2d");
  if (!canvas || !context) return;
  const ratio = devicePixelRatio || 1;
  canvas.width = plot.width * ratio;
  canvas.height = plot.height * ratio;
  canvas.style.width = `${plot.width}px`;
  canvas.style.height = `${plot.height}px`;
  context.scale(ratio, ratio);
  const n = Math.max(map.buckets.counts.length, 1);
  const most = Math.log1p(Math.max(...map.rows.map((row) => Math.max(...row, 0)), 1));
  const step = 1000 * map.step_seconds;
  map.rows.forEach((row, i) => {
    const x = ((Date.parse(map.times[i] ?? "") - a) / (b - a)) * plot.width;
    const width = Math.max((step / (b - a)) * plot.width - 0.5, 1);
    row.forEach((calls, bucket) => {
      if (calls === 0) return;
      const heat = 0.18 + 0.82 * (Math.log1p(calls) / most);
      context.fillStyle = dark ? `oklch(${0.3 + 0.5 * heat} ${0.17 * heat} 55)` : `oklch(${0.96 - 0.5 * heat} ${0.19 * heat} 45)`;
      context.fillRect(x, plot.height * (1 - (bucket + 1) / n), width, plot.height / n + 0.3);
    });
  });
}
