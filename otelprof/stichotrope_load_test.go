package otelprof_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// size returns n, or less of it under the race detector.
func size(n, underRace int) int {
	if raceEnabled {
		return underRace
	}
	return n
}

// idle is a processor that does nothing: what a span costs anyway.
type idle struct{}

func (idle) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (idle) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (idle) Shutdown(context.Context) error                  { return nil }
func (idle) ForceFlush(context.Context) error                { return nil }

// BenchmarkStichotrope04_GoroutinesDoNotWait measures how often goroutines that measure different things at the same time
// wait for a lock of ours. A lock that all share would be found taken all the time; that there is none is proved with the
// locks of package core.
func BenchmarkStichotrope04_GoroutinesDoNotWait(b *testing.B) {
	p, _ := profiled(b)
	before := runtime.SetMutexProfileFraction(1)
	defer runtime.SetMutexProfileFraction(before)
	waits := waitsIn("stichotrope-go/core.")
	var goroutines atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		tp := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.NeverSample())...)
		tracer := tp.Tracer(fmt.Sprint("app ", goroutines.Add(1)))
		for pb.Next() {
			_, span := tracer.Start(context.Background(), "span")
			span.End()
		}
	})
	b.ReportMetric(float64(waitsIn("stichotrope-go/core.")-waits)/float64(b.N), "waits/op")
}

// waitsIn returns how often goroutines have waited for a lock in functions with the name.
func waitsIn(name string) (waits int64) {
	var records []runtime.BlockProfileRecord
	n, ok := runtime.MutexProfile(nil)
	for !ok {
		records = make([]runtime.BlockProfileRecord, n+50)
		n, ok = runtime.MutexProfile(records)
	}
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if strings.Contains(f.Function, name) {
				waits += r.Count
				break
			}
			if !more {
				break
			}
		}
	}
	return waits
}

// A million goroutines, each with one span: all of them count, and nothing of them stays.
func TestStichotrope17_ManyShortGoroutines(t *testing.T) {
	goroutines := size(1_000_000, 50_000)
	p, tracer := profiled(t)
	const atOnce = 100
	run := func(n int) {
		for range n / atOnce {
			var all sync.WaitGroup
			for range atOnce {
				all.Go(func() { lasting(tracer, "short", 1) })
			}
			all.Wait()
		}
	}
	run(goroutines / 10)
	before := heap()
	run(goroutines / 10 * 9)
	require.Less(t, heap()-before, int64(1<<20), "bytes that stay")
	s := check(t, p.Snapshot())
	require.EqualValues(t, goroutines, total(s, "short").Count)
	require.Len(t, s.Nodes, 1)
}

// Ten thousand goroutines at work while snapshots are taken.
func TestStichotrope18_ManyGoroutines(t *testing.T) {
	goroutines := size(10_000, 2_000)
	const each = 20
	p, tracer := profiled(t)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				ctx, root := tracer.Start(context.Background(), "root")
				_, child := tracer.Start(ctx, "child")
				runtime.Gosched()
				child.End()
				root.End()
			}
		})
	}
	for range 10 {
		check(t, p.Snapshot())
	}
	all.Wait()
	s := check(t, p.Snapshot())
	require.EqualValues(t, goroutines*each, nodeAt(s, "root").Stats.Count)
	require.EqualValues(t, goroutines*each, nodeAt(s, "root", "child").Stats.Count)
}

// BenchmarkStichotrope18_Snapshot measures a snapshot of 1 000 sites while 10 000 goroutines have a span open.
func BenchmarkStichotrope18_Snapshot(b *testing.B) {
	p, tracer := profiled(b)
	for i := range 1000 {
		lasting(tracer, fmt.Sprint("site ", i), time.Duration(i))
	}
	var all, started sync.WaitGroup
	end := make(chan struct{})
	for range 10_000 {
		started.Add(1)
		all.Go(func() {
			_, span := tracer.Start(context.Background(), "open")
			started.Done()
			<-end
			span.End()
		})
	}
	started.Wait()
	for b.Loop() {
		p.Snapshot()
	}
	close(end)
	all.Wait()
}

// A hundred thousand measurements in a row. What one costs is for the benchmarks.
func TestStichotrope19_ManyMeasurements(t *testing.T) {
	const n = 100_000
	p, tracer := profiled(t)
	site := p.Site("app", "site")
	var sum time.Duration
	for i := range n {
		lasting(tracer, "span", time.Duration(i))
		p.Block(context.Background(), "app", "block").End()
		site.Start().End()
		sum += time.Duration(i)
	}
	s := check(t, p.Snapshot())
	for _, name := range []string{"span", "block", "site"} {
		require.EqualValues(t, n, total(s, name).Count, name)
	}
	require.EqualValues(t, sum, total(s, "span").Total)
}

// 64 goroutines, 1 000 sites, 1 000 000 spans: every site has its own, exactly.
func TestStichotrope20_CombinedStress(t *testing.T) {
	const goroutines, sites = 64, 1000
	spans := size(1_000_000, 64_000)
	p, tracer := profiled(t)
	names := make([]string, sites)
	for i := range names {
		names[i] = fmt.Sprint("site ", i)
	}
	want := make([][sites]uint64, goroutines)
	done := make(chan struct{})
	var all, watch sync.WaitGroup
	watch.Go(func() {
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			check(t, p.Snapshot())
		}
	})
	for g := range goroutines {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 20))
			for range spans / goroutines {
				i := r.IntN(sites)
				want[g][i]++
				lasting(tracer, names[i], time.Duration(i))
			}
		})
	}
	all.Wait()
	close(done)
	watch.Wait()
	s := check(t, p.Snapshot())
	require.EqualValues(t, spans/goroutines*goroutines, s.Counters.Spans)
	require.Len(t, s.Blocks, sites)
	for i, name := range names {
		var n uint64
		for g := range goroutines {
			n += want[g][i]
		}
		require.Equal(t, n, total(s, name).Count, name)
	}
}

// A session that goes on: the heap reaches a plateau and no goroutine stays. STICHOTROPE_SOAK says how long, such as
// "1h"; by default it is a moment.
func TestStichotrope21_LongSession(t *testing.T) {
	duration := time.Second
	if text := os.Getenv("STICHOTROPE_SOAK"); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	p, tracer := profiled(t)
	goroutines := pprof.Lookup("goroutine").Count()
	round := func(until time.Time) (spans uint64) {
		for time.Now().Before(until) {
			for i := range 100 {
				ctx, root := tracer.Start(context.Background(), fmt.Sprint("root ", i%50))
				b := p.Block(ctx, "app", "block")
				_, child := tracer.Start(b.Context(), "child")
				child.End()
				b.End()
				root.End()
				spans += 3
			}
			p.Snapshot()
		}
		return spans
	}
	spans := round(time.Now().Add(duration / 4))
	before := heap()
	spans += round(time.Now().Add(duration))
	require.Less(t, heap()-before, int64(1<<20), "bytes that stay")
	require.LessOrEqual(t, pprof.Lookup("goroutine").Count(), goroutines)
	require.Equal(t, spans, check(t, p.Snapshot()).Counters.Spans)
}

// A span allocates what it allocates with a processor that does nothing; blocks and sites allocate nothing.
func TestStichotrope22_NoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	spans := func(p sdktrace.SpanProcessor) float64 {
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("app")
		return testing.AllocsPerRun(1000, func() {
			ctx, root := tracer.Start(context.Background(), "root")
			for range 3 {
				ctx, child := tracer.Start(ctx, "child", trace.WithSpanKind(trace.SpanKindClient))
				_, leaf := tracer.Start(ctx, "leaf")
				leaf.End()
				child.End()
			}
			root.End()
		})
	}
	want := spans(idle{})
	for name, options := range map[string][]otelprof.Option{
		"default":    nil,
		"accessors":  {otelprof.WithFastAccess(false)},
		"fast":       {otelprof.WithFastAccess(true)},
		"callers":    {otelprof.WithCallSite(otelprof.CallSiteCallers)},
		"statistics": statisticsOnly,
		"no tree":    {otelprof.WithCallTree(false)},
		"self times": {otelprof.WithSelfHistograms(true)},
		"off":        {otelprof.WithEnabled(false)},
	} {
		require.Equal(t, want, spans(newProfiler(t, options...)), name)
	}
	for _, selfTimes := range []bool{false, true} {
		requireBlocksWithoutAllocations(t, otelprof.WithSelfHistograms(selfTimes))
	}
}

func requireBlocksWithoutAllocations(t *testing.T, options ...otelprof.Option) {
	p, tracer := profiled(t, options...)
	site := p.Site("app", "site")
	ctx, span := tracer.Start(context.Background(), "around")
	for name, f := range map[string]func(){
		"a block":             func() { p.Block(context.Background(), "app", "block").End() },
		"a block in a span":   func() { p.Block(ctx, "app", "block").End() },
		"a block with bytes":  func() { b := p.Block(ctx, "app", "block"); b.AddBytes(1); b.End() },
		"a site":              func() { site.Start().End() },
		"a site with bytes":   func() { site.Start().EndBytes(10) },
		"a block that is off": func() { (*otelprof.Profiler)(nil).Block(ctx, "app", "block").End() },
	} {
		require.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
	span.End()
}

// A site that was observed often has at most 4 KiB, a span that is open at most 1 KiB beside the SDK's.
func TestStichotrope24_Memory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	t.Run("site", func(t *testing.T) {
		const sites, observations = 40, 1_000_000
		p, tracer := profiled(t)
		names := make([]string, sites)
		for i := range names {
			names[i] = fmt.Sprint("site ", i)
		}
		r := rand.New(rand.NewPCG(24, 24))
		before := heap()
		for i := range observations {
			// Around 1 ms, 99 of 100 up to 3.2 ms: log-normal, as latencies are.
			lasting(tracer, names[i%sites], time.Duration(1e6*math.Exp(r.NormFloat64()/2)))
		}
		perSite := (heap() - before) / sites
		t.Log(perSite, "bytes per site")
		require.LessOrEqual(t, perSite, int64(4096))
		require.EqualValues(t, observations, p.Snapshot().Counters.Spans)
	})
	t.Run("wide site", func(t *testing.T) {
		least := int64(math.MaxInt64)
		for range 3 { // what the runtime needs meanwhile only adds to it
			least = min(least, wideSite(t))
		}
		t.Log(least, "bytes of one site")
		require.LessOrEqual(t, least, int64(4096))
	})
	t.Run("active", func(t *testing.T) {
		const spans = 20_000
		open := func(p sdktrace.SpanProcessor) int64 {
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("app")
			lasting(tracer, "span", 1)
			kept := make([]trace.Span, spans)
			before := heap()
			for i := range kept {
				_, kept[i] = tracer.Start(context.Background(), "span")
			}
			grown := heap() - before
			runtime.KeepAlive(kept)
			for _, span := range kept {
				span.End()
			}
			return grown
		}
		want := open(idle{})
		p := newProfiler(t, otelprof.WithLimits(core.Limits{MaxActive: spans}))
		perSpan := (open(p) - want) / spans
		t.Log(perSpan, "bytes per active span")
		require.LessOrEqual(t, perSpan, int64(1024))
		s := check(t, p.Snapshot())
		require.EqualValues(t, spans+1, s.Counters.Spans)
		require.Zero(t, s.Counters.Evicted)
	})
}

// wideSite returns the bytes of one site with a million durations over three decades.
func wideSite(t *testing.T) int64 {
	const observations = 1_000_000
	p, tracer := profiled(t)
	for range 100_000 {
		lasting(tracer, "warm up", 1)
	}
	r := rand.New(rand.NewPCG(24, 25))
	before := heap()
	for range observations {
		// From 100 µs to 100 ms, all magnitudes alike: this fills every bucket of the three decades.
		lasting(tracer, "site", time.Duration(1e5*math.Pow(1000, r.Float64())))
	}
	grown := heap() - before
	require.EqualValues(t, observations, total(p.Snapshot(), "site").Count)
	return grown
}
