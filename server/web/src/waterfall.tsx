import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { assignTints, blockRGB, cssColor } from "../../../report/html/color.js";
import type { Span } from "./api";
import { count, duration, middle } from "./format";
import { Name } from "./name";
import { isDark } from "./theme";

const ROW = 26; // the height of a row in px, as in style.css
const SPARE = 10;

/** The part of a trace that the width shows, in ns from its start. */
export interface Window {
  from: number;
  to: number;
}

/** Says where a span stands among those of its block: "p99.7 of 41 k". */
export function rankText(rank: Span["rank"]): string {
  if (!rank) return "";
  const p = 100 * rank.fraction;
  return `p${p > 99 ? p.toFixed(1) : p.toFixed(0)} of ${count(rank.of)}`;
}

/**
 * Waterfall shows the spans of a trace as a tree beside a time axis, any number of them: only the rows in sight are in the
 * page. Arrow keys walk, left and right close and open.
 */
export function Waterfall(props: {
  spans: Span[];
  window: Window;
  selected: number;
  matches: Set<number> | null;
  onSelect: (index: number) => void;
}) {
  const { spans, window } = props;
  const closed = useSignal<ReadonlySet<number>>(new Set());
  const box = useRef<HTMLDivElement>(null);
  const from = useSignal(0);
  const height = useSignal(600);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  const rows = useMemo(() => visibleRows(spans, closed.value), [spans, closed.value]);
  const dark = isDark.value;
  const color = useMemo(() => {
    const tints = assignTints(new Set(spans.map((s) => s.service)));
    return (s: Span) => cssColor(blockRGB(tints.get(s.service) ?? { hue: 0, chroma: 0 }, s.service, dark));
  }, [spans, dark]);

  const at = rows.indexOf(props.selected);
  useEffect(() => {
    const element = box.current;
    if (!element || at < 0) return;
    const top = at * ROW;
    if (top < element.scrollTop || top + 2 * ROW > element.scrollTop + element.clientHeight) element.scrollTop = top - element.clientHeight / 3;
  }, [props.selected, at]);

  const toggle = (index: number, close: boolean) => {
    const next = new Set(closed.value);
    if (close) next.add(index);
    else next.delete(index);
    closed.value = next;
  };
  const onKey = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -rows.length, End: rows.length }[event.key];
    const span = spans[props.selected];
    if (move !== undefined) {
      const next = rows[Math.min(Math.max((at < 0 ? -1 : at) + move, 0), rows.length - 1)];
      if (next !== undefined) props.onSelect(next);
    } else if (event.key === "ArrowLeft" && span) {
      if (span.children > 0 && !closed.value.has(props.selected)) toggle(props.selected, true);
      else if (span.parent >= 0) props.onSelect(span.parent);
    } else if (event.key === "ArrowRight" && span) {
      toggle(props.selected, false);
    } else return;
    event.preventDefault();
  };

  const first = Math.max(0, from.value - SPARE);
  const last = Math.min(rows.length, from.value + Math.ceil(height.value / ROW) + SPARE);
  return (
    <div
      class="waterfall"
      ref={box}
      tabIndex={0}
      role="tree"
      aria-label="Spans of the trace"
      aria-activedescendant={props.selected >= 0 ? "span-" + props.selected : undefined}
      onKeyDown={onKey}
      onScroll={(e) => {
        from.value = Math.floor(e.currentTarget.scrollTop / ROW);
      }}
    >
      <div class="rows" role="presentation" style={{ height: `${rows.length * ROW}px` }}>
        {rows.slice(first, last).map((index, i) => (
          <Row
            key={index}
            index={index}
            span={spans[index] as Span}
            top={(first + i) * ROW}
            window={window}
            color={color(spans[index] as Span)}
            open={!closed.value.has(index)}
            selected={index === props.selected}
            dim={props.matches !== null && !props.matches.has(index)}
            onSelect={props.onSelect}
            onToggle={toggle}
          />
        ))}
      </div>
    </div>
  );
}

/** Places the text of a bar behind it, before it, or in it, where there is room. */
function besides(left: number, right: number) {
  if (right < 0.85) return { left: `${100 * right}%` };
  return left > 0.15 ? { right: `${100 * (1 - left)}%` } : { right: `${100 * (1 - right)}%`, color: "var(--flame-text)" };
}

/** Returns the spans whose ancestors are all open. */
function visibleRows(spans: Span[], closed: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  let hidden = Number.POSITIVE_INFINITY; // spans deeper than this are below a closed one
  spans.forEach((s, i) => {
    if (s.depth > hidden) return;
    hidden = closed.has(i) ? s.depth : Number.POSITIVE_INFINITY;
    rows.push(i);
  });
  return rows;
}

function Row(props: {
  index: number;
  span: Span;
  top: number;
  window: Window;
  color: string;
  open: boolean;
  selected: boolean;
  dim: boolean;
  onSelect: (index: number) => void;
  onToggle: (index: number, close: boolean) => void;
}) {
  const { span: s, window: w } = props;
  const width = Math.max(w.to - w.from, 1);
  const left = Math.min(Math.max((s.start_ns - w.from) / width, 0), 1);
  const right = Math.min(Math.max((s.start_ns + s.duration_ns - w.from) / width, 0), 1);
  const out = s.start_ns > w.to || s.start_ns + s.duration_ns < w.from;
  const names = ["row", props.selected && "selected", props.dim && "dim", s.critical_ns > 0 && "critical"].filter(Boolean).join(" ");
  return (
    // The keys are those of the tree around it.
    // biome-ignore lint/a11y/useKeyWithClickEvents: see above
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and names the active row
    <div
      id={"span-" + props.index}
      class={names}
      role="treeitem"
      aria-level={s.depth + 1}
      aria-selected={props.selected}
      aria-expanded={s.children > 0 ? props.open : undefined}
      style={{ top: `${props.top}px` }}
      onClick={() => props.onSelect(props.index)}
    >
      <span class="what" style={{ paddingLeft: `${Math.min(s.depth, 24) * 13 + 4}px` }}>
        {s.children > 0 ? (
          <button
            type="button"
            class="twist"
            tabIndex={-1}
            aria-label={props.open ? "Close" : "Open"}
            onClick={(e) => {
              e.stopPropagation();
              props.onToggle(props.index, props.open);
            }}
          >
            {props.open ? "▾" : "▸"}
          </button>
        ) : (
          <span class="twist" />
        )}
        {s.status === "error" && (
          <span class="bad" title="error">
            !{" "}
          </span>
        )}
        <Name of={s.name} most={60} /> <small>{middle(s.service, 24)}</small>
      </span>
      <span class="lane">
        {!out && <span class="span" style={{ left: `${100 * left}%`, width: `max(2px, ${100 * (right - left)}%)`, background: props.color }} />}
        <span class="took" style={besides(left, right)}>
          {duration(s.duration_ns)}
        </span>
      </span>
      <span class="rank" title="where its duration stands among the calls of the same block">
        {rankText(s.rank)}
      </span>
    </div>
  );
}
