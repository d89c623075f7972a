package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Plan says how much to send.
type Plan struct {
	// Spans is how many to send at least: the last trace is sent whole. 0 goes on until the context ends.
	Spans int
	// Rate is how many a second; 0 is as fast as they are taken.
	Rate float64
	// Batch is how many spans a request has at most.
	Batch int
	// Start is when the first trace starts; its successors follow at the rate, or if that is 0 at Pace.
	Start time.Time
}

// Pace is the number of spans a second by which spans are spread over time that are sent as fast as possible.
const Pace = 1000

// Send generates and sends spans by one client as the services of the shop would, each its own. progress is told now and
// then how many spans were taken. It ends early, without an error, when the context does: what was generated is sent still.
func Send(ctx context.Context, g *Generator, client otlptrace.Client, plan Plan, progress func(spans int)) error {
	s := sender{client: client, batch: max(plan.Batch, 1), waiting: map[string][]Span{}}
	pace := plan.Rate
	if pace <= 0 {
		pace = Pace
	}
	began := time.Now()
	for made := 0; (plan.Spans <= 0 || made < plan.Spans) && ctx.Err() == nil; {
		offset := time.Duration(float64(made) / pace * float64(time.Second))
		if plan.Rate > 0 && !sleepUntil(ctx, began.Add(offset)) {
			break
		}
		spans := g.Trace(plan.Start.Add(offset))
		made += len(spans)
		if err := s.add(ctx, spans); err != nil {
			return err
		}
		progress(s.sent)
		if plan.Rate > 0 && time.Since(s.flushed) > flushEvery {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	err := s.flush(context.WithoutCancel(ctx))
	progress(s.sent)
	return err
}

// flushEvery is how long a span waits for its request to fill.
const flushEvery = time.Second

func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type sender struct {
	client  otlptrace.Client
	batch   int
	waiting map[string][]Span // by service
	sent    int
	flushed time.Time
}

func (s *sender) add(ctx context.Context, spans []Span) error {
	for _, span := range spans {
		list := append(s.waiting[span.Service], span)
		s.waiting[span.Service] = list
		if len(list) >= s.batch {
			if err := s.send(context.WithoutCancel(ctx), span.Service); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sender) flush(ctx context.Context) error {
	s.flushed = time.Now()
	services := []string{}
	for service := range s.waiting {
		services = append(services, service)
	}
	slices.Sort(services)
	for _, service := range services {
		if err := s.send(context.WithoutCancel(ctx), service); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) send(ctx context.Context, service string) error {
	spans := s.waiting[service]
	if len(spans) == 0 {
		return nil
	}
	if err := s.client.UploadTraces(ctx, []*tracepb.ResourceSpans{Resource(service, spans)}); err != nil {
		return fmt.Errorf("send %d spans of %s after %d others: %w", len(spans), service, s.sent, err)
	}
	s.sent += len(spans)
	s.waiting[service] = spans[:0]
	return nil
}

// Resource puts spans of one service together as its exporter does.
func Resource(service string, spans []Span) *tracepb.ResourceSpans {
	r := &tracepb.ResourceSpans{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		textAttribute("service.name", service), textAttribute("service.version", "1.4.2"),
		textAttribute("deployment.environment.name", "demo"), textAttribute("host.name", service+"-7d9c5b6f4-x2x9q"),
	}}}
	byScope := map[string]*tracepb.ScopeSpans{}
	for _, s := range spans {
		scope := byScope[s.Scope]
		if scope == nil {
			scope = &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: s.Scope, Version: "1.0.0"}}
			byScope[s.Scope] = scope
			r.ScopeSpans = append(r.ScopeSpans, scope)
		}
		scope.Spans = append(scope.Spans, s.Span)
	}
	return r
}
