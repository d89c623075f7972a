package exporter

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// WithMeterProvider publishes the counts of [SpanStats] as metrics, under the names that OpenTelemetry's conventions have
// for those of an SDK. They are read when metrics are collected, at no cost to spans, and for as long as the provider
// lives: its last collection, after the processor's Shutdown, has the final counts.
//
//	otel.sdk.processor.span.processed       Exported without error.type, and all of Lost with it
//	otel.sdk.processor.span.queue.size      Queued
//	otel.sdk.processor.span.queue.capacity  Capacity
//	otel.sdk.exporter.span.exported         Exported without error.type; Failed, Rejected, TimedOut and Panicked with it
//	otel.sdk.exporter.span.inflight         Exporting
//
// A span counts as processed when its export has ended, unlike with the SDK's batch processor. The values of error.type are
// queue_full, export_failed, rejected, timeout, panic and shutdown; otel.component.name and otel.component.type
// tell processors and exporters apart. nil restores the default, which publishes nothing.
func WithMeterProvider(provider metric.MeterProvider) SpanOption {
	return spanOptionFunc(func(c *spanConfig) error {
		c.meters = provider
		return nil
	})
}

// errorType is the value of error.type for each reason.
var errorType = [lossReasons]string{"queue_full", "export_failed", "rejected", "timeout", "panic", "shutdown"}

// byExporter are the reasons that are the exporter's doing.
var byExporter = [lossReasons]bool{lostFailed: true, lostRejected: true, lostTimedOut: true, lostPanicked: true}

const processorType = "github.com/stichotrope/stichotrope-go/exporter.SpanProcessor"

// processors numbers the processors of the program, as the conventions want their names.
var processors atomic.Int64

// spanMetrics are the instruments of one processor.
type spanMetrics struct {
	processed, exported              metric.Int64ObservableCounter
	queueSize, queueCapacity, flying metric.Int64ObservableUpDownCounter
	// processor and exporter identify them; failed are the same with each error.type.
	processor, exporter             metric.MeasurementOption
	processorFailed, exporterFailed [lossReasons]metric.MeasurementOption
}

// publish registers the metrics, if there is somebody who wants them.
func (p *SpanProcessor) publish() {
	if p.config.meters == nil {
		return
	}
	m := newSpanMetrics(processors.Add(1)-1, fmt.Sprintf("%T", p.exporter))
	if err := m.register(p.config.meters.Meter(MetricsScope), p.Stats); err != nil {
		otel.Handle(fmt.Errorf("otelprof exporter: publishing metrics: %w", err))
	}
}

func newSpanMetrics(number int64, exporterType string) *spanMetrics {
	m := &spanMetrics{}
	m.processor, m.processorFailed = component(processorType, number)
	m.exporter, m.exporterFailed = component(exporterType, number)
	return m
}

// component returns the attributes of a component, without and with each error.type.
func component(kind string, number int64) (plain metric.MeasurementOption, failed [lossReasons]metric.MeasurementOption) {
	list := []attribute.KeyValue{
		attribute.String("otel.component.type", kind),
		attribute.String("otel.component.name", fmt.Sprintf("%s/%d", kind, number)),
	}
	for r := range lossReasons {
		failed[r] = metric.WithAttributes(append(list[:len(list):len(list)], attribute.String("error.type", errorType[r]))...)
	}
	return metric.WithAttributes(list...), failed
}

func (m *spanMetrics) register(meter metric.Meter, stats func() SpanStats) error {
	counters := []struct {
		to                *metric.Int64ObservableCounter
		name, description string
	}{
		{&m.processed, "otel.sdk.processor.span.processed", "The number of spans for which the processing has finished, either successful or failed."},
		{&m.exported, "otel.sdk.exporter.span.exported", "The number of spans for which the export has finished, either successful or failed."},
	}
	for _, c := range counters {
		var err error
		if *c.to, err = meter.Int64ObservableCounter(c.name, metric.WithUnit("{span}"), metric.WithDescription(c.description)); err != nil {
			return err
		}
	}
	states := []struct {
		to                *metric.Int64ObservableUpDownCounter
		name, description string
	}{
		{&m.queueSize, "otel.sdk.processor.span.queue.size", "The number of spans in the queue of a given instance of an SDK span processor."},
		{&m.queueCapacity, "otel.sdk.processor.span.queue.capacity", "The maximum number of spans the queue of a given instance of an SDK span processor can hold."},
		{&m.flying, "otel.sdk.exporter.span.inflight", "The number of spans which were passed to the exporter, but that have not been exported yet."},
	}
	for _, s := range states {
		var err error
		if *s.to, err = meter.Int64ObservableUpDownCounter(s.name, metric.WithUnit("{span}"), metric.WithDescription(s.description)); err != nil {
			return err
		}
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.observe(o, stats())
		return nil
	}, m.processed, m.exported, m.queueSize, m.queueCapacity, m.flying)
	return err
}

// observe gives the counts. A reason for which nothing was lost is left out.
func (m *spanMetrics) observe(o metric.Observer, s SpanStats) {
	o.ObserveInt64(m.processed, signed(s.Exported), m.processor)
	o.ObserveInt64(m.exported, signed(s.Exported), m.exporter)
	for r := range lossReasons {
		n := *s.Lost.of(r)
		if n == 0 {
			continue
		}
		o.ObserveInt64(m.processed, signed(n), m.processorFailed[r])
		if byExporter[r] {
			o.ObserveInt64(m.exported, signed(n), m.exporterFailed[r])
		}
	}
	o.ObserveInt64(m.queueSize, signed(s.Queued), m.processor)
	o.ObserveInt64(m.queueCapacity, signed(s.Capacity), m.processor)
	o.ObserveInt64(m.flying, signed(s.Exporting), m.exporter)
}
