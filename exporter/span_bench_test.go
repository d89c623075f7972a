package exporter

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanCounter is an exporter that takes everything at once, and counts it.
type spanCounter struct{ spans atomic.Int64 }

func (c *spanCounter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	c.spans.Add(int64(len(spans)))
	return nil
}

func (*spanCounter) Shutdown(context.Context) error { return nil }

// hanging hangs until release is closed.
type hanging struct{ release chan struct{} }

func (h hanging) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	<-h.release
	return nil
}

func (hanging) Shutdown(context.Context) error { return nil }

// idle is a processor that does nothing: the SDK's End does more as soon as there is one.
type idle struct{}

func (idle) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (idle) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (idle) ForceFlush(context.Context) error                { return nil }
func (idle) Shutdown(context.Context) error                  { return nil }

// batchProcessors are the two that are compared.
var batchProcessors = []struct {
	name string
	make func(sdktrace.SpanExporter) sdktrace.SpanProcessor
}{
	{"ours", func(exp sdktrace.SpanExporter) sdktrace.SpanProcessor { return NewSpanProcessor(exp, silent()) }},
	{"sdk", func(exp sdktrace.SpanExporter) sdktrace.SpanProcessor { return sdktrace.NewBatchSpanProcessor(exp) }},
}

// BenchmarkOnEnd compares ours with the SDK's batch processor, in pairs, at a rate that no exporter keeps up with: the
// share of spans lost belongs to the figure.
func BenchmarkOnEnd(b *testing.B) {
	for _, parallel := range []int{1, 50} { // goroutines per core
		for _, c := range batchProcessors {
			b.Run(fmt.Sprintf("goroutines=%d/%s", parallel, c.name), func(b *testing.B) {
				exp := &spanCounter{}
				p := c.make(exp)
				s := stub("x")
				b.ReportAllocs()
				b.SetParallelism(parallel)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						p.OnEnd(s)
					}
				})
				b.StopTimer()
				_ = p.Shutdown(context.Background())
				b.ReportMetric(1-float64(exp.spans.Load())/float64(b.N), "lost/op")
			})
		}
	}
}

// BenchmarkSpan compares them on whole spans, one after the other on all cores.
func BenchmarkSpan(b *testing.B) {
	for _, c := range batchProcessors {
		b.Run(c.name, func(b *testing.B) {
			exp := &spanCounter{}
			tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(c.make(exp)))
			tracer := tp.Tracer("bench")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, span := tracer.Start(context.Background(), "x")
					span.End()
				}
			})
			b.StopTimer()
			_ = tp.Shutdown(context.Background())
			b.ReportMetric(1-float64(exp.spans.Load())/float64(b.N), "lost/op")
		})
	}
}

// BenchmarkEndWithHangingExporter measures End as the application sees it while the exporter hangs: what counts is
// the 99.9th percentile of the single calls. "none" is the SDK alone, with a processor that does nothing.
func BenchmarkEndWithHangingExporter(b *testing.B) {
	b.Run("none", func(b *testing.B) {
		benchmarkEnd(b, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(idle{})))
	})
	for _, c := range batchProcessors {
		b.Run(c.name, func(b *testing.B) {
			release := make(chan struct{})
			tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(c.make(hanging{release: release})))
			benchmarkEnd(b, tp)
			close(release)
			_ = tp.Shutdown(context.Background())
		})
	}
}

func benchmarkEnd(b *testing.B, tp *sdktrace.TracerProvider) {
	tracer := tp.Tracer("bench")
	var took []time.Duration
	for b.Loop() {
		_, span := tracer.Start(context.Background(), "x")
		start := time.Now()
		span.End()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*999/1000]), "p99.9-ns")
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
}
