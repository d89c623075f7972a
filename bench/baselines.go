package main

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	apiNoop       = "API without an SDK"
	neverSample   = "SDK, NeverSample"
	withoutAny    = "SDK, no processor"
	noopBase      = "SDK, a processor that does nothing"
	control       = "the same again"
	neverRecorded = "SDK, NeverSample, a processor that does nothing"
	alwaysRecord  = "SDK, AlwaysRecord(NeverSample), a processor that does nothing"
)

// idle is a span processor that does nothing: what every other one is compared with.
type idle struct{}

func (idle) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (idle) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (idle) Shutdown(context.Context) error                  { return nil }
func (idle) ForceFlush(context.Context) error                { return nil }

// baselines returns the contenders that measure nothing.
func baselines(n int) []contender {
	never := sdktrace.WithSampler(sdktrace.NeverSample())
	always := sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.NeverSample()))
	processor := sdktrace.WithSpanProcessor(idle{})
	var out []contender
	for _, c := range []struct {
		name     string
		provider trace.TracerProvider
	}{
		{apiNoop, noop.NewTracerProvider()},
		{neverSample, sdktrace.NewTracerProvider(never)},
		{withoutAny, sdktrace.NewTracerProvider()},
		{noopBase, sdktrace.NewTracerProvider(processor)},
		{control, sdktrace.NewTracerProvider(processor)},
		{neverRecorded, sdktrace.NewTracerProvider(never, processor)},
		{alwaysRecord, sdktrace.NewTracerProvider(always, processor)},
		{fewAccessors, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(&accessors{}))},
		{allAccessors, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(&accessors{all: true}))},
	} {
		shop := newShop(c.provider)
		out = append(out, contender{c.name, func() { shop.trade(n) }})
	}
	return out
}
