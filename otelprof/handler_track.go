package otelprof

import (
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
)

// branch is a node of a call tree under construction.
type branch struct {
	block    int
	stats    core.Stats
	children map[int]*branch // by block
}

func (b *branch) child(block int) *branch {
	c := b.children[block]
	if c == nil {
		c = &branch{block: block}
		if b.children == nil {
			b.children = map[int]*branch{}
		}
		b.children[block] = c
	}
	return c
}

// onlyTracks returns the part of s that belongs to the tracks to keep. In the call tree a node whose parent is left out
// moves up to the nearest ancestor that is kept; nodes that become equal by that are merged. Self times stay what
// they were, and so do the counters, which belong to no track.
func onlyTracks(s *core.Snapshot, keep func(track string) bool) *core.Snapshot {
	out := *s
	out.Blocks, out.Nodes = []core.Block{}, []core.Node{}
	at := make([]int, len(s.Blocks)) // the new index of each block, -1 if it is left out
	for i, b := range s.Blocks {
		at[i] = -1
		if keep(b.Site.Track) {
			at[i] = len(out.Blocks)
			out.Blocks = append(out.Blocks, b)
		}
	}
	root := &branch{}
	branches := make([]*branch, len(s.Nodes)) // where each node went, or its nearest ancestor
	for i, n := range s.Nodes {
		b := root
		if n.Parent >= 0 {
			b = branches[n.Parent]
		}
		if block := at[n.Block]; block >= 0 {
			b = b.child(block)
			b.stats = b.stats.Merge(n.Stats)
		}
		branches[i] = b
	}
	out.Nodes = appendBranches(out.Nodes, root)
	return &out
}

// appendBranches appends everything below root in the order of Snapshot.Nodes: depth-first, siblings by site. It uses a
// stack of its own, because a tree may be deeper than is good for recursion.
func appendBranches(nodes []core.Node, root *branch) []core.Node {
	type visit struct {
		*branch
		parent int
	}
	var stack []visit
	push := func(b *branch, parent int) {
		first := len(stack)
		for _, c := range b.children {
			stack = append(stack, visit{c, parent})
		}
		// Blocks are in the order of their sites; the last one pushed is the next one visited.
		slices.SortFunc(stack[first:], func(a, b visit) int { return b.block - a.block })
	}
	push(root, -1)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		nodes = append(nodes, core.Node{Parent: v.parent, Block: v.block, Stats: v.stats})
		push(v.branch, len(nodes)-1)
	}
	return nodes
}
