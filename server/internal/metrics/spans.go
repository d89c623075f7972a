package metrics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stichotrope/stichotrope-go/core"
)

// The families of span metrics: the names that other tools' dashboards expect.
const (
	// Spanmetrics are those of the collector's connector spanmetrics after normalisation, which Jaeger's Monitor tab reads:
	// traces_span_metrics_calls_total and traces_span_metrics_duration_milliseconds.
	Spanmetrics = "spanmetrics"
	// Tempo are those of Tempo's metrics generator, which Grafana's dashboards read: traces_spanmetrics_calls_total,
	// traces_spanmetrics_latency, traces_target_info and traces_service_graph_request_*.
	Tempo = "tempo"
)

// Families lists all families.
func Families() []string { return []string{Spanmetrics, Tempo} }

// spansTimeout is how long the profile may take.
const spansTimeout = 10 * time.Second

// Spans adds the statistics of spans to the metrics, in some of the families. profile is asked for every look; what it
// returns must only grow from one time to the next, or begin anew, as Prometheus expects of counters. Histograms have no
// label for the status, because durations are not kept by it.
func (s *Set) Spans(families []string, profile func(context.Context) (*core.Snapshot, error)) error {
	known := map[string]func(*core.Snapshot, chan<- prometheus.Metric){Spanmetrics: spanmetrics, Tempo: tempo}
	c := &spanCollector{profile: profile}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(families))) {
		f, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown family of span metrics %q, want one of %s", name, strings.Join(Families(), ", "))
		}
		c.families = append(c.families, f)
	}
	if c.families == nil {
		return nil
	}
	return s.registry.Register(c)
}

// spanCollector is a prometheus.Collector over a profile. It describes nothing beforehand: the labels come with the spans.
type spanCollector struct {
	profile  func(context.Context) (*core.Snapshot, error)
	families []func(*core.Snapshot, chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (*spanCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *spanCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), spansTimeout)
	defer cancel()
	p, err := c.profile(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(prometheus.NewDesc("otelprof_spans", "The statistics of spans.", nil, nil), err)
		return
	}
	for _, f := range c.families {
		f(p, out)
	}
}

// operation is what span metrics tell apart.
type operation struct {
	service, name string
	kind          core.Kind
}

// operations returns the statistics by operation: sites differ in more, such as the line of code. Names are valid UTF-8,
// as in every snapshot.
func operations(p *core.Snapshot, f func(operation, *core.Stats)) {
	all := map[operation]core.Stats{}
	for i := range p.Blocks {
		b := &p.Blocks[i]
		o := operation{b.Site.Service, b.Site.Name, b.Site.Kind}
		all[o] = all[o].Merge(b.Stats)
	}
	for _, o := range slices.SortedFunc(maps.Keys(all), func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	}) {
		stats := all[o]
		f(o, &stats)
	}
}

// kindLabel returns the kind as OTLP names it.
func kindLabel(k core.Kind) string {
	if k > core.KindConsumer {
		k = core.KindInternal // a block of code
	}
	return "SPAN_KIND_" + strings.ToUpper(k.String())
}

const (
	statusUnset = "STATUS_CODE_UNSET"
	statusError = "STATUS_CODE_ERROR"
)

// The buckets of the connector, in milliseconds, and those of Tempo, in seconds.
var (
	connectorBuckets = []float64{2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000}
	tempoBuckets     = prometheus.ExponentialBuckets(0.002, 2, 14)
)

// histogram returns the durations in a unit of so many ns.
func histogram(d *prometheus.Desc, s *core.Stats, bounds []float64, unit float64, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(bounds))
	for _, b := range bounds {
		buckets[b] = s.Histogram.CountAtMost(uint64(b * unit))
	}
	m, err := prometheus.NewConstHistogram(d, s.Count, float64(s.Total)/unit, buckets, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

var (
	connectorCalls = prometheus.NewDesc("traces_span_metrics_calls_total", "Spans that ended.",
		[]string{"service_name", "span_name", "span_kind", "status_code"}, nil)
	connectorDuration = prometheus.NewDesc("traces_span_metrics_duration_milliseconds", "Durations of spans.",
		[]string{"service_name", "span_name", "span_kind"}, nil)
)

func spanmetrics(p *core.Snapshot, out chan<- prometheus.Metric) {
	operations(p, func(o operation, s *core.Stats) {
		kind := kindLabel(o.kind)
		out <- constant(connectorCalls, prometheus.CounterValue, float64(s.Count-s.Errors), o.service, o.name, kind, statusUnset)
		if s.Errors > 0 {
			out <- constant(connectorCalls, prometheus.CounterValue, float64(s.Errors), o.service, o.name, kind, statusError)
		}
		out <- histogram(connectorDuration, s, connectorBuckets, 1e6, o.service, o.name, kind)
	})
}

var (
	tempoCalls = prometheus.NewDesc("traces_spanmetrics_calls_total", "Spans that ended.",
		[]string{"service", "span_name", "span_kind", "status_code"}, nil)
	tempoLatency = prometheus.NewDesc("traces_spanmetrics_latency", "Durations of spans.",
		[]string{"service", "span_name", "span_kind"}, nil)
	tempoTarget = prometheus.NewDesc("traces_target_info", "Always 1: the services there are.", []string{"service"}, nil)
	graphLabels = []string{"client", "server"}
	graphTotal  = prometheus.NewDesc("traces_service_graph_request_total", "Calls of one service by another.", graphLabels, nil)
	graphFailed = prometheus.NewDesc("traces_service_graph_request_failed_total", "Calls that failed.", graphLabels, nil)
	graphServer = prometheus.NewDesc("traces_service_graph_request_server_seconds", "Durations as the server saw them.", graphLabels, nil)
	graphClient = prometheus.NewDesc("traces_service_graph_request_client_seconds", "Durations as the client saw them.", graphLabels, nil)
)

func tempo(p *core.Snapshot, out chan<- prometheus.Metric) {
	services := map[string]bool{}
	operations(p, func(o operation, s *core.Stats) {
		kind := kindLabel(o.kind)
		out <- constant(tempoCalls, prometheus.CounterValue, float64(s.Count-s.Errors), o.service, o.name, kind, statusUnset)
		if s.Errors > 0 {
			out <- constant(tempoCalls, prometheus.CounterValue, float64(s.Errors), o.service, o.name, kind, statusError)
		}
		out <- histogram(tempoLatency, s, tempoBuckets, 1e9, o.service, o.name, kind)
		services[o.service] = true
	})
	for _, name := range slices.Sorted(maps.Keys(services)) {
		out <- constant(tempoTarget, prometheus.GaugeValue, 1, name)
	}
	serviceGraph(p, out)
}

// serviceGraph counts the calls between services: spans right below one of another service. What the client saw are the
// spans above them; a client span above several calls counts for each of the services called.
func serviceGraph(p *core.Snapshot, out chan<- prometheus.Metric) {
	type pair struct{ client, server string }
	type edge struct {
		server, client core.Stats
		// counted are the nodes in client, which stand above several calls at times.
		counted map[int]bool
	}
	edges := map[pair]*edge{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Parent < 0 {
			continue
		}
		k := pair{p.Site(p.Nodes[n.Parent]).Service, p.Site(*n).Service}
		if k.client == k.server {
			continue
		}
		e := edges[k]
		if e == nil {
			e = &edge{counted: map[int]bool{}}
			edges[k] = e
		}
		e.server = e.server.Merge(n.Stats)
		if !e.counted[n.Parent] {
			e.counted[n.Parent] = true
			e.client = e.client.Merge(p.Nodes[n.Parent].Stats)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(edges), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server))
	}) {
		e := edges[k]
		out <- constant(graphTotal, prometheus.CounterValue, float64(e.server.Count), k.client, k.server)
		out <- constant(graphFailed, prometheus.CounterValue, float64(e.server.Errors), k.client, k.server)
		out <- histogram(graphServer, &e.server, tempoBuckets, 1e9, k.client, k.server)
		out <- histogram(graphClient, &e.client, tempoBuckets, 1e9, k.client, k.server)
	}
}
