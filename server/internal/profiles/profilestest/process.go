// Package profilestest is programs that send their profile as metrics, for tests.
package profilestest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// wire keeps the requests that a real exporter sends.
type wire struct {
	mu       sync.Mutex
	requests [][]byte
}

// Ingest implements receiver.Sink.
func (w *wire) Ingest(_ context.Context, request []byte) (otlp.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, slices.Clone(request))
	return otlp.Result{}, nil
}

// Process is a program with a profiler whose metrics a real exporter sends over gRPC.
type Process struct {
	t        *testing.T
	agg      *core.Aggregator
	provider *metric.MeterProvider
	wire     *wire
	random   *rand.Rand
}

// Snapshot returns the profile as the process sees it.
func (p *Process) Snapshot() *core.Snapshot { return p.agg.Snapshot() }

// New returns a process with the name shop, which does what the seed says. It keeps its self times if that is even.
func New(t *testing.T, seed uint64, temporality metricdata.Temporality) *Process {
	p := &Process{t: t, wire: &wire{}, random: rand.New(rand.NewPCG(seed, 0))}
	var err error
	p.agg, err = core.New(core.Config{Name: "shop", SelfHistograms: seed%2 == 0})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := receiver.New(p.wire, p.wire, receiver.DefaultLimits(), slog.New(slog.DiscardHandler))
	server := r.Server(r)
	go func() { _ = server.Serve(l) }()
	exp, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpointURL("http://"+l.Addr().String()))
	require.NoError(t, err)
	producer := exporter.NewProducer(p, exporter.WithCallTree(), exporter.WithTemporality(temporality))
	p.provider = metric.NewMeterProvider(
		metric.WithReader(metric.NewPeriodicReader(exp, metric.WithProducer(producer), metric.WithInterval(time.Hour))),
		metric.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
	t.Cleanup(func() {
		require.NoError(t, p.provider.Shutdown(context.Background()))
		require.NoError(t, server.Close())
	})
	return p
}

// Work does something and returns the request that tells of it.
func (p *Process) Work() []byte {
	root, child := p.agg.Label(core.Site{Track: "lib", Name: "GET /"}), p.agg.Label(core.Site{Track: "sql", Name: "SELECT"})
	for range 1 + p.random.IntN(20) {
		d := 1000 + p.random.Int64N(1000)
		p.agg.RecordTrace(core.TraceID{1}, []core.TraceSpan{
			{Label: root, Start: time.Now().UnixNano(), Duration: 2 * d, Self: uint64(d), Parent: -1, Span: core.SpanID{1}},
			{Label: child, Start: time.Now().UnixNano(), Duration: d, Self: uint64(d), Parent: 0, Span: core.SpanID{2}, Failed: true},
		})
	}
	require.NoError(p.t, p.provider.ForceFlush(p.t.Context()))
	return p.wire.requests[len(p.wire.requests)-1]
}

// Meter returns a meter of the process, for metrics that are of no profile.
func (p *Process) Meter(name string) otelmetric.Meter { return p.provider.Meter(name) }
