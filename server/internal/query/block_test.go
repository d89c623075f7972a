package query_test

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

var sites = []core.Site{querytest.Checkout, querytest.Call, querytest.Render, querytest.AddItem, querytest.Select, querytest.Charge}

// checkStats compares statistics with the spans, one by one.
func checkStats(t *testing.T, spans []querytest.Span, got *core.Stats) {
	t.Helper()
	var total, self, critical, slowest time.Duration
	var errors, weight uint64
	durations := make([]float64, len(spans))
	for i, s := range spans {
		total, self, critical, slowest = total+s.Duration(), self+s.Self, critical+s.Critical, max(slowest, s.Duration())
		durations[i] = float64(s.Duration())
		weight += max(s.Weight, 1)
		if s.Failed {
			errors++
		}
	}
	slices.Sort(durations)
	require.EqualValues(t, len(spans), got.Count)
	require.Equal(t, errors, got.Errors)
	require.EqualValues(t, weight, got.AdjustedCount())
	require.Equal(t, []uint64{uint64(total), uint64(self), uint64(critical)}, []uint64{got.Total, got.Self, got.Critical})
	require.EqualValues(t, durations[0], got.Min)
	require.EqualValues(t, slowest, got.Max)
	require.EqualValues(t, slowest, got.Slowest.Duration)
	for _, q := range []float64{.5, .9, .95, .99, .999} {
		want := durations[int(math.Ceil(q*float64(len(durations))))-1]
		require.InEpsilon(t, want, got.Quantile(q), 0.0056)
	}
}

func TestBlocksAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for _, c := range []struct {
		within  store.Range
		service string
	}{
		{minutes(0, 5), ""}, {minutes(0, 5), querytest.Cart}, {minutes(3, 4), querytest.Frontend}, {store.Range{}, querytest.Payment},
	} {
		got, err := e.Blocks(t.Context(), query.BlocksQuery{Within: c.within, Service: c.service, Sort: "name"})
		require.NoError(t, err)
		n := 0
		for _, site := range sites {
			if c.service != "" && site.Service != c.service {
				continue
			}
			at := slices.IndexFunc(got.Blocks, func(b *core.Block) bool { return b.Site == site })
			require.GreaterOrEqual(t, at, 0)
			checkStats(t, ended(c.within, only(site)), &got.Blocks[at].Stats)
			n++
		}
		require.Len(t, got.Blocks, n)
		require.Equal(t, n, got.Matched)
		checkStats(t, ended(c.within, query.Service(c.service)), &got.Sum)
	}
}

func TestBlocksGrowToWholeMinutes(t *testing.T) {
	within := store.Range{From: querytest.Epoch.Add(70 * time.Second), To: querytest.Epoch.Add(130 * time.Second)}
	got, err := newEngine().Blocks(t.Context(), query.BlocksQuery{Within: within})
	require.NoError(t, err)
	require.Equal(t, querytest.Epoch.Add(time.Minute), got.Profile.Start)
	require.Equal(t, querytest.Epoch.Add(3*time.Minute), got.Profile.End)
	checkStats(t, ended(minutes(1, 3), nil), &got.Sum)
}

func TestBlocksAreSorted(t *testing.T) {
	e := newEngine()
	value := map[string]func(*core.Block) float64{
		"": func(b *core.Block) float64 { return float64(b.Stats.Self) }, "self": func(b *core.Block) float64 { return float64(b.Stats.Self) },
		"total": func(b *core.Block) float64 { return float64(b.Stats.Total) }, "count": func(b *core.Block) float64 { return float64(b.Stats.Count) },
		"critical": func(b *core.Block) float64 { return float64(b.Stats.Critical) }, "errors": func(b *core.Block) float64 { return float64(b.Stats.Errors) },
		"error_rate": func(b *core.Block) float64 { return float64(b.Stats.Errors) / float64(b.Stats.Count) },
		"p99":        func(b *core.Block) float64 { return b.Stats.Quantile(.99) }, "p999": func(b *core.Block) float64 { return b.Stats.Quantile(.999) },
		"p95": func(b *core.Block) float64 { return b.Stats.Quantile(.95) }, "p90": func(b *core.Block) float64 { return b.Stats.Quantile(.9) },
		"p50": func(b *core.Block) float64 { return b.Stats.Quantile(.5) }, "max": func(b *core.Block) float64 { return float64(b.Stats.Max) },
		"min": func(b *core.Block) float64 { return float64(b.Stats.Min) }, "mean": func(b *core.Block) float64 { return b.Stats.Mean() },
		"stddev": func(b *core.Block) float64 { return b.Stats.StdDev() }, "rate": func(b *core.Block) float64 { return float64(b.Stats.Count) },
		"bytes": func(b *core.Block) float64 { return float64(b.Stats.Bytes) }, "adjusted_count": func(b *core.Block) float64 { return b.Stats.AdjustedCount() },
	}
	for by, f := range value {
		for _, reverse := range []bool{false, true} {
			got, err := e.Blocks(t.Context(), query.BlocksQuery{Sort: by, Reverse: reverse})
			require.NoError(t, err)
			require.Len(t, got.Blocks, len(sites))
			require.True(t, slices.IsSortedFunc(got.Blocks, func(a, b *core.Block) int {
				if reverse {
					a, b = b, a
				}
				return cmp.Compare(f(b), f(a))
			}), "by %q", by)
		}
	}
	for by, f := range map[string]func(core.Site) string{
		"name": func(s core.Site) string { return s.Name }, "service": func(s core.Site) string { return s.Service },
		"track": func(s core.Site) string { return s.Track },
	} {
		got, err := e.Blocks(t.Context(), query.BlocksQuery{Sort: by})
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(got.Blocks, func(a, b *core.Block) int { return strings.Compare(f(a.Site), f(b.Site)) }), by)
		turned, err := e.Blocks(t.Context(), query.BlocksQuery{Sort: by, Reverse: true})
		require.NoError(t, err)
		slices.Reverse(turned.Blocks)
		for i := range got.Blocks {
			require.Equal(t, got.Blocks[i].Site, turned.Blocks[i].Site)
		}
	}
	_, err := e.Blocks(t.Context(), query.BlocksQuery{Sort: "beauty"})
	var asked *query.Error
	require.ErrorAs(t, err, &asked)
	require.Equal(t, query.Invalid, asked.Kind)
	require.Contains(t, asked.Hint, "p999")
}

func TestBlocksAreCutIntoPages(t *testing.T) {
	e := newEngine()
	all, err := e.Blocks(t.Context(), query.BlocksQuery{})
	require.NoError(t, err)
	for _, c := range [][4]int{{2, 0, 0, 2}, {2, 4, 4, 6}, {5, 4, 4, 6}, {0, 1, 1, 6}, {3, 99, 6, 6}} {
		got, err := e.Blocks(t.Context(), query.BlocksQuery{Limit: c[0], Offset: c[1]})
		require.NoError(t, err)
		require.Equal(t, 6, got.Matched)
		require.Equal(t, all.Sum, got.Sum)
		require.Len(t, got.Blocks, c[3]-c[2])
		for i, b := range got.Blocks {
			require.Equal(t, all.Blocks[c[2]+i].Site, b.Site)
		}
	}
}

func TestTrendAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for points, step := range map[int]int{1: 5, 2: 5, 3: 3, 5: 1, 100: 1} {
		got, err := e.Blocks(t.Context(), query.BlocksQuery{Within: minutes(0, 5), Points: points})
		require.NoError(t, err)
		require.Equal(t, time.Duration(step)*time.Minute, got.Trend.Step, "%d points", points)
		for i, b := range got.Blocks {
			for k, at := range got.Trend.Times {
				within := store.Range{From: at, To: at.Add(got.Trend.Step)}
				require.EqualValues(t, len(ended(within, only(b.Site))), got.Trend.Stats[i][k].Count)
			}
		}
	}
}

func TestBlockWithItsNeighbours(t *testing.T) {
	e := newEngine()
	b, err := e.Block(t.Context(), minutes(0, 5), query.BlockID(querytest.Render))
	require.NoError(t, err)
	require.Equal(t, querytest.Render, b.Block.Site)
	require.Empty(t, b.Callees)
	require.Len(t, b.Callers, 2)
	require.Equal(t, querytest.Checkout, *b.Callers[0].Site)
	require.EqualValues(t, 199, b.Callers[0].Stats.Count)
	require.Nil(t, b.Callers[1].Site, "the orphan")
	require.EqualValues(t, 1, b.Callers[1].Stats.Count)

	b, err = e.Block(t.Context(), minutes(0, 5), query.BlockID(querytest.Checkout))
	require.NoError(t, err)
	require.Len(t, b.Callees, 3)
	for _, n := range b.Callees {
		spans := slices.DeleteFunc(ended(minutes(0, 5), only(*n.Site)), func(s querytest.Span) bool { return s.Parent == querytest.SpanID(0xdead) })
		checkStats(t, spans, &n.Stats)
	}

	_, err = e.Block(t.Context(), minutes(-9, -8), query.BlockID(querytest.Checkout))
	var asked *query.Error
	require.ErrorAs(t, err, &asked)
	require.Equal(t, query.NotFound, asked.Kind)
}

// TestBlockIDsDiffer changes one field at a time, and moves text from one field to the next.
func TestBlockIDsDiffer(t *testing.T) {
	ids := map[string]core.Site{}
	for _, s := range []core.Site{
		{}, {Service: "a"}, {Track: "a"}, {Name: "a"}, {Kind: core.KindServer}, {Function: "a"}, {File: "a"}, {Line: 1},
		{Service: "ab", Track: "c"}, {Service: "a", Track: "bc"}, {Service: "1:a"},
	} {
		id := query.BlockID(s)
		require.Regexp(t, "^[0-9a-f]{16}$", id)
		require.NotContains(t, ids, id, "%v and %v", s, ids[id])
		ids[id] = s
	}
}

func TestFailuresOfTheStoreAreReported(t *testing.T) {
	s := querytest.New(nil)
	s.Err = context.DeadlineExceeded
	e := engine(s)
	for name, ask := range map[string]func() error{
		"blocks":     func() error { _, err := e.Blocks(t.Context(), query.BlocksQuery{}); return err },
		"block":      func() error { _, err := e.Block(t.Context(), store.Range{}, ""); return err },
		"heat map":   func() error { _, err := e.HeatMap(t.Context(), minutes(0, 1), "", 1, 1); return err },
		"history":    func() error { _, err := e.History(t.Context(), store.Range{}, 0, nil); return err },
		"tree":       func() error { _, err := e.CallTree(t.Context(), store.Range{}, "", 0); return err },
		"critical":   func() error { _, err := e.CriticalPath(t.Context(), store.Range{}, "", 0); return err },
		"map":        func() error { _, err := e.ServiceMap(t.Context(), store.Range{}); return err },
		"services":   func() error { _, err := e.Services(t.Context()); return err },
		"operations": func() error { _, err := e.Operations(t.Context(), ""); return err },
		"search":     func() error { _, err := e.Search(t.Context(), &store.Query{}); return err },
		"summaries": func() error {
			_, err := e.Summaries(t.Context(), []core.TraceID{{1}}, store.Range{})
			return err
		},
		"trace":     func() error { _, err := e.Trace(t.Context(), core.TraceID{1}, store.Range{}); return err },
		"minutes":   func() error { _, err := e.Minutes(t.Context(), store.Range{}, nil); return err },
		"snapshots": func() error { _, err := e.Snapshots(t.Context()); return err },
		"save":      func() error { return e.SaveSnapshot(t.Context(), "a", &core.Snapshot{}) },
		"diff": func() error {
			_, err := e.Diff(t.Context(), query.Operand{}, query.Operand{}, "", core.DiffOptions{})
			return err
		},
	} {
		require.ErrorIs(t, ask(), context.DeadlineExceeded, name)
	}
}
