package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// shop is the workload: a service of 22 places that start spans, with 3 to 5 attributes each, in traces of 10 to 21
// spans that are up to 5 deep. It does nothing but trace itself. Use it from one goroutine.
type shop struct {
	http, app, db trace.Tracer
	// observe is told about every span at its end, as code that was instrumented by hand would do. Nil for none.
	observe func(ctx context.Context, at *site, d time.Duration)

	requests, spans int
}

func newShop(p trace.TracerProvider) *shop {
	return &shop{
		http: p.Tracer("example.com/shop/http"), app: p.Tracer("example.com/shop"), db: p.Tracer("example.com/shop/db"),
	}
}

// trade serves requests until there have been n spans. It does the same each time.
func (s *shop) trade(n int) {
	s.requests, s.spans = 0, 0
	for s.spans < n {
		s.requests++
		switch s.requests % 3 {
		case 0:
			s.getCart(context.Background())
		case 1:
			s.getProduct(context.Background())
		case 2:
			s.postOrder(context.Background())
		}
	}
}

// items is how many things the present request is about: 1 to 3.
func (s *shop) items() int { return 1 + s.requests/3%3 }

// clock returns the time if anyone needs it.
func (s *shop) clock() time.Time {
	if s.observe == nil {
		return time.Time{}
	}
	return time.Now()
}

func (s *shop) end(ctx context.Context, span trace.Span, start time.Time, at siteNumber) {
	span.End()
	s.spans++
	if s.observe != nil {
		s.observe(ctx, &sites[at], time.Since(start))
	}
}

var (
	server   = trace.WithSpanKind(trace.SpanKindServer)
	client   = trace.WithSpanKind(trace.SpanKindClient)
	producer = trace.WithSpanKind(trace.SpanKindProducer)
)

func request(method, route string) trace.SpanStartOption {
	return trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route),
		attribute.String("server.address", "shop.example.com"), attribute.String("url.scheme", "https"),
		attribute.Int("http.response.status_code", 200))
}

func query(operation, table string) trace.SpanStartOption {
	return trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", operation),
		attribute.String("db.collection.name", table), attribute.String("server.address", "db.example.com"))
}

func step(name string, n int) trace.SpanStartOption {
	return trace.WithAttributes(
		attribute.String("shop.step", name), attribute.Int("shop.items", n), attribute.Bool("shop.member", n > 1))
}

func (s *shop) getCart(ctx context.Context) {
	ctx, span := s.http.Start(ctx, sites[getCart].name, server, request("GET", "/cart"))
	defer s.end(ctx, span, s.clock(), getCart)
	s.authorize(ctx)
	s.loadCart(ctx)
	s.priceCart(ctx)
}

func (s *shop) getProduct(ctx context.Context) {
	ctx, span := s.http.Start(ctx, sites[getProduct].name, server, request("GET", "/products/{id}"))
	defer s.end(ctx, span, s.clock(), getProduct)
	s.authorize(ctx)
	s.loadProduct(ctx)
	s.recommend(ctx)
}

func (s *shop) postOrder(ctx context.Context) {
	ctx, span := s.http.Start(ctx, sites[postOrder].name, server, request("POST", "/orders"))
	defer s.end(ctx, span, s.clock(), postOrder)
	s.authorize(ctx)
	s.validateOrder(ctx)
	s.placeOrder(ctx)
}

func (s *shop) authorize(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[authorize].name, step("authorize", 1))
	defer s.end(ctx, span, s.clock(), authorize)
	s.loadSession(ctx)
	s.selectUser(ctx)
}

func (s *shop) loadSession(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[loadSession].name, step("session", 1))
	defer s.end(ctx, span, s.clock(), loadSession)
	s.cacheGet(ctx)
}

func (s *shop) loadCart(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[loadCart].name, step("cart", s.items()))
	defer s.end(ctx, span, s.clock(), loadCart)
	s.selectCart(ctx)
	for range s.items() {
		s.loadProduct(ctx)
	}
}

func (s *shop) priceCart(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[priceCart].name, step("price", s.items()))
	defer s.end(ctx, span, s.clock(), priceCart)
}

func (s *shop) loadProduct(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[loadProduct].name, step("product", 1))
	defer s.end(ctx, span, s.clock(), loadProduct)
	s.selectProduct(ctx)
}

func (s *shop) recommend(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[recommend].name, step("recommend", s.items()))
	defer s.end(ctx, span, s.clock(), recommend)
	s.selectNeighbours(ctx)
	for range s.items() {
		s.loadProduct(ctx)
	}
}

func (s *shop) validateOrder(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[validateOrder].name, step("validate", s.items()))
	defer s.end(ctx, span, s.clock(), validateOrder)
	s.loadCart(ctx)
	s.selectStock(ctx)
}

func (s *shop) placeOrder(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[placeOrder].name, step("place", s.items()))
	defer s.end(ctx, span, s.clock(), placeOrder)
	s.reserveStock(ctx)
	s.chargePayment(ctx)
	s.insertOrder(ctx)
	s.publish(ctx)
}

func (s *shop) reserveStock(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[reserveStock].name, step("reserve", s.items()))
	defer s.end(ctx, span, s.clock(), reserveStock)
	s.updateStock(ctx)
}

// chargePayment fails for one order in 16.
func (s *shop) chargePayment(ctx context.Context) {
	ctx, span := s.http.Start(ctx, sites[chargePayment].name, client, request("POST", "/charges"))
	defer s.end(ctx, span, s.clock(), chargePayment)
	if s.requests%(3*16) == 2 {
		span.SetStatus(codes.Error, "card declined")
	}
}

func (s *shop) publish(ctx context.Context) {
	ctx, span := s.app.Start(ctx, sites[publish].name, producer, step("publish", 1))
	defer s.end(ctx, span, s.clock(), publish)
}

func (s *shop) cacheGet(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[cacheGet].name, client, query("GET", "session"))
	defer s.end(ctx, span, s.clock(), cacheGet)
}

func (s *shop) selectUser(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[selectUser].name, client, query("SELECT", "users"))
	defer s.end(ctx, span, s.clock(), selectUser)
}

func (s *shop) selectCart(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[selectCart].name, client, query("SELECT", "carts"))
	defer s.end(ctx, span, s.clock(), selectCart)
}

func (s *shop) selectProduct(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[selectProduct].name, client, query("SELECT", "products"))
	defer s.end(ctx, span, s.clock(), selectProduct)
}

func (s *shop) selectNeighbours(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[selectNeighbours].name, client, query("SELECT", "neighbours"))
	defer s.end(ctx, span, s.clock(), selectNeighbours)
}

func (s *shop) selectStock(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[selectStock].name, client, query("SELECT", "stock"))
	defer s.end(ctx, span, s.clock(), selectStock)
}

func (s *shop) updateStock(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[updateStock].name, client, query("UPDATE", "stock"))
	defer s.end(ctx, span, s.clock(), updateStock)
}

func (s *shop) insertOrder(ctx context.Context) {
	ctx, span := s.db.Start(ctx, sites[insertOrder].name, client, query("INSERT", "orders"))
	defer s.end(ctx, span, s.clock(), insertOrder)
}
