package otelprof

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// fakeTime is a clock that only workloads move.
type fakeTime struct{ now time.Duration }

func (f *fakeTime) measurement(budget time.Duration) *measurement {
	base := time.Unix(1, 0)
	return &measurement{
		clock:    func() time.Duration { return f.now },
		wall:     func() time.Time { return base.Add(f.now) },
		deadline: base.Add(budget),
	}
}

// costing is a workload whose turns cost so much, and every third time ten times that: noise.
func (f *fakeTime) costing(cost time.Duration) workload {
	calls := 0
	return func(n int) {
		if calls++; calls%3 == 0 {
			n *= 10
		}
		f.now += time.Duration(n) * cost
	}
}

func TestOverheadIsTheMedianOfPairedRounds(t *testing.T) {
	f := &fakeTime{}
	m := f.measurement(time.Second)
	costs, err := m.rounds(t.Context(), f.costing(900), f.costing(1000), f.costing(70), f.costing(50))
	require.NoError(t, err)
	o := newOverhead(costs)
	require.Equal(t, [3]time.Duration{900, 70, 50}, [3]time.Duration{o.SDKSpan, o.Block, o.Timer})
	require.InDelta(t, 100, o.Span, 0)
	require.Greater(t, o.Rounds, 10)
	require.GreaterOrEqual(t, f.now, time.Second)
	require.Less(t, f.now, 1200*time.Millisecond)
	for _, c := range costs {
		require.Len(t, c, o.Rounds)
	}
}

func TestOverheadRoundsTakeTurns(t *testing.T) {
	f := &fakeTime{}
	var order strings.Builder
	w := func(name string) workload {
		return func(n int) {
			order.WriteString(name)
			f.now += minBatch
		}
	}
	_, err := f.measurement(0).rounds(t.Context(), w("a"), w("b"), w("c"))
	require.NoError(t, err)
	require.Equal(t, "abc"+"abc"+"bca"+"cab", order.String(), "calibration, then three rounds")
}

func TestOverheadBatches(t *testing.T) {
	f := &fakeTime{}
	m := f.measurement(0)
	require.Equal(t, 100<<4, m.batch(func(n int) { f.now += time.Duration(n) * time.Microsecond * 2 / 3 }))
	require.GreaterOrEqual(t, m.batch(func(int) {}), maxBatch, "a clock that stands still ends it, too")
}

func TestOverheadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeTime{}
	calls := 0
	w := func(int) {
		f.now += minBatch
		if calls++; calls == 1+5 { // one calibrates
			cancel()
		}
	}
	costs, err := f.measurement(time.Hour).rounds(ctx, w)
	require.NoError(t, err, "five rounds are enough")
	require.Len(t, costs[0], 5)

	_, err = newProfiler(t).SelfOverhead(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "measuring the overhead: context canceled")
}

func TestSelfOverheadLeavesTheProfileAlone(t *testing.T) {
	p := newProfiler(t, WithEnabled(false), WithOnlyTracks("mine"), WithCallTree(false))
	o, err := p.SelfOverhead(t.Context(), time.Millisecond)
	require.NoError(t, err)
	require.GreaterOrEqual(t, o.Rounds, minRounds)
	require.Positive(t, o.SDKSpan)
	require.Positive(t, o.Block)
	require.Positive(t, o.Timer)
	require.NotEmpty(t, o.Clock)
	require.True(t, p.Snapshot().IsEmpty())
	require.False(t, p.Enabled())
}

func TestSelfOverheadUsesTheSettings(t *testing.T) {
	called := 0
	p := newProfiler(t, WithTrack(func(s sdktrace.ReadOnlySpan) string { called++; return "x" }), WithOnlyTracks("y"), WithEnabled(false))
	twin, err := p.overheadTwin()
	require.NoError(t, err)
	w := newOverheadWorkloads(twin)
	w.span(2 * spansPerTrace)
	require.Equal(t, 2*spansPerTrace, called)
	w.span(spansPerTrace + 3)
	require.Equal(t, 3*spansPerTrace+3, called, "exactly as many spans as asked for")
	w.block(3)
	w.timer(4)
	require.Equal(t, uint64(called+3+4), twin.Snapshot().Counters.Spans, "the twin is on, and so are all tracks")
}

func TestSelfOverheadFailures(t *testing.T) {
	p := newProfiler(t)
	SetGlobalEnabled(false)
	defer SetGlobalEnabled(true)
	_, err := p.SelfOverhead(t.Context(), time.Millisecond)
	require.ErrorContains(t, err, "SetGlobalEnabled")
}

var kept []*int

func TestOverheadCountsAllocations(t *testing.T) {
	n := allocations(func(n int) {
		kept = make([]*int, 0, n)
		for range 2 * n {
			kept = append(kept[:0], new(int))
		}
	})
	require.InDelta(t, 2, n, 0.1)
}

func TestOverheadString(t *testing.T) {
	o := Overhead{
		Span: 151, Spread: 4, SDKSpan: 1100, Block: 140, Timer: 62, SpanAllocs: 0, BlockAllocs: 0.01, Rounds: 40,
		Clock: "CPU time of the thread",
	}
	require.Equal(t, `a span costs 151ns more (± 4ns), over 1.1µs without the profiler, and 0.00 more allocations
a block costs 140ns and 0.01 allocations, a timer of a site 62ns
medians of 40 interleaved rounds, by CPU time of the thread`, o.String())
}

func TestQuantileInterpolates(t *testing.T) {
	require.Equal(t, 5.0, quantile([]float64{5}, 0.5))
	require.Equal(t, 1.5, quantile([]float64{2, 1}, 0.5))
	require.Equal(t, 3.0, quantile([]float64{3, 1, 2}, 1))
	require.Equal(t, 1.0, quantile([]float64{3, 1, 2}, 0))
}
