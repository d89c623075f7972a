package api

import (
	"context"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

// Bounds of lists and pictures.
const (
	defaultBlocks  = 1000
	maxBlocks      = 200_000
	sparkBuckets   = 32
	defaultPoints  = 30
	maxPoints      = 200
	defaultBuckets = 80
	maxBuckets     = 640
)

type blocksAnswer struct {
	Period period `json:"period"`
	// Matched is how many blocks there are without limit and offset; Sum are their merged statistics.
	Matched int        `json:"matched"`
	Sum     stats      `json:"sum"`
	Blocks  []blockRow `json:"blocks"`
	Trend   *trendAxis `json:"trend,omitempty"`
}

// blockRow is a block in a list. The shares are parts of the sums over all blocks of the service, or of all services.
type blockRow struct {
	site
	Stats         stats      `json:"stats"`
	Pending       int64      `json:"pending"`
	SelfShare     float64    `json:"self_share"`
	CriticalShare float64    `json:"critical_share"`
	Spark         *histogram `json:"spark,omitempty"`
	Trend         *trendRow  `json:"trend,omitempty"`
}

// trendAxis has the beginnings of the steps that the trends of all blocks have in common.
type trendAxis struct {
	StepSeconds float64   `json:"step_seconds"`
	Times       []*string `json:"times"`
}

type trendRow struct {
	Count  []uint64  `json:"count"`
	Errors []uint64  `json:"errors"`
	P95NS  []float64 `json:"p95_ns"`
}

func (h *Handler) blocks(ctx context.Context, r *request) (any, error) {
	filter, err := query.ParseFilter(r.text("filter"))
	r.keep(err)
	q := query.BlocksQuery{
		Within: r.period(""), Service: r.text("service"), Track: r.text("track"), Filter: filter, Sort: r.text("sort"),
		Reverse: r.flag("reverse"), Limit: r.number("limit", defaultBlocks, maxBlocks), Offset: r.number("offset", 0, maxBlocks),
	}
	spark := r.flag("spark")
	if trend, points := r.flag("trend"), r.number("points", defaultPoints, maxPoints); trend {
		q.Points = points
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	found, err := h.Engine.Blocks(ctx, q)
	if err != nil {
		return nil, err
	}
	seconds := found.Profile.Window().Seconds()
	a := blocksAnswer{
		Period: newPeriod(found.Profile), Matched: found.Matched, Sum: newStats(&found.Sum, seconds),
		Blocks: newBlockRows(found.Profile, found.Blocks),
	}
	for i, b := range found.Blocks {
		if spark {
			s := newHistogram(b.Stats.Histogram.Dense(sparkBuckets))
			a.Blocks[i].Spark = &s
		}
		if found.Trend != nil {
			a.Blocks[i].Trend = newTrendRow(found.Trend.Stats[i])
		}
	}
	if t := found.Trend; t != nil {
		a.Trend = &trendAxis{t.Step.Seconds(), moments(t.Times)}
	}
	return a, nil
}

func newBlockRows(p *core.Snapshot, blocks []*core.Block) []blockRow {
	all := p.Total()
	rows := make([]blockRow, len(blocks))
	for i, b := range blocks {
		rows[i] = blockRow{
			site: newSite(b.Site), Stats: newStats(&b.Stats, p.Window().Seconds()), Pending: b.Pending,
			SelfShare: share(b.Stats.Self, all.Self), CriticalShare: share(b.Stats.Critical, all.Critical),
		}
	}
	return rows
}

func newTrendRow(all []core.Stats) *trendRow {
	t := &trendRow{Count: make([]uint64, len(all)), Errors: make([]uint64, len(all)), P95NS: make([]float64, len(all))}
	for i := range all {
		t.Count[i], t.Errors[i], t.P95NS[i] = all[i].Count, all[i].Errors, quantile(&all[i], 0.95)
	}
	return t
}

func moments(times []time.Time) []*string {
	out := make([]*string, len(times))
	for i, t := range times {
		out[i] = moment(t)
	}
	return out
}

type blockAnswer struct {
	Period    period    `json:"period"`
	Block     blockRow  `json:"block"`
	Histogram histogram `json:"histogram"`
	// Callers and Callees are the blocks right above and below in the call tree. Site is null for calls without a caller.
	Callers []neighbour `json:"callers"`
	Callees []neighbour `json:"callees"`
}

type neighbour struct {
	Site  *site `json:"site"`
	Stats stats `json:"stats"`
}

func (h *Handler) block(ctx context.Context, r *request) (any, error) {
	within := r.period("")
	buckets := r.number("buckets", defaultBuckets, maxBuckets)
	if err := r.done(); err != nil {
		return nil, err
	}
	b, err := h.Engine.Block(ctx, within, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	seconds := b.Profile.Window().Seconds()
	return blockAnswer{
		Period: newPeriod(b.Profile), Block: newBlockRows(b.Profile, []*core.Block{b.Block})[0],
		Histogram: newHistogram(b.Block.Stats.Histogram.Dense(buckets)),
		Callers:   newNeighbours(b.Callers, seconds), Callees: newNeighbours(b.Callees, seconds),
	}, nil
}

func newNeighbours(all []query.Neighbour, seconds float64) []neighbour {
	out := make([]neighbour, len(all))
	for i, n := range all {
		out[i].Stats = newStats(&n.Stats, seconds)
		if n.Site != nil {
			s := newSite(*n.Site)
			out[i].Site = &s
		}
	}
	return out
}

// historyAnswer has the figures of each step by columns. Steps without spans are left out.
type historyAnswer struct {
	Period      period    `json:"period"`
	StepSeconds float64   `json:"step_seconds"`
	Times       []*string `json:"times"`
	Count       []uint64  `json:"count"`
	Errors      []uint64  `json:"errors"`
	TotalNS     []uint64  `json:"total_ns"`
	SelfNS      []uint64  `json:"self_ns"`
	P50NS       []float64 `json:"p50_ns"`
	P95NS       []float64 `json:"p95_ns"`
	P99NS       []float64 `json:"p99_ns"`
	MaxNS       []uint64  `json:"max_ns"`
}

func newHistory(q *query.History) historyAnswer {
	n := len(q.Times)
	a := historyAnswer{
		Period:      newPeriod(&core.Snapshot{Start: q.Within.From, End: q.Within.To}),
		StepSeconds: q.Step.Seconds(), Times: moments(q.Times), Count: make([]uint64, n), Errors: make([]uint64, n),
		TotalNS: make([]uint64, n), SelfNS: make([]uint64, n), P50NS: make([]float64, n), P95NS: make([]float64, n),
		P99NS: make([]float64, n), MaxNS: make([]uint64, n),
	}
	for i := range q.Stats {
		s := &q.Stats[i]
		a.Count[i], a.Errors[i], a.TotalNS[i], a.SelfNS[i], a.MaxNS[i] = s.Count, s.Errors, s.Total, s.Self, s.Max
		a.P50NS[i], a.P95NS[i], a.P99NS[i] = quantile(s, 0.5), quantile(s, 0.95), quantile(s, 0.99)
	}
	return a
}

type heatMapAnswer struct {
	site
	historyAnswer
	// Buckets are those of all rows; its counts are the sums over time.
	Buckets histogram `json:"buckets"`
	// Rows has for each time the counts of the buckets, Zeros the durations of 0.
	Rows  [][]uint64 `json:"rows"`
	Zeros []uint64   `json:"zeros"`
}

func (h *Handler) heatMap(ctx context.Context, r *request) (any, error) {
	within, step := r.period(""), r.step()
	buckets := r.number("buckets", defaultBuckets, maxBuckets)
	if err := r.done(); err != nil {
		return nil, err
	}
	m, err := h.Engine.HeatMap(ctx, within, r.PathValue("id"), step, buckets)
	if err != nil {
		return nil, err
	}
	return heatMapAnswer{newSite(m.Site), newHistory(m.History), newHistogram(m.Buckets), list(m.Rows), list(m.Zeros)}, nil
}

// timeline is the traffic over time, of all blocks or of those that the filter selects.
func (h *Handler) timeline(ctx context.Context, r *request) (any, error) {
	within, step, service := r.period(""), r.step(), query.Service(r.text("service"))
	if err := r.done(); err != nil {
		return nil, err
	}
	if service == nil {
		service = func(core.Site) bool { return true }
	}
	history, err := h.Engine.History(ctx, within, step, service)
	if err != nil {
		return nil, err
	}
	return newHistory(history), nil
}
