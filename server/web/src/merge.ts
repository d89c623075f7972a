// Trees out of a call tree: what leads to a block, and what it leads to.

import type { Tree } from "./api";

/** A merged tree by columns; every node stands for all calls by the same way. */
export interface Merged {
  parent: number[];
  block: number[];
  count: number[];
  total: number[];
}

/** Merges what stands below the outermost nodes of a block: what it calls. */
export function callees(nodes: Tree["nodes"], block: number): Merged {
  const merged = new Merger();
  const at = nodes.parent.map(() => -1); // where each node went, -1 for nowhere
  nodes.parent.forEach((parent, node) => {
    const above = parent >= 0 ? (at[parent] ?? -1) : -1;
    if (above >= 0 || nodes.block[node] === block) at[node] = merged.add(above, nodes.block[node] ?? 0, nodes.count[node] ?? 0, nodes.total_ns[node] ?? 0);
  });
  return merged;
}

/** Merges the ways up from the outermost nodes of a block: who calls it, with the time of the block's calls from there. */
export function callers(nodes: Tree["nodes"], block: number): Merged {
  const merged = new Merger();
  const inside = new Uint8Array(nodes.parent.length);
  nodes.parent.forEach((parent, node) => {
    const nested = parent >= 0 && inside[parent] === 1;
    const own = nodes.block[node] === block;
    if (nested || own) inside[node] = 1;
    if (!own || nested) return;
    let at = -1;
    for (let n = node; n >= 0; n = nodes.parent[n] ?? -1) at = merged.add(at, nodes.block[n] ?? 0, nodes.count[node] ?? 0, nodes.total_ns[node] ?? 0);
  });
  return merged;
}

/**
 * Returns the tree with the calls of a block right within itself merged into the outer ones: those count and have their self
 * time there, and their callees are the callees of the outer ones. Quantiles of merged nodes are not known: NaN.
 */
export function withoutRecursion(nodes: Tree["nodes"]): Tree["nodes"] {
  const columns = Object.keys(nodes) as (keyof Tree["nodes"])[];
  const sums = ["count", "errors", "self_ns", "critical_ns"] as const;
  const out = Object.fromEntries(columns.map((c) => [c, [] as number[]])) as unknown as Tree["nodes"];
  const add = (list: number[], at: number, value: number) => {
    list[at] = (list[at] ?? 0) + value;
  };
  const known = new Map<string, number>();
  const at: number[] = []; // where each node went
  nodes.parent.forEach((parent, node) => {
    const above = parent < 0 ? -1 : (at[parent] ?? -1);
    const block = nodes.block[node] ?? 0;
    const within = above >= 0 && out.block[above] === block;
    const found = within ? above : known.get(above + " " + block);
    at[node] = found ?? out.parent.length;
    if (found === undefined) {
      known.set(above + " " + block, out.parent.length);
      for (const c of columns) out[c].push(c === "parent" ? above : (nodes[c][node] ?? 0));
      return;
    }
    for (const c of sums) add(out[c], found, nodes[c][node] ?? 0);
    if (!within) add(out.total_ns, found, nodes.total_ns[node] ?? 0);
    out.min_ns[found] = Math.min(out.min_ns[found] ?? 0, nodes.min_ns[node] ?? 0);
    out.max_ns[found] = Math.max(out.max_ns[found] ?? 0, nodes.max_ns[node] ?? 0);
    for (const c of ["p50_ns", "p95_ns", "p99_ns"] as const) out[c][found] = Number.NaN;
  });
  return out;
}

class Merger implements Merged {
  readonly parent: number[] = [];
  readonly block: number[] = [];
  readonly count: number[] = [];
  readonly total: number[] = [];
  readonly #known = new Map<string, number>();

  /** Adds calls to the child of a node (-1: to a root) with a block, and returns it. */
  add(parent: number, block: number, count: number, total: number): number {
    const key = parent + " " + block;
    let node = this.#known.get(key);
    if (node === undefined) {
      node = this.parent.push(parent) - 1;
      this.block.push(block);
      this.count.push(0);
      this.total.push(0);
      this.#known.set(key, node);
    }
    this.count[node] = (this.count[node] ?? 0) + count;
    this.total[node] = (this.total[node] ?? 0) + total;
    return node;
  }
}
