package main

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/zpages"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	zpagesPeer = "contrib zpages, `SpanProcessor`"
	simplePeer = "`SimpleSpanProcessor`, exporter that discards"
	batchPeer  = "`BatchSpanProcessor`, exporter that waits and discards"
)

// peers are other span processors.
type peers struct {
	contenders []contender
	exporter   *slowExporter
	// ended counts the spans that the BatchSpanProcessor was given.
	ended int64
}

func newPeers(n int) *peers {
	p := &peers{exporter: &slowExporter{wait: exportTime}}
	add := func(name string, processor sdktrace.SpanProcessor, after func(*shop)) {
		shop := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor)))
		p.contenders = append(p.contenders, contender{name, func() {
			shop.trade(n)
			after(shop)
		}})
	}
	nothing := func(*shop) {}
	add(zpagesPeer, zpages.NewSpanProcessor(), nothing)
	add(simplePeer, sdktrace.NewSimpleSpanProcessor(&slowExporter{}), nothing)
	batch := sdktrace.NewBatchSpanProcessor(p.exporter)
	add(batchPeer, batch, func(s *shop) {
		p.ended += int64(s.spans)
		// What is still queued belongs to this turn. The error could only be that of the exporter, which has none.
		_ = batch.ForceFlush(context.Background())
	})
	return p
}

// lost returns the share of spans that the BatchSpanProcessor dropped.
func (p *peers) lost() float64 { return 1 - float64(p.exporter.exported.Load())/float64(p.ended) }

// exportTime is how long the export of a batch of 512 spans takes. OTLP over gRPC to a collector on the same machine
// takes 2300 ns of CPU a span with nobody else at work, which makes 1.2 ms; a network and a busy receiver add to that.
const exportTime = 3 * time.Millisecond

// slowExporter takes its time and discards the spans.
type slowExporter struct {
	wait     time.Duration
	exported atomic.Int64
}

func (e *slowExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.exported.Add(int64(len(spans)))
	if e.wait > 0 {
		time.Sleep(e.wait)
	}
	return nil
}

func (e *slowExporter) Shutdown(context.Context) error { return nil }
