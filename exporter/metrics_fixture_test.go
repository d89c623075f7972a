package exporter

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// workload makes random traces on a real aggregator.
type workload struct {
	*core.Aggregator
	r     *rand.Rand
	sites []core.Site
}

func newWorkload(t testing.TB, seed uint64) *workload {
	a, err := core.New(core.Config{
		Name: "shop", Disabled: func(track string) bool { return track == "off" }, SelfHistograms: seed%3 > 0,
	})
	require.NoError(t, err)
	w := &workload{Aggregator: a, r: rand.New(rand.NewPCG(seed, 0))}
	names := []string{"", "GET /users/{id}", "a;b\nc", "=1+1", "\u202eleft", "\x00\x1b[31m", "ünï 🦩", strings.Repeat("long ", 200)}
	for range 1 + w.r.IntN(12) {
		s := core.Site{
			Track: []string{"http", "sql", "", "off"}[w.r.IntN(4)], Name: names[w.r.IntN(len(names))],
			Kind: core.Kind(w.r.IntN(8)), Service: []string{"", "", "shop", "bank"}[w.r.IntN(4)],
		}
		if w.r.IntN(2) == 0 {
			s.Function, s.File, s.Line = "pkg.F", names[w.r.IntN(len(names))], w.r.IntN(3)
		}
		w.sites = append(w.sites, s)
	}
	return w
}

func (w *workload) id(b []byte) {
	for i := range b {
		b[i] = byte(1 + w.r.IntN(255))
	}
}

// run records n traces of up to five spans, some of which stay open, and some others as a whole.
func (w *workload) run(n int) {
	defer w.runWhole(w.r.IntN(n/4 + 1))
	for range n {
		var o core.Opening
		w.id(o.Trace[:])
		var spans []core.Closing
		for range 1 + w.r.IntN(5) {
			o.Parent = o.Span
			w.id(o.Span[:])
			w.Open(&o)
			c := core.Closing{
				Trace: o.Trace, Span: o.Span, Exemplar: o.Span, Label: w.Label(w.sites[w.r.IntN(len(w.sites))]),
				Start: 1_700_000_000_000_000_000 + w.r.Int64N(1e12), Duration: w.r.Int64() >> (10 + w.r.IntN(50)),
				Failed: w.r.IntN(4) == 0, Sampled: w.r.IntN(2) == 0,
			}
			if w.r.IntN(3) == 0 {
				c.Bytes = w.r.Uint64N(1e6)
			}
			spans = append(spans, c)
		}
		for i := len(spans) - 1; i >= 0; i-- {
			if i > 0 || w.r.IntN(8) > 0 {
				w.Close(&spans[i])
			}
		}
	}
}

// runWhole records n traces of which all spans are at hand, as a server does.
func (w *workload) runWhole(n int) {
	for range n {
		var trace core.TraceID
		w.id(trace[:])
		spans := make([]core.TraceSpan, 1+w.r.IntN(5))
		for i := range spans {
			spans[i] = core.TraceSpan{
				Label: w.Label(w.sites[w.r.IntN(len(w.sites))]), Parent: int32(w.r.IntN(i+1) - 1),
				Start: 1_700_000_000_000_000_000 + w.r.Int64N(1e12), Duration: w.r.Int64() >> (10 + w.r.IntN(50)),
				Self: w.r.Uint64() >> (10 + w.r.IntN(50)), Critical: w.r.Uint64() >> (10 + w.r.IntN(50)),
				Unsampled: w.r.Uint64N(5000), Failed: w.r.IntN(4) == 0, Sampled: w.r.IntN(2) == 0,
			}
			w.id(spans[i].Span[:])
		}
		w.RecordTrace(trace, spans)
	}
}

// fixed is a Source that gives the snapshots one after the other, and the last one again and again.
type fixed []*core.Snapshot

func (f *fixed) Snapshot() *core.Snapshot {
	s := (*f)[0]
	if len(*f) > 1 {
		*f = (*f)[1:]
	}
	return s
}

// produce collects once.
func produce(t testing.TB, p *Producer) []metricdata.ScopeMetrics {
	t.Helper()
	out, err := p.Produce(t.Context())
	require.NoError(t, err)
	return out
}

// find returns the aggregation of a metric, nil if it is not there.
func find(scopes []metricdata.ScopeMetrics, name string) metricdata.Aggregation {
	for _, s := range scopes {
		for _, m := range s.Metrics {
			if m.Name == name {
				return m.Data
			}
		}
	}
	return nil
}

// toOTLP encodes metrics as the OTLP exporters do, as far as they occur in FamilyOtelprof.
func toOTLP(scopes []metricdata.ScopeMetrics) []*metricspb.ResourceMetrics {
	out := &metricspb.ResourceMetrics{}
	for _, s := range scopes {
		scope := &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: s.Scope.Name}}
		for _, m := range s.Metrics {
			e := &metricspb.Metric{Name: m.Name, Unit: m.Unit, Description: m.Description}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				e.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{DataPoints: numbersToOTLP(data.DataPoints)}}
			case metricdata.Sum[float64]:
				e.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{DataPoints: numbersToOTLP(data.DataPoints)}}
			case metricdata.Gauge[int64]:
				e.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: numbersToOTLP(data.DataPoints)}}
			case metricdata.ExponentialHistogram[int64]:
				h := &metricspb.ExponentialHistogram{}
				for _, p := range data.DataPoints {
					h.DataPoints = append(h.DataPoints, exponentialToOTLP(p))
				}
				e.Data = &metricspb.Metric_ExponentialHistogram{ExponentialHistogram: h}
			}
			scope.Metrics = append(scope.Metrics, e)
		}
		out.ScopeMetrics = append(out.ScopeMetrics, scope)
	}
	return []*metricspb.ResourceMetrics{out}
}

func numbersToOTLP[N int64 | float64](points []metricdata.DataPoint[N]) []*metricspb.NumberDataPoint {
	var out []*metricspb.NumberDataPoint
	for _, p := range points {
		e := &metricspb.NumberDataPoint{
			Attributes: attributesToOTLP(p.Attributes.ToSlice()), StartTimeUnixNano: unixNano(p.StartTime), TimeUnixNano: unixNano(p.Time),
		}
		switch v := any(p.Value).(type) {
		case int64:
			e.Value = &metricspb.NumberDataPoint_AsInt{AsInt: v}
		case float64:
			e.Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: v}
		}
		out = append(out, e)
	}
	return out
}

func exponentialToOTLP(p metricdata.ExponentialHistogramDataPoint[int64]) *metricspb.ExponentialHistogramDataPoint {
	e := &metricspb.ExponentialHistogramDataPoint{
		Attributes: attributesToOTLP(p.Attributes.ToSlice()), StartTimeUnixNano: unixNano(p.StartTime), TimeUnixNano: unixNano(p.Time),
		Count: p.Count, Sum: new(float64(p.Sum)), Scale: p.Scale, ZeroCount: p.ZeroCount,
		Positive: &metricspb.ExponentialHistogramDataPoint_Buckets{
			Offset: p.PositiveBucket.Offset, BucketCounts: p.PositiveBucket.Counts,
		},
	}
	for _, x := range p.Exemplars {
		e.Exemplars = append(e.Exemplars, &metricspb.Exemplar{
			TimeUnixNano: unixNano(x.Time), TraceId: x.TraceID, SpanId: x.SpanID,
			FilteredAttributes: attributesToOTLP(x.FilteredAttributes), Value: &metricspb.Exemplar_AsInt{AsInt: x.Value},
		})
	}
	return e
}

func unixNano(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }

func attributesToOTLP(list []attribute.KeyValue) []*commonpb.KeyValue {
	var out []*commonpb.KeyValue
	for _, kv := range list {
		v := &commonpb.AnyValue{}
		switch kv.Value.Type() {
		case attribute.BOOL:
			v.Value = &commonpb.AnyValue_BoolValue{BoolValue: kv.Value.AsBool()}
		case attribute.INT64:
			v.Value = &commonpb.AnyValue_IntValue{IntValue: kv.Value.AsInt64()}
		default:
			v.Value = &commonpb.AnyValue_StringValue{StringValue: kv.Value.AsString()}
		}
		out = append(out, &commonpb.KeyValue{Key: string(kv.Key), Value: v})
	}
	return out
}

// requireSameProfile fails the test unless the snapshots are equal, apart from how times and empty lists are represented.
func requireSameProfile(t testing.TB, want, got *core.Snapshot) {
	t.Helper()
	a, err := core.Merge(want).MarshalJSON()
	require.NoError(t, err)
	b, err := core.Merge(got).MarshalJSON()
	require.NoError(t, err)
	if !bytes.Equal(a, b) {
		require.JSONEq(t, string(a), string(b))
	}
}

// withoutTree returns a snapshot as one that was made without a call tree.
func withoutTree(s *core.Snapshot) *core.Snapshot {
	out := *s
	out.Nodes, out.Blocks = nil, append([]core.Block{}, s.Blocks...)
	for i := range out.Blocks {
		out.Blocks[i].Pending = int64(out.Blocks[i].Stats.Count)
	}
	return &out
}
