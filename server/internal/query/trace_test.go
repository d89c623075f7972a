package query_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestTracesAgainstTheSpans(t *testing.T) {
	e := newEngine()
	for _, spans := range querytest.Traces(querytest.Spans()) {
		id := spans[0].Trace
		got, err := e.Trace(t.Context(), id, store.Range{})
		require.NoError(t, err)
		require.Equal(t, id == querytest.TraceID(querytest.Duplicated), got.Duplicates == 1)
		require.Len(t, got.Spans, len(spans))
		require.Equal(t, querytest.Epoch.Add(spans[0].Start), got.Start)
		for i := range got.Spans {
			s := &got.Spans[i]
			want := spans[slices.IndexFunc(spans, func(x querytest.Span) bool { return x.ID == core.SpanID(s.SpanID()) })]
			require.Equal(t, want.Site, s.Site)
			require.Equal(t, want.Site.Service, got.Origins[s.Origin].Service)
			require.Equal(t, want.Site.Track, got.Origins[s.Origin].Scope.Name())
			require.Equal(t, []uint64{uint64(want.Duration()), uint64(want.Self), uint64(want.Critical)}, []uint64{s.Nanos, s.Self, s.Critical})
			require.Equal(t, want.Parent == querytest.SpanID(0xdead), s.Odd.Has(assembly.Orphan))
			require.Less(t, s.Parent, i, "a parent stands before its children")
			depth, children := 0, 0
			if s.Parent >= 0 {
				require.Equal(t, want.Parent, core.SpanID(got.Spans[s.Parent].SpanID()))
				depth = got.Spans[s.Parent].Depth + 1
			}
			for _, x := range spans {
				if x.Parent == want.ID {
					children++
				}
			}
			require.Equal(t, []int{depth, children}, []int{s.Depth, s.Children})
			checkRank(t, &want, s)
		}
	}
}

// checkRank counts the spans that are shorter. Those within the width of a bucket may count as alike.
func checkRank(t *testing.T, want *querytest.Span, got *query.Span) {
	t.Helper()
	all := ended(store.Range{}, only(want.Site))
	var shorter, notLonger float64
	for _, s := range all {
		if float64(s.Duration()) < float64(want.Duration())*0.989 {
			shorter++
		}
		if float64(s.Duration()) <= float64(want.Duration())*1.011 {
			notLonger++
		}
	}
	require.EqualValues(t, len(all), got.Of)
	require.Greater(t, got.Rank*float64(got.Of), shorter)
	require.Less(t, got.Rank*float64(got.Of), notLonger)
}

func TestRankAmongAnotherPeriod(t *testing.T) {
	e := newEngine()
	got, err := e.Trace(t.Context(), querytest.TraceID(1), minutes(3, 4))
	require.NoError(t, err)
	for i := range got.Spans {
		s := &got.Spans[i]
		require.EqualValues(t, len(ended(minutes(3, 4), only(s.Site))), s.Of)
		if s.Site == querytest.Select {
			require.Zero(t, s.Rank, "from the fourth minute on it takes twice as long")
		}
	}
	got, err = e.Trace(t.Context(), querytest.TraceID(1), minutes(-9, -8))
	require.NoError(t, err)
	require.Zero(t, got.Spans[0].Of)
}

// TestOddTraces has spans without duration, that end before they start, that are their own ancestors, and very old ones.
func TestOddTraces(t *testing.T) {
	id := querytest.TraceID(1)
	span := func(n, parent uint64, start, end time.Duration) querytest.Span {
		return querytest.Span{Trace: id, ID: querytest.SpanID(n), Parent: querytest.SpanID(parent), Site: querytest.Select, Start: start, End: end}
	}
	spans := []querytest.Span{
		span(1, 1, 5, 9), span(2, 3, 20, 10), span(3, 2, 10, 10), span(4, 0, 0, 0), span(5, 4, -1, 1<<40), span(6, 4, -5, 3),
	}
	e := engine(querytest.New(spans))
	got, err := e.Trace(t.Context(), id, store.Range{})
	require.NoError(t, err)
	var order []core.SpanID
	for i := range got.Spans {
		order = append(order, core.SpanID(got.Spans[i].SpanID()))
	}
	want := []core.SpanID{querytest.SpanID(4), querytest.SpanID(6), querytest.SpanID(5), querytest.SpanID(1), querytest.SpanID(3), querytest.SpanID(2)}
	require.Equal(t, want, order, "roots and siblings by start, children below their parents")
	require.Zero(t, got.Spans[5].Nanos)
	require.True(t, got.Spans[3].Odd.Has(assembly.Cut))
	require.Equal(t, querytest.Epoch.Add(-5), got.Start)
	require.Equal(t, querytest.Epoch.Add(1<<40), got.End)

	_, err = e.Trace(t.Context(), core.TraceID{9}, store.Range{})
	var asked *query.Error
	require.ErrorAs(t, err, &asked)
	require.Equal(t, query.NotFound, asked.Kind)
}

// TestLongTraceIsGivenUp decodes a trace in several parts, and stops between them when nobody waits for it any more.
func TestLongTraceIsGivenUp(t *testing.T) {
	const n = 10_000
	id := querytest.TraceID(1)
	var spans []querytest.Span
	for i := range n {
		spans = append(spans, querytest.Span{Trace: id, ID: querytest.SpanID(uint64(i + 1)), Parent: querytest.SpanID(uint64(min(i, 1))),
			Site: querytest.Select, Start: time.Duration(i), End: time.Duration(i + 1)})
	}
	e := engine(querytest.New(spans))
	const asked = 1000
	all := &storetest.Patience{Context: t.Context(), Left: asked}
	got, err := e.Trace(all, id, store.Range{})
	require.NoError(t, err)
	require.Len(t, got.Spans, n)
	require.Len(t, got.Origins, 1)
	for i := range got.Spans {
		require.Equal(t, querytest.SpanID(uint64(i+1)), core.SpanID(got.Spans[i].SpanID()))
		require.Zero(t, got.Spans[i].Origin)
	}
	require.GreaterOrEqual(t, asked-all.Left, 3)
	for left := range asked - all.Left {
		_, err := e.Trace(&storetest.Patience{Context: t.Context(), Left: left}, id, store.Range{})
		require.ErrorIs(t, err, context.Canceled, "asked %d times", left)
	}
}

func TestSummariesAgainstTheSpans(t *testing.T) {
	e := newEngine()
	var ids []core.TraceID
	traces := querytest.Traces(querytest.Spans())
	for _, spans := range traces {
		ids = append(ids, spans[0].Trace)
	}
	got, err := e.Summaries(t.Context(), ids, store.Range{})
	require.NoError(t, err)
	require.Len(t, got, len(traces))
	for i, spans := range traces {
		want := query.Summary{ID: ids[i], RootService: querytest.Frontend, RootName: querytest.Checkout.Name, Spans: len(spans)}
		per := map[string]*query.ServiceSummary{}
		var end time.Duration
		for _, s := range spans {
			if per[s.Site.Service] == nil {
				per[s.Site.Service] = &query.ServiceSummary{Name: s.Site.Service}
			}
			per[s.Site.Service].Spans++
			if s.Failed {
				want.Errors++
				per[s.Site.Service].Errors++
			}
			if s.Parent == querytest.SpanID(0xdead) {
				want.Orphans++
			}
			end = max(end, s.End)
		}
		for _, name := range []string{querytest.Cart, querytest.Frontend, querytest.Payment} {
			if per[name] != nil {
				want.Services = append(want.Services, *per[name])
			}
		}
		want.Start, want.End = querytest.Epoch.Add(spans[0].Start), querytest.Epoch.Add(end)
		require.Equal(t, want, got[i])
		require.Equal(t, end-spans[0].Start, got[i].Duration())
	}
}

func TestSummaryWithoutARoot(t *testing.T) {
	id := querytest.TraceID(1)
	e := engine(querytest.New([]querytest.Span{
		{Trace: id, ID: querytest.SpanID(2), Parent: querytest.SpanID(8), Site: querytest.Select, Start: 5, End: 6},
		{Trace: id, ID: querytest.SpanID(3), Parent: querytest.SpanID(9), Site: querytest.AddItem, Start: 3, End: 4},
	}))
	got, err := e.Summaries(t.Context(), []core.TraceID{{7}, id}, store.Range{})
	require.NoError(t, err)
	require.Len(t, got, 1, "the one that is not there is left out")
	require.Equal(t, querytest.AddItem.Name, got[0].RootName)
	require.Equal(t, 2, got[0].Orphans)
}

func TestSearchChecksItsBounds(t *testing.T) {
	e := newEngine()
	_, err := e.Search(t.Context(), &store.Query{MinDuration: 2, MaxDuration: 1})
	require.ErrorContains(t, err, "is below the shortest")
	ids, err := e.Search(t.Context(), &store.Query{Service: querytest.Cart, Limit: 3})
	require.NoError(t, err)
	require.Len(t, ids, 3)
}

// TestAppendTracesKeepsEverything reads the bytes back with the official library, unknown fields included.
func TestAppendTracesKeepsEverything(t *testing.T) {
	s := querytest.New(querytest.Spans())
	found, err := s.Traces(t.Context(), []core.TraceID{querytest.TraceID(querytest.Duplicated)}, store.Range{})
	require.NoError(t, err)
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 7)
	for i := range found.Origins {
		found.Origins[i].Resource = append(found.Origins[i].Resource, unknown...)
		found.Origins[i].Scope = append(found.Origins[i].Scope, unknown...)
	}
	spans := found.Traces[0].Spans
	for i := range spans {
		spans[i].Raw = append(spans[i].Raw, unknown...)
	}
	var got tracepb.TracesData
	require.NoError(t, proto.Unmarshal(query.AppendTraces(nil, found.Origins, spans), &got))
	var raw []string
	for i, rs := range got.ResourceSpans {
		require.Equal(t, unknown, []byte(rs.ProtoReflect().GetUnknown()))
		require.Equal(t, "https://example.test/resource", rs.SchemaUrl)
		require.Equal(t, unknown, []byte(rs.ScopeSpans[0].ProtoReflect().GetUnknown()))
		for _, span := range rs.ScopeSpans[0].Spans {
			b, err := proto.MarshalOptions{Deterministic: true}.Marshal(span)
			require.NoError(t, err)
			require.Contains(t, string(b), string(unknown))
			raw = append(raw, string(b))
		}
		require.Equal(t, i == 0, len(rs.ScopeSpans[0].Spans) == 3, "the spans of an origin stand together, the one sent twice with them")
	}
	require.Len(t, raw, 6)
	require.Len(t, query.Deduplicate(spans), 5)
	require.Empty(t, query.AppendTraces(nil, found.Origins, nil))
}
