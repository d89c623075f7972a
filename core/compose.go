package core

import (
	"cmp"
	"slices"
)

// visited is a node as a snapshot found it.
type visited struct {
	node   *node
	parent int32 // index in capture.nodes, -1 for a root
	stats  Stats
	block  int32 // index in Snapshot.Blocks
	// kept: the node or one below it has observations.
	kept bool
}

// build composes the snapshot from what was captured.
func (c *capture) build(noTree bool) *Snapshot {
	s := &Snapshot{Counters: c.counters, Blocks: []Block{}, Nodes: []Node{}}
	for i := len(c.nodes) - 1; i >= 0; i-- {
		v := &c.nodes[i]
		if v.kept = v.kept || v.stats.Count > 0; v.kept && v.parent >= 0 {
			c.nodes[v.parent].kept = true
		}
	}
	c.state.rank()
	c.blocks(s, noTree)
	if !noTree {
		c.tree(s)
	}
	for t := range c.state.tracks.all {
		if t.off.Load() {
			s.DisabledTracks = append(s.DisabledTracks, t.name)
		}
	}
	slices.Sort(s.DisabledTracks)
	return s
}

// rank numbers the sites in their order. It sorts only when there are new ones: comparing a thousand sites takes longer
// than everything else in a snapshot. The numbers are used under the lock of snapshots only.
func (st *state) rank() {
	n := int(st.sites.n.Load()) + 1
	if len(st.ranked) == n {
		return
	}
	st.ranked = append(st.ranked[:0], st.overflowSite)
	for s := range st.sites.all {
		st.ranked = append(st.ranked, s)
	}
	slices.SortFunc(st.ranked, func(a, b *site) int { return a.Compare(b.Site) })
	for i, s := range st.ranked {
		s.rank = i
	}
}

// blocks adds up the nodes and the pending observations of each site.
func (c *capture) blocks(s *Snapshot, noTree bool) {
	// at is one more than the index of a site's block, by rank.
	at := make([]int32, len(c.state.ranked))
	for i := range c.nodes {
		if c.nodes[i].kept {
			at[c.nodes[i].node.site.rank] = 1
		}
	}
	for key := range c.pending {
		at[key.rank] = 1
	}
	for key := range c.active {
		at[key.rank] = 1
	}
	for rank, used := range at {
		if used != 0 {
			s.Blocks = append(s.Blocks, Block{Site: c.state.ranked[rank].Site})
			at[rank] = int32(len(s.Blocks))
		}
	}
	for i := range c.nodes {
		v := &c.nodes[i]
		if !v.kept {
			continue
		}
		v.block = at[v.node.site.rank] - 1
		if b := &s.Blocks[v.block]; b.Stats.Count == 0 {
			b.Stats = v.stats
		} else {
			b.Stats = b.Stats.Merge(v.stats)
		}
		if v.node.overflow && v.node != c.state.overflow {
			s.Counters.OverflowNodes += v.stats.Count
		}
	}
	for key, p := range c.pending {
		b := &s.Blocks[at[key.rank]-1]
		stats := p.stats(false)
		b.Stats = b.Stats.Merge(stats)
		b.Pending = int64(stats.Count)
	}
	for key, open := range c.active {
		s.Blocks[at[key.rank]-1].Stats.Active = open
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		s.Counters.Spans += b.Stats.Count
		if b.Site == OverflowSite {
			s.Counters.OverflowSites = b.Stats.Count
		}
		if noTree {
			b.Pending = int64(b.Stats.Count)
		}
	}
}

// tree fills s.Nodes: depth-first, siblings by site, without empty branches.
func (c *capture) tree(s *Snapshot) {
	// children are the kept nodes grouped by parent, in each group in descending order, so that a stack yields them
	// in ascending order; first[p+1] is where the group of the parent p begins.
	children := make([]int32, 0, len(c.nodes))
	for i := range c.nodes {
		if c.nodes[i].kept {
			children = append(children, int32(i))
		}
	}
	slices.SortFunc(children, func(i, j int32) int {
		a, b := &c.nodes[i], &c.nodes[j]
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(b.block, a.block))
	})
	first := make([]int32, len(c.nodes)+2)
	for _, i := range children {
		first[c.nodes[i].parent+2]++
	}
	for p := 1; p < len(first); p++ {
		first[p] += first[p-1]
	}
	s.Nodes = make([]Node, 0, len(children))
	written := make([]int32, len(c.nodes)) // the index in s.Nodes
	stack := slices.Clone(children[first[0]:first[1]])
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		v := &c.nodes[i]
		parent := -1
		if v.parent >= 0 {
			parent = int(written[v.parent])
		}
		written[i] = int32(len(s.Nodes))
		s.Nodes = append(s.Nodes, Node{Parent: parent, Block: int(v.block), Stats: v.stats})
		stack = append(stack, children[first[i+1]:first[i+2]]...)
	}
}
