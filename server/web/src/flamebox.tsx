import { useEffect, useRef } from "preact/hooks";

import { type FlameData, FlameGraph, type FlameOptions } from "../../../report/html/flame.js";
import type { Site, Tree } from "./api";
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

/** The flame graph of the HTML report as a component. The data is drawn anew only when it is another object. */
export function FlameBox(props: {
  data: FlameData;
  metric: string;
  zoom?: number;
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
    box.current?.replaceChildren(canvas);
    let ready = false;
    const made = new FlameGraph(canvas, props.data, {
      metric: props.metric,
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
  }, [props.data]);
  useEffect(() => graph.current?.setMetric(props.metric), [props.metric]);
  useEffect(() => {
    if (graph.current && graph.current.zoomed !== zoom) graph.current.zoom(zoom);
  }, [zoom]);
  useEffect(() => {
    const found = graph.current?.highlight(props.matches ?? null);
    props.onFound?.(props.matches && found ? found : null);
  }, [props.matches, props.data]);
  useEffect(() => graph.current?.redraw(), [isDark.value]);
  return <div class="flame-box" ref={box} />;
}
