package exporter_test

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// A Producer stands beside the instruments of a MeterProvider: what reads those reads the profile, too.
func ExampleNewProducer() {
	// An otelprof.Profiler in a real program.
	profile, err := core.New(core.Config{Name: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	site := core.Site{Track: "http", Name: "GET /cart", Kind: core.KindServer}
	profile.Record(profile.Label(site), &core.Observation{Duration: int64(5 * time.Millisecond)})

	producer := exporter.NewProducer(profile, exporter.WithFamilies(exporter.FamilySpanMetrics), exporter.WithServiceName("shop"))
	reader := metric.NewManualReader(metric.WithProducer(producer))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())

	var out metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &out); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range out.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			fmt.Println(m.Name, data.DataPoints[0].Value)
		case metricdata.ExponentialHistogram[float64]:
			fmt.Println(m.Name, data.DataPoints[0].Sum, m.Unit)
		}
	}
	// Output:
	// traces.span.metrics.calls 1
	// traces.span.metrics.duration 5 ms
}
