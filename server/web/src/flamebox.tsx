import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { type FlameData, FlameGraph, type FlameOptions } from "../../../report/html/flame.js";
import type { Site, Tree } from "./api";
import { middle } from "./format";
import { isDark } from "./theme";

/** The node above all roots. */
export const ROOT = -1;

/** Frames of one service and track have one hue. */
export function group(site: Site): string {
  return site.service + "\u0000" + site.track;
}

/** The columns of a tree as the flame graph takes them, with what the width of a frame can stand for. */
export function treeData(nodes: Tree["nodes"], label: (node: number) => string): FlameData {
  return {
    parent: nodes.parent,
    metrics: {
      total: { values: nodes.total_ns, inclusive: true },
      self: { values: nodes.self_ns, inclusive: false },
      critical: { values: nodes.critical_ns, inclusive: false },
      count: { values: nodes.count, inclusive: false },
      errors: { values: nodes.errors, inclusive: false },
    },
    label: (node) => (node === ROOT ? "everything" : label(node)),
  };
}

/** A tree whose nodes have blocks. */
interface Placed {
  blocks?: Site[];
  nodes?: { parent: number[]; block: number[] };
}

/** Names a node by the ids of the blocks on the way to it, so that the name holds when the tree is asked for anew. */
export function pathOf({ blocks = [], nodes }: Placed, node: number): string {
  const ids: string[] = [];
  for (let at = node; at >= 0; at = nodes?.parent[at] ?? ROOT) ids.unshift(blocks[nodes?.block[at] ?? 0]?.id ?? "");
  return ids.join(".");
}

/** Finds the node with a path, ROOT if there is none. */
export function nodeAt({ blocks = [], nodes }: Placed, path: string): number {
  let at = ROOT;
  if (!path || !nodes) return at;
  for (const id of path.split(".")) {
    const next = nodes.parent.findIndex((parent, node) => parent === at && blocks[nodes.block[node] ?? 0]?.id === id);
    if (next < 0) return ROOT;
    at = next;
  }
  return at;
}

/** The flame graph of the HTML report as a component. The data is drawn anew only when it is another object. */
export function FlameBox(props: {
  data: FlameData;
  metric: string;
  zoom?: number;
  /** How wide a frame must be to be drawn, in px. */
  least?: number | undefined;
  color: FlameOptions["color"];
  describe: FlameOptions["describe"];
  matches?: ((node: number) => boolean) | null;
  onZoom?: (node: number) => void;
  onFound?: (found: { matches: number; share: number } | null) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const graph = useRef<FlameGraph | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const zoom = props.zoom ?? ROOT;

  useEffect(() => {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-label", "Call tree: arrow keys walk, Enter zooms; the list below has the same");
    box.current?.replaceChildren(canvas);
    let ready = false;
    const made = new FlameGraph(canvas, props.data, {
      metric: props.metric,
      ...(props.least && { minWidth: props.least }),
      color: (node) => latest.current.color(node),
      describe: (node, hidden) => latest.current.describe(node, hidden),
      onZoom: (node) => {
        if (ready && node !== (latest.current.zoom ?? ROOT)) latest.current.onZoom?.(node);
      },
    });
    graph.current = made;
    if (zoom !== ROOT) made.zoom(zoom);
    ready = true;
    return () => made.destroy();
  }, [props.data, props.least]);
  useEffect(() => graph.current?.setMetric(props.metric), [props.metric]);
  useEffect(() => {
    if (graph.current && graph.current.zoomed !== zoom) graph.current.zoom(zoom);
  }, [zoom]);
  useEffect(() => {
    const found = graph.current?.highlight(props.matches ?? null);
    props.onFound?.(props.matches && found ? found : null);
  }, [props.matches, props.data, props.least]);
  useEffect(() => graph.current?.redraw(), [isDark.value]);
  return (
    <>
      <div class="flame-box" ref={box} />
      <Outline {...props} zoom={zoom} />
    </>
  );
}

const MOST_LISTED = 200;

/** What stands right below the zoomed node as text, for those who read rather than look. */
function Outline(props: { data: FlameData; metric: string; zoom: number; describe: FlameOptions["describe"]; onZoom?: ((node: number) => void) | undefined }) {
  const [open, setOpen] = useState(false);
  const { data, zoom } = props;
  const children = useMemo(() => {
    const weights = (data.metrics.total ?? data.metrics[props.metric])?.values ?? [];
    const below: number[] = [];
    if (open) {
      data.parent.forEach((parent, node) => {
        if (parent === zoom) below.push(node);
      });
    }
    return below.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0)).slice(0, MOST_LISTED);
  }, [data, zoom, open]);
  return (
    <details class="outline" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>As a list</summary>
      <ul>
        {children.map((node) => {
          const { title, rows } = props.describe(node, 0);
          const name = middle(title, 80);
          return (
            <li key={node}>
              {props.onZoom ? (
                <button type="button" class="quiet" onClick={() => props.onZoom?.(node)}>
                  {name}
                </button>
              ) : (
                name
              )}{" "}
              {rows.map(([what, value]) => `${what} ${value}`).join(", ")}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
