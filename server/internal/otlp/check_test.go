package otlp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp/otlptest"
)

func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func nested(levels int) *common.AnyValue {
	v := text("inmost")
	for i := range levels {
		if i%2 == 0 {
			v = &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{v}}}}
		} else {
			v = &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{{Key: "k", Value: v}}}}}
		}
	}
	return v
}

func good(n int) *traces.Span {
	return &traces.Span{TraceId: []byte("0123456789abcdef"), SpanId: fmt.Appendf(nil, "%08d", n), Name: "work"}
}

func request(t testing.TB, spans ...*traces.Span) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{ScopeSpans: []*traces.ScopeSpans{{Spans: spans}}}}})
	require.NoError(t, err)
	return data
}

func times[T any](n int, v T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func TestCheckRejectsSpansAndKeepsTheirSiblings(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		spoil        func(*traces.Span)
	}{
		{"no trace id", BadTraceID, func(s *traces.Span) { s.TraceId = nil }},
		{"zero trace id", BadTraceID, func(s *traces.Span) { s.TraceId = make([]byte, 16) }},
		{"short trace id", BadTraceID, func(s *traces.Span) { s.TraceId = []byte("0123456789abcde") }},
		{"long trace id", BadTraceID, func(s *traces.Span) { s.TraceId = []byte("0123456789abcdef0") }},
		{"no span id", BadSpanID, func(s *traces.Span) { s.SpanId = nil }},
		{"zero span id", BadSpanID, func(s *traces.Span) { s.SpanId = make([]byte, 8) }},
		{"short span id", BadSpanID, func(s *traces.Span) { s.SpanId = []byte("0") }},
		{"long span id", BadSpanID, func(s *traces.Span) { s.SpanId = []byte("012345678") }},
		{"short parent id", BadParentID, func(s *traces.Span) { s.ParentSpanId = []byte("0") }},
		{"refused by the visitor", "refused", func(s *traces.Span) { s.Name = "refuse me" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := good(2)
			c.spoil(bad)
			visited := 0
			checker := Checker{Limits: DefaultLimits()}
			got, err := checker.Check(request(t, good(1), bad, good(3)), func(s *Span) string {
				visited++
				if string(s.Name) == "refuse me" {
					return "refused"
				}
				return ""
			})
			require.NoError(t, err)
			require.Equal(t, request(t, good(1), good(3)), got.Request)
			require.True(t, got.Changed)
			require.Equal(t, []int{2, 1}, []int{got.Spans, got.Rejected})
			require.Equal(t, map[string]int{c.reason: 1}, got.Reasons)
			require.Equal(t, Result{Rejected: 1, Message: c.reason + " (1)"}, got.Result())
			require.Equal(t, c.reason == "refused", visited == 3)
		})
	}
}

func TestCheckKeepsWhatIsWithinTheLimits(t *testing.T) {
	limits := DefaultLimits()
	for name, change := range map[string]func(*traces.Span){
		"64 levels": func(s *traces.Span) { s.Attributes = []*common.KeyValue{{Key: "k", Value: nested(64)}} },
		"a key without a value": func(s *traces.Span) {
			s.Attributes = []*common.KeyValue{{Key: "k"}, {Key: "l", Value: &common.AnyValue{}}}
		},
		"a zero parent id":        func(s *traces.Span) { s.ParentSpanId = make([]byte, 8) },
		"itself as parent":        func(s *traces.Span) { s.ParentSpanId = s.SpanId },
		"an end before the start": func(s *traces.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 2, 1 },
		"times at the ends":       func(s *traces.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 0, 1<<64-1 },
		"unknown enums":           func(s *traces.Span) { s.Kind, s.Status = 99, &traces.Status{Code: -1} },
		"the longest name":        func(s *traces.Span) { s.Name = strings.Repeat("x", limits.NameBytes) },
		"no name":                 func(s *traces.Span) { s.Name = "" },
		"the longest value": func(s *traces.Span) {
			s.Attributes = []*common.KeyValue{{Key: "k", Value: text(strings.Repeat("x", limits.ValueBytes))}}
		},
		"as many of all as there may": func(s *traces.Span) {
			s.Attributes, s.Events, s.Links = times(1024, &common.KeyValue{Key: "k"}), times(1024, &traces.Span_Event{}), times(1024, &traces.Span_Link{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			span := good(1)
			change(span)
			sent := request(t, span)
			checker := Checker{Limits: limits}
			got, err := checker.Check(sent, nil)
			require.NoError(t, err)
			require.Equal(t, Checked{Request: sent, Spans: 1}, got)
			require.Equal(t, Result{}, got.Result())
		})
	}
}

func TestCheckMends(t *testing.T) {
	long := strings.Repeat("ä", 40_000)
	attribute := func(key string, v *common.AnyValue) []*common.KeyValue {
		return []*common.KeyValue{{Key: "before"}, {Key: key, Value: v}, {Key: "after"}}
	}
	rest := []*common.KeyValue{{Key: "before"}, {Key: "after"}}
	many := &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: times(40_000, &common.AnyValue{})}}}
	for _, c := range []struct {
		name, reason string
		times        int
		sent, want   func(*traces.Span)
	}{
		{"a long name", CutName, 1, func(s *traces.Span) { s.Name = "x" + long }, func(s *traces.Span) { s.Name = "x" + long[:1022] }},
		{"a long value", CutValue, 1,
			func(s *traces.Span) { s.Attributes = attribute("k", text(long)) }, func(s *traces.Span) { s.Attributes = attribute("k", text(long[:64<<10])) }},
		{"long bytes", CutValue, 1,
			func(s *traces.Span) {
				s.Attributes = attribute("k", &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte(long)}})
			},
			func(s *traces.Span) {
				s.Attributes = attribute("k", &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte(long[:64<<10])}})
			}},
		{"a long status", CutValue, 1,
			func(s *traces.Span) { s.Status = &traces.Status{Message: long, Code: 2} }, func(s *traces.Span) { s.Status = &traces.Status{Message: long[:64<<10], Code: 2} }},
		{"a long key", DroppedTooLong, 1,
			func(s *traces.Span) { s.Attributes = attribute(long, text("v")) }, func(s *traces.Span) { s.Attributes, s.DroppedAttributesCount = rest, 1 }},
		{"a long array", DroppedTooLong, 1,
			func(s *traces.Span) { s.Attributes, s.DroppedAttributesCount = attribute("k", many), 5 }, func(s *traces.Span) { s.Attributes, s.DroppedAttributesCount = rest, 6 }},
		{"65 levels", DroppedTooDeep, 1,
			func(s *traces.Span) { s.Attributes = attribute("k", nested(65)) }, func(s *traces.Span) { s.Attributes, s.DroppedAttributesCount = rest, 1 }},
		{"1000 levels in an event", DroppedTooDeep, 1,
			func(s *traces.Span) {
				s.Events = []*traces.Span_Event{{Name: "e", Attributes: attribute("k", nested(1000))}}
			},
			func(s *traces.Span) {
				s.Events = []*traces.Span_Event{{Name: "e", Attributes: rest, DroppedAttributesCount: 1}}
			}},
		{"10 000 attributes", DroppedTooMany, 8976,
			func(s *traces.Span) { s.Attributes = times(10_000, &common.KeyValue{Key: "k"}) },
			func(s *traces.Span) {
				s.Attributes, s.DroppedAttributesCount = times(1024, &common.KeyValue{Key: "k"}), 8976
			}},
		{"10 000 events", DroppedTooMany, 8976,
			func(s *traces.Span) { s.Events = times(10_000, &traces.Span_Event{Name: "e"}) },
			func(s *traces.Span) {
				s.Events, s.DroppedEventsCount = times(1024, &traces.Span_Event{Name: "e"}), 8976
			}},
		{"10 000 links", DroppedTooMany, 8976,
			func(s *traces.Span) { s.Links = times(10_000, &traces.Span_Link{Flags: 1}) },
			func(s *traces.Span) { s.Links, s.DroppedLinksCount = times(1024, &traces.Span_Link{Flags: 1}), 8976 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent, want := good(1), good(1)
			c.sent(sent)
			c.want(want)
			checker := Checker{Limits: DefaultLimits()}
			got, err := checker.Check(request(t, sent, good(2)), nil)
			require.NoError(t, err)
			require.Equal(t, []int{2, 0}, []int{got.Spans, got.Rejected})
			require.Equal(t, map[string]int{c.reason: c.times}, got.Reasons)
			requireSame(t, request(t, want, good(2)), got.Request)
		})
	}
}

// requireSame demands that two requests are the same but for the order of fields.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	var a, b traces.TracesData
	require.NoError(t, proto.Unmarshal(want, &a))
	require.NoError(t, proto.Unmarshal(got, &b))
	if !proto.Equal(&a, &b) {
		require.Equal(t, a.String(), b.String())
		require.Fail(t, "not the same")
	}
}

func TestCheckMendsInvalidText(t *testing.T) {
	whole, err := proto.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{
		SchemaUrl: "bad:url", Resource: &resource.Resource{
			Attributes: []*common.KeyValue{{Key: "bad:key", Value: text("bad:value")}}, EntityRefs: []*common.EntityRef{{Type: "bad:type", IdKeys: []string{"bad:id"}}}},
		ScopeSpans: []*traces.ScopeSpans{{SchemaUrl: "bad:url", Scope: &common.InstrumentationScope{Name: "bad:scope", Version: "bad:version"}, Spans: []*traces.Span{{
			TraceId: []byte("bad:456789abcdef"), SpanId: []byte("bad:4567"), Name: "bad:name", TraceState: "bad:state", Status: &traces.Status{Message: "bad:status"},
			Attributes: []*common.KeyValue{{Key: "k", Value: &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{
				{Key: "bad:inner", Value: &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte("bad:bytes")}}}}}}}}},
			Events: []*traces.Span_Event{{Name: "bad:event"}}, Links: []*traces.Span_Link{{TraceState: "bad:state"}},
		}}}}}}})
	require.NoError(t, err)
	spoilt := []byte(strings.ReplaceAll(string(whole), "bad:", "bad\xff"))
	require.Error(t, proto.Unmarshal(spoilt, new(traces.TracesData)))
	checker := Checker{Limits: DefaultLimits()}
	got, err := checker.Check(spoilt, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{MendedText: 14}, got.Reasons)
	require.True(t, utf8.ValidString(got.Result().Message))

	var data traces.TracesData
	require.NoError(t, proto.Unmarshal(got.Request, &data))
	span := data.ResourceSpans[0].ScopeSpans[0].Spans[0]
	require.Equal(t, "bad\uFFFDname", span.Name)
	require.Equal(t, "bad\xff4567", string(span.SpanId), "an id is no text")
	inner := span.Attributes[0].Value.GetKvlistValue().Values[0]
	require.Equal(t, "bad\uFFFDinner", inner.Key)
	require.Equal(t, "bad\xffbytes", string(inner.Value.GetBytesValue()), "bytes are no text")
}

// A body of 14 MB whose value is nested 1.5 million levels deep overflows the stack of who descends into it.
func TestCheckDoesNotDescendIntoTheDeepest(t *testing.T) {
	request := otlptest.Deep(1_500_000, time.Unix(1, 0))
	checker := Checker{Limits: DefaultLimits()}
	checker.Limits.ValueBytes = 1 << 30
	got, err := checker.Check(request, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{DroppedTooDeep: 1}, got.Reasons)
	require.Len(t, walked(t, got.Request), 1)
	texts := Texts{}
	texts.Span(walked(t, request)[0].Raw, func(_, text []byte) bool {
		require.Equal(t, strings.Repeat("[", 64)+"null"+strings.Repeat("]", 64), string(text))
		return true
	})
}

// checkProperties holds for every request, whatever is in it.
func checkProperties(t *testing.T, request []byte, limits Limits) {
	var official traces.TracesData
	officialErr := proto.Unmarshal(request, &official)
	var spans []*Span
	checker := Checker{Limits: limits}
	before := string(request)
	got, err := checker.Check(request, func(s *Span) string {
		copied := *s
		spans = append(spans, &copied)
		return ""
	})
	require.Equal(t, before, string(request), "the request was written to")
	if err != nil {
		require.ErrorIs(t, err, ErrMalformed)
		return
	}
	require.Len(t, spans, got.Spans, "of %d", got.Rejected)
	require.Equal(t, got.Changed, len(got.Reasons) > 0)
	require.True(t, utf8.ValidString(got.Result().Message))
	if !got.Changed {
		require.NoError(t, officialErr, "what is let pass can be read")
	}
	require.Equal(t, expected(t, got.Request), withoutRaw(walked(t, got.Request)))
	for i, s := range walked(t, got.Request) {
		require.Empty(t, s.Bad)
		require.Equal(t, spans[i].Trace[:], s.Trace)
	}
	again := Checker{Limits: limits}
	second, err := again.Check(got.Request, nil)
	require.NoError(t, err)
	require.Equal(t, Checked{Request: got.Request, Spans: got.Spans}, second, "what was mended needs no mending")
}

func TestCheckOfRandomRequests(t *testing.T) {
	small := Limits{Depth: 1, Attributes: 2, Events: 1, Links: 1, NameBytes: 4, ValueBytes: 9}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		request, err := proto.Marshal(random[*traces.TracesData](r, true))
		require.NoError(t, err)
		checkProperties(t, request, DefaultLimits())
		checkProperties(t, request, small)
		// Damage of a few bytes.
		for range r.IntN(4) {
			if len(request) > 0 {
				request[r.IntN(len(request))] = byte(r.IntN(256))
			}
		}
		checkProperties(t, request, DefaultLimits())
		checkProperties(t, request, small)
	}
}
