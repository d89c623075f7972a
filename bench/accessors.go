package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	fewAccessors = "the public accessors alone, those for statistics only"
	allAccessors = "the public accessors alone, those for everything"
)

// accessors is a span processor that calls the accessors that a profiler cannot do without, and does nothing else: the
// part of its cost that is the SDK's.
type accessors struct {
	idle
	all bool

	name, scope     string
	kind            trace.SpanKind
	start, end      time.Time
	status          sdktrace.Status
	context, parent trace.SpanContext
	attributes      []attribute.KeyValue
}

func (a *accessors) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	if a.all {
		a.context, a.parent = s.SpanContext(), s.Parent()
	}
}

func (a *accessors) OnEnd(s sdktrace.ReadOnlySpan) {
	a.name, a.kind, a.start, a.end, a.status = s.Name(), s.SpanKind(), s.StartTime(), s.EndTime(), s.Status()
	a.scope = s.InstrumentationScope().Name
	if a.all {
		a.context, a.attributes = s.SpanContext(), s.Attributes()
	}
}
