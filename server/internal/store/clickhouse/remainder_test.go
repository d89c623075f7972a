package clickhouse

import (
	"encoding/hex"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// rowOf returns the row of a message as ClickHouse gives it back; ok is false if it is no Span message.
func rowOf(message []byte, trace core.TraceID) (r spanRow, ok bool) {
	var s otlp.Columns
	if s.Read(message) != nil {
		return r, false
	}
	var scratch []byte
	r = spanRow{
		trace: trace.String(), span: hex.EncodeToString(s.Span.Span[:]), state: string(s.TraceState), name: string(s.Name), kind: kinds[s.Kind],
		start: store.Moment(s.Start), duration: uint64(max(s.Duration(), 0)),
		remainder: string(appendRemainder(nil, message, trace, &s, &scratch)),
	}
	if s.Parent != (core.SpanID{}) {
		r.parent = hex.EncodeToString(s.Parent[:])
	}
	for _, a := range s.Attributes {
		r.keys, r.values = append(r.keys, string(a.Key)), append(r.values, string(a.Value))
	}
	return r, true
}

// encoded returns a usual span after a change.
func encoded(t testing.TB, change func(*tracepb.Span)) []byte {
	s := &tracepb.Span{
		TraceId: remainderTrace[:], SpanId: []byte{1, 2, 3, 4, 5, 6, 7, 8}, ParentSpanId: []byte{8, 7, 6, 5, 4, 3, 2, 1}, TraceState: "a=b",
		Name: "GET /users/{id}", Kind: tracepb.Span_SPAN_KIND_SERVER, StartTimeUnixNano: 1_772_366_400_000_000_000, EndTimeUnixNano: 1_772_366_400_001_000_000,
		Attributes: []*commonpb.KeyValue{
			{Key: "http.route", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "/users/{id}"}}},
			{Key: "http.response.status_code", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 200}}},
		},
		Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "no"}, Flags: 0x301,
		Events: []*tracepb.Span_Event{{Name: "exception", TimeUnixNano: 1}},
	}
	change(s)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	require.NoError(t, err)
	return b
}

var remainderTrace = core.TraceID{15: 9, 0: 1}

func attributeOf(v *commonpb.AnyValue) func(*tracepb.Span) {
	return func(s *tracepb.Span) {
		s.Attributes = slices.Insert(s.Attributes, 1, &commonpb.KeyValue{Key: "more", Value: v})
	}
}

// remainderSpans are messages and whether columns stand for their beginning, and for all their attributes.
func remainderSpans(t testing.TB) map[string]struct {
	message         []byte
	inColumns, tags bool
} {
	type span = struct {
		message         []byte
		inColumns, tags bool
	}
	usual := encoded(t, func(*tracepb.Span) {})
	long := string(make([]byte, 300))
	unknown := protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "of a later version")
	list := map[string]span{
		"usual": {usual, true, true},
		"empty": {nil, false, true},
		"minimal": {encoded(t, func(s *tracepb.Span) {
			trace, id := s.TraceId, s.SpanId
			proto.Reset(s)
			s.TraceId, s.SpanId = trace, id
		}), true, true},
		"another trace":          {encoded(t, func(s *tracepb.Span) { s.TraceId = make([]byte, 16) }), false, true},
		"no trace":               {encoded(t, func(s *tracepb.Span) { s.TraceId = nil }), false, true},
		"parent of zeros":        {encoded(t, func(s *tracepb.Span) { s.ParentSpanId = make([]byte, 8) }), false, true},
		"unknown kind":           {encoded(t, func(s *tracepb.Span) { s.Kind = 77 }), false, true},
		"ends before it starts":  {encoded(t, func(s *tracepb.Span) { s.EndTimeUnixNano -= 1e9 }), false, true},
		"in the far future":      {encoded(t, func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = math.MaxUint64-1, math.MaxUint64 }), false, true},
		"without an end":         {encoded(t, func(s *tracepb.Span) { s.EndTimeUnixNano = 0 }), false, true},
		"unknown field":          {append(slices.Clone(usual), unknown...), true, true},
		"unknown field first":    {append(slices.Clone(unknown), usual...), false, true},
		"twice":                  {append(slices.Clone(usual), usual...), true, false},
		"dropped attributes":     {encoded(t, func(s *tracepb.Span) { s.DroppedAttributesCount = 7 }), true, true},
		"key that comes twice":   {encoded(t, func(s *tracepb.Span) { s.Attributes = append(s.Attributes, s.Attributes...) }), true, true},
		"many attributes":        {encoded(t, func(s *tracepb.Span) { s.Attributes = slices.Repeat(s.Attributes, 400) }), true, true},
		"length of 2 bytes":      {append(slices.Clone(usual[:1]), append([]byte{0x90, 0}, usual[2:]...)...), false, true},
		"attribute without more": {append(slices.Clone(usual), 9<<3|2, 0), true, true},
	}
	for name, v := range map[string]*commonpb.AnyValue{
		"empty text": {Value: &commonpb.AnyValue_StringValue{}}, "long text": {Value: &commonpb.AnyValue_StringValue{StringValue: long}},
		"true": {Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}, "false": {Value: &commonpb.AnyValue_BoolValue{}},
		"zero": {Value: &commonpb.AnyValue_IntValue{}}, "negative": {Value: &commonpb.AnyValue_IntValue{IntValue: math.MinInt64}},
		"double": {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.Pi}}, "infinite": {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.Inf(-1)}},
		"minus zero": {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.Copysign(0, -1)}},
	} {
		list[name] = span{encoded(t, attributeOf(v)), true, true}
	}
	for name, v := range map[string]*commonpb.AnyValue{
		"no value": {}, "bytes": {Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2}}},
		"odd NaN": {Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.Float64frombits(0x7ff8_0000_0000_1234)}},
		"list":    {Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{{}}}}},
	} {
		list[name] = span{encoded(t, attributeOf(v)), true, false}
	}
	return list
}

func TestRemainderRestoresTheMessage(t *testing.T) {
	for name, s := range remainderSpans(t) {
		t.Run(name, func(t *testing.T) {
			r, ok := rowOf(s.message, remainderTrace)
			require.True(t, ok)
			got, err := r.message(remainderTrace)
			require.NoError(t, err)
			require.Equal(t, string(s.message), string(got))
			require.Equal(t, s.inColumns, r.remainder != "" && r.remainder[0] == inColumns)
			if s.inColumns && s.tags {
				require.NotContains(t, r.remainder, "http.response", "a remainder has no attributes that columns have")
			}
		})
	}
}

// What is left of the messages of the tests' usual traffic is a small part, and all of it comes back.
func TestRemainderIsSmall(t *testing.T) {
	g := &storetest.NewGenerator(1).Segment(200).Segment
	messages, remainders := 0, 0
	for _, trace := range g.Traces {
		for _, s := range trace.Spans {
			r, ok := rowOf(s.Raw, trace.ID)
			require.True(t, ok)
			got, err := r.message(trace.ID)
			require.NoError(t, err)
			require.Equal(t, s.Raw, got)
			messages, remainders = messages+len(s.Raw), remainders+len(r.remainder)
		}
	}
	require.Less(t, remainders, messages/4)
}

func FuzzRemainder(f *testing.F) {
	for _, s := range remainderSpans(f) {
		f.Add(s.message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, ok := rowOf(message, remainderTrace)
		if !ok {
			return
		}
		got, err := r.message(remainderTrace)
		require.NoError(t, err)
		require.Equal(t, string(message), string(got))
	})
}

// Who deletes or changes what is in a column, such as a name or a number, finds the change in the span.
func TestRemainderFollowsChangedColumns(t *testing.T) {
	change := func(change func(*spanRow)) *tracepb.Span {
		r, _ := rowOf(encoded(t, func(*tracepb.Span) {}), remainderTrace)
		change(&r)
		got, err := r.message(remainderTrace)
		require.NoError(t, err)
		var s tracepb.Span
		require.NoError(t, proto.Unmarshal(got, &s))
		require.Equal(t, "no", s.Status.Message)
		return &s
	}
	s := change(func(r *spanRow) { r.name, r.values = "hidden", []string{"deleted", "many"} })
	require.Equal(t, "hidden", s.Name)
	require.Equal(t, "deleted", s.Attributes[0].Value.GetStringValue())
	require.Equal(t, "many", s.Attributes[1].Value.GetStringValue())
	s = change(func(r *spanRow) { r.keys, r.values = nil, nil })
	require.Empty(t, s.Attributes)

	r, _ := rowOf(encoded(t, func(*tracepb.Span) {}), remainderTrace)
	for _, damage := range []func(r *spanRow){
		func(r *spanRow) { r.span = "12" }, func(r *spanRow) { r.parent = "xyzxyzxyzxyzxyzx" }, func(r *spanRow) { r.remainder = r.remainder[:1] },
	} {
		damaged := r
		damage(&damaged)
		_, err := damaged.message(remainderTrace)
		require.ErrorIs(t, err, store.ErrDamaged)
	}
}

// A Collector's row with ids that are none is a span all the same, without them.
func TestForeignSpanWithBadIDs(t *testing.T) {
	f := foreignSpan{span: "12zz567812345678", parent: "1234", name: "GET", kind: "Server", timestamp: time.Unix(7, 0), duration: 5,
		linkTrace: []string{"zz"}, linkSpan: []string{"12"}, linkState: []string{""}, linkAttributes: []map[string]string{nil}}
	var s tracepb.Span
	require.NoError(t, proto.Unmarshal(f.encode(remainderTrace), &s))
	require.Equal(t, remainderTrace[:], s.TraceId)
	require.Equal(t, make([]byte, 8), s.SpanId)
	require.Empty(t, s.ParentSpanId)
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, s.Kind)
	require.Equal(t, []uint64{7e9, 7e9 + 5}, []uint64{s.StartTimeUnixNano, s.EndTimeUnixNano})
	require.Len(t, s.Links, 1)
	require.Empty(t, s.Links[0].TraceId)
	require.Equal(t, []byte{0x12}, s.Links[0].SpanId)
}
