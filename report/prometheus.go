package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// PrometheusOptions are the options of [Prometheus].
type PrometheusOptions struct {
	// OpenMetrics writes OpenMetrics 1.0, with exemplars, instead of the text format 0.0.4.
	OpenMetrics bool
	// Buckets are the upper bounds of the histogram's buckets in seconds: finite, above 0 and ascending, without
	// +Inf, which is always there. Nil means DefaultBuckets; an empty slice leaves the bucket +Inf alone.
	Buckets []float64
	// Location adds the labels function, file and line. They make more series, and new ones with every release that
	// moves a line. Without them blocks that differ in nothing else are one series.
	Location bool
	// UnsampledExemplars writes exemplars of spans without the sampled flag too, which a tracing backend does
	// probably not have.
	UnsampledExemplars bool
}

// DefaultBuckets returns the bounds of the buckets that [Prometheus] uses by default, from 10 µs to 10 s.
func DefaultBuckets() []float64 {
	return []float64{
		0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
	}
}

// Prometheus writes the blocks as metrics that Prometheus scrapes. The labels of a block are service, unless it is empty,
// track, name and kind.
//
//	otelprof_duration_seconds        histogram: durations, nested spans included in those around them
//	otelprof_calls_total             counter: ended spans and blocks
//	otelprof_errors_total            counter: those that ended with an error
//	otelprof_self_seconds_total      counter: self time; sums over any labels mean something
//	otelprof_total_seconds_total     counter: total time; sums over names do not
//	otelprof_critical_seconds_total  counter: time on the critical paths of traces; only where these are known
//	otelprof_active_calls            gauge: spans and blocks that are open now
//	otelprof_processed_bytes_total   counter: bytes that the code said it processed; only where there are any
//	otelprof_start_time_seconds      gauge: since when is counted, in Unix time; absent in an empty profile
//	otelprof_recorded_spans_total    counter: spans and blocks recorded
//	otelprof_..._total               counters: what the limits did, one for each of core.Counters
//
// A bucket's count is exact if its bound is the bound of a bucket of core.Histogram, else it may be low by the
// observations within 1.1 % below the bound; _count and _sum are exact.
//
// In OpenMetrics the slowest span is the exemplar of its bucket, and the latest error that of the errors.
func Prometheus(w io.Writer, s *core.Snapshot, o PrometheusOptions) error {
	if o.Buckets == nil {
		o.Buckets = DefaultBuckets()
	}
	lower := 0.0
	for _, bound := range o.Buckets {
		if !(bound > lower) || math.IsInf(bound, 1) {
			return fmt.Errorf("prometheus: bucket bound %v: bounds must be finite, above 0 and ascending", bound)
		}
		lower = bound
	}
	bw := bufio.NewWriter(w)
	e := &exposition{w: bw, openMetrics: o.OpenMetrics, unsampled: o.UnsampledExemplars}
	e.writeSeries(newSeries(s, o.Location), o.Buckets)
	e.writeProfile(s)
	e.end()
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write Prometheus text: %w", err)
	}
	return nil
}

// series are the statistics of all blocks that have the same labels.
type series struct {
	labels string
	stats  core.Stats
}

// newSeries merges the blocks by label, because a scrape with the same series twice is refused as a whole. The
// labels are compared as they are written: names that differ in invalid UTF-8 alone are the same.
func newSeries(s *core.Snapshot, location bool) []series {
	var all []series
	index := map[string]int{}
	for i := range s.Blocks {
		labels := seriesLabels(s.Blocks[i].Site, location)
		at, ok := index[labels]
		if !ok {
			at = len(all)
			index[labels] = at
			all = append(all, series{labels: labels})
		}
		all[at].stats = all[at].stats.Merge(s.Blocks[i].Stats)
	}
	return all
}

func seriesLabels(s core.Site, location bool) string {
	labels := label("track", s.Track) + "," + label("name", s.Name) + "," + label("kind", s.Kind.String())
	if s.Service != "" {
		labels = label("service", s.Service) + "," + labels
	}
	if location {
		labels += "," + label("function", s.Function) + "," + label("file", s.File) +
			"," + label("line", strconv.Itoa(s.Line))
	}
	return labels
}

// nestingHint ends the help of the metrics whose values must not be added up over names.
const nestingHint = " The time of a nested span is in that of every span around it too: " +
	"to add up over names, use otelprof_self_seconds."

// seriesMetrics are the metrics of a block with one value each. A value of "" is left out.
var seriesMetrics = []struct {
	family   family
	value    func(*exposition, *core.Stats) string
	exemplar func(*core.Stats) core.Exemplar
}{
	{
		family: family{"otelprof_calls", "counter", "", "Spans and blocks that ended."},
		value:  func(_ *exposition, s *core.Stats) string { return formatCount(s.Count) },
	},
	{
		family:   family{"otelprof_errors", "counter", "", "Spans and blocks that ended with an error."},
		value:    func(_ *exposition, s *core.Stats) string { return formatCount(s.Errors) },
		exemplar: func(s *core.Stats) core.Exemplar { return s.LastError },
	},
	{
		family: family{"otelprof_self_seconds", "counter", "seconds", "Time that no local child covers."},
		value:  func(e *exposition, s *core.Stats) string { return e.seconds(s.Self) },
	},
	{
		family: family{"otelprof_total_seconds", "counter", "seconds", "Time from start to end." + nestingHint},
		value:  func(e *exposition, s *core.Stats) string { return e.seconds(s.Total) },
	},
	{
		family: family{"otelprof_critical_seconds", "counter", "seconds", "Time on the critical paths of traces."},
		value: func(e *exposition, s *core.Stats) string {
			if s.Critical == 0 {
				return ""
			}
			return e.seconds(s.Critical)
		},
	},
	{
		family: family{"otelprof_active_calls", "gauge", "", "Spans and blocks that are open."},
		value:  func(_ *exposition, s *core.Stats) string { return strconv.FormatInt(s.Active, 10) },
	},
	{
		family: family{"otelprof_processed_bytes", "counter", "bytes", "Bytes that the measured code said it processed."},
		value: func(_ *exposition, s *core.Stats) string {
			if s.Bytes == 0 {
				return ""
			}
			return formatCount(s.Bytes)
		},
	},
}

// writeSeries writes the metrics of the blocks, family by family.
func (e *exposition) writeSeries(all []series, buckets []float64) {
	duration := family{"otelprof_duration_seconds", "histogram", "seconds", "Durations of ended spans and blocks." + nestingHint}
	e.describe(duration)
	for i := range all {
		e.histogram(duration.name, all[i].labels, buckets, &all[i].stats)
	}
	for _, m := range seriesMetrics {
		e.describe(m.family)
		for i := range all {
			var exemplar core.Exemplar
			if m.exemplar != nil {
				exemplar = m.exemplar(&all[i].stats)
			}
			if v := m.value(e, &all[i].stats); v != "" {
				e.sample(m.family.sampleName(), all[i].labels, v, exemplar)
			}
		}
	}
}

// writeProfile writes the metrics of the profile as a whole.
func (e *exposition) writeProfile(s *core.Snapshot) {
	if !s.Start.IsZero() {
		start := family{"otelprof_start_time_seconds", "gauge", "seconds", "Since when is counted, in Unix time."}
		e.describe(start)
		e.sample(start.name, "", e.float(float64(s.Start.UnixMilli())/1e3), core.Exemplar{})
	}
	e.counter("recorded_spans", "Spans and blocks that ended and were recorded.", s.Counters.Spans)
	for _, c := range counters(s.Counters) {
		e.counter(c.name, "Number of "+c.meaning+".", c.value)
	}
}

func (e *exposition) counter(name, help string, value uint64) {
	f := family{name: "otelprof_" + name, kind: "counter", help: help}
	e.describe(f)
	e.sample(f.sampleName(), "", formatCount(value), core.Exemplar{})
}
