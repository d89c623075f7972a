package core

import (
	"cmp"
	"slices"
)

// pathIndex numbers the sites and the paths of any number of snapshots, each once, in the order in which they
// are first seen. Statistics are kept beside it, by number. Every place that puts trees together uses it, and
// [pathIndex.assemble] is the one place that knows the canonical order of a [Snapshot].
type pathIndex struct {
	sites  []Site
	siteOf map[Site]int
	paths  []path
	pathOf map[path]int
}

// path is the number of a site below the number of its parent's path, -1 for a root.
type path struct{ parent, site int }

func newPathIndex() *pathIndex {
	return &pathIndex{siteOf: make(map[Site]int), pathOf: make(map[path]int)}
}

// addSite returns the number of a site.
func (x *pathIndex) addSite(s Site) int {
	i, ok := x.siteOf[s]
	if !ok {
		i = len(x.sites)
		x.sites = append(x.sites, s)
		x.siteOf[s] = i
	}
	return i
}

// addPath returns the number of a path.
func (x *pathIndex) addPath(p path) int {
	i, ok := x.pathOf[p]
	if !ok {
		i = len(x.paths)
		x.paths = append(x.paths, p)
		x.pathOf[p] = i
	}
	return i
}

// add returns the numbers of the blocks' sites and of the nodes' paths of a snapshot.
func (x *pathIndex) add(s *Snapshot) (sites, paths []int) {
	return numbers(s, x.addSite, x.addPath)
}

// find is add without adding: the number of what is not there is -1.
func (x *pathIndex) find(s *Snapshot) (sites, paths []int) {
	return numbers(s, func(s Site) int {
		if i, ok := x.siteOf[s]; ok {
			return i
		}
		return -1
	}, func(p path) int {
		if i, ok := x.pathOf[p]; ok {
			return i
		}
		return -1
	})
}

// missing stands for the parent of a node whose path is not in the index, so that no path below it is found.
const missing = -2

func numbers(s *Snapshot, site func(Site) int, node func(path) int) (sites, paths []int) {
	sites, paths = make([]int, len(s.Blocks)), make([]int, len(s.Nodes))
	for i := range s.Blocks {
		sites[i] = site(s.Blocks[i].Site)
	}
	for i, n := range s.Nodes {
		p := path{-1, sites[n.Block]}
		if n.Parent >= 0 {
			if p.parent = paths[n.Parent]; p.parent < 0 {
				p.parent = missing
			}
		}
		paths[i] = node(p)
	}
	return sites, paths
}

// path returns the sites from the root to path i.
func (x *pathIndex) path(i int) []Site {
	var sites []Site
	for ; i >= 0; i = x.paths[i].parent {
		sites = append(sites, x.sites[x.paths[i].site])
	}
	slices.Reverse(sites)
	return sites
}

// order returns the numbers of the sites in ascending order of Site, and those of the paths depth-first with
// siblings in ascending order of Site.
func (x *pathIndex) order() (sites, paths []int) {
	sites = ascending(len(x.sites))
	slices.SortFunc(sites, func(a, b int) int { return x.sites[a].Compare(x.sites[b]) })
	rank := make([]int, len(sites))
	for i, s := range sites {
		rank[s] = i
	}

	// The children of path p are a list that begins with first[p+1]. Every child is put before those that are
	// there already, so they are dealt out in descending order.
	descending := ascending(len(x.paths))
	slices.SortFunc(descending, func(a, b int) int { return cmp.Compare(rank[x.paths[b].site], rank[x.paths[a].site]) })
	first, next := make([]int, len(x.paths)+1), make([]int, len(x.paths))
	for i := range first {
		first[i] = -1
	}
	for _, p := range descending {
		list := &first[x.paths[p].parent+1]
		next[p], *list = *list, p
	}

	// todo holds, for every level of the path that the walk is at, the next node to visit.
	paths = make([]int, 0, len(x.paths))
	for todo := []int{first[0]}; len(todo) > 0; {
		top := len(todo) - 1
		p := todo[top]
		if p < 0 {
			todo = todo[:top]
			continue
		}
		paths = append(paths, p)
		todo[top] = next[p]
		todo = append(todo, first[p+1])
	}
	return sites, paths
}

func ascending(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// assemble returns blocks and nodes in canonical order, given the blocks by the numbers of their sites and the
// statistics of the nodes by the numbers of their paths.
func (x *pathIndex) assemble(blocks []Block, stats []Stats) ([]Block, []Node) {
	sites, paths := x.order()
	blockAt, nodeAt := make([]int, len(sites)), make([]int, len(paths))
	outBlocks := make([]Block, len(sites))
	for i, s := range sites {
		blockAt[s], outBlocks[i] = i, blocks[s]
	}
	outNodes := make([]Node, len(paths))
	for i, p := range paths {
		n := Node{Parent: -1, Block: blockAt[x.paths[p].site], Stats: stats[p]}
		if parent := x.paths[p].parent; parent >= 0 {
			n.Parent = nodeAt[parent]
		}
		nodeAt[p], outNodes[i] = i, n
	}
	return outBlocks, outNodes
}
