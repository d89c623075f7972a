package querytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// Hostile is a name with everything in it that has a meaning somewhere.
const Hostile = "GET /<script>alert('x')</script>;\t\"a\\b\"\u202e\x1b[31m=1+1"

// Names of services.
const (
	Frontend = "frontend"
	Cart     = "cart"
	Payment  = "pay ment/ü"
)

// The sites of the data set.
var (
	Checkout = core.Site{Service: Frontend, Track: "net/http", Name: "GET /checkout", Kind: core.KindServer}
	Call     = core.Site{Service: Frontend, Track: "net/http", Name: "POST", Kind: core.KindClient}
	Render   = core.Site{Service: Frontend, Track: "html", Name: Hostile, Kind: core.KindInternal,
		Function: "example.test/shop.render", File: "/src/render.go", Line: 42}
	AddItem = core.Site{Service: Cart, Track: "grpc", Name: "AddItem", Kind: core.KindServer}
	Select  = core.Site{Service: Cart, Track: "sql", Name: "SELECT items", Kind: core.KindClient}
	Charge  = core.Site{Service: Payment, Track: "grpc", Name: "Charge", Kind: core.KindServer}
)

// Minutes is how many minutes the data set covers, PerMinute how many traces start in each.
const (
	Minutes   = 5
	PerMinute = 40
)

// Spans returns the spans of the data set, trace by trace, measured. It is the same every time.
//
// Every trace is a checkout that calls the cart, which selects, and renders at the same time; every third also charges.
// From the fourth minute on the cart's SELECT takes twice as long. One trace has an orphan, one a span sent twice.
func Spans() []Span { return slices.Clone(spans()) }

var spans = sync.OnceValue(func() []Span {
	r := rand.New(rand.NewPCG(1, 2))
	var all []Span
	for minute := range Minutes {
		for i := range PerMinute {
			n := uint64(minute*PerMinute + i + 1)
			start := time.Duration(minute)*time.Minute + time.Duration(i)*time.Second + time.Duration(r.IntN(1000))
			trace := checkout(r, n, start, minute >= 3)
			Measure(trace)
			all = append(all, trace...)
		}
	}
	return all
})

func checkout(r *rand.Rand, n uint64, start time.Duration, slow bool) []Span {
	duration := func(ms int) time.Duration {
		return time.Duration(ms)*time.Millisecond + time.Duration(r.IntN(ms*1_000_000))
	}
	query := duration(3)
	if slow {
		query *= 2
	}
	add, call := duration(2)+query, duration(2)
	render, charge := duration(4), duration(20)
	id := func(k uint64) core.SpanID { return SpanID(n*16 + k) }
	region := Text("region", []string{"eu", "us"}[n%2])
	frontend := []*commonpb.KeyValue{region, Text("service.version", "1.2")}
	callStart := start + time.Millisecond
	addStart := callStart + call/4
	spans := []Span{
		{ID: id(1), Site: Checkout, Start: start, Resource: frontend, Attributes: []*commonpb.KeyValue{
			Int("http.response.status_code", 200+int64(n%2)*300), Text("user.id", fmt.Sprint("user-", n))}},
		{ID: id(2), Parent: id(1), Site: Call, Start: callStart, End: callStart + add + call, Resource: frontend},
		{ID: id(3), Parent: id(2), Site: AddItem, Start: addStart, End: addStart + add, Resource: []*commonpb.KeyValue{region},
			Scope: []*commonpb.KeyValue{Text("scope.key", "scope value")}, Failed: n%10 == 0},
		{ID: id(4), Parent: id(3), Site: Select, Start: addStart + time.Millisecond, End: addStart + time.Millisecond + query,
			Resource: []*commonpb.KeyValue{region}, Event: []*commonpb.KeyValue{Text("event.key", fmt.Sprint("e", n%5))},
			Weight: 1 + n%2},
		{ID: id(5), Parent: id(1), Site: Render, Start: callStart + time.Millisecond, End: callStart + time.Millisecond + render, Resource: frontend},
	}
	end := max(spans[1].End, spans[4].End)
	if n%3 == 0 {
		spans = append(spans, Span{ID: id(6), Parent: id(1), Site: Charge, Start: end, End: end + charge,
			Link: []*commonpb.KeyValue{Text("link.key", "linked")}, Failed: n%9 == 0})
		end += charge
	}
	spans[0].End = end + time.Millisecond
	if n == 7 { // an orphan
		spans[4].Parent = SpanID(0xdead)
	}
	for i := range spans {
		spans[i].Trace = TraceID(n)
	}
	return spans
}

// Duplicated is the number of the trace of which one span was received twice.
const Duplicated = 11
