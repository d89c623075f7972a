package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// telemetry is everything about OpenTelemetry in this program.
type telemetry struct {
	profiler *otelprof.Profiler
	provider *sdktrace.TracerProvider
	exporter *lineExporter
}

// instrumentation are the packages whose frames are passed over to find the shop's own line that caused a span.
var instrumentation = []string{
	"go.opentelemetry.io/contrib/", "github.com/XSAM/otelsql.", "database/sql.", "net/http.", "google.golang.org/grpc",
}

// startTelemetry sets the global tracer provider: a share of the traces is exported, every span is profiled.
func startTelemetry(sample float64, spans io.Writer) (*telemetry, error) {
	profiler, err := otelprof.New(otelprof.WithName("webshop"), otelprof.WithCallSiteSkip(instrumentation...))
	if err != nil {
		return nil, fmt.Errorf("starting the profiler: %w", err)
	}
	exporter := &lineExporter{out: spans}
	options := profiler.TracerProviderOptions(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(sample)))
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()))...)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return &telemetry{profiler, provider, exporter}, nil
}

// close exports what is left. The profile can still be read afterwards.
func (t *telemetry) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// lineExporter stands for the tracing backend, which gets the sampled spans only. It counts them and, if out is not
// nil, writes one line for each.
type lineExporter struct {
	out   io.Writer
	spans atomic.Int64
}

func (e *lineExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.spans.Add(int64(len(spans)))
	if e.out == nil {
		return nil
	}
	for _, s := range spans {
		_, err := fmt.Fprintf(e.out, "span %s %s %q %s\n", s.SpanContext().TraceID(), s.SpanKind(), s.Name(), s.EndTime().Sub(s.StartTime()))
		if err != nil {
			return fmt.Errorf("printing a span: %w", err)
		}
	}
	return nil
}

func (e *lineExporter) Shutdown(context.Context) error { return nil }
