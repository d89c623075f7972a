package core

import (
	"cmp"
	"slices"
)

// treeOrder is the order of sites and nodes in snapshots. It is kept from one to the next, because finding it
// takes longer than everything else in a snapshot, and there is seldom anything new.
type treeOrder struct {
	// sites are in their order. The rank of a site is its index here.
	sites []*site
	// nodes are in depth-first order, siblings by site.
	nodes []placed
	// used is how many nodes the last snapshot had.
	used int
}

// placed is a node and the index of its parent, -1 for a root.
type placed struct {
	*node
	parent int32
}

// update adds what is new. A count that is ahead of what can be found yet only makes the next update look again.
func (o *treeOrder) update(st *state) {
	nodes := int(st.nodes.Load()+st.overflow.children.n.Load()) + 1
	newNodes := nodes != len(o.nodes)
	if newNodes {
		o.listNodes(st)
	}
	// The sites of these nodes are all in the table by now.
	if newSites := int(st.sites.n.Load())+1 != len(o.sites); newSites {
		o.rankSites(st)
	}
	if newNodes {
		o.sortNodes()
	}
}

func (o *treeOrder) rankSites(st *state) {
	o.sites = append(o.sites[:0], st.overflowSite)
	for s := range st.sites.all {
		o.sites = append(o.sites, s)
	}
	slices.SortFunc(o.sites, func(a, b *site) int { return a.Compare(b.Site) })
	for i, s := range o.sites {
		s.rank = i
	}
}

// listNodes lists the nodes in breadth-first order.
func (o *treeOrder) listNodes(st *state) {
	o.nodes = o.nodes[:0]
	add := func(parent *node, index int32) {
		for n := range parent.children.all {
			o.nodes = append(o.nodes, placed{n, index})
		}
	}
	add(&st.root, -1)
	o.nodes = append(o.nodes, placed{st.overflow, -1})
	for i := 0; i < len(o.nodes); i++ {
		add(o.nodes[i].node, int32(i))
	}
}

// sortNodes puts the nodes from breadth-first into depth-first order.
func (o *treeOrder) sortNodes() {
	// children are the nodes grouped by parent, in each group in descending order, so that a stack yields them in
	// ascending order; first[p+1] is where the group of the parent p begins.
	children := make([]int32, len(o.nodes))
	first := make([]int32, len(o.nodes)+2)
	for i := range o.nodes {
		children[i] = int32(i)
		first[o.nodes[i].parent+2]++
	}
	for p := 1; p < len(first); p++ {
		first[p] += first[p-1]
	}
	slices.SortFunc(children, func(i, j int32) int {
		a, b := &o.nodes[i], &o.nodes[j]
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(b.site.rank, a.site.rank))
	})
	sorted := make([]placed, 0, len(o.nodes))
	at := make([]int32, len(o.nodes)) // the index in sorted
	stack := slices.Clone(children[first[0]:first[1]])
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := o.nodes[i]
		if n.parent >= 0 {
			n.parent = at[n.parent]
		}
		at[i] = int32(len(sorted))
		sorted = append(sorted, n)
		stack = append(stack, children[first[i+1]:first[i+2]]...)
	}
	o.nodes = sorted
}
