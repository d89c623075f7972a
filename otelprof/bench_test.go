package otelprof

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// benchVariants are the profilers to be measured.
var benchVariants = []struct {
	name    string
	options []Option
}{
	{"statistics", []Option{WithSelfTime(false), WithCallTree(false), WithCallSite(CallSiteOff)}},
	{"default", nil},
	{"default,accessors", []Option{WithFastAccess(false)}},
}

func benchProfiler(b *testing.B, options ...Option) *Profiler {
	p, err := New(options...)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// inert is a processor that does nothing: what a span costs anyway.
type inert struct{}

func (inert) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (inert) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (inert) Shutdown(context.Context) error                  { return nil }
func (inert) ForceFlush(context.Context) error                { return nil }

// BenchmarkSpan measures a span of a trace of 15 with all that the SDK does; take "nothing" off.
func BenchmarkSpan(b *testing.B) {
	run := func(name string, p sdktrace.SpanProcessor) {
		b.Run(name, func(b *testing.B) {
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("example.com/shop")
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%15 == 0 {
					nest(context.Background(), tracer, 15)
				}
			}
		})
	}
	run("nothing", inert{})
	for _, v := range benchVariants {
		run(v.name, benchProfiler(b, v.options...))
	}
}

// nest makes n spans, each in the one before.
func nest(ctx context.Context, tracer trace.Tracer, n int) {
	ctx, span := tracer.Start(ctx, "load product", trace.WithAttributes(
		attribute.String("shop.step", "load"), attribute.Int("shop.items", 3), attribute.Bool("shop.member", true)))
	defer span.End()
	if n > 1 {
		nest(ctx, tracer, n-1)
	}
}

// replay keeps what it is called with, to call another processor in the same way as often as wanted.
type replay struct {
	inert
	calls []func(sdktrace.SpanProcessor)
}

func (r *replay) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	r.calls = append(r.calls, func(p sdktrace.SpanProcessor) { p.OnStart(ctx, s) })
}

func (r *replay) OnEnd(s sdktrace.ReadOnlySpan) {
	r.calls = append(r.calls, func(p sdktrace.SpanProcessor) { p.OnEnd(s) })
}

// BenchmarkProcessor measures OnStart and OnEnd for a span of a trace of 15, without the SDK, and so without a call
// site: it is found only above a frame of the SDK.
func BenchmarkProcessor(b *testing.B) {
	const traces = 64
	spans := &replay{}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("example.com/shop")
	for range traces {
		nest(context.Background(), tracer, 15)
	}
	for _, v := range benchVariants {
		p := benchProfiler(b, append([]Option{WithCallSite(CallSiteAttributes)}, v.options...)...)
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%(traces*15) > 0 {
					continue
				}
				for _, call := range spans.calls {
					call(p)
				}
			}
		})
	}
}

func BenchmarkLabelCache(b *testing.B) {
	p := benchProfiler(b)
	e := endedSpan{name: "SELECT products", scope: "example.com/shop/db", kind: core.KindClient}
	b.ReportAllocs()
	for b.Loop() {
		p.label(nil, &e)
	}
}

func BenchmarkBlock(b *testing.B) {
	p := benchProfiler(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		p.Block(ctx, "bench", "block").End()
	}
}

func BenchmarkSite(b *testing.B) {
	site := benchProfiler(b).Site("bench", "site")
	b.ReportAllocs()
	for b.Loop() {
		site.Start().End()
	}
}
