package otelprof_test

import (
	"bytes"
	"context"
	"errors"
	rtrace "runtime/trace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

func newProfiler(t testing.TB, options ...otelprof.Option) *otelprof.Profiler {
	t.Helper()
	p, err := otelprof.New(options...)
	require.NoError(t, err)
	return p
}

// profiled returns a profiler and a tracer of a provider that samples nothing.
func profiled(t testing.TB, options ...otelprof.Option) (*otelprof.Profiler, trace.Tracer) {
	t.Helper()
	p := newProfiler(t, options...)
	return p, sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.NeverSample())...).Tracer("app")
}

// total returns the statistics of all blocks with a name, wherever they start.
func total(s *core.Snapshot, name string) core.Stats {
	var sum core.Stats
	for _, b := range s.Blocks {
		if b.Site.Name == name {
			sum = sum.Merge(b.Stats)
		}
	}
	return sum
}

// nodeAt returns the node with a path of names, or nil.
func nodeAt(s *core.Snapshot, names ...string) *core.Node {
	for i := range s.Nodes {
		path := s.Path(i)
		same := len(path) == len(names)
		for k := range path {
			same = same && path[k].Name == names[k]
		}
		if same {
			return &s.Nodes[i]
		}
	}
	return nil
}

func check(t testing.TB, s *core.Snapshot) *core.Snapshot {
	t.Helper()
	require.NoError(t, s.Validate())
	return s
}

// With a sampler of 1 % every span is counted, and the exporter gets exactly those that are sampled.
func TestEverySpanIsCountedAndTheSampledOnesAreExported(t *testing.T) {
	const traces = 20_000
	p := newProfiler(t)
	exporter := tracetest.NewInMemoryExporter()
	sampler := sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01))
	tp := sdktrace.NewTracerProvider(append(p.TracerProviderOptions(sampler), sdktrace.WithSyncer(exporter))...)
	tracer := tp.Tracer("app")
	sampled := map[trace.SpanID]bool{}
	for range traces {
		ctx, root := tracer.Start(context.Background(), "root")
		_, child := tracer.Start(ctx, "child")
		for _, s := range []trace.Span{child, root} {
			require.True(t, s.IsRecording())
			if s.SpanContext().IsSampled() {
				sampled[s.SpanContext().SpanID()] = true
			}
			s.End()
		}
	}
	exported := exporter.GetSpans()
	require.Len(t, exported, len(sampled))
	for _, s := range exported {
		require.True(t, sampled[s.SpanContext.SpanID()])
	}
	require.Greater(t, len(sampled), traces/100)
	require.Less(t, len(sampled), 6*traces/100)
	s := check(t, p.Snapshot())
	require.EqualValues(t, traces, nodeAt(s, "root").Stats.Count)
	require.EqualValues(t, traces, nodeAt(s, "root", "child").Stats.Count)
	require.EqualValues(t, 2*traces, s.Counters.Spans)
}

// A processor sees what the sampler lets through: RecordOnly counts, Drop is invisible, and the children of what was
// dropped are roots.
func TestRecordOnlyAndDrop(t *testing.T) {
	for decision, want := range map[sdktrace.SamplingDecision]uint64{
		sdktrace.Drop: 0, sdktrace.RecordOnly: 1, sdktrace.RecordAndSample: 1,
	} {
		p := newProfiler(t)
		tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithSampler(decide{"parent": decision}))
		ctx, parent := tp.Tracer("app").Start(context.Background(), "parent")
		_, child := tp.Tracer("app").Start(ctx, "child")
		child.End()
		parent.End()
		s := check(t, p.Snapshot())
		require.Equal(t, want, total(s, "parent").Count)
		require.EqualValues(t, 1, total(s, "child").Count)
		require.Equal(t, want == 0, nodeAt(s, "child") != nil)
		require.Equal(t, want == 1, nodeAt(s, "parent", "child") != nil)
		require.EqualValues(t, 1-want, s.Counters.Detached)
	}
}

type decide map[string]sdktrace.SamplingDecision

func (d decide) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	decision, ok := d[p.Name]
	if !ok {
		decision = sdktrace.RecordAndSample
	}
	return sdktrace.SamplingResult{Decision: decision}
}
func (decide) Description() string { return "by name" }

// The slowest span is the exemplar also where the ids of a span are read only if they are needed.
func TestSlowestWithStatisticsOnly(t *testing.T) {
	for _, fast := range []bool{true, false} {
		p, tracer := profiled(t, append([]otelprof.Option{otelprof.WithFastAccess(fast)}, statisticsOnly...)...)
		start := time.Now()
		var slowest trace.SpanContext
		for _, ms := range []time.Duration{5, 3, 9, 2, 9, 1} {
			_, span := tracer.Start(context.Background(), "work", trace.WithTimestamp(start))
			span.End(trace.WithTimestamp(start.Add(ms * time.Millisecond)))
			if start = start.Add(time.Second); ms == 9 {
				slowest = span.SpanContext() // of equals the later one
			}
		}
		got := total(check(t, p.Snapshot()), "work").Slowest
		require.EqualValues(t, 9*time.Millisecond, got.Duration)
		require.Equal(t, slowest.TraceID(), trace.TraceID(got.Trace))
		require.Equal(t, slowest.SpanID(), trace.SpanID(got.Span))
	}
}

// A processor that is registered while spans are open counts their ends, as roots; one that is unregistered is shut
// down by the SDK and keeps what it has.
func TestRegisteredAndUnregisteredWhileSpansAreOpen(t *testing.T) {
	p := newProfiler(t)
	tp := sdktrace.NewTracerProvider()
	tracer := tp.Tracer("app")
	ctx, before := tracer.Start(context.Background(), "before")
	tp.RegisterSpanProcessor(p)
	ctx2, child := tracer.Start(ctx, "child")
	_, grandchild := tracer.Start(ctx2, "grandchild")
	grandchild.End()
	child.End()
	before.SetStatus(codes.Error, "")
	before.End()
	s := check(t, p.Snapshot())
	require.EqualValues(t, 1, s.Counters.Unstarted)
	require.EqualValues(t, 1, s.Counters.Detached)
	require.Equal(t, nodeAt(s, "before").Stats.Total, nodeAt(s, "before").Stats.Self)
	require.EqualValues(t, 1, nodeAt(s, "before").Stats.Errors)
	require.NotNil(t, nodeAt(s, "child", "grandchild"))

	_, open := tracer.Start(context.Background(), "open")
	tp.UnregisterSpanProcessor(p)
	open.End()
	_, after := tracer.Start(context.Background(), "after")
	after.End()
	s = check(t, p.Snapshot())
	require.EqualValues(t, 3, s.Counters.Spans)
	require.Zero(t, total(s, "after").Count)
}

// A profiler that is registered twice counts every span once, all the same.
func TestRegisteredTwice(t *testing.T) {
	p := newProfiler(t)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithSpanProcessor(p))
	ctx, root := tp.Tracer("app").Start(context.Background(), "root")
	for range 100 {
		_, child := tp.Tracer("app").Start(ctx, "child")
		child.End()
	}
	root.End()
	s := check(t, p.Snapshot())
	require.EqualValues(t, 101, s.Counters.Spans)
	require.EqualValues(t, 100, nodeAt(s, "root", "child").Stats.Count)
	require.Zero(t, total(s, "root").Active)
}

// TestStichotrope06_ProfilersDoNotMix: profilers and providers side by side, each with all of its own spans and no
// others, a profiler with two providers, and a trace that crosses providers.
func TestStichotrope06_ProfilersDoNotMix(t *testing.T) {
	const n = 8
	profilers, tracers := make([]*otelprof.Profiler, n), make([]trace.Tracer, n)
	shared := newProfiler(t, otelprof.WithName("shared"))
	for i := range n {
		profilers[i] = newProfiler(t)
		tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(profilers[i]), sdktrace.WithSpanProcessor(shared))
		tracers[i] = tp.Tracer("app")
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for range 100 * (i + 1) {
				ctx, span := tracers[i].Start(context.Background(), "work")
				_, child := tracers[(i+1)%n].Start(ctx, "elsewhere")
				child.End()
				span.End()
				profilers[i].Block(context.Background(), "app", "block").End()
			}
		})
	}
	all.Wait()
	for i, p := range profilers {
		s := check(t, p.Snapshot())
		require.EqualValues(t, 100*(i+1), total(s, "work").Count)
		require.EqualValues(t, 100*(i+1), total(s, "block").Count)
		require.EqualValues(t, 100*((i+n-1)%n+1), total(s, "elsewhere").Count)
	}
	s := check(t, shared.Snapshot())
	require.EqualValues(t, 100*n*(n+1)/2, nodeAt(s, "work").Stats.Count)
	require.EqualValues(t, 100*n*(n+1)/2, nodeAt(s, "work", "elsewhere").Stats.Count)
	require.Zero(t, total(s, "block").Count)
	require.Equal(t, "shared", s.Name())
}

// While the execution tracer runs, the SDK can end a span twice that is ended by two goroutines at once. It counts once.
func TestExecutionTracerConcurrentSafe(t *testing.T) {
	if err := rtrace.Start(&bytes.Buffer{}); err != nil {
		t.Skip("the execution tracer is in use: ", err)
	}
	defer rtrace.Stop()
	for name, options := range map[string][]otelprof.Option{
		"default":    nil,
		"statistics": statisticsOnly,
	} {
		p, tracer := profiled(t, options...)
		const spans = 2000
		for range spans {
			_, span := tracer.Start(context.Background(), "span")
			var ends sync.WaitGroup
			for range 2 {
				ends.Go(func() { span.End() })
			}
			ends.Wait()
		}
		s := check(t, p.Snapshot())
		require.EqualValues(t, spans, s.Counters.Spans, name)
		require.EqualValues(t, spans, total(s, "span").Count, name)
	}
}

var globalTracerUsed atomic.Bool

// Tracers that were made by the global provider before it had a delegate are profiled with the user's call site.
func TestGlobalTracer(t *testing.T) {
	if globalTracerUsed.Swap(true) {
		t.Skip("the global provider takes one delegate in the life of a process")
	}
	before := otel.GetTracerProvider()
	defer otel.SetTracerProvider(before)
	early := otel.Tracer("early")
	p := newProfiler(t)
	otel.SetTracerProvider(sdktrace.NewTracerProvider(p.TracerProviderOptions(nil)...))
	for _, tracer := range []trace.Tracer{early, otel.Tracer("late")} {
		_, span := tracer.Start(context.Background(), "global")
		span.End()
	}
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, 2)
	for i, track := range []string{"early", "late"} {
		require.Equal(t, track, s.Blocks[i].Site.Track)
		require.Contains(t, s.Blocks[i].Site.Function, "TestGlobalTracer")
		require.Contains(t, s.Blocks[i].Site.File, "processor_test.go")
		require.EqualValues(t, 1, s.Blocks[i].Stats.Count)
	}
}

// The code.* attributes are the call site, the stable ones before the deprecated ones in whatever order they come.
func TestCodeAttributes(t *testing.T) {
	stable := []attribute.KeyValue{
		attribute.String("code.function.name", "shop.(*Cart).Add"), attribute.String("code.file.path", "/src/cart.go"),
		attribute.Int("code.line.number", 12),
	}
	deprecated := []attribute.KeyValue{
		attribute.String("code.namespace", "shop"), attribute.String("code.function", "Add"),
		attribute.String("code.filepath", "cart.go"), attribute.Int("code.lineno", 13),
	}
	join := func(lists ...[]attribute.KeyValue) (all []attribute.KeyValue) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	want := core.Site{Track: "app", Name: "span", Kind: core.KindInternal, Function: "shop.(*Cart).Add", File: "/src/cart.go", Line: 12}
	old := core.Site{Track: "app", Name: "span", Kind: core.KindInternal, Function: "shop.Add", File: "cart.go", Line: 13}
	plain := core.Site{Track: "app", Name: "span", Kind: core.KindInternal}
	with := func(s core.Site, change func(*core.Site)) core.Site {
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		attributes []attribute.KeyValue
		want       core.Site
	}{
		"stable":                   {stable, want},
		"deprecated":               {deprecated, old},
		"stable, deprecated":       {join(stable, deprecated), want},
		"deprecated, stable":       {join(deprecated, stable), want},
		"no namespace":             {deprecated[1:2], with(plain, func(s *core.Site) { s.Function = "Add" })},
		"a namespace alone":        {deprecated[:1], plain},
		"a line alone":             {stable[2:], plain},
		"function, others' file":   {join(stable[:1], deprecated[2:]), with(want, func(s *core.Site) { s.File, s.Line = "cart.go", 13 })},
		"nothing":                  {nil, plain},
		"other keys":               {[]attribute.KeyValue{attribute.String("code", "x"), attribute.String("code.", "y"), attribute.String("code.stacktrace", "z")}, plain},
		"a line below 0":           {join(stable[:2], []attribute.KeyValue{attribute.Int("code.line.number", -5)}), with(want, func(s *core.Site) { s.Line = 0 })},
		"a huge line":              {join(stable[:2], []attribute.KeyValue{attribute.Int64("code.line.number", 1<<40)}), with(want, func(s *core.Site) { s.Line = 0 })},
		"a line that is no number": {join(stable[:2], []attribute.KeyValue{attribute.Float64("code.line.number", 12)}), with(want, func(s *core.Site) { s.Line = 0 })},
		"a function that is none":  {[]attribute.KeyValue{attribute.Int("code.function.name", 1)}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			p, tracer := profiled(t, otelprof.WithCallSite(otelprof.CallSiteAttributes))
			_, span := tracer.Start(context.Background(), "span")
			span.SetAttributes(c.attributes...)
			span.End()
			s := check(t, p.Snapshot())
			require.Len(t, s.Blocks, 1)
			require.Equal(t, c.want, s.Blocks[0].Site)
		})
	}
}

// Attributes win over the stack, and without them the stack tells; every mode and access says the same.
func TestCallSiteModes(t *testing.T) {
	for _, fast := range []bool{true, false} {
		for _, mode := range []otelprof.CallSiteMode{
			otelprof.CallSiteAuto, otelprof.CallSiteCallers, otelprof.CallSiteAttributes, otelprof.CallSiteOff,
		} {
			p, tracer := profiled(t, otelprof.WithCallSite(mode), otelprof.WithFastAccess(fast))
			_, span := tracer.Start(context.Background(), "with", trace.WithAttributes(attribute.String("code.function.name", "f")))
			span.End()
			_, span = tracer.Start(context.Background(), "without")
			span.End()
			s := check(t, p.Snapshot())
			require.Len(t, s.Blocks, 2)
			with, without := s.Blocks[0].Site, s.Blocks[1].Site
			require.Equal(t, mode != otelprof.CallSiteOff, with.Function == "f", mode)
			require.Empty(t, with.File, mode)
			stack := mode == otelprof.CallSiteAuto || mode == otelprof.CallSiteCallers
			require.Equal(t, stack, without.Line > 0, mode)
		}
	}
}

// What the options leave out is left out, and the rest is as it was.
func TestWithoutSelfTimeAndTree(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, self := range []bool{true, false} {
		for _, tree := range []bool{true, false} {
			p, tracer := profiled(t, otelprof.WithSelfTime(self), otelprof.WithCallTree(tree), otelprof.WithCallSite(otelprof.CallSiteOff))
			ctx, root := tracer.Start(context.Background(), "root", trace.WithTimestamp(at))
			_, child := tracer.Start(ctx, "child", trace.WithTimestamp(at.Add(10)))
			child.End(trace.WithTimestamp(at.Add(30)))
			root.End(trace.WithTimestamp(at.Add(100)))
			s := check(t, p.Snapshot())
			want := uint64(100)
			if self {
				want = 80
			}
			require.Equal(t, want, total(s, "root").Self, "self %v, tree %v", self, tree)
			require.EqualValues(t, 100, total(s, "root").Total)
			require.EqualValues(t, 20, total(s, "child").Self)
			if tree {
				require.NotNil(t, nodeAt(s, "root", "child"))
			} else {
				require.Empty(t, s.Nodes)
			}
		}
	}
}

// Self times are kept one by one where they are asked for: those of spans, of blocks, and of what is recorded at once.
func TestWithSelfHistograms(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, options := range [][]otelprof.Option{nil, {otelprof.WithCallTree(false)}, statisticsOnly} {
		for _, on := range []bool{false, true} {
			p, tracer := profiled(t, append(options, otelprof.WithSelfHistograms(on))...)
			for i := range 3 {
				ctx, root := tracer.Start(context.Background(), "root", trace.WithTimestamp(at))
				_, child := tracer.Start(ctx, "child", trace.WithTimestamp(at.Add(10)))
				child.End(trace.WithTimestamp(at.Add(30)))
				p.Block(ctx, "app", "block").End()
				root.End(trace.WithTimestamp(at.Add(100 << i)))
			}
			s := check(t, p.Snapshot())
			for _, b := range s.Blocks {
				require.Equal(t, on, b.Stats.SelfHistogram != nil, "%v", b.Site)
				if on {
					require.Equal(t, b.Stats.Count, b.Stats.SelfHistogram.Count())
				}
			}
			if root := total(s, "root"); on {
				want := []float64{80, 180, 380} // the block took its time in other days
				if root.Self == root.Total {
					want = []float64{100, 200, 400} // self times are not measured
				}
				for i, q := range []float64{0, 0.5, 1} {
					require.InEpsilon(t, want[i], root.SelfQuantile(q), 0.0055)
				}
			}
		}
	}
}

// The track is what the user's function says, also for spans that are open.
func TestWithTrack(t *testing.T) {
	p, tracer := profiled(t, otelprof.WithTrack(func(s sdktrace.ReadOnlySpan) string { return "track of " + s.Name() }))
	ctx, open := tracer.Start(context.Background(), "open")
	_, span := tracer.Start(ctx, "ended")
	span.End()
	s := check(t, p.Snapshot())
	require.Equal(t, "track of ended", s.Blocks[0].Site.Track)
	require.EqualValues(t, 1, s.Blocks[0].Stats.Count)
	require.Equal(t, "track of open", s.Blocks[1].Site.Track)
	require.EqualValues(t, 1, s.Blocks[1].Stats.Active)
	open.End()
}

// ForceFlush has nothing to do; Shutdown may come any number of times, at once and with a cancelled context, and leaves
// the profile readable.
func TestShutdownConcurrentSafe(t *testing.T) {
	p := newProfiler(t)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
	_, span := tp.Tracer("app").Start(context.Background(), "span")
	span.End()
	_, open := tp.Tracer("app").Start(context.Background(), "open")
	block := p.Block(context.Background(), "app", "block")
	cancelled, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if i%2 == 0 {
				require.NoError(t, p.ForceFlush(cancelled))
			}
			require.NoError(t, p.Shutdown(cancelled))
			check(t, p.Snapshot())
		})
	}
	all.Wait()
	require.ErrorIs(t, tp.Shutdown(cancelled), context.Canceled) // what the SDK says of the context
	open.End()
	block.End()
	p.Block(context.Background(), "app", "block").End()
	p.Site("app", "site").Start().End()
	s := check(t, p.Snapshot())
	require.EqualValues(t, 1, s.Counters.Spans)
	require.EqualValues(t, 1, total(s, "span").Count)
}
