package exporter

import (
	"cmp"
	"slices"
	"sort"

	"github.com/stichotrope/stichotrope-go/core"
)

// OtherSite is the site of the nodes into which a report folds what its limit leaves out; see [WithTracksMaxNodes].
var OtherSite = core.Site{Track: "otelprof", Name: "(other)"}

// fold returns the profile with at most limit nodes, and how many it folded. It keeps those with the greatest totals
// in themselves or below. The others among the children of a node become one node of OtherSite below it; their children
// become one below that, and so on: the statistics of every level are the exact sums of what was there. A tree that is
// deeper than limit is folded into one node for each level.
//
// The blocks of sites that lost nodes lose the same observations to the block of OtherSite, unless they have
// observations outside the tree: then the lost ones are counted as such.
func fold(s *core.Snapshot, limit int) (*core.Snapshot, int) {
	if len(s.Nodes) <= limit {
		return s, 0
	}
	keep, folded := kept(s, limit)
	branches := foldNodes(s, keep)
	out := &core.Snapshot{
		Names: s.Names, Start: s.Start, End: s.End, DisabledTracks: s.DisabledTracks, Counters: s.Counters,
		Blocks: foldBlocks(s, keep),
	}
	out.Nodes = inOrder(out.Blocks, branches)
	settleOther(out)
	return out, folded
}

// kept marks the nodes to keep and returns how many are not.
func kept(s *core.Snapshot, limit int) (keep []bool, folded int) {
	// A node is at least as important as those below, so that a kept node's parent is kept.
	weights := make([]uint64, len(s.Nodes))
	for i := len(s.Nodes) - 1; i >= 0; i-- {
		n := &s.Nodes[i]
		weights[i] = max(weights[i], n.Stats.Total)
		if n.Parent >= 0 {
			weights[n.Parent] = max(weights[n.Parent], weights[i])
		}
	}
	order, rank := make([]int, len(s.Nodes)), make([]int, len(s.Nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(weights[j], weights[i]), cmp.Compare(i, j)) })
	for at, i := range order {
		rank[i] = at
	}
	// Keeping one more never makes the result smaller.
	n := sort.Search(len(s.Nodes), func(n int) bool { return nodesLeft(s, rank, n+1) > limit })
	keep = make([]bool, len(s.Nodes))
	for _, i := range order[:n] {
		keep[i] = true
	}
	return keep, len(s.Nodes) - n
}

// nodesLeft returns how many nodes there are when those with a rank below n are kept: these, and below each of them
// as many others as the folded branches are deep.
func nodesLeft(s *core.Snapshot, rank []int, n int) int {
	left := 0
	depths := make([]int, len(s.Nodes)+1) // of what is folded below each parent; the last is for the roots
	for i := len(s.Nodes) - 1; i >= 0; i-- {
		if rank[i] < n {
			left += 1 + depths[i]
			continue
		}
		p := s.Nodes[i].Parent
		if p < 0 {
			p = len(s.Nodes)
		}
		depths[p] = max(depths[p], depths[i]+1)
	}
	return left + depths[len(s.Nodes)]
}

// foldNodes returns the nodes that are left.
func foldNodes(s *core.Snapshot, keep []bool) []branch {
	var branches []branch
	at := make([]int, len(s.Nodes)) // the branch of each node
	others := map[int]int{}         // the branch of OtherSite below each branch
	for i := range s.Nodes {
		n := &s.Nodes[i]
		parent := -1
		if n.Parent >= 0 {
			parent = at[n.Parent]
		}
		// A profile that was folded before has nodes of OtherSite already.
		if keep[i] && s.Site(*n) != OtherSite {
			at[i] = len(branches)
			branches = append(branches, branch{s.Site(*n), parent, n.Stats})
			continue
		}
		other, ok := others[parent]
		if !ok {
			other = len(branches)
			others[parent] = other
			branches = append(branches, branch{site: OtherSite, parent: parent})
		}
		at[i] = other
		branches[other].stats = branches[other].stats.Merge(n.Stats)
	}
	return branches
}

// foldBlocks returns the blocks that are left, the last being that of OtherSite, whose Pending is not set.
func foldBlocks(s *core.Snapshot, keep []bool) []core.Block {
	sums, _ := nodeSums(s)
	left, lost := make([]core.Stats, len(s.Blocks)), make([]core.Stats, len(s.Blocks))
	stays, goes := make([]bool, len(s.Blocks)), make([]bool, len(s.Blocks))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if keep[i] {
			left[n.Block], stays[n.Block] = left[n.Block].Merge(n.Stats), true
		} else {
			lost[n.Block], goes[n.Block] = lost[n.Block].Merge(n.Stats), true
		}
	}
	var out []core.Block
	other := core.Block{Site: OtherSite}
	for i, b := range s.Blocks {
		outside := outsideOf(&b.Stats, &sums[i])
		switch {
		case b.Site == OtherSite:
			other.Stats = other.Stats.Merge(b.Stats)
			continue
		case !goes[i]:
		case isNothing(&outside, &sums[i]):
			left[i].Active = b.Stats.Active
			b.Stats = left[i]
			other.Stats = other.Stats.Merge(lost[i])
		default:
			b.Pending += int64(lost[i].Count)
		}
		if stays[i] || !goes[i] || b.Pending != 0 || !b.Stats.IsZero() {
			out = append(out, b)
		}
	}
	return append(out, other)
}

// settleOther makes Pending of OtherSite's block what its nodes have too few, or, where sites count their lost
// observations as outside the tree, too many.
func settleOther(s *core.Snapshot) {
	at := slices.IndexFunc(s.Blocks, func(b core.Block) bool { return b.Site == OtherSite })
	b := &s.Blocks[at]
	b.Pending = int64(b.Stats.Count)
	for i := range s.Nodes {
		if s.Nodes[i].Block == at {
			b.Pending -= int64(s.Nodes[i].Stats.Count)
		}
	}
}
