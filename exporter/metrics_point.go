package exporter

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/core"
)

// octaveBuckets is how many buckets of core's histograms an octave has.
const octaveBuckets = 1 << core.Scale

// timeUnit is the unit that durations are shown in.
type timeUnit struct {
	// name is the UCUM code.
	name string
	// nanoseconds in one unit.
	nanoseconds float64
}

var (
	millisecond = timeUnit{"ms", 1e6}
	second      = timeUnit{"s", 1e9}
)

// of returns nanoseconds in the unit.
func (u timeUnit) of(ns uint64) float64 { return float64(ns) / u.nanoseconds }

// shifted returns a histogram of nanoseconds as one of the unit. A unit is no whole number of buckets, so every bucket
// moves to the nearest one: values are off by one and the same factor, less than 0.54 %, which is half a bucket.
func (u timeUnit) shifted(h core.Histogram) core.Histogram {
	shift := int32(math.Round(octaveBuckets * math.Log2(u.nanoseconds)))
	var buckets []core.Bucket
	for b := range h.All {
		buckets = append(buckets, core.Bucket{Index: b.Index - shift, Count: b.Count})
	}
	return core.NewHistogram(h.Zero, buckets)
}

// exponentialPoint returns the durations in nanoseconds, without loss if maxSize allows.
func exponentialPoint(c *collection, x *series, maxSize int) metricdata.ExponentialHistogramDataPoint[int64] {
	p := denseIn[int64](c, x, x.stats.Histogram.Dense(maxSize))
	p.Sum = signed(x.stats.Total)
	if x.stats.Count > 0 {
		p.Min = metricdata.NewExtrema(signed(x.stats.Min))
		p.Max = metricdata.NewExtrema(signed(x.stats.Max))
	}
	return p
}

// selfPoint returns the self times in nanoseconds, which the series must have, without loss if maxSize allows.
func selfPoint(c *collection, x *series, maxSize int) metricdata.ExponentialHistogramDataPoint[int64] {
	p := denseIn[int64](c, x, x.stats.SelfHistogram.Dense(maxSize))
	p.Sum = signed(x.stats.Self)
	return p
}

// exponentialPointIn returns the durations in a unit.
func exponentialPointIn(c *collection, x *series, maxSize int, u timeUnit) metricdata.ExponentialHistogramDataPoint[float64] {
	p := denseIn[float64](c, x, u.shifted(x.stats.Histogram).Dense(maxSize))
	p.Sum = u.of(x.stats.Total)
	if x.stats.Count > 0 {
		p.Min = metricdata.NewExtrema(u.of(x.stats.Min))
		p.Max = metricdata.NewExtrema(u.of(x.stats.Max))
	}
	return p
}

// selfPointIn returns the self times in a unit.
func selfPointIn(c *collection, x *series, maxSize int, u timeUnit) metricdata.ExponentialHistogramDataPoint[float64] {
	p := denseIn[float64](c, x, u.shifted(*x.stats.SelfHistogram).Dense(maxSize))
	p.Sum = u.of(x.stats.Self)
	return p
}

// denseIn returns a histogram of all that was observed of a series, without its sum.
func denseIn[N int64 | float64](c *collection, x *series, d core.Dense) metricdata.ExponentialHistogramDataPoint[N] {
	return metricdata.ExponentialHistogramDataPoint[N]{
		Attributes: x.attrs, StartTime: c.start, Time: c.end,
		Count: x.stats.Count, Scale: int32(d.Scale), ZeroCount: d.Zero,
		PositiveBucket: metricdata.ExponentialBucket{Offset: int32(d.Offset), Counts: d.Counts},
	}
}

// fixedPoint returns the durations in buckets with the given bounds. A bucket's count may be low by the observations
// within 1.1 % below its bound, which are in the next one then; count and sum are exact.
func fixedPoint(c *collection, x *series, bounds []time.Duration, u timeUnit) metricdata.HistogramDataPoint[float64] {
	p := within(c, x, &x.stats.Histogram, bounds, u)
	p.Sum = u.of(x.stats.Total)
	if x.stats.Count > 0 {
		p.Min = metricdata.NewExtrema(u.of(x.stats.Min))
		p.Max = metricdata.NewExtrema(u.of(x.stats.Max))
	}
	return p
}

// fixedSelfPoint returns the self times, which the series must have, as fixedPoint does the durations.
func fixedSelfPoint(c *collection, x *series, bounds []time.Duration, u timeUnit) metricdata.HistogramDataPoint[float64] {
	p := within(c, x, x.stats.SelfHistogram, bounds, u)
	p.Sum = u.of(x.stats.Self)
	return p
}

// within returns a histogram of all that was observed of a series in buckets with the given bounds, without its sum.
func within(c *collection, x *series, h *core.Histogram, bounds []time.Duration, u timeUnit) metricdata.HistogramDataPoint[float64] {
	p := metricdata.HistogramDataPoint[float64]{Attributes: x.attrs, StartTime: c.start, Time: c.end, Count: x.stats.Count}
	before := uint64(0)
	for _, b := range bounds {
		n := h.CountAtMost(uint64(b))
		p.Bounds = append(p.Bounds, u.of(uint64(b)))
		p.BucketCounts = append(p.BucketCounts, n-before)
		before = n
	}
	p.BucketCounts = append(p.BucketCounts, x.stats.Count-before)
	return p
}

// exemplars returns the slowest span and the last error of a series, with values made of nanoseconds.
func exemplars[N int64 | float64](
	s *core.Stats, unsampled bool, value func(uint64) N, attrs func(role string, sampled bool) []attribute.KeyValue,
) []metricdata.Exemplar[N] {
	var list []metricdata.Exemplar[N]
	add := func(e core.Exemplar, role string) {
		if !e.IsZero() && (e.Sampled || unsampled) {
			list = append(list, metricdata.Exemplar[N]{
				FilteredAttributes: attrs(role, e.Sampled), Time: time.Unix(0, e.Time), Value: value(e.Duration),
				TraceID: e.Trace[:], SpanID: e.Span[:],
			})
		}
	}
	add(s.Slowest, roleSlowest)
	add(s.LastError, roleError)
	return list
}

// signed returns n as an int64, the largest one if it is larger.
func signed(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// sum returns a metric of one kind of sum. Monotonic sums have the temporality of the collection.
func (c *collection) sum(name, unit, description string, points []metricdata.DataPoint[int64]) metricdata.Metrics {
	return metricdata.Metrics{Name: name, Unit: unit, Description: description, Data: metricdata.Sum[int64]{
		DataPoints: points, Temporality: c.temporality, IsMonotonic: true,
	}}
}

// gauge returns a metric of present values.
func gauge(name, unit, description string, points []metricdata.DataPoint[int64]) metricdata.Metrics {
	return metricdata.Metrics{Name: name, Unit: unit, Description: description, Data: metricdata.Gauge[int64]{DataPoints: points}}
}

// point returns a point of a sum or gauge.
func (c *collection) point(attrs attribute.Set, value int64) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Attributes: attrs, StartTime: c.start, Time: c.end, Value: value}
}
