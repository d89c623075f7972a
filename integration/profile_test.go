package integration

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// traffic is a profiler and what makes spans for it.
type traffic struct {
	*otelprof.Profiler
	tracer trace.Tracer
	r      *rand.Rand
	// durations are those of the spans named "query", in ns.
	durations []float64
}

func newTraffic(t testing.TB) *traffic {
	p, err := otelprof.New(otelprof.WithName("shop"), otelprof.WithSelfHistograms(true))
	require.NoError(t, err)
	provider := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.TraceIDRatioBased(0.5))...)
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return &traffic{Profiler: p, tracer: provider.Tracer("shop/http"), r: rand.New(rand.NewPCG(1, 2))}
}

// send makes n traces of a server span with a query in it, from 100 µs to 1 s long.
func (t *traffic) send(n int) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for range n {
		d := time.Duration(1e5 * math.Exp(t.r.Float64()*math.Log(1e4)))
		t.durations = append(t.durations, float64(d))
		ctx, server := t.tracer.Start(context.Background(), "GET /cart", trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindServer))
		_, query := t.tracer.Start(ctx, "query", trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindClient))
		if t.r.IntN(10) == 0 {
			query.SetStatus(codes.Error, "deadlock")
		}
		query.End(trace.WithTimestamp(start.Add(d)))
		server.End(trace.WithTimestamp(start.Add(d + time.Millisecond)))
	}
}

// requireSameProfile fails the test unless two snapshots have the same numbers; they may be taken at different times.
func requireSameProfile(t testing.TB, want, got *core.Snapshot) {
	t.Helper()
	a, b := core.Merge(want), core.Merge(got)
	a.End, b.End = time.Time{}, time.Time{}
	for _, s := range []*core.Snapshot{a, b} {
		for i := range s.Blocks {
			s.Blocks[i].Stats = plain(s.Blocks[i].Stats)
		}
		for i := range s.Nodes {
			s.Nodes[i].Stats = plain(s.Nodes[i].Stats)
		}
	}
	require.Equal(t, a, b)
}

// plain makes equal what says the same: a histogram may be kept in different ways.
func plain(s core.Stats) core.Stats {
	s.Histogram = core.NewHistogram(s.Histogram.Zero, s.Histogram.Buckets())
	if h := s.SelfHistogram; h != nil {
		s.SelfHistogram = new(core.NewHistogram(h.Zero, h.Buckets()))
	}
	return s
}
