package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// CallTree is the call tree of a period.
type CallTree struct {
	// Profile has the nodes kept in Nodes, in its order: a parent stands before its children.
	Profile *core.Snapshot
	// Dropped is how many nodes are left out: those with the smallest total.
	Dropped int
}

// CallTree returns the call tree of a service, or of all for "", with at most so many nodes and their ancestors; 0 is no
// limit.
func (e *Engine) CallTree(ctx context.Context, within store.Range, service string, limit int) (*CallTree, error) {
	p, err := e.Profile(ctx, within, Service(service))
	if err != nil {
		return nil, err
	}
	return prune(p, limit), nil
}

// prune keeps the nodes with the largest total, and what leads to them.
func prune(p *core.Snapshot, limit int) *CallTree {
	if limit <= 0 || len(p.Nodes) <= limit {
		return &CallTree{Profile: p}
	}
	order := make([]int, len(p.Nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.Nodes[b].Stats.Total, p.Nodes[a].Stats.Total) })
	keep := make([]bool, len(p.Nodes))
	for _, i := range order[:limit] {
		for ; i >= 0 && !keep[i]; i = p.Nodes[i].Parent {
			keep[i] = true
		}
	}
	pruned := *p
	pruned.Nodes = nil
	number := make([]int, len(p.Nodes))
	for i, n := range p.Nodes {
		if !keep[i] {
			continue
		}
		number[i] = len(pruned.Nodes)
		if n.Parent >= 0 {
			n.Parent = number[n.Parent]
		}
		pruned.Nodes = append(pruned.Nodes, n)
	}
	return &CallTree{Profile: &pruned, Dropped: len(p.Nodes) - len(pruned.Nodes)}
}

// CriticalPath is where the time of traces goes: the critical path of each trace, summed by block.
type CriticalPath struct {
	Profile *core.Snapshot
	// Blocks are those on a critical path, the longest time on it first.
	Blocks []*core.Block
	// Total is the sum over all blocks: the durations of the traces, in ns.
	Total uint64
}

// CriticalPath returns the blocks of a service, or of all for "", by their time on the critical paths.
func (e *Engine) CriticalPath(ctx context.Context, within store.Range, service string, limit int) (*CriticalPath, error) {
	blocks, err := e.Blocks(ctx, BlocksQuery{Within: within, Service: service, Sort: "critical", Limit: limit})
	if err != nil {
		return nil, err
	}
	c := &CriticalPath{Profile: blocks.Profile, Total: blocks.Sum.Critical}
	for _, b := range blocks.Blocks {
		if b.Stats.Critical > 0 {
			c.Blocks = append(c.Blocks, b)
		}
	}
	return c, nil
}
