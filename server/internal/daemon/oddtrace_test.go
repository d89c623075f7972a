package daemon

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/apiv3"
)

// oddTrace is a trace to be spoilt.
type oddTrace struct {
	t     *testing.T
	id    []byte
	spans []*tracepb.Span
}

// newTrace makes a trace of a root with children, all of the service "odd" and named "work".
func newTrace(t *testing.T, n int) *oddTrace {
	o := &oddTrace{t: t, id: make([]byte, 16)}
	binary.BigEndian.PutUint64(o.id, rand.Uint64()|1)
	binary.BigEndian.PutUint64(o.id[8:], rand.Uint64()|1)
	now := uint64(time.Now().UnixNano())
	for i := range n {
		s := &tracepb.Span{
			TraceId: append([]byte{}, o.id...), SpanId: oddID(i), Name: "work", Kind: tracepb.Span_SPAN_KIND_SERVER,
			StartTimeUnixNano: now - uint64(2*n) + uint64(i), EndTimeUnixNano: now - uint64(i),
		}
		if i > 0 {
			s.ParentSpanId = oddID(0)
		}
		o.spans = append(o.spans, s)
	}
	return o
}

func oddID(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i+1)) }

func textAttribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// request returns a request with some of the spans.
func (o *oddTrace) request(from, to int) []byte {
	data, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{textAttribute("service.name", "odd")}},
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "lib"}, Spans: o.spans[from:to]}},
	}}})
	require.NoError(o.t, err)
	return data
}

// send sends all spans in requests of some.
func (d *Daemon) sendTrace(t *testing.T, o *oddTrace) {
	t.Helper()
	for from := 0; from < len(o.spans); from += 5000 {
		require.Equal(t, http.StatusOK, d.send(t, o.request(from, min(from+5000, len(o.spans)))))
	}
}

// shownSpan is a span as /api/v1/traces/{id} shows it.
type shownSpan struct {
	SpanID                       string `json:"span_id"`
	Parent, Depth                int
	Orphan, Cut, Moved, Backward bool
	Duration                     uint64 `json:"duration_ns"`
	Self                         uint64 `json:"self_ns"`
	Kind                         string
	Attributes                   []struct{ Key, Type, Value string }
}

// requireShown asks for the trace in every way that there is: all have an answer, and every span is in it.
func (d *Daemon) requireShown(t *testing.T, o *oddTrace) []shownSpan {
	t.Helper()
	id := fmt.Sprintf("%x", o.id)
	get := func(path string, into any) {
		t.Helper()
		status, body := ask(t, request(t, http.MethodGet, d.url(t, "http")+path, nil))
		require.Equal(t, http.StatusOK, status, "%s: %.300s", path, body)
		require.True(t, json.Valid(body), "%s: %.300s", path, body)
		require.NoError(t, json.Unmarshal(body, into))
	}
	var own struct{ Spans []shownSpan }
	get("/api/v1/traces/"+id, &own)
	var legacy struct {
		Data []struct{ Spans []json.RawMessage }
	}
	get("/api/traces/"+id, &legacy)
	require.Len(t, legacy.Data, 1)
	require.Len(t, legacy.Data[0].Spans, len(own.Spans))
	var any map[string]any
	get("/api/v3/traces/"+id, &any)
	for _, path := range []string{"tree", "critical-path", "service-map", "traces"} {
		get("/api/v1/"+path+"?since=1h", &any)
	}
	for _, format := range []string{"table", "html", "pprof", "folded", "csv", "json", "prometheus"} {
		status, body := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/api/v1/profile?since=all&format="+format, nil))
		require.Equal(t, http.StatusOK, status, "%s: %.300s", format, body)
	}
	require.Equal(t, len(own.Spans), d.countByGRPC(t, id))
	return own.Spans
}

// countByGRPC returns how many spans of a trace Jaeger's query API has.
func (d *Daemon) countByGRPC(t *testing.T, id string) (n int) {
	t.Helper()
	connection, err := grpc.NewClient(strings.TrimPrefix(d.url(t, "jaeger_grpc"), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := apiv3.NewQueryServiceClient(connection).GetTrace(ctx, &apiv3.GetTraceRequest{TraceId: id})
	require.NoError(t, err)
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n
		}
		require.NoError(t, err)
		data, err := proto.Marshal(part)
		require.NoError(t, err)
		_, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		require.NoError(t, err, "Jaeger reads with this")
		for _, rs := range part.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				n += len(ss.Spans)
			}
		}
	}
}

// TestOddTracesAreTakenAndShown sends traces of every shape that programs and their clocks can make, and asks for them.
func TestOddTracesAreTakenAndShown(t *testing.T) {
	double := func(key string, v float64) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v}}}
	}
	many := 100_000
	if raceDetector {
		many = 20_000
	}
	for name, c := range map[string]struct {
		spans int
		spoil func(o *oddTrace)
		check func(t *testing.T, d *Daemon, shown []shownSpan)
	}{
		"its own parent": {2, func(o *oddTrace) { o.spans[0].ParentSpanId = o.spans[0].SpanId }, requireCuts(1)},
		"a ring of two":  {3, func(o *oddTrace) { o.spans[0].ParentSpanId = o.spans[1].SpanId }, requireCuts(1)},
		"a ring of 1000": {1000, func(o *oddTrace) {
			for i, s := range o.spans {
				s.ParentSpanId = oddID((i + 1) % len(o.spans))
			}
		}, requireCuts(1)},
		"orphans": {50, func(o *oddTrace) {
			for _, s := range o.spans {
				s.ParentSpanId = oddID(1 << 30)
			}
		}, func(t *testing.T, d *Daemon, shown []shownSpan) {
			require.EqualValues(t, 50, d.pipeline.Counters().Orphans)
			for _, s := range shown {
				require.True(t, s.Orphan)
			}
		}},
		"10 000 levels": {10_000, func(o *oddTrace) {
			for i, s := range o.spans[1:] {
				s.ParentSpanId = oddID(i)
			}
		}, func(t *testing.T, _ *Daemon, shown []shownSpan) {
			require.Equal(t, 9_999, shown[9_999].Depth)
			require.EqualValues(t, 2, shown[0].Self) // the child takes all but the ends
		}},
		"100 000 spans": {many, func(*oddTrace) {}, func(t *testing.T, d *Daemon, shown []shownSpan) {
			require.EqualValues(t, 1, d.pipeline.Counters().Oversized)
		}},
		"keys without values": {1, func(o *oddTrace) {
			o.spans[0].Attributes = []*commonpb.KeyValue{{Key: "none"}, {Key: "empty", Value: &commonpb.AnyValue{}}, {}}
		}, func(t *testing.T, _ *Daemon, shown []shownSpan) { require.Len(t, shown[0].Attributes, 3) }},
		"numbers that are none": {1, func(o *oddTrace) {
			o.spans[0].Attributes = []*commonpb.KeyValue{double("nan", math.NaN()), double("inf", math.Inf(1)), double("-inf", math.Inf(-1))}
		}, func(t *testing.T, _ *Daemon, shown []shownSpan) { require.Len(t, shown[0].Attributes, 3) }},
		"unknown enums": {1, func(o *oddTrace) {
			o.spans[0].Kind, o.spans[0].Status, o.spans[0].Flags = 99, &tracepb.Status{Code: 77}, math.MaxUint32
		}, func(t *testing.T, _ *Daemon, shown []shownSpan) { require.Equal(t, "unspecified", shown[0].Kind) }},
		"64 levels": {2, func(o *oddTrace) {
			v := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "inmost"}}
			for range 64 {
				v = &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{{Key: "k", Value: v}}}}}
			}
			o.spans[1].Attributes = []*commonpb.KeyValue{{Key: "deep", Value: v}}
		}, func(t *testing.T, _ *Daemon, shown []shownSpan) {
			require.Equal(t, strings.Repeat(`{"k":`, 64)+`"inmost"`+strings.Repeat("}", 64), shown[1].Attributes[0].Value)
		}},
		"no names": {2, func(o *oddTrace) { o.spans[1].Attributes = []*commonpb.KeyValue{textAttribute("", "")} }, nil},
		"large in everything": {3, func(o *oddTrace) {
			s := o.spans[1]
			s.Attributes = []*commonpb.KeyValue{textAttribute("long", strings.Repeat("v", 1<<20)), textAttribute(strings.Repeat("k", 1<<20), "v")}
			for i := range 10_000 {
				s.Attributes = append(s.Attributes, textAttribute(fmt.Sprint("key", i), "v"))
				s.Events, s.Links = append(s.Events, &tracepb.Span_Event{Name: "e"}), append(s.Links, &tracepb.Span_Link{TraceId: o.id, SpanId: oddID(i)})
			}
		}, func(t *testing.T, d *Daemon, shown []shownSpan) {
			faults := d.pipeline.Counters().Faults
			require.EqualValues(t, 1, faults["value_cut"])
			require.EqualValues(t, 1, faults["too_long"])
			require.EqualValues(t, 3*(10_000-1024)+2, faults["too_many"])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := durable(t, func(config *Config) {
				config.Pipeline.TraceSpans = many
				if c.spans == many {
					// Its size alone files this trace, however slowly its requests come.
					config.Pipeline.TraceGrace, config.Pipeline.TraceIdle = time.Minute, time.Minute
				}
			})
			o := newTrace(t, c.spans)
			c.spoil(o)
			d.sendTrace(t, o)
			want := map[string]uint64{"odd: work": uint64(c.spans)}
			require.Equal(t, want, d.counts(t), "at once")
			d.awaitFiled(t)
			require.Equal(t, want, d.counts(t), "when it was put together")
			shown := d.requireShown(t, o)
			require.Len(t, shown, c.spans)
			if c.check != nil {
				c.check(t, d, shown)
			}
			require.Zero(t, d.receiver.Counters.Failed.Load())
		})
	}
}

// requireCuts demands that so many spans were found to be their own ancestors, and are flagged.
func requireCuts(n int) func(t *testing.T, d *Daemon, shown []shownSpan) {
	return func(t *testing.T, d *Daemon, shown []shownSpan) {
		cuts := 0
		for _, s := range shown {
			if s.Cut {
				cuts++
				require.Equal(t, -1, s.Parent)
			}
		}
		require.Equal(t, n, cuts)
		require.EqualValues(t, n, d.pipeline.Counters().Cycles)
	}
}

// TestDuplicatesAndLateRoots sends everything twice, and the root when all is filed.
func TestDuplicatesAndLateRoots(t *testing.T) {
	d := durable(t, nil)
	o := newTrace(t, 20)
	for range 2 {
		require.Equal(t, http.StatusOK, d.send(t, o.request(1, 20)))
	}
	d.awaitFiled(t)
	require.Equal(t, http.StatusOK, d.send(t, o.request(1, 20)))
	require.Equal(t, http.StatusOK, d.send(t, o.request(0, 1)))
	d.awaitFiled(t)
	require.Equal(t, map[string]uint64{"odd: work": 20}, d.counts(t), "what came three times counts once")
	shown := d.requireShown(t, o)
	require.Len(t, shown, 20)
	require.Equal(t, -1, shown[0].Parent)
	require.Equal(t, fmt.Sprintf("%x", oddID(0)), shown[0].SpanID)
	n := d.pipeline.Counters()
	require.EqualValues(t, 2*19, n.Duplicates)
	require.EqualValues(t, 1, n.Late)
	require.EqualValues(t, 19, n.Orphans)
}
