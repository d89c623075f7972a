import { useMemo, useState } from "preact/hooks";

import { assignTints, blockRGB, cssColor } from "../../../../report/html/color.js";
import { hrefOf, param, setParams } from "../address";
import { Answer, Empty } from "../answer";
import type { Site, Tree } from "../api";
import { count, duration, named, percent, shortPath, visible } from "../format";
import { Name } from "../name";
import { FlameBox, group, nodeAt, pathOf, ROOT, treeData } from "../flamebox";
import { withoutRecursion } from "../merge";
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

/** How wide a frame must be to be drawn, in px; as the flame graph has it when empty. */
const LEAST = ["", "5", "20", "60"];

export function FlameView() {
  const answer = useAnswer(() => ({
    path: "tree",
    params: { service: param("service"), since: param("since", "1h"), until: param("until"), limit: 50000 },
  }));
  return (
    <>
      <h1 class="hidden">Flame graph</h1>
      <Answer of={answer}>
        {(tree) => {
          if (tree.nodes.parent.length === 0) return <Empty what="calls" narrowed={Boolean(param("service"))} />;
          return param("sandwich") ? <Sandwich tree={tree} id={param("sandwich")} /> : <Whole tree={tree} />;
        }}
      </Answer>
    </>
  );
}

/** The tree, with the calls of a block right within itself drawn as one if so chosen. */
function Whole(props: { tree: Tree }) {
  const one = param("recursion") === "one";
  const tree = useMemo(() => (one ? { ...props.tree, nodes: withoutRecursion(props.tree.nodes) } : props.tree), [props.tree, one]);
  return <Flame tree={tree} />;
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
        <label>
          Frames from:{" "}
          <select value={param("least")} onChange={(e) => setParams({ least: e.currentTarget.value }, true)}>
            {LEAST.map((px) => (
              <option key={px} value={px} selected={px === param("least")}>
                {px || "1.5"} px
              </option>
            ))}
          </select>
        </label>
        <label>
          <input type="checkbox" checked={param("recursion") === "one"} onChange={(e) => setParams({ recursion: e.currentTarget.checked ? "one" : "" }, true)} /> recursion as one
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
            <a href={hrefOf("block/" + siteOf(zoomed).id)}><Name of={siteOf(zoomed).name} most={40} /> in detail</a>
            <a href={hrefOf("flame", { sandwich: siteOf(zoomed).id })}>its callers and callees</a>
          </>
        )}
        {props.tree.dropped > 0 && <span>{count(props.tree.dropped)} small nodes are left out</span>}
      </div>
      <FlameBox
        data={data}
        metric={metric}
        zoom={zoomed}
        least={Number(param("least")) || undefined}
        matches={matches}
        color={(node) => {
          const site = siteOf(node);
          return cssColor(blockRGB(tints.get(group(site)) ?? { hue: 0, chroma: 0 }, site.name, isDark.value));
        }}
        describe={(node, hidden) => describe(props.tree, node, hidden)}
        onZoom={(node) => setParams({ zoom: pathOf(props.tree, node) }, true)}
        onFound={setFound}
      />
    </>
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
