package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Value is a figure of a part of the server.
type Value struct {
	// Name is what it counts, in Prometheus' style: lower case with underscores, a unit at the end, without the prefix of
	// the part and without _total.
	Name string
	// Help says it in a sentence.
	Help string
	// Counter says that it only grows; otherwise it goes up and down.
	Counter bool
	Value   float64
	// Labels are names and values in turn, which tell figures of one name apart. All of them have the same help.
	Labels []string
}

// Set is the metrics of a server.
type Set struct {
	registry *prometheus.Registry
	logger   *slog.Logger
	health
}

// New returns a Set with figures of the process and of Go's runtime, and with the version. logger gets what cannot be
// collected; slog.Default() when nil.
func New(version string, logger *slog.Logger) *Set {
	if logger == nil {
		logger = slog.Default()
	}
	s := &Set{registry: prometheus.NewRegistry(), logger: logger}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "otelprof_build_info", Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": strings.ToValidUTF8(version, "\uFFFD")},
	})
	build.Set(1)
	s.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Report makes the figures of a part known, as otelprof_<part>_<name>, counters with _total behind it. values is called for
// every look, by any goroutine, and must return the same names each time.
func (s *Set) Report(part string, values func() []Value) error {
	if err := s.registry.Register(&reporter{"otelprof_" + part + "_", values}); err != nil {
		return fmt.Errorf("report the metrics of %s: %w", part, err)
	}
	return nil
}

// reporter is a prometheus.Collector over the figures of a part.
type reporter struct {
	prefix string
	values func() []Value
}

// Describe implements prometheus.Collector.
func (r *reporter) Describe(out chan<- *prometheus.Desc) {
	for _, v := range r.values() {
		out <- r.desc(v)
	}
}

// Collect implements prometheus.Collector.
func (r *reporter) Collect(out chan<- prometheus.Metric) {
	for _, v := range r.values() {
		kind := prometheus.GaugeValue
		if v.Counter {
			kind = prometheus.CounterValue
		}
		out <- constant(r.desc(v), kind, v.Value)
	}
}

func (r *reporter) desc(v Value) *prometheus.Desc {
	name := r.prefix + v.Name
	if v.Counter {
		name += "_total"
	}
	labels := prometheus.Labels{}
	for pair := range slices.Chunk(v.Labels, 2) {
		labels[pair[0]] = pair[1]
	}
	return prometheus.NewDesc(name, v.Help, nil, labels)
}

// constant returns a metric, or one that reports what is wrong with it.
func constant(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

// Handler serves the metrics in Prometheus' text format or in OpenMetrics, as the client asks. What cannot be collected is
// left out and logged.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, MaxRequestsInFlight: 4,
		ErrorLog: logAdapter{s.logger},
	})
}

// logAdapter writes the errors of promhttp to a logger.
type logAdapter struct{ logger *slog.Logger }

// Println implements promhttp.Logger.
func (l logAdapter) Println(v ...any) {
	l.logger.Warn("metrics could not be collected", "error", strings.TrimSpace(fmt.Sprintln(v...)))
}
