import { bound, durationTicks, placeOf, useWidth } from "./chart";
import { count, duration } from "./format";

const HEIGHT = 190;
const FOOT = 20;

/** Durations on a logarithmic axis, by how many there are or by the time they took together; two series are laid over each other. */
export function HistogramChart(props: {
  scale: number;
  offset: number;
  series: { label: string; class: string; counts: number[] }[];
  by: "count" | "time";
  /** Whether the heights are logarithmic, too. */
  logarithmic?: boolean;
  /** Whether the series are compared by their shares rather than by their sizes. */
  shares?: boolean;
  marks?: [string, number][];
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const n = Math.max(...props.series.map((s) => s.counts.length), 1);
  const middleOf = (i: number) => Math.sqrt(bound(props, i) * bound(props, i + 1));
  const series = props.series.map((s) => {
    const weights = s.counts.map((c, i) => (props.by === "time" ? c * middleOf(i) : c));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { ...s, heights: props.shares && sum > 0 ? weights.map((w) => w / sum) : weights };
  });
  if (props.logarithmic) {
    // From the least to the most that there is, with a little left for the least.
    const least = Math.min(...series.flatMap((s) => s.heights.filter((h) => h > 0)), 1e300);
    for (const s of series) s.heights = s.heights.map((h) => (h > 0 ? Math.log(h / least) + 0.5 : 0));
  }
  const most = Math.max(...series.flatMap((s) => s.heights), 0) || 1;
  const step = width / n;
  const top = HEIGHT - FOOT;
  const title = (i: number) =>
    `${duration(bound(props, i))} – ${duration(bound(props, i + 1))}: ` +
    props.series.map((s) => (props.series.length > 1 ? s.label + " " : "") + count(s.counts[i] ?? 0) + " calls").join(", ");
  return (
    <div class="chart" ref={box}>
      <svg width={width} height={HEIGHT} role="img" aria-label={`Histogram of durations, ${props.by === "time" ? "by cumulated time" : "by number of calls"}`}>
        {series.map((s) => (
          <path key={s.label} class={s.class} d={bars(s.heights, step, top, most)} />
        ))}
        {durationTicks(props, n).map((t) => (
          <g key={t.at} class="tick">
            <line x1={t.at * step} x2={t.at * step} y1={top} y2={top + 4} />
            <text x={t.at * step} y={HEIGHT - 4} text-anchor={t.at * step > width - 20 ? "end" : t.at * step < 20 ? "start" : "middle"}>
              {t.text}
            </text>
          </g>
        ))}
        {marks(props, step, n).map((m) => (
          <g key={m.text} class="mark">
            <line x1={m.x} x2={m.x} y1={m.y + 3} y2={top} />
            <text x={m.x + (m.x > width - 34 ? -3 : 3)} y={m.y + 10} text-anchor={m.x > width - 34 ? "end" : "start"}>
              {m.text}
            </text>
          </g>
        ))}
        <line class="axis" x1={0} x2={width} y1={top} y2={top} />
        {series[0]?.heights.map((_, i) => (
          <rect key={i} class="touch" x={i * step} y={0} width={step} height={top}>
            <title>{title(i)}</title>
          </rect>
        ))}
      </svg>
    </div>
  );
}

function bars(heights: number[], step: number, top: number, most: number): string {
  let path = "";
  heights.forEach((h, i) => {
    if (h <= 0) return;
    const y = top - Math.max(1, (h / most) * (top - 14));
    path += `M${(i * step).toFixed(1)} ${top}V${y.toFixed(1)}h${Math.max(step - (step > 4 ? 1 : 0), 0.5).toFixed(1)}V${top}z`;
  });
  return path;
}

/** Places the lines of quantiles: texts that would touch stand below each other. */
function marks(props: { scale: number; offset: number; marks?: [string, number][] }, step: number, n: number) {
  let last = Number.NEGATIVE_INFINITY;
  let y = 0;
  return (props.marks ?? [])
    .filter(([, ns]) => ns > 0)
    .map(([text, ns]) => ({ text, x: Math.min(Math.max(placeOf(props, ns), 0), n) * step }))
    .map((m) => {
      y = m.x - last < 34 ? y + 11 : 0;
      last = m.x;
      return { ...m, y };
    });
}
