package api

import (
	"context"
	"math"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

type diffAnswer struct {
	Before diffSide `json:"before"`
	After  diffSide `json:"after"`
	// Alpha, MinChange and MinCount are the rule that was used.
	Alpha     float64 `json:"alpha"`
	MinChange float64 `json:"min_change"`
	MinCount  uint64  `json:"min_count"`
	Regressed bool    `json:"regressed"`
	// Matched is how many changes there are without the limit.
	Matched int      `json:"matched"`
	Changes []change `json:"changes"`
	// Blocks and Nodes are the call trees of both profiles in one, if asked for.
	Blocks []site     `json:"blocks,omitempty"`
	Nodes  *diffNodes `json:"nodes,omitempty"`
}

type diffSide struct {
	period
	Snapshot string `json:"snapshot"`
	Count    uint64 `json:"count"`
}

// change is how a block differs. Impact is by how many ns the calls after took longer in all, in their own code, than as
// many calls before.
type change struct {
	site
	Verdict     core.Verdict `json:"verdict"`
	Durations   test         `json:"durations"`
	Errors      test         `json:"errors"`
	Superiority float64      `json:"superiority"`
	ImpactNS    float64      `json:"impact_ns"`
	Before      stats        `json:"before"`
	After       stats        `json:"after"`
	// Histograms have the same buckets for both.
	Histograms *histogramPair `json:"histograms,omitempty"`
}

type test struct {
	P       float64      `json:"p"`
	Q       float64      `json:"q"`
	Verdict core.Verdict `json:"verdict"`
}

type histogramPair struct {
	Scale      int      `json:"scale"`
	Offset     int      `json:"offset"`
	Before     []uint64 `json:"before"`
	After      []uint64 `json:"after"`
	BeforeZero uint64   `json:"before_zero"`
	AfterZero  uint64   `json:"after_zero"`
}

// diffNodes are the nodes of both call trees by columns, as in nodes.
type diffNodes struct {
	Parent        []int          `json:"parent"`
	Block         []int          `json:"block"`
	Verdict       []core.Verdict `json:"verdict"`
	ImpactNS      []float64      `json:"impact_ns"`
	BeforeCount   []uint64       `json:"before_count"`
	AfterCount    []uint64       `json:"after_count"`
	BeforeTotalNS []uint64       `json:"before_total_ns"`
	AfterTotalNS  []uint64       `json:"after_total_ns"`
	BeforeSelfNS  []uint64       `json:"before_self_ns"`
	AfterSelfNS   []uint64       `json:"after_self_ns"`
}

// operand reads one of the two profiles to compare: before_snapshot, or before_since and before_until; likewise after.
func (r *request) operand(side string) query.Operand {
	o := query.Operand{Snapshot: r.text(side + "snapshot")}
	if o.Snapshot != "" && (r.text(side+"since") != "" || r.text(side+"until") != "") {
		r.keep(query.Invalidf("leave one of them out", "there is both %ssnapshot and a period", side))
	}
	if o.Snapshot == "" {
		o.Within = r.period(side)
	}
	return o
}

func (h *Handler) diff(ctx context.Context, r *request) (any, error) {
	before, after, service := r.operand("before_"), r.operand("after_"), r.text("service")
	options := core.DiffOptions{
		Alpha: r.fraction("alpha", 1), MinChange: r.fraction("min_change", 1000), MinCount: uint64(r.number("min_count", 0, math.MaxInt32)),
	}
	limit, withHistograms, withNodes := r.number("limit", defaultBlocks, maxBlocks), r.flag("histograms"), r.flag("nodes")
	if err := r.done(); err != nil {
		return nil, err
	}
	d, err := h.Engine.Diff(ctx, before, after, service, options)
	if err != nil {
		return nil, err
	}
	changes := d.Blocks
	if limit > 0 {
		changes = changes[:min(limit, len(changes))]
	}
	a := diffAnswer{
		Before: newDiffSide(before, d.Before), After: newDiffSide(after, d.After), Alpha: d.Options.Alpha,
		MinChange: d.Options.MinChange, MinCount: d.Options.MinCount, Regressed: d.Regressed(), Matched: len(d.Blocks),
		Changes: make([]change, len(changes)),
	}
	for i := range changes {
		a.Changes[i] = newChange(&changes[i], a.Before.Seconds, a.After.Seconds)
		if withHistograms {
			a.Changes[i].Histograms = newHistogramPair(&changes[i])
		}
	}
	if withNodes {
		a.Blocks, a.Nodes = newSites(d.Union.Blocks), newDiffNodes(d)
	}
	return a, nil
}

func newDiffSide(o query.Operand, s *core.Snapshot) diffSide {
	all := s.Total()
	return diffSide{newPeriod(s), o.Snapshot, all.Count}
}

func newChange(c *core.Change, before, after float64) change {
	return change{
		site: newSite(c.Site), Verdict: c.Verdict, Durations: test(c.Durations), Errors: test(c.Errors),
		Superiority: c.Superiority, ImpactNS: c.Impact, Before: newStats(c.Before, before), After: newStats(c.After, after),
	}
}

func newHistogramPair(c *core.Change) *histogramPair {
	both := c.Before.Histogram.Merge(c.After.Histogram).Dense(defaultBuckets)
	return &histogramPair{
		both.Scale, both.Offset, query.Spread(c.Before.Histogram, both), query.Spread(c.After.Histogram, both),
		c.Before.Histogram.Zero, c.After.Histogram.Zero,
	}
}

func newDiffNodes(d *query.Diff) *diffNodes {
	n := len(d.Union.Nodes)
	out := &diffNodes{
		Parent: make([]int, n), Block: make([]int, n), Verdict: make([]core.Verdict, n), ImpactNS: make([]float64, n),
		BeforeCount: make([]uint64, n), AfterCount: make([]uint64, n), BeforeTotalNS: make([]uint64, n),
		AfterTotalNS: make([]uint64, n), BeforeSelfNS: make([]uint64, n), AfterSelfNS: make([]uint64, n),
	}
	for i, node := range d.Union.Nodes {
		out.Parent[i], out.Block[i], out.Verdict[i] = node.Parent, node.Block, core.Unchanged
		if c := d.Paths[i]; c != nil {
			out.Verdict[i], out.ImpactNS[i] = c.Verdict, c.Impact
			out.BeforeCount[i], out.AfterCount[i] = c.Before.Count, c.After.Count
			out.BeforeTotalNS[i], out.AfterTotalNS[i] = c.Before.Total, c.After.Total
			out.BeforeSelfNS[i], out.AfterSelfNS[i] = c.Before.Self, c.After.Self
		}
	}
	return out
}
