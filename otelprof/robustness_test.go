package otelprof_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// A panic of the user's code passes through the end of its span, and the span counts.
func TestUserPanicPassesThrough(t *testing.T) {
	p, tracer := profiled(t)
	require.PanicsWithValue(t, "boom", func() {
		ctx, span := tracer.Start(context.Background(), "span")
		defer span.End()
		defer p.Block(ctx, "app", "block").End()
		panic("boom")
	})
	s := check(t, p.Snapshot())
	require.Equal(t, map[string]uint64{"/span": 1, "/span/block": 1}, paths(s))
	require.Zero(t, s.Counters.Panics, "the panic is not ours")
}

// A panic in a function that the user gave us does not reach the code that is measured, is counted, and loses nothing.
func TestPanicsInCallbacksAreIsolated(t *testing.T) {
	for name, option := range map[string]otelprof.Option{
		"WithTrack":          otelprof.WithTrack(func(sdktrace.ReadOnlySpan) string { panic("track") }),
		"WithNameNormalizer": otelprof.WithNameNormalizer(func(string) string { panic("normalizer") }),
	} {
		t.Run(name, func(t *testing.T) {
			p, tracer := profiled(t, option)
			for i := range 10 {
				ctx, root := tracer.Start(context.Background(), "root")
				_, child := tracer.Start(ctx, fmt.Sprint("child ", i))
				check(t, p.Snapshot())
				child.End()
				root.End()
			}
			s := check(t, p.Snapshot())
			require.EqualValues(t, 20, s.Counters.Spans)
			require.EqualValues(t, 10, total(s, "root").Count, "the name and the track are those without the function")
			require.Equal(t, "app", s.Blocks[0].Site.Track)
			require.NotNil(t, nodeAt(s, "root", "child 3"))
			require.Positive(t, s.Counters.Panics)
			for _, b := range s.Blocks {
				require.Zero(t, b.Stats.Active)
			}
		})
	}
}

// A panic of our own, here about a span that is none, does not reach the user either.
func TestPanicsOfOursAreIsolated(t *testing.T) {
	p := newProfiler(t)
	require.NotPanics(t, func() {
		p.OnStart(context.Background(), nil)
		p.OnEnd(nil)
	})
	require.EqualValues(t, 2, p.Snapshot().Counters.Panics)
}

// A span that starts in our callbacks is a span like any other: no lock is held.
func TestSpansInCallbacks(t *testing.T) {
	var p *otelprof.Profiler
	var tracer trace.Tracer
	inside := false
	nested := func() {
		if inside { // of the spans in here there are none
			return
		}
		inside = true
		defer func() { inside = false }()
		ctx, span := tracer.Start(context.Background(), "nested")
		p.Block(ctx, "app", "nested block").End()
		p.SetTrackEnabled("other", false)
		span.End()
	}
	p, tracer = profiled(t,
		otelprof.WithTrack(func(sdktrace.ReadOnlySpan) string { nested(); return "app" }),
		otelprof.WithNameNormalizer(func(name string) string { nested(); return name }),
		otelprof.WithLimits(core.Limits{MaxPending: 2}),
	)
	finishes(t, func() {
		ctx, root := tracer.Start(context.Background(), "root")
		for range 20 {
			_, child := tracer.Start(ctx, "child")
			child.End()
			check(t, p.Snapshot())
		}
		root.End()
	})
	s := check(t, p.Snapshot())
	require.EqualValues(t, 20, total(s, "child").Count)
	require.Greater(t, total(s, "nested").Count, uint64(40), "at every end and in every snapshot")
	require.Equal(t, total(s, "nested").Count, total(s, "nested block").Count)
}

// finishes fails the test, with all stacks, if f does not return.
func finishes(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<16)
		t.Fatalf("deadlock:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
}

// Spans that are never ended take up MaxActive records and no more. What is given up is counted, and so is its end.
func TestSpansThatNeverEnd(t *testing.T) {
	const limit, spans = 100, 5000
	p, tracer := profiled(t, otelprof.WithLimits(core.Limits{MaxActive: limit}))
	var open []trace.Span
	for range spans {
		_, span := tracer.Start(context.Background(), "forgotten")
		open = append(open, span)
	}
	s := check(t, p.Snapshot())
	require.GreaterOrEqual(t, s.Counters.Evicted, uint64(spans-limit))
	active := total(s, "forgotten").Active
	require.LessOrEqual(t, active, int64(limit))
	require.EqualValues(t, spans, int64(s.Counters.Evicted)+active)
	for range 2 {
		for _, span := range open {
			span.End()
		}
	}
	s = check(t, p.Snapshot())
	require.EqualValues(t, spans, s.Counters.Spans)
	require.EqualValues(t, spans, total(s, "forgotten").Count)
	require.Equal(t, s.Counters.Evicted, s.Counters.Unstarted)
	require.Zero(t, total(s, "forgotten").Active)
}

// A million names: as many blocks as the limit allows and one more, every span in one of them, bounded memory.
func TestMillionNames(t *testing.T) {
	const limit = 1000
	names := 1_000_000
	if raceEnabled {
		names = 50_000
	}
	p, tracer := profiled(t, otelprof.WithLimits(core.Limits{MaxSites: limit}))
	before := heap()
	for i := range names {
		_, span := tracer.Start(context.Background(), fmt.Sprint("GET /users/", i))
		span.End()
	}
	grown := heap() - before
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, limit+1)
	require.EqualValues(t, names, s.Counters.Spans)
	require.EqualValues(t, names-limit, s.Counters.OverflowSites)
	require.Equal(t, s.Counters.OverflowSites, s.Block(core.OverflowSite).Stats.Count)
	if !raceEnabled {
		require.Less(t, grown, int64((limit+1)*4096), "bytes for all blocks")
	}
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Names and attributes that nobody should use.
func TestHostileNames(t *testing.T) {
	p := newProfiler(t)
	huge := strings.Repeat("x", 1<<20)
	names := []string{"", "\xff\xfe", "a;b\nc\td", "\x1b[31m", "\u202e", "=1+1", "<script>", huge, "\x00", "ÿ\x80"}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
	for _, track := range names {
		for _, name := range names {
			_, span := tp.Tracer(track).Start(context.Background(), name, trace.WithAttributes(
				attribute.String("code.function.name", track), attribute.String("code.file.path", name), attribute.Int64("code.line.number", -1<<62)))
			span.End()
			p.Block(context.Background(), track, name).End()
			p.Site(track, name).Start().End()
			p.SetTrackEnabled(track, true)
		}
	}
	s := check(t, p.Snapshot())
	require.EqualValues(t, 3*len(names)*len(names), s.Counters.Spans)
	require.Positive(t, s.Counters.Truncated)
	for _, b := range s.Blocks {
		require.LessOrEqual(t, len(b.Site.Name), 1024)
	}
}

// Ends before starts, and times at the ends of time: durations are never negative and never wrap.
func TestAbsurdTimes(t *testing.T) {
	p, tracer := profiled(t)
	times := []time.Time{
		time.Unix(0, 0), time.Unix(0, 1), time.Now(), time.Now().Add(-24 * time.Hour), time.Unix(1<<60, 0), time.Unix(-1<<60, 0),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	clamped := uint64(0)
	for _, start := range times {
		for _, end := range times {
			ctx, span := tracer.Start(context.Background(), "span", trace.WithTimestamp(start))
			_, child := tracer.Start(ctx, "child", trace.WithTimestamp(end))
			child.End(trace.WithTimestamp(start))
			span.End(trace.WithTimestamp(end))
			if end.Sub(start) < 0 {
				clamped++
			}
			if start.Sub(end) < 0 {
				clamped++
			}
		}
	}
	s := check(t, p.Snapshot())
	require.EqualValues(t, 2*len(times)*len(times), s.Counters.Spans)
	require.Equal(t, clamped, s.Counters.Clamped)
}

// A hundred thousand goroutines with open spans at once.
func TestHundredThousandGoroutines(t *testing.T) {
	goroutines := 100_000
	if raceEnabled {
		goroutines = 5_000 // the race detector allows 8 128
	}
	p, tracer := profiled(t, otelprof.WithLimits(core.Limits{MaxActive: 1 << 18}))
	var all, started sync.WaitGroup
	end := make(chan struct{})
	started.Add(goroutines)
	for range goroutines {
		all.Go(func() {
			_, span := tracer.Start(context.Background(), "span")
			started.Done()
			<-end
			span.End()
		})
	}
	started.Wait()
	require.EqualValues(t, goroutines, total(check(t, p.Snapshot()), "span").Active)
	close(end)
	all.Wait()
	s := check(t, p.Snapshot())
	require.EqualValues(t, goroutines, total(s, "span").Count)
	require.Zero(t, total(s, "span").Active)
	require.Zero(t, s.Counters.Evicted)
}
