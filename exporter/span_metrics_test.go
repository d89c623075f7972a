package exporter

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanCounts collects once, and returns the values by the name of the metric and its error.type.
func spanCounts(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	out := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		require.Equal(t, MetricsScope, scope.Scope.Name)
		for _, m := range scope.Metrics {
			require.Equal(t, "{span}", m.Unit)
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				name := m.Name
				if reason, ok := p.Attributes.Value("error.type"); ok {
					name += " " + reason.AsString()
				}
				out[name] = p.Value
			}
		}
	}
	return out
}

// TestSpanMetrics loses spans for every reason there is, and finds each count again.
func TestSpanMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		hang := make(chan struct{})
		faults := map[string]func(context.Context) error{
			"0": func(context.Context) error { return errors.New("boom") },
			"2": func(context.Context) error { panic("boom") },
			"4": func(context.Context) error { return partialSuccess{"one", 1, "spans"} },
			"6": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"8": func(context.Context) error { <-hang; return nil },
		}
		exp := &fakeExporter{export: func(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
			if fault := faults[spans[0].Name()]; fault != nil {
				return fault(ctx)
			}
			return nil
		}}
		p := NewSpanProcessor(exp, WithMeterProvider(provider), WithBatchSize(2), WithQueueSize(3), WithExportTimeout(time.Second), silent())
		for i := range 4 {
			endSpans(p, 2*i, 2)
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		endSpans(p, 8, 2)
		synctest.Wait()
		endSpans(p, 10, 5) // 2 too many
		require.Equal(t, map[string]int64{
			"otel.sdk.processor.span.processed":               1,
			"otel.sdk.processor.span.processed export_failed": 2,
			"otel.sdk.processor.span.processed panic":         2,
			"otel.sdk.processor.span.processed rejected":      1,
			"otel.sdk.processor.span.processed timeout":       2,
			"otel.sdk.processor.span.processed queue_full":    2,
			"otel.sdk.processor.span.queue.size":              3,
			"otel.sdk.processor.span.queue.capacity":          3,
			"otel.sdk.exporter.span.exported":                 1,
			"otel.sdk.exporter.span.exported export_failed":   2,
			"otel.sdk.exporter.span.exported panic":           2,
			"otel.sdk.exporter.span.exported rejected":        1,
			"otel.sdk.exporter.span.exported timeout":         2,
			"otel.sdk.exporter.span.inflight":                 2,
		}, spanCounts(t, reader))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.Error(t, p.Shutdown(ctx))
		got := spanCounts(t, reader)
		require.Equal(t, int64(5), got["otel.sdk.processor.span.processed shutdown"])
		require.Equal(t, int64(0), got["otel.sdk.processor.span.queue.size"])
		require.Equal(t, int64(0), got["otel.sdk.exporter.span.inflight"])
		require.NotContains(t, got, "otel.sdk.exporter.span.exported shutdown")
		close(hang)
		<-p.ended
		require.NoError(t, provider.Shutdown(t.Context()))
	})
}

// TestSpanMetricsTellProcessorsApart: their numbers do not add up to one series.
func TestSpanMetricsTellProcessorsApart(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	for range 2 {
		p := NewSpanProcessor(&fakeExporter{}, WithMeterProvider(provider))
		endSpans(p, 0, 3)
		require.NoError(t, p.Shutdown(t.Context()))
	}
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	names := map[string]bool{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name != "otel.sdk.exporter.span.exported" {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			require.Equal(t, int64(3), p.Value)
			kind, _ := p.Attributes.Value("otel.component.type")
			require.Equal(t, attribute.StringValue("*exporter.fakeExporter"), kind)
			name, _ := p.Attributes.Value("otel.component.name")
			names[name.AsString()] = true
		}
	}
	require.Len(t, names, 2)
}

// brokenProvider makes meters that refuse the metric of one name; "" refuses the callback.
type brokenProvider struct {
	noop.MeterProvider
	name string
}

func (b brokenProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	return brokenMeter{name: b.name}
}

type brokenMeter struct {
	noop.Meter
	name string
}

var errBroken = errors.New("broken meter")

func (b brokenMeter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return noop.Int64ObservableCounter{}, b.err(name)
}

func (b brokenMeter) Int64ObservableUpDownCounter(name string, _ ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return noop.Int64ObservableUpDownCounter{}, b.err(name)
}

func (b brokenMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return noop.Registration{}, b.err("")
}

func (b brokenMeter) err(name string) error {
	if name == b.name {
		return errBroken
	}
	return nil
}

func TestSpanMetricsFaults(t *testing.T) {
	defer otel.SetErrorHandler(otel.GetErrorHandler())
	for _, name := range []string{"otel.sdk.exporter.span.exported", "otel.sdk.exporter.span.inflight", ""} {
		var got error
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { got = err }))
		p := NewSpanProcessor(&fakeExporter{}, WithMeterProvider(brokenProvider{name: name}))
		require.ErrorIs(t, got, errBroken)
		endSpans(p, 0, 3)
		require.NoError(t, p.Shutdown(t.Context()))
		require.EqualValues(t, 3, p.Stats().Exported, "spans are exported all the same")
	}
}
