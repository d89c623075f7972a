import { useMemo, useState } from "preact/hooks";

import { assignTints, blockRGB, cssColor } from "../../../../report/html/color.js";
import { go, hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import type { Site, Tree } from "../api";
import { count, duration, middle, named, percent, shortPath, visible } from "../format";
import { FlameBox, group, ROOT, treeData } from "../flamebox";
import { useAnswer } from "../resource";
import { Sandwich } from "../sandwich";
import { isDark } from "../theme";

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
        {(tree) => (tree.nodes.parent.length === 0 ? <Empty what="calls" narrowed={Boolean(param("service"))} /> : param("sandwich") ? <Sandwich tree={tree} id={param("sandwich")} /> : <Flame tree={tree} />)}
      </Answer>
    </>
  );
}

function Flame(props: { tree: Tree }) {
  const { nodes, blocks } = props.tree;
  const metric = param("metric", "total");
  const search = param("q");
  const siteOf = (node: number) => blocks[nodes.block[node] ?? 0] as Site;
  const data = useMemo(() => treeData(nodes, (node) => visible(named(siteOf(node).name))), [props.tree]);
  const tints = useMemo(() => assignTints(new Set(blocks.map(group))), [props.tree]);
  const matches = useMemo(() => {
    const text = search.toLowerCase();
    const hits = blocks.map((b) => `${b.name} ${b.service} ${b.function} ${b.file}`.toLowerCase().includes(text));
    return text ? (node: number) => hits[nodes.block[node] ?? 0] ?? false : null;
  }, [search, props.tree]);
  const [found, setFound] = useState<{ matches: number; share: number } | null>(null);
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
        {search && found && (
          <span role="status">
            {found.matches} frames, {percent(found.share)} of the width
          </span>
        )}
        {zoomed !== ROOT && (
          <>
            <button type="button" onClick={() => setParams({ zoom: "" }, true)}>
              Show everything
            </button>
            <a href={hrefOf("block/" + siteOf(zoomed).id)}>{middle(named(siteOf(zoomed).name), 40)} in detail</a>
            <a href={hrefOf("flame", { sandwich: siteOf(zoomed).id })}>its callers and callees</a>
          </>
        )}
        {props.tree.dropped > 0 && <span>{count(props.tree.dropped)} small nodes are left out</span>}
      </div>
      <FlameBox
        data={data}
        metric={metric}
        zoom={zoomed}
        matches={matches}
        color={(node) => {
          const site = siteOf(node);
          return cssColor(blockRGB(tints.get(group(site)) ?? { hue: 0, chroma: 0 }, site.name, isDark.value));
        }}
        describe={(node, hidden) => describe(props.tree, node, hidden)}
        onZoom={(node) => setParams({ zoom: pathOf(props.tree, node) }, true)}
        onFound={setFound}
      />
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
