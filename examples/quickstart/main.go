package main

import (
	"context"
	"log"
	"os"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/report"
)

func main() {
	profiler, err := otelprof.New()
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(profiler.TracerProviderOptions(nil)...)
	tracer := provider.Tracer("shop")

	for range 100 { // what your program does already
		ctx, request := tracer.Start(context.Background(), "GET /cart")
		for range 3 {
			_, query := tracer.Start(ctx, "SELECT items")
			time.Sleep(time.Millisecond)
			query.End()
		}
		request.End()
	}

	if err := report.Tree(os.Stdout, profiler.Snapshot(), report.TreeOptions{}); err != nil {
		log.Fatal(err)
	}
}
