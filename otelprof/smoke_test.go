package otelprof_test

import (
	"context"
	"encoding/json"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

func TestSmoke(t *testing.T) {
	p, err := otelprof.New()
	if err != nil {
		t.Fatal(err)
	}
	tp := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.NeverSample())...)
	tr := tp.Tracer("shop")
	ctx, root := tr.Start(context.Background(), "GET")
	_, c := tr.Start(ctx, "SELECT")
	c.End()
	b := p.Block(ctx, "cpu", "work")
	_, c2 := tr.Start(b.Context(), "inner")
	c2.End()
	b.End()
	root.SetName("GET /x")
	root.End()
	s := p.Snapshot()
	for i, n := range s.Nodes {
		path := s.Path(i)
		j, _ := json.Marshal(path[len(path)-1])
		t.Log(n.Parent, string(j), n.Stats.Count, n.Stats.Total, n.Stats.Self)
	}
}
func BenchmarkSpan(b *testing.B) {
	for _, m := range []string{"noop", "full", "public", "direct", "nosite", "self"} {
		b.Run(m, func(b *testing.B) {
			opts := map[string][]otelprof.Option{"full": nil, "public": {otelprof.WithFastAccess(false)}, "direct": {otelprof.WithSelfTime(false), otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteAttributes)},
				"nosite": {otelprof.WithCallSite(otelprof.CallSiteAttributes)}, "self": {otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteAttributes)}}
			var sp sdktrace.SpanProcessor = noop{}
			if m != "noop" {
				p, err := otelprof.New(opts[m]...)
				if err != nil {
					b.Fatal(err)
				}
				sp = p
			}
			tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(sp), sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.NeverSample())))
			tr := tp.Tracer("shop")
			b.ReportAllocs()
			ctx, root := tr.Start(context.Background(), "root")
			n := 0
			for b.Loop() {
				_, s := tr.Start(ctx, "child")
				s.End()
				if n++; n%10 == 0 {
					root.End()
					ctx, root = tr.Start(context.Background(), "root")
				}
			}
			root.End()
		})
	}
}

type noop struct{}

func (noop) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (noop) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (noop) ForceFlush(context.Context) error                { return nil }
func (noop) Shutdown(context.Context) error                  { return nil }
