package storetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Epoch is when the first span of a generator starts.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Generator makes traces like those of a web shop: about ten spans of some 408 bytes with eight attributes each, of several
// services, in the order in which they ended. The same seed makes the same traces.
type Generator struct {
	rng *rand.Rand
	// Now is when the next trace starts, Gap the mean time from one trace to the next, in ns.
	Now, Gap int64
}

// NewGenerator returns a generator of 1000 traces per second.
func NewGenerator(seed uint64) *Generator {
	return &Generator{rng: rand.New(rand.NewPCG(seed, 1)), Now: Epoch.UnixNano(), Gap: int64(time.Millisecond)}
}

// Made is a segment with what is in it.
type Made struct {
	store.Segment
	// Spans are the same as in the segment.
	Spans []Span
}

// Span is a span as it was made: the truth to compare with what a store says.
type Span struct {
	Trace           core.TraceID
	ID, Parent      core.SpanID
	Service, Name   string
	Kind            core.Kind
	Start, Duration int64
	Failed          bool
	// Attributes are all of the span, its resource, scope, events and links.
	Attributes []store.Attribute
	Origin     store.Origin
	Raw        []byte
}

var services = [...]string{"frontend", "cart", "checkout", "payment", "inventory", "shipping", "catalog", "users"}

var operations = [...]struct {
	name string
	kind core.Kind
	sql  bool
}{
	{"GET /api/orders/{id}", core.KindServer, false}, {"POST /api/orders", core.KindServer, false},
	{"GET /api/cart/{user}", core.KindServer, false}, {"GET", core.KindClient, false},
	{"POST", core.KindClient, false}, {"SELECT orders", core.KindClient, true},
	{"INSERT order_lines", core.KindClient, true}, {"UPDATE stock", core.KindClient, true},
	{"render", core.KindInternal, false}, {"orders publish", core.KindProducer, false},
}

// Segment makes the given number of traces.
func (g *Generator) Segment(traces int) *Made {
	m := &Made{}
	for _, s := range services {
		m.Origins = append(m.Origins, origin(s))
	}
	for range traces {
		m.add(g.trace())
	}
	return m
}

// add appends a trace.
func (m *Made) add(spans []Span) {
	t := store.Trace{ID: spans[0].Trace}
	for i := range spans {
		n := 0
		for services[n] != spans[i].Service {
			n++
		}
		spans[i].Origin = m.Origins[n]
		t.Spans = append(t.Spans, store.Span{Origin: n, Raw: spans[i].Raw})
	}
	m.Traces = append(m.Traces, t)
	m.Spans = append(m.Spans, spans...)
}

func origin(service string) store.Origin {
	resource := appendAttribute(nil, 1, "service.name", service)
	resource = appendAttribute(resource, 1, "service.version", "1.4.2")
	resource = appendAttribute(resource, 1, "host.name", service+"-6f9d7c4b5-x2x7k")
	resource = appendAttribute(resource, 1, "process.pid", int64(4711))
	scope := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "github.com/shop/"+service)
	scope = protowire.AppendString(protowire.AppendTag(scope, 2, protowire.BytesType), "0.9")
	scope = appendAttribute(scope, 3, "scope.team", "team-"+service)
	return store.Origin{Resource: appendMessage(nil, 1, resource), Scope: appendMessage(nil, 1, scope), Service: service}
}

// originAttributes are those that origin writes.
func originAttributes(service string) []store.Attribute {
	return []store.Attribute{
		{Key: "service.name", Value: service}, {Key: "service.version", Value: "1.4.2"},
		{Key: "host.name", Value: service + "-6f9d7c4b5-x2x7k"}, {Key: "process.pid", Value: "4711"},
		{Key: "otel.scope.name", Value: "github.com/shop/" + service}, {Key: "otel.scope.version", Value: "0.9"},
		{Key: "scope.team", Value: "team-" + service},
	}
}

func (g *Generator) trace() []Span {
	g.Now += int64(g.rng.ExpFloat64() * float64(g.Gap))
	var id core.TraceID
	g.random(id[:])
	spans := make([]Span, 4+g.rng.IntN(13))
	for i := range spans {
		s := &spans[i]
		s.Trace = id
		g.random(s.ID[:])
		if i == 0 {
			s.Start, s.Duration = g.Now, int64(5e6+g.rng.ExpFloat64()*40e6)
		} else {
			parent := &spans[g.rng.IntN(i)]
			s.Parent = parent.ID
			s.Duration = parent.Duration * int64(50+g.rng.IntN(850)) / 1000
			s.Start = parent.Start + g.rng.Int64N(parent.Duration-s.Duration+1)
		}
		g.describe(s)
	}
	// Parents end after their children.
	for i, j := 0, len(spans)-1; i < j; i, j = i+1, j-1 {
		spans[i], spans[j] = spans[j], spans[i]
	}
	return spans
}

func (g *Generator) random(b []byte) {
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	b[0] |= 1 // never all zeros
}

// describe fills in all but ids and times, and writes the span.
func (g *Generator) describe(s *Span) {
	op := &operations[g.rng.IntN(len(operations))]
	s.Service = services[g.rng.IntN(len(services))]
	s.Name, s.Kind = op.name, op.kind
	s.Failed = g.rng.IntN(50) == 0
	if op.sql {
		g.query(s)
	} else {
		g.call(s)
	}
	s.Raw = appendSpan(nil, s, s.Failed && g.rng.IntN(2) == 0)
}

func (s *Span) attribute(key, value string) {
	s.Attributes = append(s.Attributes, store.Attribute{Key: key, Value: value})
}

func (g *Generator) query(s *Span) {
	s.attribute("db.system.name", "postgresql")
	s.attribute("db.namespace", s.Service)
	s.attribute("db.query.text", "SELECT id, customer, total, created FROM "+s.Service+"_orders WHERE customer = $1 AND state = $2")
	s.attribute("server.address", s.Service+"-db.internal")
	s.attribute("server.port", "5432")
	s.attribute("db.response.returned_rows", strconv.Itoa(g.rng.IntN(100)))
	s.attribute("thread.name", "worker-"+strconv.Itoa(g.rng.IntN(32)))
	s.attribute("enduser.id", fmt.Sprintf("u-%08d", g.rng.IntN(100_000_000)))
}

func (g *Generator) call(s *Span) {
	code := [...]string{"200", "200", "200", "201", "404", "500"}[g.rng.IntN(6)]
	s.attribute("http.request.method", [...]string{"GET", "POST", "PUT"}[g.rng.IntN(3)])
	s.attribute("http.response.status_code", code)
	s.attribute("http.route", "/api/"+s.Service+"/{id}/items")
	s.attribute("url.path", fmt.Sprintf("/api/%s/%d/items", s.Service, g.rng.IntN(10_000_000)))
	s.attribute("server.address", s.Service+".shop.svc.cluster.local")
	s.attribute("client.address", fmt.Sprintf("10.%d.%d.%d", g.rng.IntN(4), g.rng.IntN(256), g.rng.IntN(256)))
	s.attribute("user_agent.original", [...]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"okhttp/4.12.0", "python-requests/2.32.3", "Go-http-client/2.0",
	}[g.rng.IntN(4)])
	s.attribute("retry", strconv.FormatBool(g.rng.IntN(20) == 0))
}

// appendSpan writes the Span message; with an event and a link if asked, whose attributes it adds to s.
func appendSpan(b []byte, s *Span, more bool) []byte {
	b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), s.Trace[:])
	b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), s.ID[:])
	if s.Parent != (core.SpanID{}) {
		b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), s.Parent[:])
	}
	b = protowire.AppendString(protowire.AppendTag(b, 5, protowire.BytesType), s.Name)
	b = protowire.AppendVarint(protowire.AppendTag(b, 6, protowire.VarintType), uint64(s.Kind))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), uint64(s.Start))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), uint64(s.Start+s.Duration))
	for _, a := range s.Attributes {
		b = appendAttribute(b, 9, a.Key, typed(a.Value))
	}
	if more {
		event := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), uint64(s.Start+1))
		event = protowire.AppendString(protowire.AppendTag(event, 2, protowire.BytesType), "exception")
		event = appendAttribute(event, 3, "exception.type", "java.net.SocketTimeoutException")
		link := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), s.Trace[:])
		link = appendAttribute(link, 4, "link.retry_of", s.ID.String())
		b = appendMessage(appendMessage(b, 11, event), 13, link)
		s.attribute("exception.type", "java.net.SocketTimeoutException")
		s.attribute("link.retry_of", s.ID.String())
	}
	if s.Failed {
		b = appendMessage(b, 15, []byte{3 << 3, 2})
	}
	s.Attributes = append(s.Attributes, originAttributes(s.Service)...)
	return protowire.AppendFixed32(protowire.AppendTag(b, 16, protowire.Fixed32Type), 0x101)
}

// typed returns the value that the text is of: a boolean, an integer or itself.
func typed(text string) any {
	if text == "true" || text == "false" {
		return text == "true"
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

func appendAttribute(b []byte, field protowire.Number, key string, value any) []byte {
	var v []byte
	switch value := value.(type) {
	case string:
		v = protowire.AppendString(protowire.AppendTag(v, 1, protowire.BytesType), value)
	case bool:
		v = protowire.AppendVarint(protowire.AppendTag(v, 2, protowire.VarintType), protowire.EncodeBool(value))
	case int64:
		v = protowire.AppendVarint(protowire.AppendTag(v, 3, protowire.VarintType), uint64(value))
	}
	kv := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	return appendMessage(b, field, appendMessage(kv, 2, v))
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// IntN returns a random number below n.
func (g *Generator) IntN(n int) int { return g.rng.IntN(n) }
