package query_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// TestStoresAnswerAlike asks the real stores what the tests of this package ask the naive one.
func TestStoresAnswerAlike(t *testing.T) {
	naive := querytest.New(querytest.Spans())
	inMemory := memory.New(memory.Options{})
	onDisk, err := pebblestore.Open(pebblestore.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	want := engine(naive)
	for name, s := range map[string]store.Store{"memory": inMemory, "pebble": onDisk} {
		require.NoError(t, s.Commit(t.Context(), naive.Segment()), name)
		got := query.New(s, query.Options{Now: clock})
		for _, within := range []store.Range{{}, minutes(0, 5), minutes(2, 4), minutes(-5, 0)} {
			compare(t, want, got, within)
		}
		for _, q := range []store.Query{
			{Service: querytest.Cart, Limit: 10}, {Operation: querytest.Hostile, Limit: 1000},
			{Attributes: []store.Attribute{{Key: "error", Value: "true"}, {Key: "region", Value: "eu"}}, Limit: 1000},
		} {
			expected, err := want.Search(t.Context(), &q)
			require.NoError(t, err)
			ids, err := got.Search(t.Context(), &q)
			require.NoError(t, err)
			require.Equal(t, expected, ids, "%s: %v", name, q)
		}
		trace, err := got.Trace(t.Context(), querytest.TraceID(querytest.Duplicated), store.Range{})
		require.NoError(t, err)
		require.Len(t, trace.Spans, 5)
		require.Equal(t, 1, trace.Duplicates)
		require.EqualValues(t, 200, trace.Spans[0].Of)
		require.NoError(t, s.Close())
	}
}

func compare(t *testing.T, want, got *query.Engine, within store.Range) {
	t.Helper()
	a, err := want.Blocks(t.Context(), query.BlocksQuery{Within: within, Sort: "name", Points: 3})
	require.NoError(t, err)
	b, err := got.Blocks(t.Context(), query.BlocksQuery{Within: within, Sort: "name", Points: 3})
	require.NoError(t, err)
	require.Equal(t, []any{a.Profile.Start, a.Profile.End, a.Matched, a.Trend.Step, a.Trend.Times},
		[]any{b.Profile.Start, b.Profile.End, b.Matched, b.Trend.Step, b.Trend.Times})
	for i := range a.Blocks {
		require.Equal(t, a.Blocks[i].Site, b.Blocks[i].Site)
		checkStats(t, ended(within, only(a.Blocks[i].Site)), &b.Blocks[i].Stats)
	}
	x, err := want.CallTree(t.Context(), within, "", 0)
	require.NoError(t, err)
	y, err := got.CallTree(t.Context(), within, "", 0)
	require.NoError(t, err)
	require.Len(t, y.Profile.Nodes, len(x.Profile.Nodes))
	for i, n := range x.Profile.Nodes {
		o := y.Profile.Nodes[i]
		require.Equal(t, []uint64{n.Stats.Count, n.Stats.Total, n.Stats.Self, n.Stats.Critical}, []uint64{o.Stats.Count, o.Stats.Total, o.Stats.Self, o.Stats.Critical})
	}
	h, err := got.History(t.Context(), within, 2, func(core.Site) bool { return true })
	require.NoError(t, err)
	require.EqualValues(t, len(ended(within, nil)), h.Sum.Count)
}
