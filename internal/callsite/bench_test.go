package callsite_test

import (
	"context"
	"runtime"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

// repeat runs the measured function b.N times inside of one OnStart, so that the SDK is not measured.
type repeat struct {
	processor
	b *testing.B
	f func()
}

func (r repeat) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	r.b.ReportAllocs()
	r.b.ResetTimer()
	for range r.b.N {
		r.f()
	}
	r.b.StopTimer()
}

func BenchmarkSpan(b *testing.B) {
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(repeat{b: b, f: f}))
			_, span := provider.Tracer("").Start(context.Background(), "")
			span.End()
		})
	}
	walk := callsite.New(callsite.Options{})
	run("walk", func() { walk.Span() })
	callers := callsite.New(callsite.Options{Callers: true})
	run("callers", func() { callers.Span() })
	run("Callers8", func() {
		var pcs [8]uintptr
		runtime.Callers(0, pcs[:])
	})
	run("nothing", func() {})
}
