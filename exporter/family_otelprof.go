package exporter

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/core"
)

// The names of FamilyOtelprof. sitePrefix and nodePrefix go before those of the statistics.
const (
	sitePrefix     = "otelprof."
	nodePrefix     = "otelprof.node."
	durationName   = "duration"
	squaresName    = "duration.squares"
	selfName       = "self"
	activeName     = "otelprof.active"
	profileName    = "otelprof.profile"
	disabledName   = "otelprof.track.disabled"
	counterName    = "otelprof.counter"
	squaresUnit    = "ns2"
	nodesSuffix    = " Of a path of the call tree."
	mantissa       = 53 // bits of a float64
	squaresSummand = 3  // of them hold 128 bits
)

// otelprofMetrics returns the metrics of FamilyOtelprof.
func otelprofMetrics(p *Producer, c *collection) []metricdata.Metrics {
	blocks := p.sites.limit(blockSeries(c, wholeSite))
	out := profileMetrics(c)
	out = append(out, statisticMetrics(p, c, blocks, sitePrefix, "")...)
	out = append(out, c.activeMetric(blocks))
	if p.config.callTree {
		nodes := p.nodes.limit(nodeSeries(c.window))
		out = append(out, statisticMetrics(p, c, nodes, nodePrefix, nodesSuffix)...)
	}
	return out
}

// profileMetrics returns what is true of the profile as a whole.
func profileMetrics(c *collection) []metricdata.Metrics {
	names := []metricdata.DataPoint[int64]{}
	for _, name := range c.window.Names {
		set := attribute.NewSet(profileKey.String(strings.ToValidUTF8(name, "\uFFFD")))
		names = append(names, c.point(set, 1))
	}
	if len(names) == 0 {
		names = append(names, c.point(attribute.NewSet(), 1))
	}
	disabled := []metricdata.DataPoint[int64]{}
	for _, track := range c.window.DisabledTracks {
		set := attribute.NewSet(trackKey.String(strings.ToValidUTF8(track, "\uFFFD")))
		disabled = append(disabled, c.point(set, 1))
	}
	counts := []metricdata.DataPoint[int64]{}
	for _, counter := range counters {
		value := *counter.field(&c.window.Counters)
		counts = append(counts, c.point(attribute.NewSet(counterKey.String(counter.name)), signed(value)))
	}
	out := []metricdata.Metrics{
		gauge(profileName, "", "1 for every profiler whose profile this is.", names),
		c.sum(counterName, "{event}", "What the profiler saw and what its limits did.", counts),
	}
	if len(disabled) > 0 {
		out = append(out, gauge(disabledName, "", "1 for every track that is switched off.", disabled))
	}
	return out
}

// statisticMetrics returns the statistics of all series, but for what is active.
func statisticMetrics(p *Producer, c *collection, all []series, prefix, suffix string) []metricdata.Metrics {
	for i := range all {
		all[i].attrs = siteAttributes(&all[i])
	}
	out := []metricdata.Metrics{
		durationMetric(p, c, all, prefix+durationName, "Durations of spans and blocks that ended."+suffix),
		squaresMetric(c, all, prefix+squaresName, "Squared durations: all parts add up to their sum."+suffix),
	}
	if self := selfMetric(p, c, all, prefix+selfName, "Self times of spans and blocks that ended."+suffix); self != nil {
		out = append(out, *self)
	}
	for _, s := range statistics {
		var points []metricdata.DataPoint[int64]
		for i := range all {
			x := &all[i]
			value := s.get(&x.stats)
			if s.always || s.sparse && value != 0 || !s.sparse && x.stats.Count > 0 {
				points = append(points, c.point(x.attrs, value))
			}
		}
		switch {
		case len(points) == 0:
		case s.monotonic:
			out = append(out, c.sum(prefix+s.name, s.unit, s.description+suffix, points))
		default:
			out = append(out, gauge(prefix+s.name, s.unit, s.description+suffix, points))
		}
	}
	return out
}

func durationMetric(p *Producer, c *collection, all []series, name, description string) metricdata.Metrics {
	h := metricdata.ExponentialHistogram[int64]{Temporality: c.temporality}
	for i := range all {
		if x := &all[i]; x.stats.Count > 0 {
			point := exponentialPoint(c, x, p.config.size(unlimited))
			point.Exemplars = exemplars(&x.stats, true, signed, func(role string, sampled bool) []attribute.KeyValue {
				return []attribute.KeyValue{roleKey.String(role), sampledKey.Bool(sampled)}
			})
			h.DataPoints = append(h.DataPoints, point)
		}
	}
	return metricdata.Metrics{Name: name, Unit: nanosecond, Description: description, Data: h}
}

// selfMetric returns the histograms of self times where there are some, nil if there are none.
func selfMetric(p *Producer, c *collection, all []series, name, description string) *metricdata.Metrics {
	h := metricdata.ExponentialHistogram[int64]{Temporality: c.temporality}
	for i := range all {
		if x := &all[i]; x.stats.SelfHistogram != nil {
			h.DataPoints = append(h.DataPoints, selfPoint(c, x, p.config.size(unlimited)))
		}
	}
	if len(h.DataPoints) == 0 {
		return nil
	}
	return &metricdata.Metrics{Name: name, Unit: nanosecond, Description: description, Data: h}
}

// squaresMetric splits each sum of squares, which has 128 bits, into summands that a float64 holds exactly. Adding
// them up gives the sum as exactly as a consumer can represent it.
func squaresMetric(c *collection, all []series, name, description string) metricdata.Metrics {
	sum := metricdata.Sum[float64]{Temporality: c.temporality}
	for i := range all {
		x := &all[i]
		for part, value := range summands(x.stats.SumSquares) {
			if value == 0 {
				continue
			}
			sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[float64]{
				Attributes: attribute.NewSet(append(x.attrs.ToSlice(), partKey.Int(part))...),
				StartTime:  c.start, Time: c.end, Value: value,
			})
		}
	}
	return metricdata.Metrics{Name: name, Unit: squaresUnit, Description: description, Data: sum}
}

// summands returns the bits 0–52, 53–105 and 106–127 of a number, in place.
func summands(n core.Uint128) [squaresSummand]float64 {
	const mask = 1<<mantissa - 1
	return [...]float64{
		float64(n.Lo & mask),
		float64((n.Lo>>mantissa|n.Hi<<(64-mantissa))&mask) * (1 << mantissa),
		float64(n.Hi>>(2*mantissa-64)) * (1 << mantissa) * (1 << mantissa),
	}
}

// activeMetric returns how many spans and blocks are open.
func (c *collection) activeMetric(blocks []series) metricdata.Metrics {
	sum := metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality}
	for i := range blocks {
		sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[int64]{
			Attributes: blocks[i].attrs, StartTime: c.since, Time: c.end, Value: blocks[i].stats.Active,
		})
	}
	return metricdata.Metrics{
		Name: activeName, Unit: "{call}", Description: "Spans and blocks that are open.", Data: sum,
	}
}
