package api

import (
	"context"

	"github.com/stichotrope/stichotrope-go/core"
)

const (
	defaultNodes = 50_000
	maxNodes     = 1_000_000
)

type treeAnswer struct {
	Period period `json:"period"`
	// Dropped is how many nodes are left out, those with the smallest total.
	Dropped int `json:"dropped"`
	// Blocks are those that Nodes refers to.
	Blocks []site `json:"blocks"`
	Nodes  nodes  `json:"nodes"`
}

// nodes is a call tree by columns: half the size of a list of objects, and the form that the flame graph takes. A parent
// stands before its children and is -1 for a root; block is an index in the list of blocks.
type nodes struct {
	Parent     []int     `json:"parent"`
	Block      []int     `json:"block"`
	Count      []uint64  `json:"count"`
	Errors     []uint64  `json:"errors"`
	TotalNS    []uint64  `json:"total_ns"`
	SelfNS     []uint64  `json:"self_ns"`
	CriticalNS []uint64  `json:"critical_ns"`
	MinNS      []uint64  `json:"min_ns"`
	P50NS      []float64 `json:"p50_ns"`
	P95NS      []float64 `json:"p95_ns"`
	P99NS      []float64 `json:"p99_ns"`
	MaxNS      []uint64  `json:"max_ns"`
}

func newNodes(all []core.Node) nodes {
	n := len(all)
	out := nodes{
		Parent: make([]int, n), Block: make([]int, n), Count: make([]uint64, n), Errors: make([]uint64, n),
		TotalNS: make([]uint64, n), SelfNS: make([]uint64, n), CriticalNS: make([]uint64, n), MinNS: make([]uint64, n),
		P50NS: make([]float64, n), P95NS: make([]float64, n), P99NS: make([]float64, n), MaxNS: make([]uint64, n),
	}
	for i := range all {
		s := &all[i].Stats
		out.Parent[i], out.Block[i], out.Count[i], out.Errors[i] = all[i].Parent, all[i].Block, s.Count, s.Errors
		out.TotalNS[i], out.SelfNS[i], out.CriticalNS[i] = s.Total, s.Self, s.Critical
		out.MinNS[i], out.MaxNS[i] = s.Min, s.Max
		out.P50NS[i], out.P95NS[i], out.P99NS[i] = quantile(s, 0.5), quantile(s, 0.95), quantile(s, 0.99)
	}
	return out
}

func newSites(blocks []core.Block) []site {
	out := make([]site, len(blocks))
	for i := range blocks {
		out[i] = newSite(blocks[i].Site)
	}
	return out
}

func (h *Handler) tree(ctx context.Context, r *request) (any, error) {
	within, service, limit := r.period(""), r.text("service"), r.number("limit", defaultNodes, maxNodes)
	if err := r.done(); err != nil {
		return nil, err
	}
	t, err := h.Engine.CallTree(ctx, within, service, limit)
	if err != nil {
		return nil, err
	}
	return treeAnswer{newPeriod(t.Profile), t.Dropped, newSites(t.Profile.Blocks), newNodes(t.Profile.Nodes)}, nil
}

type criticalPathAnswer struct {
	Period period `json:"period"`
	// TotalNS is the sum over all blocks: the durations of the traces.
	TotalNS uint64     `json:"total_ns"`
	Blocks  []blockRow `json:"blocks"`
}

func (h *Handler) criticalPath(ctx context.Context, r *request) (any, error) {
	within, service, limit := r.period(""), r.text("service"), r.number("limit", defaultBlocks, maxBlocks)
	if err := r.done(); err != nil {
		return nil, err
	}
	c, err := h.Engine.CriticalPath(ctx, within, service, limit)
	if err != nil {
		return nil, err
	}
	return criticalPathAnswer{newPeriod(c.Profile), c.Total, newBlockRows(c.Profile, c.Blocks)}, nil
}
