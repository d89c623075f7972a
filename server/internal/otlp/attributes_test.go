package otlp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

func unmarshalText(s string, m proto.Message) error { return prototext.Unmarshal([]byte(s), m) }

// textOf is a value as text by means of the official and the standard library. Arrays and lists are read back from JSON.
func textOf(v *common.AnyValue) any {
	switch x := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return x.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint(x.IntValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(x.BoolValue)
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint(x.DoubleValue)
	case *common.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(x.BytesValue)
	case *common.AnyValue_ArrayValue:
		return plain(v)
	case *common.AnyValue_KvlistValue:
		return plain(v)
	}
	return ""
}

func plain(v *common.AnyValue) any {
	switch x := v.GetValue().(type) {
	case *common.AnyValue_ArrayValue:
		all := []any{}
		for _, e := range x.ArrayValue.GetValues() {
			all = append(all, plain(e))
		}
		return all
	case *common.AnyValue_KvlistValue:
		all := map[string]any{}
		for _, kv := range x.KvlistValue.GetValues() {
			all[kv.GetKey()] = plain(kv.GetValue())
		}
		return all
	case *common.AnyValue_IntValue:
		return float64(x.IntValue)
	case *common.AnyValue_BoolValue:
		return x.BoolValue
	case *common.AnyValue_DoubleValue:
		if math.IsNaN(x.DoubleValue) || math.IsInf(x.DoubleValue, 0) {
			return fmt.Sprint(x.DoubleValue)
		}
		return x.DoubleValue
	case nil, *common.AnyValue_StringValueStrindex:
		return nil
	}
	return textOf(v)
}

// collect returns a function that collects attributes, with arrays and lists read from JSON where the other has them so.
func collect(t *testing.T, want []any, got *[]any) func(key, text []byte) bool {
	return func(key, text []byte) bool {
		var v any = string(text)
		if i := len(*got) + 1; i < len(want) {
			if _, isText := want[i].(string); !isText {
				require.NoError(t, json.Unmarshal(text, &v), "%s", text)
			}
		}
		*got = append(*got, string(key), v)
		return true
	}
}

func TestTextsOfRandomRequests(t *testing.T) {
	all := 0
	for seed := range uint64(200) {
		m := random[*traces.TracesData](rand.New(rand.NewPCG(seed, 6)), true)
		data, err := proto.Marshal(m)
		require.NoError(t, err)
		var resources, scopes, spans []any
		add := func(to *[]any, attributes []*common.KeyValue) {
			for _, kv := range attributes {
				*to = append(*to, kv.Key, textOf(kv.Value))
			}
		}
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for i, span := range ss.Spans {
					if i == 0 {
						add(&resources, rs.GetResource().GetAttributes())
						if name := ss.GetScope().GetName(); name != "" {
							scopes = append(scopes, "otel.scope.name", name)
						}
						if version := ss.GetScope().GetVersion(); version != "" {
							scopes = append(scopes, "otel.scope.version", version)
						}
						add(&scopes, ss.GetScope().GetAttributes())
					}
					add(&spans, span.Attributes)
					for _, e := range span.Events {
						add(&spans, e.Attributes)
					}
					for _, l := range span.Links {
						add(&spans, l.Attributes)
					}
				}
			}
		}
		var gotResources, gotScopes, gotSpans []any
		var w Walker
		var texts Texts
		origin := -1
		require.NoError(t, w.Walk(data, func(s *Span) error {
			if s.Origin.Number != origin {
				origin = s.Origin.Number
				texts.Resource(s.Origin.Resource, collect(t, resources, &gotResources))
				texts.Scope(s.Origin.Scope, collect(t, scopes, &gotScopes))
			}
			texts.Span(s.Raw, collect(t, spans, &gotSpans))
			return nil
		}))
		require.Equal(t, resources, gotResources, "seed %d", seed)
		require.Equal(t, scopes, gotScopes, "seed %d", seed)
		require.Equal(t, spans, gotSpans, "seed %d", seed)
		all += len(spans) + len(resources) + len(scopes)
	}
	require.Greater(t, all, 1000)
}

// What stands in an AnyValue more than once is as protobuf merges it.
func TestTextsOfMergedValues(t *testing.T) {
	array := func(elements ...string) *common.AnyValue {
		all := &common.ArrayValue{}
		for _, e := range elements {
			all.Values = append(all.Values, text(e))
		}
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: all}}
	}
	for _, parts := range [][]*common.AnyValue{
		{text("a"), text("b")}, {array("a"), array("b")}, {array("a"), text("b"), array("c")}, {array("a"), {}, array("b", "c")}, {text("a"), nil},
	} {
		// Once with the values in one AnyValue, once with several AnyValues in the KeyValue.
		var one, several []byte
		for _, p := range parts {
			data, err := proto.Marshal(p)
			require.NoError(t, err)
			one = append(one, data...)
			several = appendBytes(several, 2, data)
		}
		for _, kv := range [][]byte{appendBytes(appendBytes(nil, 2, one), 1, []byte("k")), appendBytes(several, 1, []byte("k"))} {
			var official common.KeyValue
			require.NoError(t, proto.Unmarshal(kv, &official))
			want, got := []any{"k", textOf(official.Value)}, []any{}
			var texts Texts
			texts.Span(appendBytes(nil, 9, kv), collect(t, want, &got))
			require.Equal(t, want, got)
		}
	}
}

func TestTextsAllocateNothing(t *testing.T) {
	span := walked(t, realistic(1))[0].Raw
	var texts Texts
	n := 0
	visit := func(key, text []byte) bool {
		n += len(key) + len(text)
		return true
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { texts.Span(span, visit) }))
	require.Positive(t, n)
}

func TestTextsEndWhenToldTo(t *testing.T) {
	event := func(key string) *traces.Span_Event {
		return &traces.Span_Event{Attributes: []*common.KeyValue{{Key: key}}}
	}
	span, err := proto.Marshal(&traces.Span{Attributes: []*common.KeyValue{{Key: "a"}, {Key: "b"}}, Events: []*traces.Span_Event{event("c"), event("d")}})
	require.NoError(t, err)
	for n, want := range []string{"a", "ab", "abc", "abcd"} {
		got := ""
		new(Texts).Span(span, func(key, _ []byte) bool {
			got += string(key)
			return len(got) <= n
		})
		require.Equal(t, want, got)
	}
}
