package pipeline

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
)

// fact is a span as it was made, independent of how the pipeline sees it.
type fact struct {
	trace      core.TraceID
	id, parent core.SpanID
	site       core.Site
	start, end int64
	failed     bool
	unsampled  uint64 // in 1024ths
	raw        string // the Span message
}

func (f *fact) duration() int64 { return max(f.end-f.start, 0) }
func (f *fact) minute() int64   { return (f.start + f.duration()) / int64(time.Minute) }

// facts makes spans. The same seed makes the same.
type facts struct {
	r    *rand.Rand
	ids  uint64
	seed uint64
	// wide makes traces that reach over several minutes.
	wide bool
}

func newFacts(seed uint64) *facts { return &facts{r: rand.New(rand.NewPCG(seed, 3)), seed: seed} }

func (m *facts) spanID() (id core.SpanID) {
	m.ids++
	binary.BigEndian.PutUint64(id[:], m.ids)
	return id
}

// trace makes a trace of n spans around a time, with everything odd in it.
func (m *facts) trace(n int, at time.Time) []fact {
	var id core.TraceID
	m.ids++
	binary.BigEndian.PutUint64(id[:], m.seed+1)
	binary.BigEndian.PutUint64(id[8:], m.ids)
	scale := int64(time.Millisecond)
	if m.wide && m.r.IntN(3) == 0 {
		scale = int64(2 * time.Minute)
	}
	spans := make([]fact, n)
	for i := range spans {
		f := &spans[i]
		*f = fact{trace: id, id: m.spanID(), failed: m.r.IntN(5) == 0, site: core.Site{
			Service: fmt.Sprint("service ", m.r.IntN(3)), Track: fmt.Sprint("scope ", m.r.IntN(2)),
			Name: fmt.Sprint("name ", m.r.IntN(4)), Kind: core.Kind(m.r.IntN(6)),
		}}
		if m.r.IntN(3) == 0 {
			f.site.Function, f.site.File, f.site.Line = "shop.pay", "/src/shop.go", 1+m.r.IntN(2)
		}
		f.start = at.UnixNano() - m.r.Int64N(scale)
		f.end = f.start + m.r.Int64N(scale)
		if i > 0 {
			f.parent = spans[m.r.IntN(i)].id
		}
		switch m.r.IntN(20) {
		case 0:
			f.parent = m.spanID() // an orphan
		case 1:
			f.parent = spans[m.r.IntN(n)].id // perhaps a ring, or not there yet
		case 2:
			f.end = f.start - 5
		case 3:
			f.unsampled = 3 * 1024 // ot=th:c
		}
	}
	for i := range spans {
		spans[i].raw = rawOf(&spans[i])
	}
	return spans
}

func rawOf(f *fact) string {
	raw, err := proto.Marshal(f.proto())
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (f *fact) proto() *tracepb.Span {
	s := &tracepb.Span{
		TraceId: f.trace[:], SpanId: f.id[:], Name: f.site.Name, Kind: tracepb.Span_SpanKind(f.site.Kind),
		StartTimeUnixNano: uint64(f.start), EndTimeUnixNano: uint64(f.end), Flags: 1,
	}
	if f.parent != (core.SpanID{}) {
		s.ParentSpanId = f.parent[:]
	}
	if f.failed {
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
	if f.unsampled > 0 {
		s.TraceState = "ot=th:c"
	}
	if f.site.Function != "" {
		s.Attributes = append(s.Attributes, text("code.function.name", f.site.Function), text("code.file.path", f.site.File),
			&commonpb.KeyValue{Key: "code.line.number", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(f.site.Line)}}})
	}
	return s
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// requestOf returns the spans as a request, grouped by service and scope. The bytes of each span are its raw.
func requestOf(list []fact) []byte {
	request := &collectorpb.ExportTraceServiceRequest{}
	type key struct{ service, scope string }
	scopes := map[key]*tracepb.ScopeSpans{}
	for i := range list {
		f := &list[i]
		k := key{f.site.Service, f.site.Track}
		if scopes[k] == nil {
			scopes[k] = &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: k.scope}}
			request.ResourceSpans = append(request.ResourceSpans, &tracepb.ResourceSpans{
				Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("service.name", k.service)}},
				ScopeSpans: []*tracepb.ScopeSpans{scopes[k]},
			})
		}
		scopes[k].Spans = append(scopes[k].Spans, f.proto())
	}
	raw, err := proto.Marshal(request)
	if err != nil {
		panic(err)
	}
	return raw
}
