package otlp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
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

// Whatever a Checker lets pass can be decoded, however deep it is nested, and has the same text.
func TestDeepValuesAreDecoded(t *testing.T) {
	lists := func(levels int) *common.AnyValue {
		v := text("inmost")
		for range levels {
			v = &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{{Key: "k", Value: v}}}}}
		}
		return v
	}
	for levels := range DefaultLimits().Depth + 1 {
		for _, value := range []*common.AnyValue{lists(levels), nested(levels)} {
			attributes := []*common.KeyValue{{Key: "before", Value: text("b")}, {Key: "deep", Value: value}, {Key: "after", Value: text("a")}}
			span := good(1)
			span.Attributes, span.Events, span.Links = attributes, []*traces.Span_Event{{Attributes: attributes}}, []*traces.Span_Link{{Attributes: attributes}}
			request, err := proto.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{
				Resource:   &resource.Resource{Attributes: attributes},
				ScopeSpans: []*traces.ScopeSpans{{Scope: &common.InstrumentationScope{Attributes: attributes}, Spans: []*traces.Span{span}}},
			}}})
			require.NoError(t, err)
			checker := Checker{Limits: DefaultLimits()}
			checked, err := checker.Check(request, nil)
			require.NoError(t, err)
			require.False(t, checked.Changed)
			require.Equal(t, levels <= readable, bytes.Equal(request, Readable(request)))
			decoded, err := Decode(request)
			require.NoError(t, err, "%d levels", levels)
			rs := decoded.ResourceSpans().At(0)
			got := rs.ScopeSpans().At(0).Spans().At(0)
			wanted := value.GetStringValue()
			if levels > 0 {
				wanted = string(appendJSON(nil, readValue(marshalled(t, value)), 0))
			}
			for _, m := range []pcommon.Map{
				rs.Resource().Attributes(), rs.ScopeSpans().At(0).Scope().Attributes(), got.Attributes(), got.Events().At(0).Attributes(), got.Links().At(0).Attributes(),
			} {
				require.Equal(t, 3, m.Len())
				v, _ := m.Get("deep")
				require.Equal(t, wanted, v.AsString())
			}
		}
	}
	_, err := Decode([]byte("\xff"))
	require.Error(t, err)
}

func marshalled(t *testing.T, v *common.AnyValue) []byte {
	data, err := proto.Marshal(v)
	require.NoError(t, err)
	return data
}
