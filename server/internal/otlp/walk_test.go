package otlp

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp/otlptest"
)

// seen is what a walk tells about a span, in a form that can be compared and kept.
type seen struct {
	Service, ScopeName, ScopeVersion, TraceState, Name, Function, File, Bad string
	Trace, Span, Parent, Raw                                                []byte
	Kind                                                                    core.Kind
	Start, End                                                              uint64
	Flags                                                                   uint32
	Failed                                                                  bool
	Line, Origin                                                            int
}

func walked(t require.TestingT, request []byte) []seen {
	all, err := walk(request)
	require.NoError(t, err)
	return all
}

func walk(request []byte) ([]seen, error) {
	var all []seen
	var w Walker
	err := w.Walk(request, func(s *Span) error {
		if string(request[s.At:s.At+len(s.Raw)]) != string(s.Raw) {
			panic("a span is not where it is said to be")
		}
		o := s.Origin
		all = append(all, seen{
			Service: string(o.Service), ScopeName: string(o.ScopeName), ScopeVersion: string(o.ScopeVersion), TraceState: string(s.TraceState),
			Name: string(s.Name), Function: string(s.Function), File: string(s.File), Bad: s.Bad, Trace: append([]byte{}, s.Trace[:]...),
			Span: append([]byte{}, s.Span[:]...), Parent: append([]byte{}, s.Parent[:]...), Raw: s.Raw, Kind: s.Kind, Start: s.Start, End: s.End,
			Flags: s.Flags, Failed: s.Failed, Line: s.Line, Origin: o.Number,
		})
		return nil
	})
	return all, err
}

// expected is the same by means of the official library.
func expected(t require.TestingT, request []byte) []seen {
	var data traces.TracesData
	require.NoError(t, proto.Unmarshal(request, &data))
	var all []seen
	origin := 0
	for _, rs := range data.ResourceSpans {
		service := last(rs.GetResource().GetAttributes(), "service.name").GetStringValue()
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				e := seen{
					Service: service, ScopeName: ss.GetScope().GetName(), ScopeVersion: ss.GetScope().GetVersion(), TraceState: span.TraceState,
					Name: span.Name, Start: span.StartTimeUnixNano, End: span.EndTimeUnixNano, Flags: span.Flags, Origin: origin,
					Failed: span.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR,
				}
				if span.Kind >= 0 && span.Kind <= traces.Span_SPAN_KIND_CONSUMER {
					e.Kind = core.Kind(span.Kind)
				}
				e.ids(span)
				e.code(span.Attributes)
				all = append(all, e)
			}
			origin++
		}
	}
	return all
}

func (e *seen) ids(span *traces.Span) {
	e.Trace, e.Span, e.Parent = make([]byte, 16), make([]byte, 8), make([]byte, 8)
	for _, id := range []struct{ to, from []byte }{{e.Trace, span.TraceId}, {e.Span, span.SpanId}, {e.Parent, span.ParentSpanId}} {
		if len(id.to) == len(id.from) {
			copy(id.to, id.from)
		}
	}
	switch {
	case string(e.Trace) == strings.Repeat("\x00", 16):
		e.Bad = BadTraceID
	case string(e.Span) == strings.Repeat("\x00", 8):
		e.Bad = BadSpanID
	case len(span.ParentSpanId) != 0 && len(span.ParentSpanId) != 8:
		e.Bad = BadParentID
	}
}

func (e *seen) code(attributes []*common.KeyValue) {
	number := func(key string) int {
		if n := last(attributes, key).GetIntValue(); n >= 0 && n < 1<<31 {
			return int(n)
		}
		return 0
	}
	e.Function = last(attributes, "code.function.name").GetStringValue()
	if function := last(attributes, "code.function").GetStringValue(); e.Function == "" && function != "" {
		e.Function = function
		if namespace := last(attributes, "code.namespace").GetStringValue(); namespace != "" {
			e.Function = namespace + "." + function
		}
	}
	if e.File = last(attributes, "code.file.path").GetStringValue(); e.File == "" {
		e.File = last(attributes, "code.filepath").GetStringValue()
	}
	if e.Line = number("code.line.number"); e.Line == 0 {
		e.Line = number("code.lineno")
	}
}

func last(attributes []*common.KeyValue, key string) *common.AnyValue {
	var found *common.AnyValue
	for _, a := range attributes {
		if a.Key == key {
			found = a.Value
		}
	}
	return found
}

// withoutRaw takes away what the official library does not tell.
func withoutRaw(all []seen) []seen {
	var out []seen
	for _, s := range all {
		s.Raw = nil
		out = append(out, s)
	}
	return out
}

func TestWalkEqualsTheOfficialLibrary(t *testing.T) {
	spans := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		request, err := proto.Marshal(random[*traces.TracesData](r, true))
		require.NoError(t, err)
		if seed%2 == 1 {
			request = shuffle(r, request, tracesData)
		}
		want := expected(t, request)
		spans += len(want)
		require.Equal(t, want, withoutRaw(walked(t, request)), "seed %d", seed)
	}
	require.Greater(t, spans, 500, "the random messages have too few spans to prove anything")
}

// repeated is a message whose singular fields are there more than once.
func TestWalkTakesTheLastOfRepeatedFields(t *testing.T) {
	span := func(s *traces.Span) []byte {
		data, err := proto.Marshal(s)
		require.NoError(t, err)
		return data
	}
	function := func(text string) *common.KeyValue {
		return &common.KeyValue{Key: "code.function.name", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: text}}}
	}
	both := append(span(&traces.Span{
		TraceId: []byte("short"), SpanId: make([]byte, 8), ParentSpanId: []byte("a parent"), Name: "first", Kind: traces.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: 1, Status: &traces.Status{Code: traces.Status_STATUS_CODE_ERROR}, Attributes: []*common.KeyValue{function("one")},
	}), span(&traces.Span{
		TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: "second", Kind: 99, StartTimeUnixNano: 2,
		Status: &traces.Status{Message: "still an error"}, Attributes: []*common.KeyValue{function("two")},
	})...)
	request := appendBytes(nil, 1, appendBytes(nil, 2, appendBytes(nil, 2, both)))
	got := walked(t, request)
	require.Equal(t, expected(t, request), withoutRaw(got))
	require.Equal(t, "second", got[0].Name)
	require.True(t, got[0].Failed)
	require.Equal(t, "two", got[0].Function)
	require.Equal(t, "a parent", string(got[0].Parent))
	require.Equal(t, both, got[0].Raw)
}

func TestWalkAllocatesNothing(t *testing.T) {
	request := realistic(100)
	var w Walker
	visit := func(*Span) error { return nil }
	require.Zero(t, testing.AllocsPerRun(100, func() {
		require.NoError(t, w.Walk(request, visit))
	}))
	c := Checker{Limits: DefaultLimits()}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, err := c.Check(request, nil)
		require.NoError(t, err)
	}))
}

func TestMalformed(t *testing.T) {
	for name, request := range otlptest.Malformed(realistic(1)) {
		t.Run(name, func(t *testing.T) {
			var w Walker
			require.ErrorIs(t, w.Walk(request, func(*Span) error { return nil }), ErrMalformed)
			c := Checker{Limits: DefaultLimits()}
			_, err := c.Check(request, nil)
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

// A length that is claimed is only a number: nothing is allocated for what has not come.
func TestMalformedRequestsAllocateLittle(t *testing.T) {
	for name, request := range otlptest.Malformed(realistic(1)) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c := Checker{Limits: DefaultLimits()}
		_, err := c.Check(request, nil)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrMalformed)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), name)
	}
}

func TestNestedGroupsAreSkipped(t *testing.T) {
	groups := append([]byte(strings.Repeat("\xc3\x3e", 64)), strings.Repeat("\xc4\x3e", 64)...)
	span, err := proto.Marshal(&traces.Span{TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: "behind groups"})
	require.NoError(t, err)
	got := walked(t, appendBytes(nil, 1, appendBytes(nil, 2, appendBytes(nil, 2, append(groups, span...)))))
	require.Equal(t, "behind groups", got[0].Name)
}
