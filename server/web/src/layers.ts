// A layered layout of a graph: whoever calls stands left of whom it calls.

export interface Place {
  layer: number;
  row: number;
  /** How many stand in the layer. */
  of: number;
}

/** Places nodes in layers by the longest way to them, leaving out the edges that close a circle, and orders each layer by its callers. */
export function layered(names: string[], edges: [string, string][]): Map<string, Place> {
  const next = new Map<string, string[]>(names.map((n) => [n, []]));
  for (const [a, b] of edges) if (a !== b && next.has(b)) next.get(a)?.push(b);
  const order = topological(names, next);
  const rank = new Map(order.map((n, i) => [n, i]));
  const layer = new Map<string, number>(names.map((n) => [n, 0]));
  const before = new Map<string, string[]>(names.map((n) => [n, []]));
  for (const n of order) {
    for (const m of next.get(n) ?? []) {
      if ((rank.get(m) ?? 0) < (rank.get(n) ?? 0)) continue; // closes a circle
      before.get(m)?.push(n);
      layer.set(m, Math.max(layer.get(m) ?? 0, (layer.get(n) ?? 0) + 1));
    }
  }
  const layers: string[][] = [];
  for (const n of order) {
    const l = layer.get(n) ?? 0;
    layers[l] ??= [];
    layers[l].push(n);
  }
  const places = new Map<string, Place>();
  layers.forEach((all, l) => {
    const centre = (n: string) => {
      const rows = (before.get(n) ?? []).map((b) => (places.get(b)?.row ?? 0) / (places.get(b)?.of ?? 1));
      return rows.length > 0 ? rows.reduce((a, b) => a + b, 0) / rows.length : 0;
    };
    const sorted = all.map((n) => ({ n, at: centre(n) })).sort((a, b) => a.at - b.at);
    sorted.forEach(({ n }, row) => {
      places.set(n, { layer: l, row, of: all.length });
    });
  });
  return places;
}

/** An order in which callers come first, wherever there is no circle. */
function topological(names: string[], next: Map<string, string[]>): string[] {
  const called = new Set([...next.values()].flat());
  const seen = new Set<string>();
  const order: string[] = [];
  // Those that nobody calls begin. The stack is our own: a chain of services may be long.
  for (const start of [...names.filter((n) => !called.has(n)), ...names]) {
    const stack: { n: string; i: number }[] = seen.has(start) ? [] : [{ n: start, i: 0 }];
    seen.add(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { n: string; i: number };
      const child = next.get(top.n)?.[top.i++];
      if (child === undefined) {
        order.push(top.n);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ n: child, i: 0 });
      }
    }
  }
  return order.reverse();
}
