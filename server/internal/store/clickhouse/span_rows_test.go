package clickhouse_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// pairs are a Map as the driver takes it with its order, and with keys that come twice.
type pairs struct{ list [][2]string }

func (p *pairs) Put(key, value any)           { p.list = append(p.list, [2]string{key.(string), value.(string)}) }
func (p *pairs) Iterator() column.MapIterator { return &pairIterator{list: p.list, at: -1} }

type pairIterator struct {
	list [][2]string
	at   int
}

func (i *pairIterator) Next() bool { i.at++; return i.at < len(i.list) }
func (i *pairIterator) Key() any   { return i.list[i.at][0] }
func (i *pairIterator) Value() any { return i.list[i.at][1] }

// pairsOf returns attributes as the table has them.
func pairsOf(t *testing.T, list []*commonpb.KeyValue) *pairs {
	b, err := proto.Marshal(&tracepb.Span{Attributes: list})
	require.NoError(t, err)
	p, texts := &pairs{}, otlp.Texts{}
	texts.Span(b, func(key, text []byte) bool { p.Put(string(key), string(text)); return true })
	return p
}

func moment(nanos uint64) time.Time { return time.Unix(0, store.Moment(nanos)) }

// wantRow returns the row of a span, made by other means: read by protobuf's own code, and to be sent by the driver.
func wantRow(t *testing.T, g *store.Segment, trace, n int) []any {
	s := g.Traces[trace].Spans[n]
	var span tracepb.Span
	require.NoError(t, proto.Unmarshal(s.Raw, &span))
	o := &g.Origins[s.Origin]
	var resource tracepb.ResourceSpans
	require.NoError(t, proto.Unmarshal(o.Resource, &resource))
	var scope tracepb.ScopeSpans
	require.NoError(t, proto.Unmarshal(o.Scope, &scope))
	// The name and the version of the scope are among its attributes too.
	scopeAttributes := pairsOf(t, scope.GetScope().GetAttributes())
	for _, more := range [][2]string{{"otel.scope.version", scope.GetScope().GetVersion()}, {"otel.scope.name", scope.GetScope().GetName()}} {
		if more[1] != "" {
			scopeAttributes.list = append([][2]string{more}, scopeAttributes.list...)
		}
	}
	kind, status := "Unspecified", "Error"
	if name, ok := tracepb.Span_SpanKind_name[int32(span.Kind)]; ok {
		name = strings.ToLower(strings.TrimPrefix(name, "SPAN_KIND_"))
		kind = strings.ToUpper(name[:1]) + name[1:]
	}
	if code := span.GetStatus().GetCode(); code < 2 {
		status = [...]string{"Unset", "Ok"}[code]
	}
	parent := ""
	if len(span.ParentSpanId) == 8 && string(span.ParentSpanId) != string(make([]byte, 8)) {
		parent = hex.EncodeToString(span.ParentSpanId)
	}
	var eventTimes []time.Time
	eventNames, eventAttributes := []string{}, []*pairs{}
	for _, e := range span.Events {
		eventTimes, eventNames = append(eventTimes, moment(e.TimeUnixNano)), append(eventNames, e.Name)
		eventAttributes = append(eventAttributes, pairsOf(t, e.Attributes))
	}
	linkTraces, linkSpans, linkStates, linkAttributes := []string{}, []string{}, []string{}, []*pairs{}
	for _, l := range span.Links {
		linkTraces, linkSpans = append(linkTraces, hex.EncodeToString(l.TraceId)), append(linkSpans, hex.EncodeToString(l.SpanId))
		linkStates, linkAttributes = append(linkStates, l.TraceState), append(linkAttributes, pairsOf(t, l.Attributes))
	}
	duration := uint64(0)
	if span.EndTimeUnixNano > span.StartTimeUnixNano {
		duration = min(span.EndTimeUnixNano-span.StartTimeUnixNano, 1<<63-1)
	}
	uncounted := uint8(0)
	if g.Traces[trace].Uncounted.Has(n) {
		uncounted = 1
	}
	return []any{
		moment(span.StartTimeUnixNano), hex.EncodeToString(g.Traces[trace].ID[:]), hex.EncodeToString(span.SpanId), parent, span.TraceState,
		span.Name, kind, o.Service, pairsOf(t, resource.GetResource().GetAttributes()), scope.GetScope().GetName(), scope.GetScope().GetVersion(),
		pairsOf(t, span.Attributes), duration, status, span.GetStatus().GetMessage(), eventTimes, eventNames, eventAttributes,
		linkTraces, linkSpans, linkStates, linkAttributes,
		clickhouse.Remainder(t, s.Raw, g.Traces[trace].ID), string(o.Resource), string(o.Scope), scopeAttributes, uint32(n), uncounted,
	}
}

const comparedColumns = "Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes, " +
	"ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name, Events.Attributes, " +
	"Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes, " +
	"OtelprofSpan, OtelprofResource, OtelprofScope, OtelprofScopeAttributes, OtelprofIndex, OtelprofUncounted"

// TestRowsAreThoseOfTheDriver compares the rows that the store writes with what the driver makes of the same spans, value by
// value, with and without compression.
func TestRowsAreThoseOfTheDriver(t *testing.T) {
	for _, parameters := range []string{"", "?compress=none", "?compress=zstd"} {
		t.Run(parameters, func(t *testing.T) {
			o := options(t, newDatabase(t))
			o.URL += parameters
			s := open(t, o)
			g := mixedSegment(t)
			require.NoError(t, s.Commit(t.Context(), g))
			require.NoError(t, s.Close())

			conn := connect(t, o.URL)
			require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE expected AS otel_traces"))
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO expected ("+comparedColumns+")")
			require.NoError(t, err)
			rows := 0
			for i := range g.Traces {
				for n := range g.Traces[i].Spans {
					require.NoError(t, batch.Append(wantRow(t, g, i, n)...))
					rows++
				}
			}
			require.NoError(t, batch.Send())

			for _, name := range strings.Split(comparedColumns, ", ") {
				compare := "SELECT count(), sum(cityHash64(TraceId, OtelprofIndex, OtelprofSpan, toString(" + name + "))) FROM "
				var want, got, wantRows, gotRows uint64
				require.NoError(t, conn.QueryRow(t.Context(), compare+"expected").Scan(&wantRows, &want))
				require.NoError(t, conn.QueryRow(t.Context(), compare+"otel_traces").Scan(&gotRows, &got))
				require.EqualValues(t, rows, wantRows)
				require.EqualValues(t, rows, gotRows)
				require.Equal(t, want, got, name)
			}
			// What only the store knows.
			var nodes, orders, parts uint64
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT uniqExact(OtelprofNode), uniqExact(OtelprofOrder), countIf(OtelprofPart = 1) FROM otel_traces "+
				"WHERE OtelprofNode != '' AND OtelprofOrder > 0").Scan(&nodes, &orders, &parts))
			require.EqualValues(t, 1, nodes)
			require.EqualValues(t, 1, orders)
			require.EqualValues(t, len(g.Traces[len(g.Traces)-1].Spans), parts)
		})
	}
}

// TestWholeMessages reads rows as they were before version 5 of the schema: OtelprofSpan had the message, whatever the other
// columns had of it.
func TestWholeMessages(t *testing.T) {
	o := options(t, newDatabase(t))
	require.NoError(t, open(t, o).Close())
	conn := connect(t, o.URL)
	g := mixedSegment(t)
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO otel_traces ("+comparedColumns+")")
	require.NoError(t, err)
	column := slices.Index(strings.Split(comparedColumns, ", "), "OtelprofSpan")
	g.Traces = g.Traces[:len(g.Traces)-1] // the part would be mixed with the rest: both have no part's number
	var ids []core.TraceID
	for i := range g.Traces {
		ids = append(ids, g.Traces[i].ID)
		for n := range g.Traces[i].Spans {
			row := wantRow(t, g, i, n)
			row[column] = string(g.Traces[i].Spans[n].Raw)
			require.NoError(t, batch.Append(row...))
		}
	}
	require.NoError(t, batch.Send())
	require.NoError(t, conn.Exec(t.Context(), "ALTER TABLE otelprof_schema DELETE WHERE Version > 4 SETTINGS mutations_sync = 2"))

	s := open(t, o)
	defer func() { require.NoError(t, s.Close()) }()
	found, err := s.Traces(t.Context(), ids, store.Range{})
	require.NoError(t, err)
	require.Len(t, found.Traces, len(ids))
	for i := range found.Traces {
		require.Len(t, found.Traces[i].Spans, len(g.Traces[i].Spans))
		for n, span := range found.Traces[i].Spans {
			require.True(t, bytes.Equal(g.Traces[i].Spans[n].Raw, span.Raw))
		}
	}
}

// mixedSegment has usual spans and such as nobody should send. The last trace is another part of the first.
func mixedSegment(t *testing.T) *store.Segment {
	g := &storetest.NewGenerator(1).Segment(100).Segment
	scope, err := proto.Marshal(&tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{
		Name: "lib", Version: "1.2", Attributes: []*commonpb.KeyValue{{Key: "a", Value: text("b")}},
	}, SchemaUrl: "x"})
	require.NoError(t, err)
	g.Origins = append(g.Origins, store.Origin{}, store.Origin{Scope: scope, Service: "another"})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		trace := store.Trace{ID: core.TraceID{1, byte(i)}}
		for n := range 1 + rng.IntN(20) {
			raw, err := proto.Marshal(oddSpan(rng, i*20+n))
			require.NoError(t, err)
			trace.Spans = append(trace.Spans, store.Span{Origin: rng.IntN(len(g.Origins)), Raw: raw})
			if rng.IntN(4) == 0 {
				trace.Uncounted.Set(n)
			}
		}
		g.Traces = append(g.Traces, trace)
	}
	g.Traces = append(g.Traces, store.Trace{ID: g.Traces[0].ID, Spans: g.Traces[0].Spans[:2]})
	return g
}

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// oddSpan returns a span with a name of its own, and with whatever may be in one.
func oddSpan(rng *rand.Rand, n int) *tracepb.Span {
	some := func(size int) []byte { return []byte(strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(size))) }
	value := func() *commonpb.AnyValue {
		switch rng.IntN(8) {
		case 0:
			return nil
		case 1:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: rng.Int64() - rng.Int64()}}
		case 2:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: rng.NormFloat64()}}
		case 3:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: rng.IntN(2) == 0}}
		case 4:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: some(40)}}
		case 5:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{text("x"), text(string(some(9)))}}}}
		}
		return text(string(some(300)))
	}
	attributes := func() (list []*commonpb.KeyValue) {
		for range rng.IntN(6) {
			list = append(list, &commonpb.KeyValue{Key: fmt.Sprint("key", rng.IntN(5)), Value: value()}) // some come twice
		}
		return list
	}
	at := uint64(1_772_366_400_000_000_000 + rng.IntN(1e12))
	s := &tracepb.Span{
		TraceId: some(20), SpanId: []byte{1, 2, 3, 4, byte(n), byte(n >> 8), 7, 8}, TraceState: string(some(5)), Name: fmt.Sprint("name ", n),
		Kind: tracepb.Span_SpanKind(rng.IntN(8)), StartTimeUnixNano: at, EndTimeUnixNano: at + uint64(rng.IntN(1e9)) - 1e8, Attributes: attributes(),
		ParentSpanId: [][]byte{nil, make([]byte, 8), {1, 2, 3, 4, 5, 6, 7, 8}}[rng.IntN(3)],
	}
	if rng.IntN(2) == 0 {
		s.Status = &tracepb.Status{Code: tracepb.Status_StatusCode(rng.IntN(5)), Message: string(some(20))}
	}
	for range rng.IntN(3) {
		s.Events = append(s.Events, &tracepb.Span_Event{TimeUnixNano: at, Name: string(some(4)), Attributes: attributes()})
	}
	for range rng.IntN(3) {
		s.Links = append(s.Links, &tracepb.Span_Link{TraceId: some(20), SpanId: some(10), TraceState: string(some(3)), Attributes: attributes()})
	}
	return s
}
