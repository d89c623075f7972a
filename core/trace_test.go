package core

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// traceEvents makes n spans of one trace, parents first, and the events that a naive profile sees in them.
func traceEvents(r *rand.Rand, agg *Aggregator, sites []Site, trace TraceID, n int) ([]TraceSpan, []event) {
	spans, all, counted := make([]TraceSpan, n), make([]event, n), []event{}
	template := randomEvents(r, sites, n, 50)
	for i := range spans {
		e := &all[i]
		*e = template[i]
		parent := r.IntN(i+1) - 1
		site := sites[r.IntN(len(sites))]
		e.path, e.bytes, e.pending = []Site{site}, 0, false
		if parent >= 0 {
			e.path = append(slices.Clone(all[parent].path), site)
		}
		s := &spans[i]
		*s = TraceSpan{
			Label: agg.Label(site), Start: e.start, Duration: int64(e.duration), Self: e.self, Critical: e.critical,
			Unsampled: e.more, Parent: int32(parent), Failed: e.failed, Sampled: r.IntN(2) == 0, PathOnly: r.IntN(5) == 0,
		}
		e.exemplar = Exemplar{}
		if r.IntN(4) > 0 {
			binary.LittleEndian.PutUint64(s.Span[:], r.Uint64()|1)
			e.exemplar = Exemplar{trace, s.Span, e.duration, e.start + int64(e.duration), s.Sampled}
		}
		if !s.PathOnly {
			counted = append(counted, *e)
		}
	}
	return spans, counted
}

func TestRecordTraceAgainstANaiveProfile(t *testing.T) {
	for seed := range uint64(100) {
		r := newRand(seed)
		limits := DefaultLimits()
		limits.MaxName = 1 << 20 // the naive profile does not cut names
		selfTimes := seed%2 == 1
		agg, err := New(Config{Name: "n", Limits: limits, SelfHistograms: selfTimes})
		require.NoError(t, err)
		sites := randomSites(r, 1+r.IntN(8))
		sites = slices.DeleteFunc(sites, func(s Site) bool { return s.Name == OverflowName })
		if len(sites) == 0 {
			continue
		}
		naive := naive{name: "n"}
		for k := range byte(10) {
			trace := TraceID{1, k}
			spans, counted := traceEvents(r, agg, sites, trace, r.IntN(30))
			agg.RecordTrace(trace, spans)
			keepSelfTimes(counted, selfTimes)
			naive.events = append(naive.events, counted...)
		}
		got, want := agg.Snapshot(), naive.snapshot()
		checkInvariants(t, got)
		require.EqualValues(t, len(naive.events), got.Counters.Spans)
		want.Start, want.End, want.Counters = got.Start, got.End, got.Counters
		requireSame(t, want, got)
	}
}

func TestRecordTraceLeavesOutDisabledTracks(t *testing.T) {
	agg, err := New(Config{Disabled: func(track string) bool { return track == "off" }})
	require.NoError(t, err)
	on, off := Site{Service: "s", Track: "on", Name: "a"}, Site{Service: "s", Track: "off", Name: "b"}
	agg.RecordTrace(TraceID{1}, []TraceSpan{
		{Label: agg.Label(on), Duration: 10, Self: 10, Parent: -1},
		{Label: agg.Label(off), Duration: 5, Self: 5, Parent: 0},
		{Label: agg.Label(on), Duration: 3, Self: 3, Parent: 1},
	})
	s := agg.Snapshot()
	require.Len(t, s.Blocks, 1)
	require.EqualValues(t, 2, s.Blocks[0].Stats.Count)
	require.Len(t, s.Nodes, 2)
	require.Equal(t, []Site{on, on}, s.Path(1))
}

func TestRecordTraceClampsWhatCannotBe(t *testing.T) {
	agg, err := New(Config{})
	require.NoError(t, err)
	agg.RecordTrace(TraceID{1}, []TraceSpan{
		{Label: agg.Label(Site{Name: "a"}), Start: math.MinInt64, Duration: -5, Self: 7, Critical: 9, Parent: -1},
		{Label: agg.Label(Site{Name: "a"}), Start: math.MaxInt64, Duration: 20, Self: 30, Critical: 40, Parent: -1},
	})
	s := agg.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 1, s.Counters.Clamped)
	require.EqualValues(t, 20, s.Blocks[0].Stats.Self)
	require.EqualValues(t, 20, s.Blocks[0].Stats.Critical)
}

func TestRecordTraceDoesNotAllocate(t *testing.T) {
	for _, selfTimes := range []bool{false, true} {
		agg, err := New(Config{SelfHistograms: selfTimes})
		require.NoError(t, err)
		label := agg.Label(Site{Service: "s", Track: "t", Name: "a"})
		spans := []TraceSpan{{Label: label, Duration: 10, Parent: -1, Span: SpanID{1}}, {Label: label, Duration: 10, Span: SpanID{2}}}
		require.Zero(t, testing.AllocsPerRun(100, func() { agg.RecordTrace(TraceID{1}, spans) }), "self times: %v", selfTimes)
	}
}

func TestAdjustedCount(t *testing.T) {
	s := Stats{Count: 3, Unsampled: 1024 * 7 / 2}
	require.Equal(t, 6.5, s.AdjustedCount())
}
