package exporter_test

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/exporter"
)

// client stands in for one of otlptracegrpc or otlptracehttp.
type client struct{}

func (client) Start(context.Context) error { return nil }
func (client) Stop(context.Context) error  { return nil }

func (client) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	fmt.Println("uploaded", spans[0].ScopeSpans[0].Spans[0].Name)
	return nil
}

func ExampleNewSpanProcessor() {
	ctx := context.Background()
	exp := otlptrace.NewUnstarted(client{})
	if err := exp.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	raw := exporter.NewSpanProcessor(exp)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(raw))

	_, span := tp.Tracer("shop").Start(ctx, "checkout")
	span.End()

	if err := tp.Shutdown(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println(raw.Stats().Exported, "exported,", raw.Stats().Lost)
	// Output:
	// uploaded checkout
	// 1 exported, no spans lost
}
