package exporter

import (
	"strconv"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Family is a set of metric names, units and attributes that some consumer expects.
type Family uint8

// The families of metrics. All but FamilyOtelprof know a site by its service, name and kind alone: sites that differ in nothing
// else are one series.
const (
	// FamilyOtelprof is the family of this project, in nanoseconds. It holds everything that [ReadMetrics] needs to
	// rebuild the profile exactly. A point has the attributes otelprof.track, span.name, span.kind and, where known,
	// otelprof.service, code.function.name, code.file.path and code.line.number. For every site:
	//
	//	otelprof.duration           exponential histogram, with the slowest span and the last error as exemplars
	//	otelprof.duration.min, .max gauges
	//	otelprof.duration.squares   sum: the points with all values of otelprof.part add up to the sum of the squares
	//	otelprof.calls, .errors     monotonic sums
	//	otelprof.time.total         monotonic sum of the durations
	//	otelprof.time.self          monotonic sum of the self times
	//	otelprof.self               exponential histogram of the self times, without exemplars; only where the profile keeps
	//	                            them one by one (otelprof.WithSelfHistograms, docs/adr/011)
	//	otelprof.time.critical      monotonic sum; only where critical paths are computed
	//	otelprof.calls.unsampled    monotonic sum in 1024ths; only where spans say with which probability they were sampled
	//	otelprof.bytes              monotonic sum; only where the code said how many it processed
	//	otelprof.active             spans and blocks that are open: a sum that goes up and down
	//	otelprof.seen.first, .last  gauges: the earliest start and the latest end, in Unix time
	//
	// and for the profile as a whole otelprof.profile, otelprof.track.disabled and otelprof.counter.
	FamilyOtelprof Family = iota
	// FamilySpanMetrics is what the spanmetrics connector of the OpenTelemetry Collector emits with exponential
	// histograms: traces.span.metrics.calls and traces.span.metrics.duration, in milliseconds by default, with
	// service.name, span.name, span.kind and status.code. What the connector does not know is traces.span.metrics.self:
	// the self times, in the form of the durations, where the profile keeps them one by one.
	FamilySpanMetrics
	// FamilyJaegerSPM is FamilySpanMetrics with histograms of fixed buckets, which Jaeger's monitor tab asks Prometheus
	// for.
	FamilyJaegerSPM
	// FamilyTempo is what the span-metrics processor of Grafana Tempo emits and dashboards for it expect:
	// traces_spanmetrics_calls_total, traces_spanmetrics_latency in seconds with fixed buckets, and traces_target_info,
	// with service, span_name, span_kind and status_code; and of this project's own traces_spanmetrics_self, the self
	// times where the profile keeps them one by one. Its service graph is not there: a profile does not
	// know which service a client calls.
	FamilyTempo
)

// String returns the family's lower-case name, such as "spanmetrics".
func (f Family) String() string {
	if f.known() {
		return [...]string{"otelprof", "spanmetrics", "jaeger", "tempo"}[f]
	}
	return "family(" + strconv.Itoa(int(f)) + ")"
}

func (f Family) known() bool { return f <= FamilyTempo }

// metrics returns the metrics of one collection under the names of the family.
func (f Family) metrics(p *Producer, c *collection) []metricdata.Metrics {
	switch f {
	case FamilyOtelprof:
		return otelprofMetrics(p, c)
	case FamilyTempo:
		return tempoNames.metrics(p, c, p.config.boundsOr(tempoBounds))
	case FamilyJaegerSPM:
		return connectorNames(p.config.seconds).metrics(p, c, p.config.boundsOr(connectorBounds))
	default:
		return connectorNames(p.config.seconds).metrics(p, c, nil)
	}
}
