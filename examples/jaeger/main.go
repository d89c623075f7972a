// Command jaeger sends raw spans and the profile to Jaeger: look for the services "shop" and "shop-profile" there, in the
// timeline and in the flame graph. Without OTEL_EXPORTER_OTLP_ENDPOINT it takes the Jaeger on http://localhost:4318.
package main

import (
	"context"
	"errors"
	"log"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	profiler, err := otelprof.New()
	if err != nil {
		return err
	}
	shop := resource.NewSchemaless(semconv.ServiceName("shop"))
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithInsecure())
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(append(profiler.TracerProviderOptions(nil),
		sdktrace.WithSpanProcessor(exporter.NewSpanProcessor(spans)), sdktrace.WithResource(shop))...)

	tracks, err := exporter.NewTracks(profiler, otlptracehttp.NewClient(otlptracehttp.WithInsecure()), exporter.WithTracksResource(shop))
	if err != nil {
		return err
	}
	if err := tracks.Start(ctx); err != nil {
		return err
	}
	work(ctx, provider)
	// The last spans first, then the report of the profile that has them.
	return errors.Join(provider.Shutdown(ctx), tracks.Shutdown(ctx))
}

// work is what your program does already.
func work(ctx context.Context, provider *sdktrace.TracerProvider) {
	tracer := provider.Tracer("shop")
	for range 100 {
		ctx, request := tracer.Start(ctx, "GET /cart")
		for range 3 {
			_, query := tracer.Start(ctx, "SELECT items")
			time.Sleep(time.Millisecond)
			query.End()
		}
		request.End()
	}
}
