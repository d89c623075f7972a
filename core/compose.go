package core

import "slices"

// build composes the snapshot from what was captured.
func (c *capture) build(noTree bool) *Snapshot {
	s := &Snapshot{Counters: c.counters, Blocks: []Block{}, Nodes: []Node{}}
	blocks := make(map[*site]*Block, len(c.stats))
	block := func(key *site) *Block {
		b := blocks[key]
		if b == nil {
			b = &Block{Site: key.Site}
			blocks[key] = b
		}
		return b
	}
	for n, stats := range c.stats {
		b := block(n.site)
		b.Stats = b.Stats.Merge(stats)
		if n.overflow && n != c.state.overflow {
			s.Counters.OverflowNodes += stats.Count
		}
	}
	for key, p := range c.pending {
		b := block(key)
		stats := p.stats(false)
		b.Stats = b.Stats.Merge(stats)
		b.Pending = int64(stats.Count)
	}
	for key, open := range c.active {
		block(key).Stats.Active = open
	}
	c.nameNodes(block)
	for _, b := range blocks {
		s.Blocks = append(s.Blocks, *b)
		s.Counters.Spans += b.Stats.Count
		if b.Site == OverflowSite {
			s.Counters.OverflowSites = b.Stats.Count
		}
	}
	slices.SortFunc(s.Blocks, func(a, b Block) int { return a.Site.Compare(b.Site) })
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

// nameNodes makes a block for every node on a path to one with statistics, so that each has a site to show.
func (c *capture) nameNodes(block func(*site) *Block) {
	for n := range c.stats {
		for n = n.parent; n != nil && n.site != nil; n = n.parent {
			block(n.site)
		}
	}
}

// tree fills s.Nodes: depth-first, siblings by site, without empty branches.
func (c *capture) tree(s *Snapshot) {
	index := make(map[Site]int, len(s.Blocks))
	for i := range s.Blocks {
		index[s.Blocks[i].Site] = i
	}
	children := make(map[*node][]*node, len(c.stats))
	seen := make(map[*node]bool, len(c.stats))
	for n := range c.stats {
		for ; n.parent != nil && !seen[n]; n = n.parent {
			seen[n] = true
			children[n.parent] = append(children[n.parent], n)
		}
	}
	type visit struct {
		node   *node
		parent int
	}
	stack := []visit{}
	push := func(n *node, parent int) {
		kids := children[n]
		slices.SortFunc(kids, func(a, b *node) int { return index[b.site.Site] - index[a.site.Site] })
		for _, k := range kids {
			stack = append(stack, visit{k, parent})
		}
	}
	push(&c.state.root, -1)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s.Nodes = append(s.Nodes, Node{Parent: v.parent, Block: index[v.node.site.Site], Stats: c.stats[v.node]})
		push(v.node, len(s.Nodes)-1)
	}
}
