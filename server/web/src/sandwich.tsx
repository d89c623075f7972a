import { useMemo } from "preact/hooks";

import { assignTints, blockRGB, cssColor } from "../../../report/html/color.js";
import { hrefOf } from "./address";
import type { Site, Tree } from "./api";
import { FlameBox, group } from "./flamebox";
import { count, duration, named, visible } from "./format";
import { Name } from "./name";
import { callees, callers, type Merged } from "./merge";
import { isDark } from "./theme";

/** The callers and the callees of one block, merged over all its places in the call tree. */
export function Sandwich(props: { tree: Tree; id: string }) {
  const { tree } = props;
  const block = tree.blocks.findIndex((b) => b.id === props.id);
  const above = useMemo(() => callers(tree.nodes, block), [tree, block]);
  const below = useMemo(() => callees(tree.nodes, block), [tree, block]);
  const site = tree.blocks[block];
  if (!site) return <p class="summary">This block has no calls in the period.</p>;
  return (
    <>
      <div class="tools">
        <strong><Name of={site.name} most={80} /></strong>
        <a href={hrefOf("block/" + site.id)}>in detail</a>
        <a href={hrefOf("flame")}>the whole flame graph</a>
      </div>
      <h2>Callers</h2>
      <Half tree={tree} of={above} />
      <h2>Callees</h2>
      <Half tree={tree} of={below} />
    </>
  );
}

function Half(props: { tree: Tree; of: Merged }) {
  const { of: merged, tree } = props;
  const siteOf = (node: number) => tree.blocks[merged.block[node] ?? 0] as Site;
  const tints = useMemo(() => assignTints(new Set(tree.blocks.map(group))), [tree]);
  const data = useMemo(
    () => ({
      parent: merged.parent,
      metrics: { total: { values: merged.total, inclusive: true } },
      label: (node: number) => (node < 0 ? "all its calls" : visible(named(siteOf(node).name))),
    }),
    [merged],
  );
  return (
    <FlameBox
      data={data}
      metric="total"
      color={(node) => cssColor(blockRGB(tints.get(group(siteOf(node))) ?? { hue: 0, chroma: 0 }, siteOf(node).name, isDark.value))}
      describe={(node, hidden) => ({
        title: hidden > 0 ? `${hidden} small frames` : node < 0 ? "all its calls" : visible(named(siteOf(node).name)),
        rows: node < 0 || hidden > 0 ? [] : [["calls", count(merged.count[node] ?? 0)], ["total", duration(merged.total[node] ?? 0)]],
        notes: node < 0 ? [] : [visible(siteOf(node).service)],
      })}
    />
  );
}
