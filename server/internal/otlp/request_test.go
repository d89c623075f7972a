package otlp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// realistic returns a request as instrumented programs send them: n spans of about 408 bytes.
func realistic(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(key, value string) *common.KeyValue {
		return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
	}
	number := func(key string, value int64) *common.KeyValue {
		return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value}}}
	}
	id := func(n int) []byte {
		b := make([]byte, 16)
		binary.LittleEndian.PutUint64(b, r.Uint64()|1)
		binary.LittleEndian.PutUint64(b[8:], r.Uint64()|1)
		return b[:n]
	}
	scope := &traces.ScopeSpans{Scope: &common.InstrumentationScope{Name: "example.com/shop/orders", Version: "1.4.2"}}
	for i := range n {
		start := uint64(1_760_000_000_000_000_000) + uint64(i)*1_000_000
		scope.Spans = append(scope.Spans, &traces.Span{
			TraceId: id(16), SpanId: id(8), ParentSpanId: id(8), Flags: 0x101, Name: fmt.Sprintf("POST /orders/{id}/items%d", i%22),
			Kind: traces.Span_SpanKind(1 + i%5), StartTimeUnixNano: start, EndTimeUnixNano: start + uint64(r.IntN(5_000_000)),
			Attributes: []*common.KeyValue{
				text("http.request.method", "POST"), text("http.route", "/orders/{id}/items"), number("http.response.status_code", 200),
				text("server.address", "orders.shop.svc.cluster.local"), number("server.port", 8080), text("url.path", fmt.Sprintf("/orders/%d/items", r.IntN(1e6))),
				text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"), text("customer.id", fmt.Sprintf("c-%08d", r.IntN(1e8))),
			},
			Status: &traces.Status{Code: traces.Status_STATUS_CODE_OK},
		})
	}
	data, err := proto.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			text("service.name", "orders"), text("service.version", "2.0.1"), text("host.name", "node-17"), text("telemetry.sdk.language", "go"),
		}},
		ScopeSpans: []*traces.ScopeSpans{scope}, SchemaUrl: "https://opentelemetry.io/schemas/1.37.0",
	}}})
	if err != nil {
		panic(err)
	}
	return data
}
