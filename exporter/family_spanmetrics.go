package exporter

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// spanNames are the names of a family that knows calls and durations of spans.
type spanNames struct {
	calls, duration, self               string
	service, spanName, spanKind, status attribute.Key
	// info is a gauge of 1 for every service, "" for none.
	info string
	unit timeUnit
	// unitName is shown as the unit of durations. It is empty where the Prometheus exporter must not append it.
	unitName string
}

func connectorNames(seconds bool) spanNames {
	n := spanNames{
		calls: "traces.span.metrics.calls", duration: "traces.span.metrics.duration", self: "traces.span.metrics.self",
		service: "service.name", spanName: spanNameKey, spanKind: spanKindKey, status: "status.code",
		unit: millisecond,
	}
	if seconds {
		n.unit = second
	}
	n.unitName = n.unit.name
	return n
}

var tempoNames = spanNames{
	calls: "traces_spanmetrics_calls_total", duration: "traces_spanmetrics_latency", self: "traces_spanmetrics_self",
	service: "service", spanName: "span_name", spanKind: "span_kind", status: "status_code",
	info: "traces_target_info", unit: second,
}

// connectorBounds are the buckets of the spanmetrics connector, tempoBounds those of Tempo.
var (
	connectorBounds = []time.Duration{
		2 * time.Millisecond, 4 * time.Millisecond, 6 * time.Millisecond, 8 * time.Millisecond, 10 * time.Millisecond,
		50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond,
		800 * time.Millisecond, time.Second, 1400 * time.Millisecond, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 15 * time.Second,
	}
	tempoBounds = doubling(2*time.Millisecond, 14)
)

// doubling returns n bounds, each twice the one before.
func doubling(first time.Duration, n int) []time.Duration {
	bounds := make([]time.Duration, n)
	for i := range bounds {
		bounds[i] = first << i
	}
	return bounds
}

const (
	statusUnset = "STATUS_CODE_UNSET"
	statusError = "STATUS_CODE_ERROR"
)

// metrics returns the metrics of a collection; durations with nil bounds are exponential histograms.
func (n spanNames) metrics(p *Producer, c *collection, bounds []time.Duration) []metricdata.Metrics {
	all := p.spans.limit(blockSeries(c, spanSite(p.config.service)))
	for i := range all {
		all[i].attrs = n.attributes(&all[i])
	}
	duration := metricdata.Metrics{Name: n.duration, Unit: n.unitName, Description: "Durations of spans."}
	if bounds == nil {
		duration.Data = n.exponential(p, c, all)
	} else {
		duration.Data = n.fixed(p, c, all, bounds)
	}
	out := []metricdata.Metrics{n.callsMetric(c, all), duration}
	if self := n.selfTimes(p, c, all, bounds); self != nil {
		out = append(out, metricdata.Metrics{Name: n.self, Unit: n.unitName, Description: "Self times of spans.", Data: self})
	}
	if n.info != "" {
		out = append(out, n.infoMetric(c, all, p.config.service))
	}
	return out
}

// infoMetric returns a point for the service of the program and for every other that sites name.
func (n spanNames) infoMetric(c *collection, all []series, service string) metricdata.Metrics {
	services := []string{service}
	for i := range all {
		if s := all[i].key.site.Service; !all[i].overflow && !slices.Contains(services, s) {
			services = append(services, s)
		}
	}
	points := make([]metricdata.DataPoint[int64], len(services))
	for i, s := range services {
		points[i] = c.point(attribute.NewSet(n.service.String(s)), 1)
	}
	return gauge(n.info, "", "The service.", points)
}

// attributes returns what identifies a point, but for the status.
func (n spanNames) attributes(x *series) attribute.Set {
	if x.overflow {
		return overflowSet
	}
	site := x.key.site
	return attribute.NewSet(n.service.String(site.Service), n.spanName.String(site.Name), n.spanKind.String(kindText(site.Kind)))
}

// callsMetric splits the calls by status. A status without calls has no point, and the overflow has no status.
func (n spanNames) callsMetric(c *collection, all []series) metricdata.Metrics {
	points := make([]metricdata.DataPoint[int64], 0, len(all))
	add := func(x *series, status string, calls uint64) {
		if calls > 0 {
			set := attribute.NewSet(append(x.attrs.ToSlice(), n.status.String(status))...)
			points = append(points, c.point(set, signed(calls)))
		}
	}
	for i := range all {
		x := &all[i]
		if x.overflow {
			points = append(points, c.point(x.attrs, signed(x.stats.Count)))
			continue
		}
		add(x, statusUnset, x.stats.Count-min(x.stats.Errors, x.stats.Count))
		add(x, statusError, x.stats.Errors)
	}
	return c.sum(n.calls, "", "Spans that ended.", points)
}

func (n spanNames) exponential(p *Producer, c *collection, all []series) metricdata.Aggregation {
	h := metricdata.ExponentialHistogram[float64]{Temporality: c.temporality}
	for i := range all {
		if all[i].stats.Count > 0 {
			point := exponentialPointIn(c, &all[i], p.config.size(DefaultMaxSize), n.unit)
			point.Exemplars = n.exemplars(p, &all[i])
			h.DataPoints = append(h.DataPoints, point)
		}
	}
	return h
}

func (n spanNames) fixed(p *Producer, c *collection, all []series, bounds []time.Duration) metricdata.Aggregation {
	h := metricdata.Histogram[float64]{Temporality: c.temporality}
	for i := range all {
		if all[i].stats.Count > 0 {
			point := fixedPoint(c, &all[i], bounds, n.unit)
			point.Exemplars = n.exemplars(p, &all[i])
			h.DataPoints = append(h.DataPoints, point)
		}
	}
	return h
}

// selfTimes returns the self times where they are known, nil if they are nowhere.
func (n spanNames) selfTimes(p *Producer, c *collection, all []series, bounds []time.Duration) metricdata.Aggregation {
	exponential := metricdata.ExponentialHistogram[float64]{Temporality: c.temporality}
	fixed := metricdata.Histogram[float64]{Temporality: c.temporality}
	for i := range all {
		switch x := &all[i]; {
		case x.stats.SelfHistogram == nil:
		case bounds == nil:
			exponential.DataPoints = append(exponential.DataPoints, selfPointIn(c, x, p.config.size(DefaultMaxSize), n.unit))
		default:
			fixed.DataPoints = append(fixed.DataPoints, fixedSelfPoint(c, x, bounds, n.unit))
		}
	}
	switch {
	case len(exponential.DataPoints) > 0:
		return exponential
	case len(fixed.DataPoints) > 0:
		return fixed
	}
	return nil
}

func (n spanNames) exemplars(p *Producer, x *series) []metricdata.Exemplar[float64] {
	return exemplars(&x.stats, p.config.unsampled, n.unit.of, func(string, bool) []attribute.KeyValue { return nil })
}
