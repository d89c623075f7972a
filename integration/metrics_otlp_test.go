package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// transports are OTLP's, each with an exporter for a receiver.
var transports = map[string]func(testing.TB, *metricsReceiver) (metric.Exporter, error){
	"http": func(t testing.TB, r *metricsReceiver) (metric.Exporter, error) {
		return otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(r.serveHTTP(t)+"/v1/metrics"),
			otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	},
	"grpc": func(t testing.TB, r *metricsReceiver) (metric.Exporter, error) {
		return otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(r.serveGRPC(t)), otlpmetricgrpc.WithInsecure(),
			otlpmetricgrpc.WithCompressor("gzip"))
	},
}

// push starts a provider that sends the profile when it is flushed.
func push(t testing.TB, transport string, r *metricsReceiver, p *exporter.Producer) *metric.MeterProvider {
	t.Helper()
	client, err := transports[transport](t, r)
	require.NoError(t, err)
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(client, metric.WithProducer(p))))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider
}

func TestProfileOverOTLP(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			shop, receiver := newTraffic(t), newMetricsReceiver()
			provider := push(t, transport, receiver, exporter.NewProducer(shop, exporter.WithCallTree()))
			for range 2 {
				shop.send(200)
				require.NoError(t, provider.ForceFlush(t.Context()))
				got, err := exporter.ReadMetrics(<-receiver.requests)
				require.NoError(t, err)
				require.Len(t, got, 1)
				requireSameProfile(t, shop.Snapshot(), got[0])
			}
		})
	}
}

func TestDeltaProfilesOverOTLPAddUp(t *testing.T) {
	for transport := range transports {
		t.Run(transport, func(t *testing.T) {
			shop, receiver := newTraffic(t), newMetricsReceiver()
			provider := push(t, transport, receiver,
				exporter.NewProducer(shop, exporter.WithTemporality(metricdata.DeltaTemporality), exporter.WithCallTree()))
			var windows []*core.Snapshot
			for i := range 4 {
				shop.send(50 * i)
				require.NoError(t, provider.ForceFlush(t.Context()))
				got, err := exporter.ReadMetrics(<-receiver.requests)
				require.NoError(t, err)
				require.Len(t, got, 1)
				if i > 0 {
					require.Equal(t, windows[i-1].End, got[0].Start)
				}
				windows = append(windows, got[0])
			}
			requireSameTotals(t, shop.Snapshot(), core.Merge(windows...))
		})
	}
}

// requireSameTotals compares what is exact in windows that were added up.
func requireSameTotals(t testing.TB, whole, sum *core.Snapshot) {
	t.Helper()
	require.Equal(t, whole.Counters, sum.Counters)
	wantBlocks, wantNodes := totals(whole)
	gotBlocks, gotNodes := totals(sum)
	require.Equal(t, wantBlocks, gotBlocks)
	require.Equal(t, wantNodes, gotNodes)
}

// totals returns the statistics of all sites, and of all paths as text, but for those where nothing ended: such as a
// span that was open when a window ended and got another name later.
func totals(s *core.Snapshot) (blocks map[core.Site]core.Stats, nodes map[string]core.Stats) {
	blocks, nodes = map[core.Site]core.Stats{}, map[string]core.Stats{}
	for i := range s.Blocks {
		if b := &s.Blocks[i]; b.Stats.Count > 0 {
			blocks[b.Site] = addable(b.Stats)
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Stats.Count > 0 {
			nodes[fmt.Sprint(s.Path(i))] = addable(n.Stats)
		}
	}
	return blocks, nodes
}

// addable returns what is exact in a sum of windows: not extremes, not first moments, not what was open at the end of
// each, and not exemplars, of which tracks as spans have the sampled ones alone.
func addable(s core.Stats) core.Stats {
	s.Slowest, s.LastError, s.First, s.Min, s.Max, s.Active = core.Exemplar{}, core.Exemplar{}, 0, 0, 0, 0
	return plain(s)
}

// TestStandardNamesOverOTLP sees what any other receiver sees: no point is there twice, in any metric.
func TestStandardNamesOverOTLP(t *testing.T) {
	shop, receiver := newTraffic(t), newMetricsReceiver()
	provider := push(t, "http", receiver, exporter.NewProducer(shop, exporter.WithServiceName("shop"),
		exporter.WithFamilies(exporter.FamilySpanMetrics, exporter.FamilyTempo)))
	shop.send(100)
	require.NoError(t, provider.ForceFlush(t.Context()))
	in := <-receiver.requests
	require.Len(t, in, 1)
	require.Len(t, in[0].ScopeMetrics, 1)
	names := map[string]*metricspb.Metric{}
	for _, m := range in[0].ScopeMetrics[0].Metrics {
		require.NotContains(t, names, m.Name)
		names[m.Name] = m
	}
	h := names["traces.span.metrics.duration"]
	require.Equal(t, "ms", h.Unit)
	points := h.GetExponentialHistogram().DataPoints
	require.Len(t, points, 2)
	for _, p := range points {
		require.Equal(t, uint64(100), p.Count)
		require.LessOrEqual(t, len(p.Positive.BucketCounts), exporter.DefaultMaxSize)
		require.Len(t, p.Attributes, 3)
		for _, e := range p.Exemplars {
			require.Len(t, e.TraceId, 16)
			require.Len(t, e.SpanId, 8)
		}
	}
	calls := int64(0)
	for _, p := range names["traces.span.metrics.calls"].GetSum().DataPoints {
		calls += p.GetAsInt()
		require.Len(t, p.Attributes, 4)
	}
	require.Equal(t, int64(200), calls)
	require.Len(t, names["traces_spanmetrics_latency"].GetHistogram().DataPoints, 2)
	require.Contains(t, names, "traces_spanmetrics_calls_total")
}
