import { useEffect, useRef, useState } from "preact/hooks";

import { assignTints, blockRGB, cssColor } from "../../../../report/html/color.js";
import { FlameGraph } from "../../../../report/html/flame.js";
import { go, hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import type { Site, Tree } from "../api";
import { count, duration, middle, named, percent, shortPath, visible } from "../format";
import { useAnswer } from "../resource";
import { isDark } from "../theme";

const ROOT = -1;

/** What the width of a frame can stand for. */
const METRICS: [string, string][] = [
  ["total", "total time"],
  ["self", "self time"],
  ["critical", "critical path"],
  ["count", "calls"],
  ["errors", "errors"],
];

export function FlameView() {
  const answer = useAnswer<Tree>(() => ({
    path: "tree",
    params: { service: param("service"), since: param("since", "1h"), until: param("until"), limit: 50000 },
  }));
  return (
    <>
      <h1 class="hidden">Flame graph</h1>
      <Answer of={answer}>
        {(tree) => (tree.nodes.parent.length === 0 ? <Empty what="calls" narrowed={Boolean(param("service"))} /> : <Flame tree={tree} />)}
      </Answer>
    </>
  );
}

function Flame(props: { tree: Tree }) {
  const { nodes, blocks } = props.tree;
  const box = useRef<HTMLDivElement>(null);
  const graph = useRef<FlameGraph | null>(null);
  const [found, setFound] = useState<{ matches: number; share: number } | null>(null);
  const metric = param("metric", "total");
  const search = param("q");
  const siteOf = (node: number) => blocks[nodes.block[node] ?? 0] as Site;

  useEffect(() => {
    const tints = assignTints(new Set(blocks.map(group)));
    const canvas = document.createElement("canvas");
    box.current?.replaceChildren(canvas);
    const made = new FlameGraph(
      canvas,
      {
        parent: nodes.parent,
        metrics: {
          total: { values: nodes.total_ns, inclusive: true },
          self: { values: nodes.self_ns, inclusive: false },
          critical: { values: nodes.critical_ns, inclusive: false },
          count: { values: nodes.count, inclusive: false },
          errors: { values: nodes.errors, inclusive: false },
        },
        label: (node) => (node === ROOT ? "everything" : visible(named(siteOf(node).name))),
      },
      {
        metric,
        color: (node) => {
          const site = siteOf(node);
          return cssColor(blockRGB(tints.get(group(site)) ?? { hue: 0, chroma: 0 }, site.name, isDark.value));
        },
        describe: (node, hidden) => describe(props.tree, node, hidden),
        onZoom: (node) => setParams({ zoom: pathOf(props.tree, node) }, true),
        onSelect: (node) => {
          if (node !== ROOT) setParams({ zoom: pathOf(props.tree, node) }, true);
        },
      },
    );
    graph.current = made;
    const zoomed = nodeAt(props.tree, param("zoom"));
    if (zoomed !== ROOT) made.zoom(zoomed);
    return () => made.destroy();
  }, [props.tree]);

  useEffect(() => graph.current?.setMetric(metric), [metric]);
  useEffect(() => {
    const text = search.toLowerCase();
    const result = graph.current?.highlight(
      text ? (node) => `${siteOf(node).name} ${siteOf(node).service} ${siteOf(node).function} ${siteOf(node).file}`.toLowerCase().includes(text) : null,
    );
    setFound(text && result ? result : null);
  }, [search, props.tree]);
  useEffect(() => graph.current?.redraw(), [isDark.value]);

  const zoomed = nodeAt(props.tree, param("zoom"));
  return (
    <>
      <div class="tools">
        <label>
          Width:{" "}
          <select value={metric} onChange={(e) => setParams({ metric: e.currentTarget.value }, true)}>
            {METRICS.map(([value, text]) => (
              <option key={value} value={value} selected={value === metric}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          class="filter"
          data-search
          aria-label="Search the flame graph"
          placeholder='Search names, services, files (press "/")'
          value={search}
          onInput={(e) => setParams({ q: e.currentTarget.value }, true)}
        />
        {found && (
          <span role="status">
            {found.matches} frames, {percent(found.share)} of the width
          </span>
        )}
        {zoomed !== ROOT && (
          <>
            <button type="button" onClick={() => graph.current?.zoom(ROOT)}>
              Show everything
            </button>
            <a href={hrefOf("block/" + siteOf(zoomed).id)}>{middle(named(siteOf(zoomed).name), 40)} in detail</a>
          </>
        )}
        {props.tree.dropped > 0 && <span>{count(props.tree.dropped)} small nodes are left out</span>}
      </div>
      <div class="flame-box" ref={box} />
      <Outline tree={props.tree} from={zoomed} />
    </>
  );
}

/** The same tree as text, two levels of it, for those who read rather than look. */
function Outline(props: { tree: Tree; from: number }) {
  const { nodes, blocks } = props.tree;
  const children: number[] = [];
  nodes.parent.forEach((parent, node) => {
    if (parent === props.from) children.push(node);
  });
  children.sort((a, b) => (nodes.total_ns[b] ?? 0) - (nodes.total_ns[a] ?? 0));
  return (
    <details class="outline">
      <summary>As a list</summary>
      <ul>
        {children.slice(0, 200).map((node) => {
          const site = blocks[nodes.block[node] ?? 0] as Site;
          return (
            <li key={node}>
              <button type="button" class="quiet" onClick={() => go(hrefOf("flame", { zoom: pathOf(props.tree, node) }))}>
                {middle(named(site.name))}
              </button>{" "}
              {count(nodes.count[node] ?? 0)} calls, {duration(nodes.total_ns[node] ?? 0)} total, {duration(nodes.self_ns[node] ?? 0)} self
            </li>
          );
        })}
      </ul>
    </details>
  );
}

/** Frames of one service and track have one hue. */
function group(site: Site): string {
  return site.service + "\u0000" + site.track;
}

function describe(tree: Tree, node: number, hidden: number): { title: string; rows: [string, string][]; notes: string[] } {
  const n = tree.nodes;
  if (node === ROOT) return { title: "everything", rows: [], notes: [] };
  const at = (list: number[]) => list[node] ?? 0;
  const site = tree.blocks[at(n.block)] as Site;
  if (hidden > 0) return { title: `${hidden} small frames`, rows: [], notes: ["Click to spread them."] };
  const notes = [site.service && "service " + visible(site.service), site.track && visible(site.track), shortPath(site.file, site.line)];
  return {
    title: visible(named(site.name)) + (site.kind === "internal" || site.kind === "unspecified" ? "" : ` (${site.kind})`),
    rows: [
      ["calls", count(at(n.count))],
      ["errors", count(at(n.errors))],
      ["total", duration(at(n.total_ns))],
      ["self", duration(at(n.self_ns))],
      ["critical", duration(at(n.critical_ns))],
      ["p50", duration(at(n.p50_ns))],
      ["p99", duration(at(n.p99_ns))],
    ],
    notes: notes.filter(Boolean) as string[],
  };
}

/** Names a node by the ids of the blocks on the way to it, so that the name holds when the tree is asked for anew. */
function pathOf(tree: Tree, node: number): string {
  const ids: string[] = [];
  for (let at = node; at >= 0; at = tree.nodes.parent[at] ?? ROOT) ids.unshift(tree.blocks[tree.nodes.block[at] ?? 0]?.id ?? "");
  return ids.join(".");
}

/** Finds the node with a path, ROOT if there is none. */
function nodeAt(tree: Tree, path: string): number {
  let at = ROOT;
  if (!path) return at;
  for (const id of path.split(".")) {
    const next = tree.nodes.parent.findIndex((parent, node) => parent === at && tree.blocks[tree.nodes.block[node] ?? 0]?.id === id);
    if (next < 0) return ROOT;
    at = next;
  }
  return at;
}
