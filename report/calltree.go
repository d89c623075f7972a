package report

import "github.com/stichotrope/stichotrope-go/core"

// pendingName is the name of the root above what has no settled place in the call tree yet.
const pendingName = "(pending)"

// call is a node of the call tree as the reports show it: a node of the snapshot, or an observation that is still
// pending, under a root of its own.
type call struct {
	// parent is the index of the parent, -1 for a root. It is less than the call's own index.
	parent int
	// depth is 0 for a root.
	depth int
	// block is the index of the site in Snapshot.Blocks, -1 for the root of what is pending.
	block int
	stats *core.Stats
}

// callTree returns the calls in depth-first order: the nodes of the snapshot, then what is pending. Added up by
// site, they give the blocks.
func callTree(s *core.Snapshot) []call {
	calls := make([]call, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		calls[i] = call{parent: n.Parent, block: n.Block, stats: &n.Stats}
		if n.Parent >= 0 {
			calls[i].depth = calls[n.Parent].depth + 1
		}
	}
	return append(calls, pendingCalls(s)...)
}

// pendingCalls returns a root with a child for each block that has pending observations, none if no block has.
// The child's statistics are those of the block less those of its nodes. The root has the total of its children
// and, not being a site, nothing of its own.
func pendingCalls(s *core.Snapshot) []call {
	settled := map[int]core.Stats{}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; s.Blocks[n.Block].Pending > 0 {
			settled[n.Block] = settled[n.Block].Merge(n.Stats)
		}
	}
	var calls []call
	root := &core.Stats{}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if b.Pending <= 0 {
			continue
		}
		if calls == nil {
			calls = append(calls, call{parent: -1, block: -1, stats: root})
		}
		stats := b.Stats.Sub(settled[i])
		*root = root.Merge(core.Stats{Total: stats.Total})
		calls = append(calls, call{parent: len(s.Nodes), depth: 1, block: i, stats: &stats})
	}
	return calls
}

// frameNames returns the name of every block as a frame of a stack, and a function that gives that of a call.
func frameNames(s *core.Snapshot, name func(core.Site) string) func(call) string {
	names := make([]string, len(s.Blocks))
	for i := range s.Blocks {
		names[i] = name(s.Blocks[i].Site)
	}
	return func(c call) string {
		if c.block < 0 {
			return pendingName
		}
		return names[c.block]
	}
}
