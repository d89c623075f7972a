package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// service is the name of the shop in a tracing backend.
const service = "webshop"

// telemetry is everything about OpenTelemetry in this program.
type telemetry struct {
	profiler *otelprof.Profiler
	provider *sdktrace.TracerProvider
	// raw exports the spans that were sampled.
	raw *exporter.SpanProcessor
	// tracks reports the profile to the tracing backend; nil without one.
	tracks *exporter.Tracks
	meters *metric.MeterProvider
	// metrics serves the profile to Prometheus.
	metrics http.Handler
}

// instrumentation are the packages whose frames are passed over to find the shop's own line that caused a span.
var instrumentation = []string{
	"go.opentelemetry.io/contrib/", "github.com/XSAM/otelsql.", "database/sql.", "net/http.", "google.golang.org/grpc",
}

// startTelemetry sets the global tracer provider: a share of the traces is exported, every span is profiled. If spans is
// not nil, it gets a line for each exported span.
func startTelemetry(c config, spans io.Writer) (*telemetry, error) {
	profiler, err := otelprof.New(otelprof.WithName(service), otelprof.WithCallSiteSkip(instrumentation...))
	if err != nil {
		return nil, fmt.Errorf("starting the profiler: %w", err)
	}
	t := &telemetry{profiler: profiler}
	identity := resource.NewSchemaless(semconv.ServiceName(service))
	if err := t.startMetrics(identity); err != nil {
		return nil, err
	}
	if err := t.startExport(c, identity, spans); err != nil {
		return nil, err
	}
	// The profiler comes first, so that it knows a span when the exporter asks whether that is an exemplar.
	options := profiler.TracerProviderOptions(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.sample)))
	t.provider = sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(t.raw), sdktrace.WithResource(identity))...)
	otel.SetTracerProvider(t.provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return t, nil
}

// startMetrics gives the profile to Prometheus under the names of this project and under those that Jaeger's Monitor
// tab asks for.
func (t *telemetry) startMetrics(identity *resource.Resource) error {
	producer := exporter.NewProducer(t.profiler, exporter.WithServiceName(service),
		exporter.WithFamilies(exporter.FamilyOtelprof, exporter.FamilyJaegerSPM))
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithProducer(producer))
	if err != nil {
		return fmt.Errorf("starting the metrics: %w", err)
	}
	t.meters = metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(identity))
	t.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return nil
}

// startExport sends the sampled spans and the profile to a tracing backend, or else the spans to spans.
func (t *telemetry) startExport(c config, identity *resource.Resource, spans io.Writer) error {
	// Spans that must all arrive wait for room in the queue; a shop that serves people does not.
	lossless := exporter.WithBlockOnFull(10 * time.Second)
	if c.otlp == "" {
		t.raw = exporter.NewSpanProcessor(lineExporter{spans}, lossless)
		return nil
	}
	// The exporter and the tracks start and stop a client each.
	client := func() otlptrace.Client {
		return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(c.otlp+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	exp, err := otlptrace.New(context.Background(), client())
	if err != nil {
		return fmt.Errorf("starting the export to %s: %w", c.otlp, err)
	}
	options := []exporter.SpanOption{exporter.WithExemplars(t.profiler)}
	if c.requests > 0 {
		options = append(options, lossless)
	}
	t.raw = exporter.NewSpanProcessor(exp, options...)
	t.tracks, err = exporter.NewTracks(t.profiler, client(),
		exporter.WithTracksInterval(c.interval), exporter.WithTracksResource(identity))
	if err == nil {
		err = t.tracks.Start(context.Background())
	}
	if err != nil {
		return fmt.Errorf("starting the export to %s: %w", c.otlp, err)
	}
	return nil
}

// close exports what is left, the profile last. It can still be read afterwards.
func (t *telemetry) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := t.provider.Shutdown(ctx)
	if t.tracks != nil {
		err = errors.Join(err, t.tracks.Shutdown(ctx))
	}
	return errors.Join(err, t.meters.Shutdown(ctx))
}

// lineExporter stands for the tracing backend, which gets the sampled spans only. If out is not nil, it writes one line
// for each.
type lineExporter struct{ out io.Writer }

func (e lineExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
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

func (lineExporter) Shutdown(context.Context) error { return nil }
