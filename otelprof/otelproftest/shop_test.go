package otelproftest_test

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// shop is code under test, with an N+1 query in it.
type shop struct {
	provider trace.TracerProvider
	profiler *otelprof.Profiler
	// queryTime is how long a query takes. It passes by the fake clock of a synctest bubble: nothing waits for it.
	queryTime time.Duration
	// fail makes every query fail after that many; 0 is never.
	fail    int
	queries int
}

// category shows a category with n products, of which it loads each by itself.
func (s *shop) category(ctx context.Context, n int) {
	ctx, span := s.provider.Tracer("http").Start(ctx, "GET /categories/{name}", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	s.query(ctx, "SELECT category")
	for range n {
		s.product(ctx)
	}
}

func (s *shop) product(ctx context.Context) {
	ctx, span := s.provider.Tracer("shop").Start(ctx, "load product")
	defer span.End()
	s.query(ctx, "SELECT product")
}

func (s *shop) query(ctx context.Context, name string) {
	_, span := s.provider.Tracer("sql").Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	time.Sleep(s.queryTime)
	if s.queries++; s.fail > 0 && s.queries > s.fail {
		err := errors.New("connection refused")
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
}

// render renders a page of n parts by blocks.
func (s *shop) render(ctx context.Context, n int) {
	page := s.profiler.Block(ctx, "view", "page")
	defer page.End()
	for range n {
		part := s.profiler.Block(page.Context(), "view", "part")
		part.End()
	}
}
