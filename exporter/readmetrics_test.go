package exporter

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
)

// readOne reads what holds one profile.
func readOne(t testing.TB, in []*metricspb.ResourceMetrics) *core.Snapshot {
	t.Helper()
	got, err := ReadMetrics(in)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Validate())
	return got[0]
}

func TestMetricsRoundTrip(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorkload(t, seed)
		w.run(w.r.IntN(60))
		s := w.Snapshot()
		got := readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}))))
		requireSameProfile(t, withoutTree(s), got)
		got = readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}, WithCallTree()))))
		requireSameProfile(t, s, got)
	}
}

func TestMetricsRoundTripOfDeltas(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorkload(t, seed)
		p := NewProducer(w, WithTemporality(metricdata.DeltaTemporality), WithCallTree())
		var windows []*core.Snapshot
		last := &core.Snapshot{}
		for range 5 {
			w.run(w.r.IntN(20))
			var source fixed = []*core.Snapshot{w.Snapshot()}
			p.src = &source
			window := readOne(t, toOTLP(produce(t, p)))
			want, err := source[0].Sub(last)
			require.NoError(t, err)
			requireSameProfile(t, want, withoutZero(window))
			windows, last = append(windows, window), source[0]
		}
		sum := core.Merge(windows...)
		require.Equal(t, last.Counters, sum.Counters)
		for _, b := range last.Blocks {
			got := sum.Block(b.Site)
			if b.Stats.Count == 0 && got == nil {
				continue
			}
			require.Equal(t, exactPart(b.Stats), exactPart(got.Stats), "%v", b.Site)
		}
	}
}

// withoutZero leaves out the blocks with nothing in them that no node needs.
func withoutZero(s *core.Snapshot) *core.Snapshot {
	d, err := s.Sub(nil)
	if err != nil {
		panic(err)
	}
	return d
}

// exactPart is what windows add up to exactly; extremes of windows are bounds.
func exactPart(s core.Stats) string {
	return fmt.Sprint(s.Count, s.Errors, s.Total, s.Self, s.Critical, s.Unsampled, s.SumSquares, s.Bytes, s.Last, s.Histogram.Zero, s.Histogram.Buckets(), s.Slowest.Duration, s.LastError)
}

func TestReadMetricsSaturatedSums(t *testing.T) {
	h := core.NewHistogram(0, []core.Bucket{{Index: 62 * 64, Count: 3}})
	d := core.BucketUpper(62 * 64)
	s := &core.Snapshot{Start: time.Unix(1, 0), End: time.Unix(2, 0), Blocks: []core.Block{{
		Site: core.Site{Name: "eternal"}, Pending: 3,
		Stats: core.Stats{
			Count: 3, Total: 3 * d, Self: math.MaxUint64, Min: d, Max: d, Histogram: h, First: -5, Last: 5,
			SumSquares: core.Uint128{Hi: math.MaxUint64, Lo: math.MaxUint64},
		},
	}}}
	s.Blocks[0].Stats.Total = math.MaxUint64
	requireSameProfile(t, s, readOne(t, toOTLP(produce(t, NewProducer(&fixed{s})))))
}

func TestReadMetricsOfSeveralCollectionsAndResources(t *testing.T) {
	w := newWorkload(t, 1)
	p := NewProducer(w)
	w.run(10)
	first := produce(t, p)
	w.run(10)
	second := produce(t, p)
	in := slices.Concat(toOTLP(second), toOTLP(first))
	// What a collector may do: both in one scope.
	joined := toOTLP(second)
	joined[0].ScopeMetrics[0].Metrics = append(joined[0].ScopeMetrics[0].Metrics, toOTLP(first)[0].ScopeMetrics[0].Metrics...)
	got, err := ReadMetrics(append(in, joined...))
	require.NoError(t, err)
	require.Len(t, got, 4)
	require.Equal(t, got[0], got[3])
	require.Equal(t, got[1], got[2])
	require.True(t, got[0].End.After(got[1].End))
	require.Equal(t, got[0].Start, got[1].Start)
}

func TestReadMetricsSkipsWhatIsNotOurs(t *testing.T) {
	w := newWorkload(t, 1)
	w.run(10)
	in := toOTLP(produce(t, NewProducer(w, WithFamilies(FamilyOtelprof, FamilyTempo))))
	want := readOne(t, in)
	foreign := &metricspb.ScopeMetrics{
		Scope:   &commonpb.InstrumentationScope{Name: "other"},
		Metrics: []*metricspb.Metric{{Name: sitePrefix + durationName}},
	}
	in[0].ScopeMetrics = append(in[0].ScopeMetrics, foreign, nil, &metricspb.ScopeMetrics{})
	in = append(in, nil, &metricspb.ResourceMetrics{})
	later := in[0].ScopeMetrics[0]
	later.Metrics = append(later.Metrics, nil, &metricspb.Metric{Name: "otelprof.of.a.later.version"})
	for _, m := range later.Metrics {
		for _, p := range numbers(m) {
			p.Attributes = append(p.Attributes, &commonpb.KeyValue{Key: "added.by.a.collector"}, nil)
		}
	}
	requireSameProfile(t, want, readOne(t, in))
	got, err := ReadMetrics(nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

// metricOf returns a metric of the only scope.
func metricOf(in []*metricspb.ResourceMetrics, name string) *metricspb.Metric {
	for _, m := range in[0].ScopeMetrics[0].Metrics {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func TestReadMetricsRefuses(t *testing.T) {
	number := func(in []*metricspb.ResourceMetrics, name string) *metricspb.NumberDataPoint {
		return numbers(metricOf(in, name))[0]
	}
	exponential := func(in []*metricspb.ResourceMetrics) *metricspb.ExponentialHistogramDataPoint {
		return metricOf(in, "otelprof.duration").GetExponentialHistogram().DataPoints[0]
	}
	set := func(p *metricspb.NumberDataPoint, key string, v *commonpb.AnyValue) {
		p.Attributes = append(slices.DeleteFunc(p.Attributes, func(kv *commonpb.KeyValue) bool { return kv.Key == key }), &commonpb.KeyValue{Key: key, Value: v})
	}
	text := func(s string) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
	integer := func(n int64) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
	}
	for name, c := range map[string]struct {
		change func([]*metricspb.ResourceMetrics)
		want   string
	}{
		"negative sum": {func(in []*metricspb.ResourceMetrics) {
			number(in, "otelprof.errors").Value = &metricspb.NumberDataPoint_AsInt{AsInt: -1}
		}, "value -1, want at least 0"},
		"floating sum": {func(in []*metricspb.ResourceMetrics) {
			number(in, "otelprof.calls").Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: 1}
		}, "not an integer"},
		"no value": {func(in []*metricspb.ResourceMetrics) { number(in, "otelprof.counter").Value = nil }, "not an integer"},
		"counter twice": {func(in []*metricspb.ResourceMetrics) {
			s := metricOf(in, "otelprof.counter").GetSum()
			s.DataPoints = append(s.DataPoints, s.DataPoints[0])
		}, `"spans" is there twice`},
		"counter without text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.counter"), string(counterKey), integer(1))
		}, "not a string"},
		"profile without text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.profile"), string(profileKey), nil)
		}, "not a string"},
		"track without text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.track.disabled"), string(trackKey), nil)
		}, "not a string"},
		"site without text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.calls"), string(spanNameKey), integer(1))
		}, "not a string"},
		"huge text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.calls"), string(spanNameKey), text(strings.Repeat("x", maxReadText+1)))
		}, "limit exceeded: more than 65536 bytes of a text"},
		"unknown kind": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.calls"), string(spanKindKey), text("SPAN_KIND_WEIRD"))
		}, "unknown kind"},
		"negative line": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.calls"), string(lineKey), integer(-1))
		}, "integer from 0"},
		"invalid UTF-8": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.profile"), string(profileKey), text("\xff"))
		}, "UTF-8"},
		"the same point twice": {func(in []*metricspb.ResourceMetrics) {
			s := metricOf(in, "otelprof.calls").GetSum()
			s.DataPoints = append(s.DataPoints, s.DataPoints[0])
		}, "two points"},
		"the same histogram twice": {func(in []*metricspb.ResourceMetrics) {
			h := metricOf(in, "otelprof.duration").GetExponentialHistogram()
			h.DataPoints = append(h.DataPoints, h.DataPoints[0])
		}, "two points"},
		"low resolution": {func(in []*metricspb.ResourceMetrics) { exponential(in).Scale = 5 }, "histogram of scale 5"},
		"negative durations": {func(in []*metricspb.ResourceMetrics) {
			exponential(in).Negative = &metricspb.ExponentialHistogramDataPoint_Buckets{BucketCounts: []uint64{1}}
		}, "negative values"},
		"NaN threshold": {func(in []*metricspb.ResourceMetrics) { exponential(in).ZeroThreshold = math.NaN() }, "zero threshold"},
		"offset":        {func(in []*metricspb.ResourceMetrics) { exponential(in).Positive.Offset = math.MaxInt32 }, "64 bits"},
		"no buckets":    {func(in []*metricspb.ResourceMetrics) { exponential(in).Positive = nil }, "observations"},
		"exemplar value": {func(in []*metricspb.ResourceMetrics) {
			exponential(in).Exemplars[0].Value = &metricspb.Exemplar_AsDouble{AsDouble: 1}
		}, "whole nanoseconds"},
		"exemplar id": {func(in []*metricspb.ResourceMetrics) { exponential(in).Exemplars[0].TraceId = []byte{1} }, "ids of 1 and 8 bytes"},
		"NaN squares": {func(in []*metricspb.ResourceMetrics) {
			number(in, "otelprof.duration.squares").Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: math.NaN()}
		}, "whole number"},
		"huge squares": {func(in []*metricspb.ResourceMetrics) {
			for _, p := range numbers(metricOf(in, "otelprof.duration.squares")) {
				p.Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: 0x1p128 - 0x1p75}
			}
		}, "more than 2^128"},
		"squares without a part": {func(in []*metricspb.ResourceMetrics) { number(in, "otelprof.duration.squares").Attributes = nil }, "without otelprof.part"},
		"squares of part 3": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.duration.squares"), string(partKey), integer(3))
		}, "integer from 0 to 2"},
		"too many calls": {func(in []*metricspb.ResourceMetrics) {
			number(in, "otelprof.calls").Value = &metricspb.NumberDataPoint_AsInt{AsInt: math.MaxInt64}
		}, "2^62"},
		"calls that are not in the histogram": {func(in []*metricspb.ResourceMetrics) {
			number(in, "otelprof.calls").Value = &metricspb.NumberDataPoint_AsInt{AsInt: 1 << 40}
		}, "observations, but"},
		"no profile": {func(in []*metricspb.ResourceMetrics) { metricOf(in, "otelprof.profile").Data = nil }, "has no otelprof.profile"},
		"no errors":  {func(in []*metricspb.ResourceMetrics) { metricOf(in, "otelprof.errors").Data = nil }, "has no errors: a part"},
		"no squares": {func(in []*metricspb.ResourceMetrics) {
			metricOf(in, "otelprof.duration.squares").Data = nil
		}, "has no duration.squares: a part"},
		"no last moments of nodes": {func(in []*metricspb.ResourceMetrics) {
			metricOf(in, "otelprof.node.seen.last").Data = nil
		}, "has no seen.last: a part"},
		"orphaned node": {func(in []*metricspb.ResourceMetrics) {
			for _, m := range in[0].ScopeMetrics[0].Metrics {
				for _, p := range numbers(m) {
					for _, kv := range p.Attributes {
						if kv.Key == string(parentKey) {
							kv.Value = text("abc")
						}
					}
				}
				for _, p := range m.GetExponentialHistogram().GetDataPoints() {
					for _, kv := range p.Attributes {
						if kv.Key == string(parentKey) {
							kv.Value = text("abc")
						}
					}
				}
			}
		}, "have no path to a root"},
		"node of two paths": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.node.calls"), string(parentKey), text("abc"))
		}, "of two paths"},
		"node zero": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.node.calls"), string(nodeKey), text("0"))
		}, "hexadecimal number above 0"},
		"node without text": {func(in []*metricspb.ResourceMetrics) {
			set(number(in, "otelprof.node.calls"), string(nodeKey), integer(5))
		}, "not a string"},
		"node without an id": {func(in []*metricspb.ResourceMetrics) { number(in, "otelprof.node.calls").Attributes = nil }, "without otelprof.node"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 3)
			w.SetTrackEnabled("off", false)
			w.Label(core.Site{Track: "off"})
			w.run(50)
			in := toOTLP(produce(t, NewProducer(w, WithCallTree())))
			good := readOne(t, in)
			c.change(in)
			got, err := ReadMetrics(append(in, toOTLP(produce(t, NewProducer(&fixed{good})))...))
			require.ErrorContains(t, err, c.want)
			require.Len(t, got, 1, "the good scope is returned")
		})
	}
}

func TestReadMetricsDepthLimit(t *testing.T) {
	s := &core.Snapshot{Start: time.Unix(1, 0), End: time.Unix(2, 0), Blocks: []core.Block{{Site: core.Site{Name: "recursion"}}}}
	for i := range maxReadDepth {
		s.Nodes = append(s.Nodes, core.Node{Parent: i - 1})
	}
	require.Len(t, readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}, WithCallTree())))).Nodes, maxReadDepth)
	s.Nodes = append(s.Nodes, core.Node{Parent: maxReadDepth - 1})
	_, err := ReadMetrics(toOTLP(produce(t, NewProducer(&fixed{s}, WithCallTree()))))
	require.ErrorIs(t, err, core.ErrDecodeLimit)
}

func TestReadMetricsBoundsItsErrors(t *testing.T) {
	bad := &metricspb.ScopeMetrics{
		Scope: &commonpb.InstrumentationScope{Name: MetricsScope},
		Metrics: []*metricspb.Metric{{Name: "otelprof.calls", Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{
			DataPoints: []*metricspb.NumberDataPoint{{}},
		}}}},
	}
	many := slices.Repeat([]*metricspb.ScopeMetrics{bad}, 1000)
	_, err := ReadMetrics([]*metricspb.ResourceMetrics{{ScopeMetrics: many}})
	require.ErrorContains(t, err, "and 992 other scopes")
	require.Less(t, len(err.Error()), 2000)
}

func TestReadMetricsBudget(t *testing.T) {
	calls := func(name string, n int) *metricspb.ScopeMetrics {
		sum := &metricspb.Sum{}
		for i := range n {
			sum.DataPoints = append(sum.DataPoints, &metricspb.NumberDataPoint{
				Value: &metricspb.NumberDataPoint_AsInt{AsInt: 1},
				Attributes: []*commonpb.KeyValue{{Key: string(nodeKey), Value: &commonpb.AnyValue{
					Value: &commonpb.AnyValue_StringValue{StringValue: fmt.Sprintf("%x", i+1)},
				}}, {Key: string(spanNameKey), Value: &commonpb.AnyValue{
					Value: &commonpb.AnyValue_StringValue{StringValue: fmt.Sprint(i)},
				}}},
			})
		}
		return &metricspb.ScopeMetrics{Metrics: []*metricspb.Metric{{Name: name, Data: &metricspb.Metric_Sum{Sum: sum}}}}
	}
	for _, name := range []string{"otelprof.calls", "otelprof.node.calls"} {
		_, err := readScope(calls(name, 10), &readBudget{blocks: 10, nodes: 10})
		require.NotErrorIs(t, err, core.ErrDecodeLimit)
		_, err = readScope(calls(name, 11), &readBudget{blocks: 10, nodes: 10})
		require.ErrorIs(t, err, core.ErrDecodeLimit)
	}
}

// FuzzReadMetrics feeds requests as they come over the wire. What is accepted is a profile, and is written and read again
// as the same.
func FuzzReadMetrics(f *testing.F) {
	a := observe(f)
	in := toOTLP(produce(f, NewProducer(a, WithCallTree())))
	scope := in[0].ScopeMetrics[0]
	for _, m := range scope.Metrics {
		m.Description, m.Unit = "", ""
	}
	for n := range len(scope.Metrics) + 1 {
		part := &metricspb.ScopeMetrics{Scope: scope.Scope, Metrics: scope.Metrics[:n]}
		data, err := proto.Marshal(&metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{ScopeMetrics: []*metricspb.ScopeMetrics{part}}}})
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in metricspb.MetricsData
		if proto.Unmarshal(data, &in) != nil {
			return
		}
		got, _ := ReadMetrics(in.ResourceMetrics)
		for _, s := range got {
			require.NoError(t, s.Validate())
			if !s.End.IsZero() {
				p := NewProducer(&fixed{s}, WithCallTree(), WithCardinalityLimit(maxReadNodes))
				requireSameProfile(t, s, readOne(t, toOTLP(produce(t, p))))
			}
		}
	})
}
