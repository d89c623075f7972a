package clickhouse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// TestTracesOfAnyTime has spans from 1970, around 2106, where a DateTime of ClickHouse ends, and from 2149, where its Date does: what
// is later lies in a wrong partition.
func TestTracesOfAnyTime(t *testing.T) {
	s := open(t, options(t, newDatabase(t)))
	end := uint64(time.Date(2106, 2, 7, 6, 28, 15, 0, time.UTC).UnixNano())
	last := uint64(time.Date(2149, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	g := store.Segment{Origins: []store.Origin{{Service: "s"}}}
	var ids []core.TraceID
	for i, start := range []uint64{0, 1, 1e18, end - 1, end, end + 1, end + 2e9, last} {
		id := core.TraceID{15: byte(i + 1)}
		raw, err := proto.Marshal(&tracepb.Span{TraceId: id[:], SpanId: []byte{7: 1}, StartTimeUnixNano: start, EndTimeUnixNano: start})
		require.NoError(t, err)
		ids = append(ids, id)
		g.Traces = append(g.Traces, store.Trace{ID: id, Spans: []store.Span{{Raw: raw}}})
	}
	require.NoError(t, s.Commit(t.Context(), &g))
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	for i, id := range ids {
		found, err := s.Traces(t.Context(), []core.TraceID{id}, store.Range{})
		require.NoError(t, err)
		require.Len(t, found.Traces, 1, i)
		require.Equal(t, g.Traces[i].Spans[0].Raw, found.Traces[0].Spans[0].Raw)
	}
	found, err := s.Traces(t.Context(), ids, store.Range{})
	require.NoError(t, err)
	require.Len(t, found.Traces, len(ids))
	hits, err := s.Search(t.Context(), &store.Query{})
	require.NoError(t, err)
	require.Len(t, hits, len(ids))
	require.NoError(t, s.Close())
}
