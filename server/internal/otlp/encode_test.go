package otlp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// parts takes a request apart: each span by itself.
func parts(t *testing.T, request []byte) []Part {
	var all []Part
	var w Walker
	require.NoError(t, w.Walk(request, func(s *Span) error {
		all = append(all, Part{Resource: slices.Clone(s.Origin.Resource), Scope: slices.Clone(s.Origin.Scope), Spans: [][]byte{s.Raw}})
		return nil
	}))
	return all
}

func TestTracesArePutTogetherAgain(t *testing.T) {
	for seed := range uint64(150) {
		m := random[*traces.TracesData](rand.New(rand.NewPCG(seed, 7)), true)
		m.ProtoReflect().SetUnknown(nil)
		// What has no spans is not kept, and what is the same is put together.
		for i, rs := range m.ResourceSpans {
			rs.SchemaUrl = string(rune('a' + i))
			rs.ScopeSpans = slices.DeleteFunc(rs.ScopeSpans, func(ss *traces.ScopeSpans) bool { return len(ss.Spans) == 0 })
			for j, ss := range rs.ScopeSpans {
				ss.SchemaUrl = string(rune('a' + j))
			}
		}
		m.ResourceSpans = slices.DeleteFunc(m.ResourceSpans, func(rs *traces.ResourceSpans) bool { return len(rs.ScopeSpans) == 0 })
		sent, err := proto.Marshal(m)
		require.NoError(t, err)
		requireSame(t, sent, AppendTraces(nil, parts(t, sent)))
	}
	require.Empty(t, AppendTraces(nil, nil))
}

func TestTracesToJSON(t *testing.T) {
	sent := realistic(20)
	text, err := TracesToJSON(sent)
	require.NoError(t, err)
	got, err := TracesFromJSON(text, enough)
	require.NoError(t, err)
	requireSame(t, sent, got)
	_, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	_, err = TracesToJSON([]byte("no protobuf"))
	require.Error(t, err)
}
