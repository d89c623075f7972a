package otelprof_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// paths returns the paths of names in the tree with their counts.
func paths(s *core.Snapshot) map[string]uint64 {
	out := map[string]uint64{}
	for i, n := range s.Nodes {
		path := ""
		for _, site := range s.Path(i) {
			path += "/" + site.Name
		}
		out[path] += n.Stats.Count
	}
	return out
}

var remoteParent = trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{7}, SpanID: trace.SpanID{7}, Remote: true,
}))

// scene starts and ends spans and blocks by name; each leads from a context to the next.
type scene struct {
	p      *otelprof.Profiler
	tracer trace.Tracer
}

func (s scene) span(ctx context.Context, name string) (context.Context, func()) {
	ctx, span := s.tracer.Start(ctx, name)
	return ctx, func() { span.End() }
}

func (s scene) block(ctx context.Context, name string) (context.Context, func()) {
	b := s.p.Block(ctx, "app", name)
	return b.Context(), b.End
}

// Spans and blocks in any nesting form one tree: within a trace, below a remote parent, and outside of any trace,
// where a block adopts the traces that begin in it.
func TestSpansAndBlocksFormOneTree(t *testing.T) {
	for nesting := range 1 << 5 {
		for root, ctx := range map[string]context.Context{"background": context.Background(), "remote": remoteParent} {
			t.Run(fmt.Sprintf("%05b %s", nesting, root), func(t *testing.T) {
				p, tracer := profiled(t)
				s := scene{p, tracer}
				want, path := map[string]uint64{}, ""
				var ends []func()
				ctx := ctx
				for level := range 5 {
					var end func()
					begin := s.span
					name := fmt.Sprint("span", level)
					if nesting>>level&1 == 1 {
						begin, name = s.block, fmt.Sprint("block", level)
					}
					// Siblings that come and go before, and a block and a span in the same context.
					_, end = s.block(ctx, "b")
					end()
					_, end = s.span(ctx, "s")
					end()
					want[path+"/b"]++
					want[path+"/s"]++
					ctx, end = begin(ctx, name)
					ends = append(ends, end)
					path += "/" + name
					want[path]++
				}
				check(t, p.Snapshot())
				for i := len(ends) - 1; i >= 0; i-- {
					ends[i]()
				}
				got := check(t, p.Snapshot())
				require.Equal(t, want, paths(got))
				require.Zero(t, got.Counters.Unstarted)
				require.Zero(t, got.Counters.Detached)
				require.Zero(t, got.Counters.Duplicates)
				for _, b := range got.Blocks {
					require.Zero(t, b.Stats.Active)
					require.Zero(t, b.Pending)
				}
			})
		}
	}
}

// A span with a new root leaves the tree of the trace around it, and so do its blocks.
func TestNewRootInABlock(t *testing.T) {
	p, tracer := profiled(t)
	s := scene{p, tracer}
	ctx, endSpan := s.span(context.Background(), "span")
	ctx, endBlock := s.block(ctx, "block")
	ctx, root := tracer.Start(ctx, "root", trace.WithNewRoot())
	_, endInner := s.block(ctx, "inner")
	endInner()
	root.End()
	endBlock()
	endSpan()
	require.Equal(t, map[string]uint64{"/span": 1, "/span/block": 1, "/root": 1, "/root/inner": 1}, paths(check(t, p.Snapshot())))
}

// A child that outlives the root of its adopted trace is still the block's, and nothing stays open.
func TestAdoptedChildrenMayOutliveTheirRoot(t *testing.T) {
	p, tracer := profiled(t)
	s := scene{p, tracer}
	outer, endBlock := s.block(context.Background(), "job")
	for range 3 {
		ctx, endRoot := s.span(outer, "root")
		child, endChild := s.span(ctx, "child")
		endRoot()
		_, endGrandchild := s.span(child, "grandchild")
		inner, endInner := s.block(child, "inner")
		_, endDeep := s.span(inner, "deep")
		endChild()
		endDeep()
		endInner()
		endGrandchild()
	}
	endBlock()
	got := check(t, p.Snapshot())
	require.Equal(t, map[string]uint64{
		"/job": 1, "/job/root": 3, "/job/root/child": 3, "/job/root/child/grandchild": 3,
		"/job/root/child/inner": 3, "/job/root/child/inner/deep": 3,
	}, paths(got))
	require.Zero(t, got.Counters.Unstarted)
	require.Zero(t, got.Counters.Evicted)
	// The adoptions have ended too: the next traces go their own way.
	_, end := s.span(context.Background(), "own")
	end()
	require.EqualValues(t, 1, paths(check(t, p.Snapshot()))["/own"])
}

// Traces from many goroutines in one block.
func TestAdoptionConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	s := scene{p, tracer}
	const goroutines, each = 8, 50
	outer, endBlock := s.block(context.Background(), "job")
	var all, children sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				ctx, endRoot := s.span(outer, "root")
				for range 2 {
					children.Go(func() {
						ctx, end := s.span(ctx, "child")
						_, endBlock := s.block(ctx, "block")
						endBlock()
						end()
					})
				}
				endRoot()
			}
		})
	}
	check(t, p.Snapshot())
	all.Wait()
	children.Wait()
	endBlock()
	got := check(t, p.Snapshot())
	require.EqualValues(t, 1+goroutines*each*5, got.Counters.Spans)
	require.EqualValues(t, goroutines*each, paths(got)["/job/root"])
	for _, b := range got.Blocks {
		require.Zero(t, b.Stats.Active, b.Site)
		require.Zero(t, b.Pending, b.Site)
	}
}

// Each profiler sees its own blocks alone, however they are nested in those of another.
func TestBlocksOfTwoProfilers(t *testing.T) {
	one, two := newProfiler(t), newProfiler(t)
	a, b := scene{p: one}, scene{p: two}
	ctx, endA := a.block(context.Background(), "a")
	ctx, endB := b.block(ctx, "b")
	ctx, endC := a.block(ctx, "c")
	_, endD := b.block(ctx, "d")
	endD()
	endC()
	endB()
	endA()
	require.Equal(t, map[string]uint64{"/a": 1, "/a/c": 1}, paths(check(t, one.Snapshot())))
	require.Equal(t, map[string]uint64{"/b": 1, "/b/d": 1}, paths(check(t, two.Snapshot())))
}

// A block points at the span around it, and outside of any trace at nothing.
func TestExemplarOfABlock(t *testing.T) {
	p := newProfiler(t)
	tracer := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.AlwaysSample())...).Tracer("app")
	ctx, span := tracer.Start(context.Background(), "span")
	p.Block(ctx, "app", "in a span").EndErr(errors.New("x"))
	p.Block(context.Background(), "app", "alone").EndErr(errors.New("x"))
	span.End()
	s := check(t, p.Snapshot())
	in, alone := total(s, "in a span"), total(s, "alone")
	for _, e := range []core.Exemplar{in.Slowest, in.LastError} {
		require.Equal(t, core.TraceID(span.SpanContext().TraceID()), e.Trace)
		require.Equal(t, core.SpanID(span.SpanContext().SpanID()), e.Span)
		require.True(t, e.Sampled)
	}
	require.Equal(t, core.Exemplar{}, alone.Slowest)
	require.EqualValues(t, 1, alone.Errors)
}

// Ends after the first do nothing, on whatever goroutine, also when blocks with the same context have begun since.
func TestBlockEndsOnce(t *testing.T) {
	for name, ctx := range map[string]context.Context{"background": context.Background(), "remote": remoteParent} {
		t.Run(name, func(t *testing.T) {
			p := newProfiler(t)
			first := p.Block(ctx, "app", "first")
			first.AddBytes(10)
			first.AddBytes(-5)
			var ends sync.WaitGroup
			for range 4 {
				ends.Go(func() { first.EndErr(errors.New("x")) })
			}
			ends.Wait()
			second := p.Block(ctx, "app", "second")
			first.End()
			first.AddBytes(1)
			s := check(t, p.Snapshot())
			require.EqualValues(t, 1, total(s, "second").Active)
			second.End()
			s = check(t, p.Snapshot())
			require.EqualValues(t, 1, total(s, "first").Count)
			require.EqualValues(t, 10, total(s, "first").Bytes)
			require.EqualValues(t, 1, total(s, "second").Count)
			require.Zero(t, total(s, "second").Bytes)
		})
	}
}

// The zero values measure nothing, and a context of nil is one.
func TestZeroValues(t *testing.T) {
	var b otelprof.Block
	b.AddBytes(1)
	b.End()
	b.EndErr(errors.New("x"))
	require.NotNil(t, b.Context())
	var none *otelprof.Profiler
	none.Block(context.Background(), "app", "none").End()
	var site *otelprof.Site
	site.Start().End()
	otelprof.Timer{}.EndBytes(1)

	p, tracer := profiled(t)
	//lint:ignore SA1012 what users do
	inner := p.Block(nil, "app", "outer").Context()
	p.Block(inner, "app", "inner").End()
	_, span := tracer.Start(inner, "span")
	//lint:ignore SA1012 what processors around ours might do
	p.OnStart(nil, recorded(t))
	span.End()
	s := check(t, p.Snapshot())
	require.EqualValues(t, 1, total(s, "inner").Count)
	require.Zero(t, s.Counters.Panics)
	p.SetEnabled(false)
	//lint:ignore SA1012 what users do
	require.NotNil(t, p.Block(nil, "app", "off").Context())
}

// recorded returns a span of another provider.
func recorded(t testing.TB) sdktrace.ReadWriteSpan {
	_, span := sdktrace.NewTracerProvider().Tracer("other").Start(context.Background(), "other")
	s, ok := span.(sdktrace.ReadWriteSpan)
	require.True(t, ok)
	return s
}

// Time, TimeErr and Wrap count what the function does, also when it panics, and the panic passes through.
func TestWrappers(t *testing.T) {
	p := newProfiler(t)
	ctx, failure := context.Background(), errors.New("x")
	p.Time(ctx, "app", "time", func(ctx context.Context) {
		require.NoError(t, p.TimeErr(ctx, "app", "ok", func(context.Context) error { return nil }))
		require.Same(t, failure, p.TimeErr(ctx, "app", "error", func(context.Context) error { return failure }))
		wrapped := p.Wrap("app", "wrapped", func(context.Context) error { return failure })
		require.Same(t, failure, wrapped(ctx))
	})
	require.PanicsWithValue(t, "boom", func() { p.Time(ctx, "app", "panic", func(context.Context) { panic("boom") }) })
	require.PanicsWithValue(t, "boom", func() {
		_ = p.TimeErr(ctx, "app", "panic with error", func(context.Context) error { panic("boom") })
	})
	s := check(t, p.Snapshot())
	require.Equal(t, map[string]uint64{
		"/time": 1, "/time/ok": 1, "/time/error": 1, "/time/wrapped": 1, "/panic": 1, "/panic with error": 1,
	}, paths(s))
	for name, errors := range map[string]uint64{"ok": 0, "error": 1, "wrapped": 1, "panic with error": 1} {
		require.Equal(t, errors, total(s, name).Errors, name)
	}
	for _, b := range s.Blocks {
		require.Equal(t, core.KindBlock, b.Site.Kind)
		require.Contains(t, b.Site.File, "block_test.go")
	}
}

// A site's handle counts, with bytes, and survives Clear.
func TestSiteHandle(t *testing.T) {
	p := newProfiler(t)
	site := p.Site("app", "loop")
	for i := range int64(10) {
		site.Start().EndBytes(i - 1)
	}
	site.Start().End()
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, 1)
	require.EqualValues(t, 11, s.Blocks[0].Stats.Count)
	require.EqualValues(t, 36, s.Blocks[0].Stats.Bytes)
	require.Contains(t, s.Blocks[0].Site.Function, "TestSiteHandle")
	p.Clear()
	site.Start().End()
	s = check(t, p.Snapshot())
	require.EqualValues(t, 1, s.Blocks[0].Stats.Count)
	require.Contains(t, s.Blocks[0].Site.Function, "TestSiteHandle")
}

// Snapshots can be subtracted although a block is open in a span that has ended, whose self time is not known yet.
func TestSelfTimeNeverGoesDown(t *testing.T) {
	p, tracer := profiled(t)
	ctx, span := tracer.Start(context.Background(), "span")
	b := p.Block(ctx, "app", "block")
	_, open := tracer.Start(ctx, "open")
	span.End()
	before := p.Snapshot()
	b.End()
	between := p.Snapshot()
	open.End()
	after := p.Snapshot()
	_, err := between.Sub(before)
	require.NoError(t, err)
	_, err = after.Sub(between)
	require.NoError(t, err)
}

// Spans that never end leave adoptions behind. They are bounded, and forgotten when their traces are gone.
func TestAdoptionsOfSpansThatNeverEnd(t *testing.T) {
	limits := core.DefaultLimits()
	limits.MaxActive = 64
	p, tracer := profiled(t, otelprof.WithLimits(limits))
	for range 500 {
		block := p.Block(context.Background(), "app", "leaky")
		tracer.Start(block.Context(), "never ends")
		block.End()
	}
	block := p.Block(context.Background(), "app", "outer")
	_, span := tracer.Start(block.Context(), "inner")
	span.End()
	block.End()
	s := check(t, p.Snapshot())
	for i, n := range s.Nodes {
		if s.Site(n).Name == "inner" {
			require.Len(t, s.Path(i), 2, "below its block")
			require.Equal(t, "outer", s.Path(i)[0].Name)
			return
		}
	}
	require.Fail(t, "the inner span is not in the tree")
}
