package exporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// parentAndChild returns a profiler of n calls of 10 ms, of which 8 ms are those of another, and what records them.
func parentAndChild(t testing.TB, selfHistograms bool) (a *core.Aggregator, record func(n int)) {
	a, err := core.New(core.Config{Name: "shop", SelfHistograms: selfHistograms})
	require.NoError(t, err)
	span := func(name string, kind core.Kind, parent int32, took, self time.Duration, id byte) core.TraceSpan {
		return core.TraceSpan{
			Label: a.Label(core.Site{Track: "t", Name: name, Kind: kind}), Start: start.UnixNano(), Duration: int64(took),
			Self: uint64(self), Parent: parent, Span: core.SpanID{id}, Sampled: true,
		}
	}
	return a, func(n int) {
		for range n {
			a.RecordTrace(core.TraceID{1}, []core.TraceSpan{
				span("outer", core.KindServer, -1, 10*time.Millisecond, 2*time.Millisecond, 1),
				span("inner", core.KindInternal, 0, 8*time.Millisecond, 8*time.Millisecond, 2),
			})
		}
	}
}

// selfTimeNames are the metrics of self times, with the number of ns in a unit.
var selfTimeNames = map[string]float64{
	"otelprof.self": 1, "otelprof.node.self": 1, "traces.span.metrics.self": 1e6, "traces_spanmetrics_self": 1e9,
}

func selfTimeProducer(src Source, opts ...ProducerOption) *Producer {
	return NewProducer(src, append(opts, WithCallTree(), WithFamilies(FamilyOtelprof, FamilySpanMetrics, FamilyTempo))...)
}

func TestSelfTimesAsHistograms(t *testing.T) {
	a, record := parentAndChild(t, true)
	cumulative, delta := selfTimeProducer(a), selfTimeProducer(a, WithTemporality(metricdata.DeltaTemporality))
	for _, calls := range []int{3, 5} {
		record(calls)
		for p, want := range map[*Producer]int{cumulative: int(a.Snapshot().Blocks[0].Stats.Count), delta: calls} {
			got := produce(t, p)
			for name, unit := range selfTimeNames {
				var counts []uint64
				sum := 0.0
				switch data := find(got, name).(type) {
				case metricdata.ExponentialHistogram[int64]:
					require.Equal(t, p.config.temporality, data.Temporality)
					for _, point := range data.DataPoints {
						counts, sum = append(counts, point.Count), sum+float64(point.Sum)
						require.Equal(t, []uint64{point.Count}, point.PositiveBucket.Counts, "all take the same time")
						require.Empty(t, point.Exemplars)
					}
				case metricdata.ExponentialHistogram[float64]:
					for _, point := range data.DataPoints {
						counts, sum = append(counts, point.Count), sum+point.Sum
						require.Equal(t, []uint64{point.Count}, point.PositiveBucket.Counts)
					}
				case metricdata.Histogram[float64]:
					for i, point := range data.DataPoints {
						counts, sum = append(counts, point.Count), sum+point.Sum
						// inner takes 8 ms, at the bound, and outer 2 ms without it.
						require.Equal(t, point.Count, point.BucketCounts[[]int{3, 1}[i]], "%v", point.BucketCounts)
					}
				}
				require.Equal(t, []uint64{uint64(want), uint64(want)}, counts, name)
				require.InDelta(t, float64(want)*10e6/unit, sum, 1e-9, name)
			}
			profile := readOne(t, toOTLP(got))
			require.NotNil(t, profile.Blocks[0].Stats.SelfHistogram)
			require.NotNil(t, profile.Nodes[0].Stats.SelfHistogram)
		}
	}
}

// Nothing is sent of self times that are not kept, but for their sum.
func TestSelfTimesThatAreNotKept(t *testing.T) {
	a, record := parentAndChild(t, false)
	record(3)
	got := produce(t, selfTimeProducer(a))
	for name := range selfTimeNames {
		require.Nil(t, find(got, name), name)
	}
	require.EqualValues(t, 30e6, total(values(t, got, "otelprof.time.self")))
	spans, _ := encodeWindow(&window{profile: a.Snapshot(), detailed: 2}, core.TraceID{1}, 1)
	for _, span := range spans {
		require.Empty(t, selfAttributes(span))
	}
}

// The spans of a profile show quantiles of the self times too.
func TestSelfTimesOnSpans(t *testing.T) {
	a, record := parentAndChild(t, true)
	record(3)
	spans, _ := encodeWindow(&window{profile: a.Snapshot(), detailed: 2}, core.TraceID{1}, 1)
	for _, span := range spans {
		if want := map[string]float64{"outer": 2e6, "inner": 8e6}[span.Name]; want > 0 {
			got := selfAttributes(span)
			require.Len(t, got, 2, span.Name)
			for key, value := range got {
				require.InEpsilon(t, want, value, 0.0055, "%s of %s", key, span.Name)
			}
		}
	}
}

// selfAttributes returns the quantiles of self times on a span.
func selfAttributes(span *tracepb.Span) map[string]int64 {
	out := map[string]int64{}
	for _, kv := range span.Attributes {
		for _, q := range selfQuantiles {
			if kv.Key == q.key {
				out[kv.Key] = kv.Value.GetIntValue()
			}
		}
	}
	return out
}

// A profile of several programs, of which only some keep their self times, is read back with those histograms that are
// of all observations of a block or node.
func TestSelfTimesOfSomePrograms(t *testing.T) {
	with, recordWith := parentAndChild(t, true)
	recordWith(2)
	without, recordWithout := parentAndChild(t, false)
	recordWithout(3)
	record(without, core.Site{Track: "t", Name: "alone"}, time.Second, false, 0)
	record(with, core.Site{Track: "t", Name: "alone with"}, time.Second, false, 0)
	s := with.Snapshot().Merge(without.Snapshot())
	spans, _ := encodeWindow(&window{profile: s, unsampledLinks: true}, core.TraceID{1}, 1)
	got, err := ReadSpans([]*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}})
	require.NoError(t, err)
	requireSameProfile(t, s, got[0])
	requireSameProfile(t, s, readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}, WithCallTree())))))
	known := map[string]bool{}
	for _, b := range got[0].Blocks {
		known[b.Site.Name] = b.Stats.SelfHistogram != nil
	}
	require.Equal(t, map[string]bool{"outer": false, "inner": false, "alone": false, "alone with": true}, known)
}
