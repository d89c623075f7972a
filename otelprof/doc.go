// Package otelprof turns the spans that a program already emits into an exact profile, before any sampling: per call
// site the count, errors, total and self time, extremes and quantiles, and the call tree over all traces.
//
//	p, err := otelprof.New()
//	tp := sdktrace.NewTracerProvider(p.TracerProviderOptions(nil)...)
//	...
//	p.Snapshot()
//
// A [Profiler] is a span processor. Register it like any other, or let [Profiler.TracerProviderOptions] wrap the sampler
// too, so that spans that are not sampled are profiled all the same. Blocks ([Profiler.Block], [Profiler.Site]) measure
// code without a span; spans and blocks form one tree.
//
// # Concurrency
//
// Everything may be called from any goroutine at any time. Recording happens on the goroutine that ends the span; the
// profiler has no goroutine and no queue of its own.
package otelprof
