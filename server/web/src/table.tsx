import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export interface Column<Row> {
  /** The name by which the server sorts. */
  id: string;
  title: string;
  hint?: string;
  cell: (row: Row) => ComponentChildren;
  /** Text is aligned to the left, and sorted from A on. */
  text?: boolean;
  grow?: boolean;
  unsorted?: boolean;
}

const ROW = 30; // the height of a row in px, as in style.css
const SPARE = 5; // rows kept above and below those in sight

/**
 * Table shows any number of rows: only those in sight are in the page. The rows come sorted; a click on a title asks for
 * another order.
 */
export function Table<Row>(props: {
  rows: Row[];
  id: (row: Row) => string;
  columns: Column<Row>[];
  sort: string;
  reverse: boolean;
  onSort: (column: string, reverse: boolean) => void;
  caption: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const from = useSignal(0);
  const height = useSignal(800);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => {
      height.value = element.clientHeight;
    };
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    measure();
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    box.current?.scrollTo({ top: 0 });
  }, [props.sort, props.reverse]);

  const first = Math.max(0, Math.min(from.value, props.rows.length) - SPARE);
  const last = Math.min(props.rows.length, from.value + Math.ceil(height.value / ROW) + SPARE);
  return (
    <div class="table" ref={box} tabIndex={0} role="region" aria-label={props.caption} onScroll={(e) => {
      from.value = Math.floor(e.currentTarget.scrollTop / ROW);
    }}>
      <table aria-rowcount={props.rows.length + 1}>
        <caption class="hidden">{props.caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {props.columns.map((c) => (
              <Title key={c.id} column={c} sort={props.sort} reverse={props.reverse} onSort={props.onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Gap rows={first} columns={props.columns.length} />
          {props.rows.slice(first, last).map((row, i) => (
            <tr key={props.id(row)} aria-rowindex={first + i + 2}>
              {props.columns.map((c) => (
                <td key={c.id} class={c.text ? "text" : "figure"}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Gap rows={props.rows.length - last} columns={props.columns.length} />
        </tbody>
      </table>
    </div>
  );
}

/** Stands for rows that are not in sight. */
function Gap(props: { rows: number; columns: number }) {
  if (props.rows <= 0) return null;
  return (
    <tr aria-hidden="true" class="gap">
      <td colSpan={props.columns} style={{ height: `${props.rows * ROW}px` }} />
    </tr>
  );
}

function Title<Row>(props: { column: Column<Row>; sort: string; reverse: boolean; onSort: (column: string, reverse: boolean) => void }) {
  const c = props.column;
  const chosen = props.sort === c.id;
  // Figures begin with the largest, texts with A.
  const ascending = Boolean(c.text) !== props.reverse;
  return (
    <th scope="col" class={c.text ? "text" : "figure"} aria-sort={chosen ? (ascending ? "ascending" : "descending") : undefined} title={c.hint}>
      {c.unsorted ? (
        c.title
      ) : (
        <button type="button" onClick={() => props.onSort(c.id, chosen && !props.reverse)}>
          {c.title}
          <span aria-hidden="true">{chosen ? (ascending ? " ▴" : " ▾") : ""}</span>
        </button>
      )}
    </th>
  );
}
