package api

import (
	"math"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

// period is what an answer covers.
type period struct {
	Since   *string `json:"since"`
	Until   *string `json:"until"`
	Seconds float64 `json:"seconds"`
}

func newPeriod(p *core.Snapshot) period {
	if p.Start.IsZero() {
		return period{}
	}
	return period{Since: moment(p.Start), Until: moment(p.End), Seconds: p.Window().Seconds()}
}

func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339Nano)
	return &text
}

func momentOf(nanos int64) *string { return moment(time.Unix(0, nanos)) }

// site is where spans start, with its block's id.
type site struct {
	ID       string    `json:"id"`
	Service  string    `json:"service"`
	Track    string    `json:"track"`
	Name     string    `json:"name"`
	Kind     core.Kind `json:"kind"`
	Function string    `json:"function"`
	File     string    `json:"file"`
	Line     int       `json:"line"`
}

func newSite(s core.Site) site {
	return site{query.BlockID(s), s.Service, s.Track, s.Name, s.Kind, s.Function, s.File, s.Line}
}

// stats are all statistics of a set of spans.
type stats struct {
	Count         uint64    `json:"count"`
	AdjustedCount float64   `json:"adjusted_count"`
	Rate          float64   `json:"rate"`
	Errors        uint64    `json:"errors"`
	ErrorRate     float64   `json:"error_rate"`
	TotalNS       uint64    `json:"total_ns"`
	SelfNS        uint64    `json:"self_ns"`
	CriticalNS    uint64    `json:"critical_ns"`
	MeanNS        float64   `json:"mean_ns"`
	StdDevNS      float64   `json:"stddev_ns"`
	MinNS         uint64    `json:"min_ns"`
	P50NS         float64   `json:"p50_ns"`
	P90NS         float64   `json:"p90_ns"`
	P95NS         float64   `json:"p95_ns"`
	P99NS         float64   `json:"p99_ns"`
	P999NS        float64   `json:"p999_ns"`
	MaxNS         uint64    `json:"max_ns"`
	Bytes         uint64    `json:"bytes"`
	Active        int64     `json:"active"`
	First         *string   `json:"first"`
	Last          *string   `json:"last"`
	Slowest       *exemplar `json:"slowest"`
	LastError     *exemplar `json:"last_error"`
}

func newStats(s *core.Stats, seconds float64) stats {
	j := stats{
		Count: s.Count, AdjustedCount: s.AdjustedCount(), Rate: rate(s.Count, seconds), Errors: s.Errors, ErrorRate: s.ErrorRate(),
		TotalNS: s.Total, SelfNS: s.Self, CriticalNS: s.Critical, MeanNS: s.Mean(), StdDevNS: s.StdDev(),
		MinNS: s.Min, P50NS: quantile(s, 0.5), P90NS: quantile(s, 0.9), P95NS: quantile(s, 0.95), P99NS: quantile(s, 0.99),
		P999NS: quantile(s, 0.999), MaxNS: s.Max, Bytes: s.Bytes, Active: s.Active,
		Slowest: newExemplar(s.Slowest), LastError: newExemplar(s.LastError),
	}
	if s.Count > 0 {
		j.First, j.Last = momentOf(s.First), momentOf(s.Last)
	}
	return j
}

// quantile rounds to whole nanoseconds: it is not known more exactly, and answers get shorter.
func quantile(s *core.Stats, q float64) float64 { return math.Round(s.Quantile(q)) }

func rate(count uint64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(count) / seconds
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// exemplar points at a span.
type exemplar struct {
	TraceID    core.TraceID `json:"trace_id"`
	SpanID     core.SpanID  `json:"span_id"`
	DurationNS uint64       `json:"duration_ns"`
	Time       *string      `json:"time"`
	Sampled    bool         `json:"sampled"`
}

func newExemplar(e core.Exemplar) *exemplar {
	if e.IsZero() {
		return nil
	}
	return &exemplar{e.Trace, e.Span, e.Duration, momentOf(e.Time), e.Sampled}
}

// histogram has the counts of a run of buckets: number i of counts is the bucket (2^((offset+i)/2^scale),
// 2^((offset+i+1)/2^scale)] in ns, as in OTLP. zero counts the durations of 0.
type histogram struct {
	Scale  int      `json:"scale"`
	Offset int      `json:"offset"`
	Counts []uint64 `json:"counts"`
	Zero   uint64   `json:"zero"`
}

func newHistogram(d core.Dense) histogram {
	return histogram{d.Scale, d.Offset, list(d.Counts), d.Zero}
}

// list returns the slice, never nil: it would be null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
