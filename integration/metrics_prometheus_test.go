package integration

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/stichotrope/stichotrope-go/exporter"
)

// serveMetrics returns the URL at which Prometheus finds the metrics of a producer.
func serveMetrics(t testing.TB, p *exporter.Producer) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithProducer(p))
	require.NoError(t, err)
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return serve(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP)
}

// serve returns the URL of a handler on loopback.
func serve(t testing.TB, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// scrape gets and parses the metrics in the protobuf format, which has native histograms, or in text.
func scrape(t testing.TB, url string, format expfmt.FormatType) map[string]*dto.MetricFamily {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Accept", string(expfmt.NewFormat(format)))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header))
	families := map[string]*dto.MetricFamily{}
	for {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); err == io.EOF {
			return families
		}
		require.NoError(t, err)
		families[family.GetName()] = family
	}
}

// labelled returns the metric of a family that has the label.
func labelled(t testing.TB, f *dto.MetricFamily, name, value string) *dto.Metric {
	t.Helper()
	for _, m := range f.GetMetric() {
		if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value }) {
			return m
		}
	}
	require.Failf(t, "no such metric", "%s{%s=%q}", f.GetName(), name, value)
	return nil
}

func TestPrometheusExporter(t *testing.T) {
	shop := newTraffic(t)
	shop.send(500)
	url := serveMetrics(t, exporter.NewProducer(shop, exporter.WithServiceName("shop"),
		exporter.WithFamilies(exporter.FamilyOtelprof, exporter.FamilyJaegerSPM, exporter.FamilyTempo)))
	s := shop.Snapshot()
	for _, format := range []expfmt.FormatType{expfmt.TypeProtoDelim, expfmt.TypeTextPlain} {
		got := scrape(t, url, format)
		for i := range s.Blocks {
			b := &s.Blocks[i]
			calls := labelled(t, got["otelprof_calls_total"], "span_name", b.Site.Name)
			require.Equal(t, float64(b.Stats.Count), calls.GetCounter().GetValue())
			self := labelled(t, got["otelprof_time_self_nanoseconds_total"], "span_name", b.Site.Name)
			require.Equal(t, float64(b.Stats.Self), self.GetCounter().GetValue())
			selfTimes := labelled(t, got["otelprof_self_nanoseconds"], "span_name", b.Site.Name).GetHistogram()
			require.Equal(t, b.Stats.Count, selfTimes.GetSampleCount())
			require.Equal(t, float64(b.Stats.Self), selfTimes.GetSampleSum())
			selfTimes = labelled(t, got["traces_spanmetrics_self"], "span_name", b.Site.Name).GetHistogram()
			require.InDelta(t, float64(b.Stats.Self)/1e9, selfTimes.GetSampleSum(), 1e-6)
			active := labelled(t, got["otelprof_active"], "span_name", b.Site.Name)
			require.Zero(t, active.GetGauge().GetValue())
			h := labelled(t, got["otelprof_duration_nanoseconds"], "span_name", b.Site.Name).GetHistogram()
			require.Equal(t, b.Stats.Count, h.GetSampleCount())
			require.Equal(t, float64(b.Stats.Total), h.GetSampleSum())
			latency := labelled(t, got["traces_spanmetrics_latency"], "span_name", b.Site.Name).GetHistogram()
			require.Equal(t, b.Stats.Count, latency.GetSampleCount())
			require.Len(t, latency.GetBucket(), 14+plusInf(latency))
			require.InDelta(t, float64(b.Stats.Total)/1e9, latency.GetSampleSum(), 1e-6)
		}
		failed := labelled(t, got["traces_span_metrics_calls_total"], "status_code", "STATUS_CODE_ERROR")
		require.Equal(t, float64(s.Total().Errors), failed.GetCounter().GetValue())
		require.Contains(t, got, "traces_span_metrics_duration_milliseconds", "the normalised name that Jaeger asks for")
		require.Contains(t, got, "traces_spanmetrics_calls_total")
	}
	native := labelled(t, scrape(t, url, expfmt.TypeProtoDelim)["otelprof_duration_nanoseconds"], "span_name", "query").GetHistogram()
	require.Equal(t, int32(6), native.GetSchema())
	require.NotEmpty(t, native.GetPositiveSpan())
	require.NotEmpty(t, native.GetExemplars())
}

// plusInf returns 1 if the bucket of everything is there, which only text has.
func plusInf(h *dto.Histogram) int {
	if n := len(h.GetBucket()); n > 0 && math.IsInf(h.GetBucket()[n-1].GetUpperBound(), 1) {
		return 1
	}
	return 0
}
