package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/exporter"
)

// collectorConfig passes everything on to a file of OTLP/JSON; metrics go to a server as well.
const collectorConfig = `
receivers: {otlp: {protocols: {http: {endpoint: %[1]s}}}}
processors: {batch: {timeout: 50ms}}
exporters:
  file/traces: {path: '%[2]s'}
  file/metrics: {path: '%[3]s'}
  otlp: {endpoint: '%[4]s', tls: {insecure: true}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [file/traces]}
    metrics: {receivers: [otlp], processors: [batch], exporters: [file/metrics, otlp]}
  telemetry: {metrics: {level: none}}
`

// collector is a running OpenTelemetry Collector.
type collector struct {
	*process
	// otlp is where it takes OTLP over HTTP.
	otlp            string
	traces, metrics string // files
}

// startCollector starts the Collector that make collector has built, which passes metrics on to the address. It skips
// the test if there is none.
func startCollector(t *testing.T, metrics string) *collector {
	t.Helper()
	binary := builtPeer(t, "collector", "OTELPROF_TEST_REQUIRE_COLLECTOR")
	dir, address := t.TempDir(), freeAddress(t)
	c := &collector{
		otlp:   "http://" + address,
		traces: filepath.Join(dir, "traces.json"), metrics: filepath.Join(dir, "metrics.json"),
	}
	file := filepath.Join(dir, "collector.yaml")
	config := fmt.Sprintf(collectorConfig, address, c.traces, c.metrics, metrics)
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	c.process = start(t, binary, "--config", "file:"+file)
	c.awaitReady(t, accepts(address))
	return c
}

// lines returns the requests in a file that the Collector has written. It has to be stopped before.
func lines(t *testing.T, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(data), []byte("\n"))
}

// TestProfileThroughCollectorAsSpans sends a web shop's spans and profile through the Collector's receiver, batches and file.
func TestProfileThroughCollectorAsSpans(t *testing.T) {
	c := startCollector(t, newMetricsReceiver().serveGRPC(t))
	profile := webshop(t, "200", "--sample", "1", "--otlp", c.otlp, "--tracks-interval", "1h")
	c.stop(t)
	var spans []*tracepb.ResourceSpans
	for _, line := range lines(t, c.traces) {
		spans = append(spans, otlpJSON(t, line)...)
	}
	windows, err := exporter.ReadSpans(spans)
	require.NoError(t, err)
	require.Len(t, windows, 1)
	requireSameProfile(t, profile, windows[0])
	requireSameOperations(t, profile, spansByID(t, ofService(spans, "webshop")))
}

// ofService returns the spans of one service.
func ofService(resources []*tracepb.ResourceSpans, service string) []*tracepb.ResourceSpans {
	var out []*tracepb.ResourceSpans
	for _, r := range resources {
		for _, kv := range r.GetResource().GetAttributes() {
			if kv.Key == "service.name" && kv.GetValue().GetStringValue() == service {
				out = append(out, r)
			}
		}
	}
	return out
}

// TestProfileThroughCollectorAsMetrics compares what leaves the Collector by its OTLP exporter and by its file.
func TestProfileThroughCollectorAsMetrics(t *testing.T) {
	shop, receiver := newTraffic(t), newMetricsReceiver()
	c := startCollector(t, receiver.serveGRPC(t))
	client, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(c.otlp+"/v1/metrics"))
	require.NoError(t, err)
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(client,
		metric.WithProducer(exporter.NewProducer(shop, exporter.WithCallTree())))))
	shop.send(300)
	require.NoError(t, provider.ForceFlush(t.Context()))
	requireProfileInMetrics(t, shop, <-receiver.requests)

	require.NoError(t, provider.Shutdown(context.Background()))
	c.stop(t)
	requireProfileInMetrics(t, shop, otlpMetricsJSON(t, lines(t, c.metrics)[0]))
}

func requireProfileInMetrics(t *testing.T, shop *traffic, metrics []*metricspb.ResourceMetrics) {
	t.Helper()
	got, err := exporter.ReadMetrics(metrics)
	require.NoError(t, err)
	require.Len(t, got, 1)
	requireSameProfile(t, shop.Snapshot(), got[0])
}

// otlpMetricsJSON reads OTLP/JSON.
func otlpMetricsJSON(t *testing.T, text []byte) []*metricspb.ResourceMetrics {
	t.Helper()
	metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
	require.NoError(t, err)
	data, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
	require.NoError(t, err)
	var out metricspb.MetricsData
	require.NoError(t, proto.Unmarshal(data, &out))
	return out.ResourceMetrics
}
