/** A picture of a few numbers, as small as a word. */
export function Spark(props: { counts: number[]; label: string; line?: boolean }) {
  const width = 72;
  const height = 18;
  const n = props.counts.length;
  const most = Math.max(...props.counts, 0);
  if (n === 0 || most === 0) return null;
  const x = (i: number) => (i * width) / n;
  const y = (v: number) => height - (v / most) * (height - 1);
  let path = "";
  props.counts.forEach((v, i) => {
    if (props.line) path += (i === 0 ? "M" : "L") + (x(i) + width / n / 2).toFixed(1) + " " + y(v).toFixed(1);
    else if (v > 0) path += `M${x(i).toFixed(1)} ${height}V${Math.min(y(v), height - 1).toFixed(1)}h${Math.max(width / n - 0.5, 0.5).toFixed(1)}V${height}z`;
  });
  return (
    <svg class={props.line ? "spark line" : "spark"} width={width} height={height} role="img" aria-label={props.label}>
      <path d={path} />
    </svg>
  );
}
