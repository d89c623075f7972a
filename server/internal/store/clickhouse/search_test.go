package clickhouse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// TestTextsAreNoSQL has names with what means something in a literal of SQL: each is found by itself and by nothing else.
func TestTextsAreNoSQL(t *testing.T) {
	s := open(t, options(t, newDatabase(t)))
	texts := []string{
		`\`, `\\`, `'`, `\'`, `' OR 1 = 1 --`, `\' OR 1 = 1 --`, "\x00", `\0`, "a\nb", `a\nb`, `%`, `_`, "{x:String}", "?", "$1", "`", `"`, ";", "ü", "\u2028",
	}
	var g store.Segment
	ids := map[string]core.TraceID{}
	for i, text := range texts {
		id := core.TraceID{15: byte(i + 1)}
		raw, err := proto.Marshal(&tracepb.Span{
			TraceId: id[:], SpanId: []byte{7: 1}, Name: "op " + text, StartTimeUnixNano: uint64(1e18) + uint64(i), EndTimeUnixNano: 2e18,
			Attributes: []*commonpb.KeyValue{{Key: "k" + text, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "v" + text}}}},
		})
		require.NoError(t, err)
		ids[text] = id
		g.Origins = append(g.Origins, store.Origin{Service: "s" + text})
		g.Traces = append(g.Traces, store.Trace{ID: id, Spans: []store.Span{{Origin: i, Raw: raw}}})
	}
	require.NoError(t, s.Commit(t.Context(), &g))
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	for _, text := range texts {
		for _, q := range []store.Query{
			{Service: "s" + text}, {Operation: "op " + text}, {Attributes: []store.Attribute{{Key: "k" + text, Value: "v" + text}}},
		} {
			hits, err := s.Search(t.Context(), &q)
			require.NoError(t, err, "%q", text)
			require.Len(t, hits, 1, "%q", text)
			require.Equal(t, ids[text], hits[0].Trace, "%q", text)
		}
		operations, err := s.Operations(t.Context(), "s"+text)
		require.NoError(t, err, "%q", text)
		require.Equal(t, []store.Operation{{Service: "s" + text, Name: "op " + text}}, operations)
	}
	services, err := s.Services(t.Context())
	require.NoError(t, err)
	require.Len(t, services, len(texts))
	require.NoError(t, s.Close())
}
