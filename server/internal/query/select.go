package query

import (
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
)

// Select returns the profile of the sites that keep says. As with a track that is switched off, what is below a node that is
// left out belongs to the nearest ancestor that is kept.
func Select(s *core.Snapshot, keep func(core.Site) bool) *core.Snapshot {
	out := *s
	out.Blocks, out.Nodes = nil, nil
	block := make([]int, len(s.Blocks))
	var spans uint64
	for i := range s.Blocks {
		block[i] = -1
		if keep(s.Blocks[i].Site) {
			block[i] = len(out.Blocks)
			out.Blocks = append(out.Blocks, s.Blocks[i])
			spans += s.Blocks[i].Stats.Count
		}
	}
	out.Counters.Spans = spans
	t := newTree()
	node := make([]int, len(s.Nodes)) // where the node went, or its nearest kept ancestor; -1 is above the roots
	for i := range s.Nodes {
		n := &s.Nodes[i]
		parent := -1
		if n.Parent >= 0 {
			parent = node[n.Parent]
		}
		node[i] = parent
		if block[n.Block] >= 0 {
			node[i] = t.add(parent, block[n.Block], &n.Stats)
		}
	}
	out.Nodes = t.nodes()
	return &out
}

// tree is a call tree that is put together node by node. Blocks are in ascending order of site.
type tree struct {
	places   map[place]int
	parents  []int
	blocks   []int
	stats    []core.Stats
	children [][]int
	roots    []int
}

// place is where a node stands: a block below a parent.
type place struct{ parent, block int }

func newTree() *tree { return &tree{places: map[place]int{}} }

// add counts the statistics at a place, and returns the node's number.
func (t *tree) add(parent, block int, s *core.Stats) int {
	at, ok := t.places[place{parent, block}]
	if ok {
		t.stats[at] = t.stats[at].Merge(*s)
		return at
	}
	at = len(t.stats)
	t.places[place{parent, block}] = at
	t.parents, t.blocks = append(t.parents, parent), append(t.blocks, block)
	t.stats, t.children = append(t.stats, *s), append(t.children, nil)
	if parent < 0 {
		t.roots = append(t.roots, at)
	} else {
		t.children[parent] = append(t.children[parent], at)
	}
	return at
}

// nodes returns the tree in the order that Snapshot.Nodes has.
func (t *tree) nodes() []core.Node {
	byBlock := func(a, b int) int { return t.blocks[b] - t.blocks[a] } // the stack turns it round
	number := make([]int, len(t.stats))
	out := make([]core.Node, 0, len(t.stats))
	slices.SortFunc(t.roots, byBlock)
	stack := t.roots
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		parent := t.parents[at]
		if parent >= 0 {
			parent = number[parent]
		}
		number[at] = len(out)
		out = append(out, core.Node{Parent: parent, Block: t.blocks[at], Stats: t.stats[at]})
		slices.SortFunc(t.children[at], byBlock)
		stack = append(stack, t.children[at]...)
	}
	return out
}
