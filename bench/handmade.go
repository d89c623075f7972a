package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	classicPeer = "Prometheus classic histogram, `WithLabelValues` of 4"
	nativePeer  = "Prometheus native histogram, `WithLabelValues` of 4"
	otelPeer    = "OTel exponential histogram, `WithAttributes` of 4"
	cachedPeer  = "OTel exponential histogram, attribute set made in advance"
)

// handmade returns the contenders that count spans as code instrumented by hand does: it reads the clock before and
// after, and observes a histogram with four labels.
func handmade(n int) ([]contender, error) {
	otel, err := newExponential()
	if err != nil {
		return nil, err
	}
	var out []contender
	for _, c := range []struct {
		name    string
		observe func(context.Context, *site, time.Duration)
	}{
		{classicPeer, observeProm(prometheus.HistogramOpts{Name: "span_seconds", Buckets: prometheus.DefBuckets})},
		{nativePeer, observeProm(prometheus.HistogramOpts{
			Name: "span_seconds", NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		})},
		{otelPeer, func(ctx context.Context, at *site, d time.Duration) {
			otel.Record(ctx, d.Seconds(), metric.WithAttributes(at.attributes()...))
		}},
		{cachedPeer, observeCached(otel)},
	} {
		shop := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(idle{})))
		shop.observe = c.observe
		out = append(out, contender{c.name, func() { shop.trade(n) }})
	}
	return out, nil
}

func observeProm(opts prometheus.HistogramOpts) func(context.Context, *site, time.Duration) {
	vec := prometheus.NewHistogramVec(opts, []string{"track", "name", "kind", "status"})
	return func(_ context.Context, at *site, d time.Duration) {
		vec.WithLabelValues(at.track, at.name, at.kind, at.status).Observe(d.Seconds())
	}
}

func newExponential() (metric.Float64Histogram, error) {
	view := sdkmetric.NewView(sdkmetric.Instrument{Name: "*"}, sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20},
	})
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithView(view))
	h, err := provider.Meter("bench").Float64Histogram("span", metric.WithUnit("s"))
	if err != nil {
		return nil, fmt.Errorf("making an exponential histogram: %w", err)
	}
	return h, nil
}

func observeCached(h metric.Float64Histogram) func(context.Context, *site, time.Duration) {
	var options [siteCount][]metric.RecordOption
	for i := range sites {
		set := attribute.NewSet(sites[i].attributes()...)
		options[i] = []metric.RecordOption{metric.WithAttributeSet(set)}
	}
	return func(ctx context.Context, at *site, d time.Duration) {
		h.Record(ctx, d.Seconds(), options[at.number]...)
	}
}

func (at *site) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("track", at.track), attribute.String("name", at.name),
		attribute.String("kind", at.kind), attribute.String("status", at.status),
	}
}
