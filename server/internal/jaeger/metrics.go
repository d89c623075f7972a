package jaeger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// What questions for metrics mean that do not say, and how many points they can have.
const (
	metricsLookback = time.Hour
	metricsStep     = 5 * time.Second
	metricsRatePer  = 10 * time.Minute
	maxMetricPoints = 11_000
)

// metricFamily is the JSON form of jaeger.api_v2.metrics.MetricFamily.
type (
	metricFamily struct {
		Name    string   `json:"name"`
		Type    string   `json:"type"`
		Help    string   `json:"help"`
		Metrics []metric `json:"metrics"`
	}
	metric struct {
		Labels []metricLabel `json:"labels"`
		Points []metricPoint `json:"metricPoints"`
	}
	metricLabel struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	metricPoint struct {
		Gauge     metricGauge `json:"gaugeValue"`
		Timestamp string      `json:"timestamp"`
	}
	metricGauge struct {
		Value double `json:"doubleValue"`
	}
	double float64
)

// MarshalJSON writes what is no number as protobuf's JSON does: as text.
func (d double) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(d)) {
		return []byte(`"NaN"`), nil
	}
	return json.Marshal(float64(d))
}

// metricsQuery asks for a figure over time. Every point is about the ratePer before it, in whole minutes: those in which
// spans ended from the minute of the beginning on up to, but not including, the minute of the point.
type metricsQuery struct {
	services            map[string]bool
	kinds               map[core.Kind]bool
	byOperation         bool
	end                 time.Time
	lookback, step, per time.Duration
}

func (r *request) metrics() (metricsQuery, error) {
	q := metricsQuery{
		services: map[string]bool{}, kinds: map[core.Kind]bool{}, byOperation: r.flag("groupByOperation"),
		end: r.since1970("endTs", time.Millisecond, r.now), lookback: r.millis("lookback", metricsLookback),
		step: r.millis("step", metricsStep), per: r.millis("ratePer", metricsRatePer),
	}
	for _, s := range r.values["service"] {
		q.services[s] = true
	}
	if len(q.services) == 0 {
		r.keep(query.Invalidf("name a service", "unable to parse param 'service': please provide at least one service name"))
	}
	for _, text := range r.values["spanKind"] {
		k, ok := kinds[text]
		if !ok {
			r.malformed("spanKind", text, "expecting unspecified, internal, server, client, producer or consumer")
		}
		q.kinds[k] = true
	}
	if len(q.kinds) == 0 {
		q.kinds[core.KindServer] = true
	}
	if q.lookback/q.step >= maxMetricPoints {
		r.keep(query.Invalidf("make the step longer", "%d points are too many, the limit is %d", q.lookback/q.step+1, maxMetricPoints))
	}
	return q, r.err
}

func (q *metricsQuery) series(s core.Site) (query.Series, bool) {
	if !q.services[s.Service] || !q.kinds[s.Kind] {
		return query.Series{}, false
	}
	if q.byOperation {
		return query.Series{Service: s.Service, Operation: s.Name}, true
	}
	return query.Series{Service: s.Service}, true
}

// gauge answers a question for metrics: value gives the figure of a point from the statistics of a number of seconds.
func (h *Handler) gauge(ctx context.Context, r *request, name, help string, value func(s *core.Stats, seconds float64) float64) (any, error) {
	q, err := r.metrics()
	if err != nil {
		return nil, err
	}
	f := metricFamily{Name: "service_" + name, Type: "GAUGE", Help: help + ", grouped by service", Metrics: []metric{}}
	if q.byOperation {
		f.Name = "service_operation_" + name
		f.Help += " & operation"
	}
	start := q.end.Add(-q.lookback)
	all, err := h.Engine.Minutes(ctx, store.Range{From: start.Add(-q.per), To: q.end}, q.series)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.SortedFunc(maps.Keys(all), func(a, b query.Series) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation))
	}) {
		m := metric{Labels: []metricLabel{{"service_name", k.Service}}, Points: q.points(all[k], value)}
		if q.byOperation {
			m.Labels = append(m.Labels, metricLabel{"operation", k.Operation})
		}
		f.Metrics = append(f.Metrics, m)
	}
	return f, nil
}

func (q *metricsQuery) points(minutes map[int64]core.Stats, value func(*core.Stats, float64) float64) []metricPoint {
	n := max(1, int64(q.per/time.Minute))
	last, figure := int64(-1), 0.0
	points := []metricPoint{}
	for t := q.end.Add(-q.lookback); !t.After(q.end); t = t.Add(q.step) {
		if m := t.Unix() / 60; m != last { // the points of a minute are alike
			var sum core.Stats
			for i := m - n; i < m; i++ {
				sum = sum.Merge(minutes[i])
			}
			last, figure = m, value(&sum, float64(n*60))
		}
		points = append(points, metricPoint{metricGauge{double(figure)}, t.UTC().Format(time.RFC3339Nano)})
	}
	return points
}

// latencies are in milliseconds, as Jaeger's are.
func (h *Handler) latencies(ctx context.Context, r *request) (any, error) {
	text := r.text("quantile")
	quantile, err := strconv.ParseFloat(text, 64)
	if err != nil || !(quantile >= 0 && quantile <= 1) {
		r.malformed("quantile", text, "expecting a number from 0 to 1")
	}
	return h.gauge(ctx, r, "latencies", fmt.Sprintf("%.2fth quantile latency", quantile), func(s *core.Stats, _ float64) float64 {
		if s.Count == 0 {
			return math.NaN()
		}
		return s.Quantile(quantile) / float64(time.Millisecond)
	})
}

func (h *Handler) calls(ctx context.Context, r *request) (any, error) {
	return h.gauge(ctx, r, "call_rate", "calls/sec", func(s *core.Stats, seconds float64) float64 {
		return float64(s.Count) / seconds
	})
}

func (h *Handler) errorRates(ctx context.Context, r *request) (any, error) {
	return h.gauge(ctx, r, "error_rate", "error rate, computed as a fraction of errors/sec over calls/sec", func(s *core.Stats, _ float64) float64 {
		if s.Count == 0 {
			return math.NaN()
		}
		return s.ErrorRate()
	})
}

// minStep is the least step that makes a difference, in milliseconds.
func (h *Handler) minStep(context.Context, *request) (any, error) {
	return envelope{Data: time.Minute.Milliseconds()}, nil
}
