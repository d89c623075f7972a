package shop

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// warehouse ships orders in the background, after their requests were answered.
type warehouse struct {
	catalog *catalog
	orders  chan shipment
	packers sync.WaitGroup
}

type shipment struct {
	ctx   context.Context
	order int64
}

func startWarehouse(c *catalog) *warehouse {
	w := &warehouse{catalog: c, orders: make(chan shipment, 64)}
	for range 2 {
		w.packers.Go(func() {
			for s := range w.orders {
				w.pack(s)
			}
		})
	}
	return w
}

// close waits until all orders are shipped.
func (w *warehouse) close() {
	close(w.orders)
	w.packers.Wait()
}

// ship takes an order. It blocks while the packers are far behind.
func (w *warehouse) ship(ctx context.Context, order int64) { w.orders <- shipment{ctx, order} }

// pack starts a trace of its own that links to the request, as consumers of a queue do, and does two things at once.
func (w *warehouse) pack(s shipment) {
	ctx, span := otel.Tracer(scope).Start(s.ctx, "ship order", trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.LinkFromContext(s.ctx)))
	defer span.End()
	var both sync.WaitGroup
	both.Go(func() { step(ctx, "fetch from shelf", 3*time.Millisecond) })
	both.Go(func() { step(ctx, "print label", 2*time.Millisecond) })
	both.Wait()
	if err := w.catalog.markShipped(ctx, s.order); err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "not marked as shipped")
	}
}

func step(ctx context.Context, name string, d time.Duration) {
	_, span := otel.Tracer(scope).Start(ctx, name)
	defer span.End()
	time.Sleep(d)
}
