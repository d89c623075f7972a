// Package exporter sends raw spans and the profile to systems that understand OpenTelemetry.
//
// # Raw spans
//
// [NewSpanProcessor] puts a queue that counts what it loses in front of any [sdktrace.SpanExporter]. An exporter
// made from any otlptrace.Client will do; the package itself links neither gRPC nor HTTP:
//
//	exp := otlptrace.NewUnstarted(client) // of otlptracegrpc, otlptracehttp, or your own
//	if err := exp.Start(ctx); err != nil { ... }
//	raw := exporter.NewSpanProcessor(exp)
//	tp := sdktrace.NewTracerProvider(append(
//		profiler.TracerProviderOptions(sampler),
//		sdktrace.WithSpanProcessor(raw))...)
//	defer tp.Shutdown(ctx)
//
// [SpanProcessor.Stats] tells at any moment how many spans were received, exported and lost, and why; losses are
// reported to the OpenTelemetry error handler too, or to [WithLossHandler]. Retries are left to the client.
//
// # Keeping unsampled spans
//
// A sampler decides when a span starts, so that it can know neither how long the span will take nor that it will
// fail. A span that is recorded but not sampled, which AlwaysRecord makes of every dropped one, reaches a processor
// with all that, and [WithKeep] and [WithExemplars] export such spans as well. What this can and cannot do:
//
//   - The spans above and below a kept span were mostly not kept: the backend shows a trace of one span, whose
//     parent is missing, also that in another process. To keep whole traces by their end takes tail sampling, in a
//     collector that gets all spans.
//   - Nothing is said about a span upstream or downstream: the decision comes after the context has been passed on.
//   - Exporters take what they are given. otlptrace sends a kept span with the sampled bit of its flags unset, as it
//     was. A backend that looks at that bit, as the SDK's own processors do, may drop the span.
//   - Whoever estimates totals from sampled spans counts kept ones on top. The profile has the totals, exactly.
//
// [WithMeterProvider] publishes the counts of [SpanStats] as metrics, each loss with its reason.
//
// # The profile as spans
//
// [NewTracks] sends the profile of every interval as one synthetic trace, so that the timeline and the flame graph of any
// tracing backend show it. All statistics are attributes otelprof.*; [ReadSpans] turns them back into the profile. What
// only a reader needs, such as the histograms, is packed into one attribute of bytes, otelprof.packed. Compressed, a
// node takes 70 to 160 bytes, the more the more often it was called: BENCHMARKS.md has figures, and [WithTracksMaxNodes]
// bounds the number of nodes. Mean and quantiles stand on the nodes with the greatest totals ([WithTracksMaxDetailed]).
//
// An outage of the backend loses nothing of the profile: the window after it is longer, and its attribute
// otelprof.undelivered says how many reports failed.
//
// # The profile as metrics
//
// A [Producer] gives the profile to any reader of OpenTelemetry's metric SDK, and so to OTLP and to Prometheus:
//
//	reader := metric.NewPeriodicReader(client, metric.WithProducer(exporter.NewProducer(profiler)))
//
// [WithFamilies] selects the names: those of this project, which [ReadMetrics] turns back into the profile, or those that
// dashboards for the spanmetrics connector, Jaeger or Tempo expect.
//
// # Self times
//
// Of self times there is the exact sum: otelprof.self on spans, otelprof.time.self among the metrics. A profile that keeps
// them one by one, which takes up to twice the memory (otelprof.WithSelfHistograms), has them as histograms too: as
// the metric otelprof.self, and traces.span.metrics.self or traces_spanmetrics_self in the other families, and on spans
// as otelprof.self.p50 and .p99. Both are read back exactly.
package exporter
