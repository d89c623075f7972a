// The geometry of a flame graph, without a canvas: where each node lies, what is worth drawing, what is hit.

/** The virtual node above all roots. */
const ROOT = -1;

/**
 * TreeLayout places the nodes of a forest as an icicle: x and width are fractions of the whole graph, 0…1.
 * Children are packed from the left in descending order of weight.
 *
 * Nodes are numbers. parent[i] is the parent of node i, ROOT for a root, and always less than i; so one loop
 * forwards visits parents first, one backwards visits children first, and no depth of nesting needs a recursion.
 */
class TreeLayout {
  constructor(parent) {
    const n = parent.length;
    this.parent = Int32Array.from(parent);
    // The children of node i are children[first[i+1]] up to before children[first[i+2]]; those of ROOT come first.
    this.first = new Int32Array(n + 2);
    for (let i = 0; i < n; i++) this.first[this.parent[i] + 2]++;
    for (let slot = 1; slot < n + 2; slot++) this.first[slot] += this.first[slot - 1];
    this.children = new Int32Array(n);
    const next = this.first.slice();
    for (let i = 0; i < n; i++) this.children[next[this.parent[i] + 1]++] = i;
    this.x = new Float64Array(n);
    this.width = new Float64Array(n);
    this.weight = new Float64Array(n);
    this.childWeight = new Float64Array(n + 1);
  }

  /**
   * Lays the tree out by a metric. An inclusive metric, such as the total time, already contains what the children
   * have; of any other, such as the self time or the count, a node weighs its own value plus that of all below it.
   *
   * Children that run at the same time can have more total time together than their parent. They are scaled down
   * to fit below it, keeping their proportions; overlap tells by how much.
   */
  measure(values, inclusive) {
    const n = this.parent.length;
    this.childWeight.fill(0);
    for (let i = n - 1; i >= 0; i--) {
      this.weight[i] = values[i] + (inclusive ? 0 : this.childWeight[i + 1]);
      this.childWeight[this.parent[i] + 1] += this.weight[i];
    }
    for (let node = ROOT; node < n; node++) {
      const children = this.childrenOf(node);
      if (children.length > 1) children.sort((a, b) => this.weight[b] - this.weight[a] || a - b);
      const room = Math.max(this.weightOf(node), this.childWeight[node + 1]);
      const scale = room > 0 ? this.widthOf(node) / room : 0;
      let x = this.xOf(node);
      for (const child of children) {
        this.x[child] = x;
        this.width[child] = this.weight[child] * scale;
        x += this.width[child];
      }
    }
  }

  /** Returns the children of a node in the order of the layout: a view, not a copy. */
  childrenOf(node) {
    return this.children.subarray(this.first[node + 1], this.first[node + 2]);
  }

  weightOf(node) {
    return node === ROOT ? this.childWeight[0] : this.weight[node];
  }

  xOf(node) {
    return node === ROOT ? 0 : this.x[node];
  }

  widthOf(node) {
    return node === ROOT ? 1 : this.width[node];
  }

  /** Returns the sum of the children's weights divided by the node's own: above 1 they ran at the same time. */
  overlap(node) {
    const weight = this.weightOf(node);
    return weight > 0 ? this.childWeight[node + 1] / weight : 0;
  }

  /** Returns the nodes from a root down to the node itself; none for ROOT. */
  pathTo(node) {
    const path = [];
    for (; node !== ROOT; node = this.parent[node]) path.push(node);
    return path.reverse();
  }

  /**
   * Returns what to draw when the node zoom fills the width: one array of rectangles {node, x, width, hidden} per
   * row, ascending in x, in pixels. Row 0 is ROOT, then come the ancestors of zoom at full width. A node narrower
   * than minPixels is left out with everything below it; if the nodes left out below one parent are wide enough
   * together, one rectangle stands for them: its node is the first of them, hidden says how many they are.
   */
  rows(zoom, pixels, minPixels) {
    const full = (node) => [{ node, x: 0, width: pixels, hidden: 0 }];
    const rows = [full(ROOT), ...this.pathTo(zoom).map(full)];
    const left = this.xOf(zoom);
    const scale = pixels / this.widthOf(zoom);
    for (let row = rows.at(-1); row.length > 0; row = rows.at(-1)) {
      const below = [];
      for (const rect of row) {
        if (rect.hidden === 0) this.#placeChildren(rect.node, left, scale, minPixels, below);
      }
      if (below.length === 0) break;
      rows.push(below);
    }
    return rows;
  }

  #placeChildren(node, left, scale, minPixels, row) {
    const children = this.childrenOf(node);
    for (let i = 0; i < children.length; i++) {
      const x = (this.x[children[i]] - left) * scale;
      const width = this.width[children[i]] * scale;
      if (width >= minPixels) {
        row.push({ node: children[i], x, width, hidden: 0 });
        continue;
      }
      // The children are in descending order: none of the rest is wide enough either.
      let rest = 0;
      for (let j = i; j < children.length; j++) rest += this.width[children[j]] * scale;
      if (rest >= minPixels) row.push({ node: children[i], x, width: rest, hidden: children.length - i });
      return;
    }
  }

  /**
   * Returns the share of the graph's width, 0…1, that lies in marked nodes or below them. Nested marks count once.
   */
  markedShare(marks) {
    const covered = new Uint8Array(marks.length);
    let share = 0;
    for (let i = 0; i < marks.length; i++) {
      const above = this.parent[i] !== ROOT && covered[this.parent[i]];
      if (marks[i] && !above) share += this.width[i];
      covered[i] = above || marks[i] ? 1 : 0;
    }
    return Math.min(share, 1);
  }
}

/** Returns the rectangle of a row that contains the pixel x, or null: a binary search. */
function rectAt(row, x) {
  let lo = 0;
  let hi = row.length - 1;
  while (lo < hi) {
    const middle = (lo + hi + 1) >> 1;
    if (row[middle].x <= x) lo = middle;
    else hi = middle - 1;
  }
  const rect = row[lo];
  return rect && x >= rect.x && x < rect.x + rect.width ? rect : null;
}

export { ROOT, TreeLayout, rectAt };
