package exporter

import (
	"cmp"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
)

// branch is a node of a call tree in the making.
type branch struct {
	site core.Site
	// parent is the index of another branch, -1 for a root.
	parent int
	stats  core.Stats
}

// inOrder sorts blocks by site and returns the branches as nodes in the order that core.Snapshot.Nodes has. Every site of
// a branch must have a block. Branches that cannot be reached from a root are left out.
func inOrder(blocks []core.Block, branches []branch) []core.Node {
	slices.SortFunc(blocks, func(a, b core.Block) int { return a.Site.Compare(b.Site) })
	block := make(map[core.Site]int, len(blocks))
	for i := range blocks {
		block[blocks[i].Site] = i
	}
	children := childrenOf(len(branches), func(i int) int { return branches[i].parent })
	nodes := make([]core.Node, 0, len(branches))
	type visit struct{ branch, parent int }
	var stack []visit
	push := func(list []int, parent int) {
		// The last is visited first.
		slices.SortFunc(list, func(i, j int) int {
			return cmp.Compare(block[branches[j].site], block[branches[i].site])
		})
		for _, i := range list {
			stack = append(stack, visit{i, parent})
		}
	}
	push(children.of(-1), -1)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		b := &branches[v.branch]
		nodes = append(nodes, core.Node{Parent: v.parent, Block: block[b.site], Stats: b.stats})
		push(children.of(v.branch), len(nodes)-1)
	}
	return nodes
}

// childLists hold the children of all branches, one list after the other.
type childLists struct {
	list []int
	ends []int // of the list of parent i-1
}

// childrenOf sorts n branches by their parents, which are indexes or -1.
func childrenOf(n int, parent func(int) int) childLists {
	c := childLists{list: make([]int, n), ends: make([]int, n+2)}
	for i := range n {
		c.ends[parent(i)+2]++
	}
	for i := range n + 1 {
		c.ends[i+1] += c.ends[i]
	}
	for i := range n {
		p := parent(i) + 1
		c.list[c.ends[p]] = i
		c.ends[p]++
	}
	return c
}

func (c childLists) of(parent int) []int {
	start := 0
	if parent >= 0 {
		start = c.ends[parent]
	}
	return c.list[start:c.ends[parent+1]]
}
