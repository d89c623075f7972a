package demo

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Generator makes traces. The same seed and starts give the same traces. One goroutine at a time may use it.
type Generator struct {
	random    *rand.Rand
	entrances []entrance
	weights   int
	truth     *Truth
	spans     []made // of the trace that is being made
	trace     []byte
}

// made is a span of the trace that is being made.
type made struct {
	op         *operation
	parent     int
	start, end int64
	proto      *tracepb.Span
}

// New returns a generator.
func New(seed uint64) *Generator {
	g := &Generator{random: rand.New(rand.NewPCG(seed, 0x07e1)), entrances: entrances(), truth: newTruth()}
	for _, e := range g.entrances {
		g.weights += e.weight
	}
	return g
}

// Truth returns the exact statistics of everything made so far.
func (g *Generator) Truth() *Truth { return g.truth }

// Span is a span with the service and the instrumentation scope that it belongs to.
type Span struct {
	Service, Scope string
	*tracepb.Span
}

// Trace makes a trace that starts at a time, and adds it to the truth. The spans are in the order in which they end, which
// is that in which programs export them.
func (g *Generator) Trace(start time.Time) []Span {
	pick := g.random.IntN(g.weights)
	i := 0
	for ; pick >= g.entrances[i].weight; i++ {
		pick -= g.entrances[i].weight
	}
	g.spans = g.spans[:0]
	g.trace = g.id(16)
	g.span(g.entrances[i].to, -1, start.UnixNano())
	g.truth.add(g.spans)
	slices.SortStableFunc(g.spans, func(a, b made) int { return int(max(min(a.end-b.end, 1), -1)) })
	out := make([]Span, len(g.spans))
	for i, s := range g.spans {
		out[i] = Span{s.op.service, s.op.scope, s.proto}
	}
	return out
}

func (g *Generator) id(n int) []byte {
	id := make([]byte, 0, 16)
	for len(id) < n {
		id = binary.LittleEndian.AppendUint64(id, g.random.Uint64()|1)
	}
	return id
}

// span makes a span of an operation and those below it, and returns when it ended.
func (g *Generator) span(op *operation, parent int, start int64) (end int64) {
	self := len(g.spans)
	proto := &tracepb.Span{
		TraceId: g.trace, SpanId: g.id(8), Name: op.name, Kind: tracepb.Span_SpanKind(op.kind), Flags: 0x101,
		StartTimeUnixNano: uint64(start), Attributes: g.attributes(op),
	}
	if parent >= 0 {
		proto.ParentSpanId = g.spans[parent].proto.SpanId
	}
	g.spans = append(g.spans, made{op: op, parent: parent, start: start, proto: proto})

	work := int64(float64(op.work) * math.Pow(op.factor, g.random.NormFloat64()))
	steps := int64(len(op.calls) + 1)
	at := start + work/steps
	for i := 0; i < len(op.calls); {
		group := i + 1
		for op.calls[i].together && group < len(op.calls) && op.calls[group].together {
			group++
		}
		at = g.calls(self, op.calls[i:group], at) + work/steps
		i = group
	}
	end = max(at, start+work)
	if g.random.Float64() < op.failing {
		proto.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "upstream timed out"}
		proto.Events = []*tracepb.Span_Event{{
			Name: "exception", TimeUnixNano: uint64(end - 1),
			Attributes: []*commonpb.KeyValue{textAttribute("exception.type", "TimeoutError"), textAttribute("exception.message", "upstream timed out")},
		}}
	}
	proto.EndTimeUnixNano = uint64(end)
	g.spans[self].end = end
	return end
}

// calls makes the spans of calls, one after the other or together, and returns when the last ended.
func (g *Generator) calls(parent int, calls []call, at int64) int64 {
	last := at
	for _, c := range calls {
		if g.random.Float64() >= c.share {
			continue
		}
		for range c.least + g.random.IntN(c.most-c.least+1) {
			end := g.span(c.to, parent, at)
			if c.to.kind == consumer {
				continue // nobody waits for it
			}
			last = max(last, end)
			if !c.together {
				at = end
			}
		}
	}
	return last
}

func (g *Generator) attributes(op *operation) []*commonpb.KeyValue {
	var list []*commonpb.KeyValue
	for _, a := range op.attributes {
		switch {
		case len(a.values) > 0:
			list = append(list, textAttribute(a.key, a.values[g.random.IntN(len(a.values))]))
		case a.key == "user.id" || a.key == "app.product.id":
			list = append(list, textAttribute(a.key, a.key[:4]+"-"+strconv.FormatInt(g.random.Int64N(a.upTo), 10)))
		default:
			list = append(list, intAttribute(a.key, g.random.Int64N(a.upTo)))
		}
	}
	if op.function != "" {
		list = append(list, textAttribute("code.function.name", op.function), textAttribute("code.file.path", op.file),
			intAttribute("code.line.number", int64(op.line)))
	}
	if op.kind != internal {
		list = append(list, textAttribute("network.peer.address", pods.values[g.random.IntN(len(pods.values))]),
			intAttribute("network.peer.port", 30000+g.random.Int64N(30000)), textAttribute("network.protocol.version", "1.1"))
	}
	return append(list, textAttribute("app.request.id", fmt.Sprintf("%016x", g.random.Uint64())),
		textAttribute("app.tenant", tenants[g.random.IntN(len(tenants))]), intAttribute("thread.id", 1+g.random.Int64N(16)))
}

var tenants = []string{"northwind-traders", "contoso-retail", "fabrikam-outlet"}

func textAttribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func intAttribute(key string, value int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}}
}
