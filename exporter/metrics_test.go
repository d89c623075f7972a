package exporter

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/stichotrope/stichotrope-go/core"
)

var start = time.Unix(1_700_000_000, 0).UTC()

// observe returns an aggregator with two spans and a block of known durations.
func observe(t testing.TB) *core.Aggregator {
	a, err := core.New(core.Config{Name: "shop"})
	require.NoError(t, err)
	record(a, core.Site{Track: "http", Name: "GET /", Kind: core.KindServer, File: "a.go", Line: 1}, time.Millisecond, true, 1)
	record(a, core.Site{Track: "http", Name: "GET /", Kind: core.KindServer, File: "a.go", Line: 2}, 3*time.Millisecond, false, 2)
	record(a, core.Site{Track: "job", Name: "resize", Kind: core.KindBlock}, 2*time.Second, false, 0)
	return a
}

func record(a *core.Aggregator, s core.Site, d time.Duration, failed bool, span byte) {
	o := core.Observation{Start: start.UnixNano(), Duration: int64(d), Failed: failed, Sampled: span == 1}
	if span > 0 {
		o.Trace[15], o.Span[7] = span, span
	}
	a.Record(a.Label(s), &o)
}

func set(kvs ...string) attribute.Set {
	var list []attribute.KeyValue
	for i := 0; i < len(kvs); i += 2 {
		list = append(list, attribute.String(kvs[i], kvs[i+1]))
	}
	return attribute.NewSet(list...)
}

// values returns the points of an integer sum by their attributes.
func values(t testing.TB, scopes []metricdata.ScopeMetrics, name string) map[attribute.Set]int64 {
	t.Helper()
	out := map[attribute.Set]int64{}
	var points []metricdata.DataPoint[int64]
	switch data := find(scopes, name).(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	for _, p := range points {
		require.NotContains(t, out, p.Attributes, "%s has two points with the same attributes", name)
		out[p.Attributes] = p.Value
	}
	return out
}

func total(m map[attribute.Set]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func TestSpanMetricsFamilies(t *testing.T) {
	a := observe(t)
	got := produce(t, NewProducer(a, WithFamilies(FamilySpanMetrics, FamilyTempo, FamilySpanMetrics), WithServiceName("shop")))
	require.Len(t, got, 1)
	require.Equal(t, MetricsScope, got[0].Scope.Name)
	require.Len(t, got[0].Metrics, 5)

	server := []string{"service.name", "shop", "span.name", "GET /", "span.kind", "SPAN_KIND_SERVER"}
	internal := []string{"service.name", "shop", "span.name", "resize", "span.kind", "SPAN_KIND_INTERNAL"}
	require.Equal(t, map[attribute.Set]int64{
		set(append(server, "status.code", "STATUS_CODE_UNSET")...):   1,
		set(append(server, "status.code", "STATUS_CODE_ERROR")...):   1,
		set(append(internal, "status.code", "STATUS_CODE_UNSET")...): 1,
	}, values(t, got, "traces.span.metrics.calls"))
	h := find(got, "traces.span.metrics.duration").(metricdata.ExponentialHistogram[float64])
	require.Equal(t, metricdata.CumulativeTemporality, h.Temporality)
	require.Len(t, h.DataPoints, 2)
	p := h.DataPoints[0]
	require.Equal(t, set(server...), p.Attributes, "sites that differ in location are one series")
	require.Equal(t, uint64(2), p.Count)
	require.Equal(t, 4.0, p.Sum)
	require.Equal(t, metricdata.NewExtrema(1.0), p.Min)
	require.Equal(t, metricdata.NewExtrema(3.0), p.Max)
	require.Len(t, p.Exemplars, 1, "the slowest span is not sampled")
	require.Equal(t, 1.0, p.Exemplars[0].Value)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 1}, p.Exemplars[0].SpanID)
	require.Len(t, p.Exemplars[0].TraceID, 16)
	require.Empty(t, h.DataPoints[1].Exemplars)

	tempo := find(got, "traces_spanmetrics_latency").(metricdata.Histogram[float64])
	require.Equal(t, set("service", "shop", "span_name", "GET /", "span_kind", "SPAN_KIND_SERVER"), tempo.DataPoints[0].Attributes)
	require.Equal(t, 0.002, tempo.DataPoints[0].Bounds[0])
	require.Equal(t, 16.384, tempo.DataPoints[0].Bounds[13])
	require.Len(t, tempo.DataPoints[0].Bounds, 14)
	require.Equal(t, []uint64{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, tempo.DataPoints[0].BucketCounts)
	require.Equal(t, int64(3), total(values(t, got, "traces_spanmetrics_calls_total")))
	require.Equal(t, map[attribute.Set]int64{set("service", "shop"): 1}, values(t, got, "traces_target_info"))

	got = produce(t, NewProducer(a, WithFamilies(FamilyJaegerSPM), WithSeconds(), WithBuckets(time.Second), WithUnsampledExemplars(), nil))
	jaeger := find(got, "traces.span.metrics.duration").(metricdata.Histogram[float64])
	require.Equal(t, []float64{1}, jaeger.DataPoints[0].Bounds)
	require.Equal(t, []uint64{0, 1}, jaeger.DataPoints[1].BucketCounts)
	require.Equal(t, 0.004, jaeger.DataPoints[0].Sum)
	require.Len(t, jaeger.DataPoints[0].Exemplars, 2)
	got = produce(t, NewProducer(a, WithFamilies(FamilyJaegerSPM)))
	require.Len(t, find(got, "traces.span.metrics.duration").(metricdata.Histogram[float64]).DataPoints[0].Bounds, 16)
}

// TestSitesOfServices: in a profile of several services each site has its own, and those that name none have the producer's.
func TestSitesOfServices(t *testing.T) {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	for _, service := range []string{"bank", "", "bank", "shop", "cart"} {
		record(a, core.Site{Service: service, Name: "pay"}, time.Second, false, 0)
	}
	p := NewProducer(a, WithFamilies(FamilyOtelprof, FamilyTempo), WithServiceName("shop"))
	got := produce(t, p)
	require.Equal(t, map[attribute.Set]int64{set("service", "shop"): 1, set("service", "bank"): 1, set("service", "cart"): 1},
		values(t, got, "traces_target_info"))
	pay := func(service string) attribute.Set {
		return set("service", service, "span_name", "pay", "span_kind", "SPAN_KIND_UNSPECIFIED", "status_code", "STATUS_CODE_UNSET")
	}
	require.Equal(t, map[attribute.Set]int64{pay("shop"): 2, pay("bank"): 2, pay("cart"): 1},
		values(t, got, "traces_spanmetrics_calls_total"))
	require.Len(t, values(t, got, "otelprof.calls"), 4)
}

func TestOtelprofFamily(t *testing.T) {
	a := observe(t)
	a.SetTrackEnabled("job", false)
	got := produce(t, NewProducer(a))
	first := attribute.NewSet(
		attribute.String("otelprof.track", "http"), attribute.String("span.name", "GET /"),
		attribute.String("span.kind", "SPAN_KIND_SERVER"), attribute.String("code.file.path", "a.go"), attribute.Int("code.line.number", 1),
	)
	block := set("otelprof.track", "job", "span.name", "resize", "span.kind", "block")
	h := find(got, "otelprof.duration").(metricdata.ExponentialHistogram[int64])
	require.Equal(t, first, h.DataPoints[0].Attributes)
	require.Equal(t, block, h.DataPoints[2].Attributes)
	require.Equal(t, int64(2e9), h.DataPoints[2].Sum)
	require.Equal(t, int32(core.Scale), h.DataPoints[2].Scale)
	require.Equal(t, int64(1), values(t, got, "otelprof.errors")[first])
	require.Equal(t, int64(2e9), values(t, got, "otelprof.time.self")[block])
	require.Equal(t, int64(1e6), values(t, got, "otelprof.duration.min")[first])
	require.Equal(t, map[attribute.Set]int64{set("otelprof.profile", "shop"): 1}, values(t, got, "otelprof.profile"))
	require.Equal(t, map[attribute.Set]int64{set("otelprof.track", "job"): 1}, values(t, got, "otelprof.track.disabled"))
	require.Equal(t, int64(3), values(t, got, "otelprof.counter")[set("otelprof.counter", "spans")])
	require.Nil(t, find(got, "otelprof.bytes"), "nothing said how many")
	require.False(t, find(got, "otelprof.active").(metricdata.Sum[int64]).IsMonotonic)
	squares := find(got, "otelprof.duration.squares").(metricdata.Sum[float64])
	sum := 0.0
	for _, p := range squares.DataPoints {
		sum += p.Value
	}
	require.Equal(t, 1e12+9e12+4e18, sum)
	require.Equal(t, got, produce(t, NewProducer(&fixed{atEnd(a.Snapshot(), h.DataPoints[0].Time)})), "the order is always the same")
}

func atEnd(s *core.Snapshot, end time.Time) *core.Snapshot {
	out := *s
	out.End = end
	return &out
}

func TestShiftedHistogramKeepsQuantiles(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorkload(t, seed)
		w.run(40)
		for _, b := range w.Snapshot().Blocks {
			for _, u := range []timeUnit{millisecond, second} {
				shifted := u.shifted(b.Stats.Histogram)
				require.Equal(t, b.Stats.Histogram.Count(), shifted.Count())
				for _, q := range []float64{0.1, 0.5, 0.9} {
					want := b.Stats.Histogram.Quantile(q)
					require.InDelta(t, want, shifted.Quantile(q)*u.nanoseconds, 0.0054*want)
				}
			}
		}
	}
}

func TestMaxSize(t *testing.T) {
	a := observe(t)
	for name, c := range map[string]struct {
		options []ProducerOption
		scale   int32
	}{
		"2 buckets":  {[]ProducerOption{WithMaxSize(2)}, -4},
		"20 buckets": {[]ProducerOption{WithMaxSize(20)}, 0},
		"default":    {nil, 3},
	} {
		options := append([]ProducerOption{WithFamilies(FamilyOtelprof, FamilySpanMetrics)}, c.options...)
		merged := core.Merge(a.Snapshot())
		for i := range merged.Blocks {
			merged.Blocks[i].Site = core.Site{Name: "all", Line: i}
		}
		got := produce(t, NewProducer(&fixed{merged}, options...))
		h := find(got, "traces.span.metrics.duration").(metricdata.ExponentialHistogram[float64])
		p := h.DataPoints[0]
		require.Equal(t, c.scale, p.Scale, name)
		n := uint64(0)
		for _, count := range p.PositiveBucket.Counts {
			n += count
		}
		require.Equal(t, uint64(3), n)
	}
	_, err := ReadMetrics(toOTLP(produce(t, NewProducer(&fixed{oneWide(t)}, WithMaxSize(2)))))
	require.ErrorContains(t, err, "full resolution")
}

// oneWide returns a profile with one block of very different durations.
func oneWide(t testing.TB) *core.Snapshot {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	for d := time.Duration(1); d < time.Hour; d *= 10 {
		record(a, core.Site{Name: "wide"}, d, false, 0)
	}
	return a.Snapshot()
}

func TestTemporality(t *testing.T) {
	a := observe(t)
	cumulative := NewProducer(a, WithFamilies(FamilyOtelprof, FamilyTempo))
	delta := NewProducer(a, WithFamilies(FamilyOtelprof, FamilyTempo), WithTemporality(metricdata.DeltaTemporality))
	times := func(scopes []metricdata.ScopeMetrics) (time.Time, time.Time) {
		p := find(scopes, "otelprof.counter").(metricdata.Sum[int64]).DataPoints[0]
		return p.StartTime, p.Time
	}
	sums := map[string]int64{}
	site := core.Site{Track: "http", Name: "GET /", Kind: core.KindServer, File: "a.go", Line: 1}
	names := []string{"otelprof.calls", "otelprof.errors", "otelprof.time.total", "otelprof.time.self", "traces_spanmetrics_calls_total"}
	var lastEnd, began time.Time
	for round := range 5 {
		for range round * 3 {
			record(a, site, time.Duration(1+round)*time.Microsecond, round == 2, 3)
		}
		c, d := produce(t, cumulative), produce(t, delta)
		for _, name := range names {
			require.Equal(t, metricdata.DeltaTemporality, find(d, name).(metricdata.Sum[int64]).Temporality)
			sums[name] += total(values(t, d, name))
			require.Equal(t, total(values(t, c, name)), sums[name], "%s in round %d", name, round)
		}
		require.Equal(t, metricdata.CumulativeTemporality, find(d, "otelprof.active").(metricdata.Sum[int64]).Temporality)
		cStart, _ := times(c)
		dStart, dEnd := times(d)
		if round == 0 {
			began, lastEnd = cStart, dStart
		}
		require.Equal(t, began, cStart)
		require.Equal(t, lastEnd, dStart, "windows are adjacent")
		lastEnd = dEnd
	}

	for _, reset := range []func(){a.Reset, a.Clear} {
		reset()
		record(a, site, time.Second, false, 3)
		c, d := produce(t, cumulative), produce(t, delta)
		require.Equal(t, int64(1), total(values(t, c, "otelprof.calls")))
		require.Equal(t, int64(1), total(values(t, d, "otelprof.calls")), "everything since the reset")
		cStart, _ := times(c)
		dStart, _ := times(d)
		require.True(t, cStart.After(began), "a new start time")
		require.Equal(t, cStart, dStart)
		began = cStart
	}
}

func TestDeltaTellsThatNothingIsActiveAnyMore(t *testing.T) {
	site := core.Site{Name: "before the route was known"}
	at := func(second int64, blocks ...core.Block) *core.Snapshot {
		return &core.Snapshot{Start: start, End: start.Add(time.Duration(second) * time.Second), Blocks: blocks}
	}
	open := core.Block{Site: site, Stats: core.Stats{Active: 2}}
	p := NewProducer(&fixed{at(1, open), at(2, open), at(3), at(4)}, WithTemporality(metricdata.DeltaTemporality))
	key := set("otelprof.track", "", "span.name", site.Name, "span.kind", "SPAN_KIND_UNSPECIFIED")
	require.Equal(t, map[attribute.Set]int64{key: 2}, values(t, produce(t, p), "otelprof.active"))
	require.Equal(t, map[attribute.Set]int64{key: 2}, values(t, produce(t, p), "otelprof.active"))
	require.Equal(t, map[attribute.Set]int64{key: 0}, values(t, produce(t, p), "otelprof.active"))
	require.Empty(t, values(t, produce(t, p), "otelprof.active"))
}

func TestCardinalityLimit(t *testing.T) {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	site := func(i int) core.Site { return core.Site{Track: "t", Name: string(rune('a' + i))} }
	for i := range 8 {
		record(a, site(i), time.Duration(1+i)*time.Second, true, 0)
		record(a, core.OverflowSite, time.Second, false, 0)
	}
	p := NewProducer(a, WithCardinalityLimit(5), WithCallTree(), WithFamilies(FamilyOtelprof, FamilyTempo, FamilySpanMetrics))
	overflow := attribute.NewSet(attribute.Bool("otel.metric.overflow", true))
	before := map[string]map[attribute.Set]int64{}
	for range 4 {
		got := produce(t, p)
		for _, name := range []string{"otelprof.calls", "otelprof.node.calls", "traces_spanmetrics_calls_total", "traces.span.metrics.calls", "otelprof.time.total"} {
			now := values(t, got, name)
			require.LessOrEqual(t, len(now), 5, name)
			require.Contains(t, now, overflow, name)
			for key, value := range before[name] {
				require.GreaterOrEqual(t, now[key], value, "%s went down", name)
			}
			if name != "otelprof.time.total" {
				require.Equal(t, int64(a.Snapshot().Counters.Spans), total(now), name)
			}
			before[name] = now
		}
		s := a.Snapshot()
		read := readOne(t, toOTLP(got))
		require.Len(t, read.Blocks, 5)
		want, back := s.Total(), read.Total()
		require.Equal(t, exactPart(want), exactPart(back), "the sums are exact")
		// The least of all becomes the greatest, and new ones come.
		record(a, site(0), time.Hour, false, 0)
		record(a, site(len(s.Blocks)), time.Hour, false, 0)
	}
	require.Equal(t, int64(8e9), values(t, produce(t, p), "otelprof.time.total")[set("otelprof.track", "t", "span.name", "h", "span.kind", "SPAN_KIND_UNSPECIFIED")], "the greatest got points of their own")
	a.Clear()
	record(a, site(0), time.Hour, false, 0)
	require.NotContains(t, values(t, produce(t, p), "otelprof.calls"), overflow, "a cleared profile begins anew")
}

func TestCardinalityLimitCountsASeriesOnce(t *testing.T) {
	a := observe(t)
	p := NewProducer(a, WithCardinalityLimit(6))
	for range 10 {
		produce(t, p)
	}
	record(a, core.Site{Name: "fourth"}, time.Second, false, 0)
	record(a, core.Site{Name: "fifth"}, time.Second, false, 0)
	calls := values(t, produce(t, p), "otelprof.calls")
	require.Len(t, calls, 5)
	require.NotContains(t, calls, overflowSet, "there was room")
}

func TestCardinalityLimitKeepsNodesWithTheirParents(t *testing.T) {
	one := func(total uint64) core.Stats {
		i := int32(core.BucketIndex(total))
		return core.Stats{Count: 1, Total: total, Min: total, Max: total, SumSquares: core.Uint128{Lo: total * total}, Histogram: core.NewHistogram(0, []core.Bucket{{Index: i, Count: 1}})}
	}
	// The child outlives its parent.
	s := &core.Snapshot{
		Start: start, End: start.Add(1),
		Blocks: []core.Block{{Site: core.Site{Name: "child"}, Stats: one(1000)}, {Site: core.Site{Name: "parent"}, Stats: one(10)}},
		Nodes:  []core.Node{{Parent: -1, Block: 1, Stats: one(10)}, {Parent: 0, Block: 0, Stats: one(1000)}},
	}
	require.NoError(t, s.Validate())
	got := readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}, WithCallTree(), WithCardinalityLimit(2)))))
	require.Len(t, got.Nodes, 2)
	roots := []string{got.Site(got.Nodes[0]).Name, got.Site(got.Nodes[1]).Name}
	require.Equal(t, []string{"parent", core.OverflowName}, roots)
	require.Equal(t, -1, got.Nodes[1].Parent)
}

func TestInvalidTextIsMadeValid(t *testing.T) {
	s := &core.Snapshot{
		Names: []string{"\xff"}, DisabledTracks: []string{"\xfe"}, Start: start, End: start.Add(1),
		Blocks: []core.Block{{Site: core.Site{Name: "a\xff"}}, {Site: core.Site{Name: "a\xfe"}}},
	}
	got := readOne(t, toOTLP(produce(t, NewProducer(&fixed{s}))))
	require.Equal(t, []string{"\uFFFD"}, got.Names)
	require.Equal(t, []string{"\uFFFD"}, got.DisabledTracks)
	require.Len(t, got.Blocks, 1, "what looks the same is one series")
}

func TestProduceOfNothing(t *testing.T) {
	require.Empty(t, produce(t, NewProducer(&fixed{nil})))
	require.Empty(t, produce(t, NewProducer(&fixed{{}})))
	for _, empty := range []*core.Snapshot{{Start: start, End: start.Add(1)}, {End: start}} {
		requireSameProfile(t, empty, readOne(t, toOTLP(produce(t, NewProducer(&fixed{empty}, WithCallTree())))))
	}
}

func TestProduceWithADoneContextLosesNothing(t *testing.T) {
	a := observe(t)
	p := NewProducer(a, WithTemporality(metricdata.DeltaTemporality))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := p.Produce(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, got)
	require.Equal(t, int64(3), total(values(t, produce(t, p), "otelprof.calls")))
}

func TestBadOptionsAreReported(t *testing.T) {
	p := NewProducer(observe(t), WithFamilies(Family(9)), WithTemporality(9), WithMaxSize(1), WithCardinalityLimit(1), WithBuckets(0))
	got, err := p.Produce(t.Context())
	for _, want := range []string{"family(9)", "temporality", "MaxSize 1", "cardinality limit 1", "bucket bound 0s"} {
		require.ErrorContains(t, err, want)
	}
	require.NotNil(t, find(got, "otelprof.calls"), "there are metrics all the same")
	_, err = NewProducer(observe(t), WithFamilies(FamilySpanMetrics, FamilyJaegerSPM)).Produce(t.Context())
	require.ErrorContains(t, err, "the families spanmetrics and jaeger share their names")
	require.Equal(t, "otelprof tempo", FamilyOtelprof.String()+" "+FamilyTempo.String())
}

func TestSummandsAreExact(t *testing.T) {
	for _, n := range []core.Uint128{{Lo: 1}, {Lo: math.MaxUint64}, {Hi: 1<<42 - 1, Lo: math.MaxUint64}, {Hi: 1 << 42}, {Hi: math.MaxUint64, Lo: math.MaxUint64}} {
		s := &core.Snapshot{Start: start, End: start.Add(1), Blocks: []core.Block{{Stats: core.Stats{
			Count: 1, Total: 1, Min: 1, Max: 1, SumSquares: n, Histogram: core.NewHistogram(0, []core.Bucket{{Index: -1, Count: 1}}),
		}, Pending: 1}}}
		require.Equal(t, n, readOne(t, toOTLP(produce(t, NewProducer(&fixed{s})))).Blocks[0].Stats.SumSquares)
	}
}

func TestProducerConcurrentSafe(t *testing.T) {
	a := observe(t)
	p := NewProducer(a, WithTemporality(metricdata.DeltaTemporality), WithFamilies(FamilyOtelprof, FamilyTempo), WithCardinalityLimit(3))
	var mu sync.Mutex
	var calls int64
	collect := func() {
		got, err := p.Produce(context.Background())
		mu.Lock()
		defer mu.Unlock()
		require.NoError(t, err)
		calls += total(values(t, got, "otelprof.calls"))
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				record(a, core.Site{Name: string(rune('a' + i))}, time.Millisecond, false, 0)
			}
		})
		wg.Go(func() {
			for range 5 {
				collect()
			}
		})
	}
	wg.Wait()
	collect()
	require.Equal(t, int64(203), calls)
}
