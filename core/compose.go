package core

import "slices"

// readNodes copies the statistics of all nodes, in the order of the snapshot and without empty branches. The sites of
// what is pending and active are known by now, so the ranks hold until the snapshot is built.
func (c *capture) readNodes() {
	order := &c.state.order
	order.update(c.state)
	c.nodes = make([]Node, 0, min(order.used+order.used/8+16, len(order.nodes)))
	// at is one more than the index in c.nodes, 0 while there is no need for the node.
	at := make([]int32, len(order.nodes))
	for i := range order.nodes {
		if stats := order.nodes[i].stats(c.reset); stats.Count > 0 {
			c.keep(at, i).Stats = stats
			if n := order.nodes[i].node; n.overflow && n != c.state.overflow {
				c.counters.OverflowNodes += stats.Count
			}
		}
	}
	order.used = len(c.nodes)
}

// keep adds a node, after its parent.
func (c *capture) keep(at []int32, i int) *Node {
	n := c.state.order.nodes[i]
	parent := -1
	if n.parent >= 0 {
		if at[n.parent] == 0 {
			c.keep(at, int(n.parent))
		}
		parent = int(at[n.parent]) - 1
	}
	c.nodes = append(c.nodes, Node{Parent: parent, Block: n.site.rank})
	at[i] = int32(len(c.nodes))
	return &c.nodes[len(c.nodes)-1]
}

// build composes the snapshot from what was captured.
func (c *capture) build(noTree bool) *Snapshot {
	s := &Snapshot{Counters: c.counters, Nodes: c.nodes}
	c.blocks(s)
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
	if noTree {
		s.Nodes = []Node{}
	}
	for t := range c.state.tracks.all {
		if t.off.Load() {
			s.DisabledTracks = append(s.DisabledTracks, t.name)
		}
	}
	slices.Sort(s.DisabledTracks)
	return s
}

// blocks adds up the nodes and the pending observations of each site.
func (c *capture) blocks(s *Snapshot) {
	order := &c.state.order
	// at is one more than the index of a site's block, by rank.
	at := make([]int32, len(order.sites))
	use := func(s *site) { at[s.rank] = 1 }
	for i := range s.Nodes {
		use(order.sites[s.Nodes[i].Block])
	}
	for i := range c.live {
		for key := range c.live[i].pending {
			use(key)
		}
		for key := range c.live[i].active {
			use(key)
		}
	}
	n := 0
	for _, used := range at {
		n += int(used)
	}
	s.Blocks = make([]Block, 0, n)
	for rank, used := range at {
		if used != 0 {
			s.Blocks = append(s.Blocks, Block{Site: order.sites[rank].Site})
			at[rank] = int32(len(s.Blocks))
		}
	}
	sums := make([]statsSum, n)
	for i := range sums {
		sums[i].stats = &s.Blocks[i].Stats
	}
	for i := range s.Nodes {
		b := &s.Nodes[i].Block
		*b = int(at[*b]) - 1
		sums[*b].add(&s.Nodes[i].Stats)
	}
	for i := range c.live {
		for key, p := range c.live[i].pending {
			b := at[key.rank] - 1
			stats := p.stats(false)
			sums[b].add(&stats)
			s.Blocks[b].Pending += int64(stats.Count)
		}
	}
	for i := range sums {
		sums[i].finish()
	}
	for i := range c.live {
		for key, open := range c.live[i].active {
			s.Blocks[at[key.rank]-1].Stats.Active += open
		}
	}
}
