package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
	"github.com/stichotrope/stichotrope-go/internal/traffic"
)

// minutes are the profiles that are sent.
var minutes = []struct {
	name  string
	shape traffic.Shape
}{
	{"1 000 nodes, all busy", traffic.Shape{Nodes: 1000, Spans: 120_000, Rare: 2, Spread: 0.5, Sampled: 0.1}},
	{longTail, traffic.Shape{Nodes: 10_000, Spans: 300_000, Rare: 4, Spread: 0.5, Sampled: 0.1}},
	{"10 000 nodes, evenly used", traffic.Shape{Nodes: 10_000, Spans: 300_000, Rare: 2, Spread: 0.5, Sampled: 0.1}},
	{allBusy, traffic.Shape{Nodes: 10_000, Spans: 1_200_000, Rare: 2, Spread: 1, Sampled: 0.1}},
	{"the same, every trace sampled", traffic.Shape{Nodes: 10_000, Spans: 1_200_000, Rare: 2, Spread: 1, Sampled: 1}},
}

const (
	longTail = "10 000 nodes, half of them rare"
	allBusy  = "10 000 nodes, all busy"
)

// targetOf says of which profiles the size has a target.
var targetOf = map[string]string{longTail: "half of them rare", allBusy: "all busy"}

// export measures what it costs to send the profile of an interval, and raw spans.
func export(b *bench) (chapter, error) {
	c := chapter{
		title: "Sending",
		text: `What an interval of a minute costs when its profile is sent, after the snapshot (see there): the difference to the last one,
the layout, and all that OpenTelemetry's exporters for OTLP over HTTP do, with gzip, to a server that takes no time. Durations are whole nanoseconds,
as clocks give them: one call in 50 takes up to 100 times as long as others at its place. “Half of them rare” means that half of the nodes were
seen once or twice; “evenly used” has as many calls, 30 for a node; “busy” has 120 for a node. A tenth of the traces is sampled; where all are, every node has a link to a trace.
The metrics without a tree are those of 33 or 333 sites. The 1000 nodes with the
greatest totals show their mean and quantiles as spans.`,
	}
	t := table{header: []string{"a minute's profile of", "calls", "as", "CPU time", "allocated", "sent", "compressed"}}
	for _, m := range minutes {
		shape := m.shape
		shape.Nodes, shape.Spans = b.size(shape.Nodes), b.size(shape.Spans)
		s := traffic.Profile(shape)
		for _, form := range forms {
			b.say("%s, as %s", m.name, form.name)
			compressed, err := b.sending(&t, m.name, form, s)
			if err != nil {
				return c, fmt.Errorf("%s, as %s: %w", m.name, form.name, err)
			}
			if what := targetOf[m.name]; what != "" && form.name == asSpans {
				c.targets = append(c.targets, atMost("a profile of 10 000 nodes as spans, "+what+", compressed", 1<<20, compressed, bytes))
			}
		}
	}
	raw, err := rawSpans(b, &c)
	c.tables = []table{t, raw}
	return c, err
}

// form is a way to send a profile.
type form struct {
	name string
	// start returns a function that sends the profile of s once.
	start func(client *http.Client, s exporter.Source) (send func() error, err error)
}

const asSpans = "spans"

var forms = []form{
	{asSpans, sendSpans},
	{"metrics", func(client *http.Client, s exporter.Source) (func() error, error) { return sendMetrics(client, s) }},
	{"metrics with the tree", func(client *http.Client, s exporter.Source) (func() error, error) {
		return sendMetrics(client, s, exporter.WithCallTree(), exporter.WithCardinalityLimit(1<<17))
	}},
}

func sendSpans(client *http.Client, s exporter.Source) (func() error, error) {
	tracks, err := exporter.NewTracks(s, otlptracehttp.NewClient(
		otlptracehttp.WithHTTPClient(client), otlptracehttp.WithEndpointURL(nowhere), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
	), exporter.WithTracksInterval(time.Hour), exporter.WithTracksCumulative()) // so that every report shows all of it
	if err != nil {
		return nil, err
	}
	if err := tracks.Start(context.Background()); err != nil {
		return nil, err
	}
	return func() error { return tracks.ForceFlush(context.Background()) }, nil
}

func sendMetrics(client *http.Client, s exporter.Source, options ...exporter.ProducerOption) (func() error, error) {
	ctx := context.Background()
	metrics, err := otlpmetrichttp.New(ctx,
		otlpmetrichttp.WithHTTPClient(client), otlpmetrichttp.WithEndpointURL(nowhere), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	if err != nil {
		return nil, err
	}
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(exporter.NewProducer(s, options...)))
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	return func() error {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(ctx, &all); err != nil {
			return err
		}
		return metrics.Export(ctx, &all)
	}, nil
}

// nowhere is never resolved: sink answers for it.
const nowhere = "http://backend.example.com"

// sending adds a row and returns the number of bytes on the wire.
func (b *bench) sending(t *table, name string, f form, s *core.Snapshot) (compressed float64, err error) {
	sink := &sink{}
	send, err := f.start(&http.Client{Transport: sink}, still{s})
	if err != nil {
		return 0, err
	}
	sink.unzip = true // once, to know the size
	if err := send(); err != nil {
		return 0, err
	}
	compressed, sent := sink.compressed, sink.sent
	sink.unzip = false
	var failed error
	r := b.compare([]contender{{name, func() {
		if err := send(); err != nil {
			failed = err
		}
	}}}, 9, 2*time.Second)
	t.add(name, strconv.FormatUint(s.Counters.Spans, 10), f.name, duration(r.cpu(name).median()), bytes(r.bytes(name).median()), bytes(sent), bytes(compressed))
	return compressed, failed
}

// still is a profile that does not change.
type still struct{ profile *core.Snapshot }

// Snapshot returns it.
func (s still) Snapshot() *core.Snapshot { return s.profile }

// sink is the network and the server behind it.
type sink struct {
	// unzip makes it count what is sent before compression too.
	unzip            bool
	compressed, sent float64
}

// RoundTrip takes a request. The body of the answer is an empty message of OTLP.
func (s *sink) RoundTrip(q *http.Request) (*http.Response, error) {
	defer q.Body.Close()
	counted := &counter{Reader: q.Body}
	if s.unzip {
		z, err := gzip.NewReader(counted)
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(io.Discard, z)
		if err != nil {
			return nil, err
		}
		s.sent += float64(n)
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return nil, err
	}
	s.compressed += float64(counted.n)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-protobuf"}}, Body: io.NopCloser(strings.NewReader("")), Request: q,
	}, nil
}

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
