package otelprof_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// levels are the three switches.
var levels = map[string]func(p *otelprof.Profiler, on bool){
	"global":   func(_ *otelprof.Profiler, on bool) { otelprof.SetGlobalEnabled(on) },
	"profiler": (*otelprof.Profiler).SetEnabled,
	"track":    func(p *otelprof.Profiler, on bool) { p.SetTrackEnabled("app", on) },
}

// measured are the things that can be measured, by what starts them; each returns what ends it.
var measured = map[string]func(p *otelprof.Profiler, tracer trace.Tracer) func(){
	"span": func(_ *otelprof.Profiler, tracer trace.Tracer) func() {
		_, span := tracer.Start(context.Background(), "it")
		return func() { span.End() }
	},
	"block": func(p *otelprof.Profiler, _ trace.Tracer) func() {
		return p.Block(context.Background(), "app", "it").End
	},
	"site": func(p *otelprof.Profiler, _ trace.Tracer) func() {
		return p.Site("app", "it").Start().End
	},
}

// A span counts if the switches were on at its start and at its end; that of its track counts at the end alone.
func TestSwitchesInMidSpan(t *testing.T) {
	t.Run("default", func(t *testing.T) { switchInMidSpan(t) })
	t.Run("statistics", func(t *testing.T) { switchInMidSpan(t, statisticsOnly...) })
}

// statisticsOnly lets the profiler look at the ends of spans alone.
var statisticsOnly = []otelprof.Option{
	otelprof.WithSelfTime(false), otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteOff),
}

func switchInMidSpan(t *testing.T, options ...otelprof.Option) {
	for level, set := range levels {
		for thing, start := range measured {
			for _, c := range []struct{ atStart, atEnd bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
				p, tracer := profiled(t, options...)
				set(p, c.atStart)
				end := start(p, tracer)
				set(p, c.atEnd)
				end()
				set(p, true)
				want := c.atStart && c.atEnd
				if level == "track" {
					want = c.atEnd
				}
				s := check(t, p.Snapshot())
				require.Equal(t, want, total(s, "it").Count == 1, "%s of a %s, %+v", level, thing, c)
				require.Zero(t, total(s, "it").Active)
				require.Zero(t, s.Counters.Unstarted)

				start(p, tracer)()
				require.Equal(t, want, total(check(t, p.Snapshot()), "it").Count == 2, "on again")
			}
		}
	}
}

func TestSwitchesAreRead(t *testing.T) {
	p := newProfiler(t, otelprof.WithDisabledTracks("off*"))
	require.True(t, p.Enabled())
	require.True(t, otelprof.GlobalEnabled())
	require.True(t, p.TrackEnabled("app"))
	p.SetEnabled(false)
	p.SetTrackEnabled("app", false)
	otelprof.SetGlobalEnabled(false)
	require.False(t, otelprof.GlobalEnabled())
	otelprof.SetGlobalEnabled(true)
	require.False(t, p.Enabled())
	require.False(t, p.TrackEnabled("app"))
	p.Block(context.Background(), "off for now", "block").End()
	require.Empty(t, p.Snapshot().Blocks)
	p.SetEnabled(true)
	p.Block(context.Background(), "off for now", "block").End()
	require.Empty(t, p.Snapshot().Blocks)
	require.Equal(t, []string{"app", "off for now"}, p.Snapshot().DisabledTracks)
	p.SetTrackEnabled("off for now", true)
	p.Block(context.Background(), "off for now", "block").End()
	require.Len(t, p.Snapshot().Blocks, 1)
}

// The children and the time of what is off belong to the span around it.
func TestTrackThatIsOffIsTransparent(t *testing.T) {
	p, tracer := profiled(t)
	ctx, root := tracer.Start(context.Background(), "root")
	hidden := p.Block(ctx, "hidden", "hidden")
	_, child := tracer.Start(hidden.Context(), "child")
	child.End()
	p.SetTrackEnabled("hidden", false)
	hidden.End()
	root.End()
	require.Equal(t, map[string]uint64{"/root": 1, "/root/child": 1}, paths(check(t, p.Snapshot())))
}

// What goes over the limit is counted although "otelprof", the track of the overflow, is not among those wanted, and
// what is not wanted is not counted there.
func TestOnlyTracksAndOverflow(t *testing.T) {
	limits := otelprof.WithLimits(core.Limits{MaxSites: 3})
	p := newProfiler(t, otelprof.WithOnlyTracks("app"), limits)
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		p.Block(context.Background(), "app", name).End()
		p.Block(context.Background(), "other", name).End()
	}
	s := check(t, p.Snapshot())
	require.EqualValues(t, len(names), s.Counters.Spans)
	require.Positive(t, s.Counters.OverflowSites)
}

// Clear makes room for names that were over the limit, also for those that are constants.
func TestClearMakesRoom(t *testing.T) {
	p := newProfiler(t, otelprof.WithLimits(core.Limits{MaxSites: 1}))
	count := func(name string) { p.Block(context.Background(), "app", name).End() }
	count("first")
	for range 2 {
		count("second")
	}
	require.EqualValues(t, 2, check(t, p.Snapshot()).Counters.OverflowSites)
	p.Clear()
	count("second")
	s := check(t, p.Snapshot())
	require.Zero(t, s.Counters.OverflowSites)
	require.EqualValues(t, 1, total(s, "second").Count)
}

// TestStichotrope16: all three levels are switched all the time while spans and blocks are open. Nothing is half
// recorded: what counts has a start and an end, and in the end nothing is open.
func TestStichotrope16_SwitchesWhileSpansAreOpenConcurrentSafe(t *testing.T) {
	defer otelprof.SetGlobalEnabled(true)
	p, tracer := profiled(t)
	var work, switches sync.WaitGroup
	var ended atomic.Int64
	done := make(chan struct{})
	for _, set := range levels {
		switches.Go(func() {
			for on := false; ; on = !on {
				select {
				case <-done:
					set(p, true)
					return
				default:
					set(p, on)
				}
			}
		})
	}
	for g := range 4 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 16))
			for range 150 {
				ctx, root := tracer.Start(context.Background(), "root")
				b := p.Block(ctx, "app", "block")
				_, child := tracer.Start(b.Context(), "child")
				if r.IntN(2) == 0 {
					root.End()
					child.End()
					b.End()
				} else {
					b.End()
					child.End()
					root.End()
				}
				p.Site("app", "site").Start().End()
				ended.Add(4)
			}
		})
	}
	for range 3 {
		check(t, p.Snapshot())
	}
	work.Wait()
	close(done)
	switches.Wait()
	s := check(t, p.Snapshot())
	require.LessOrEqual(t, s.Counters.Spans, uint64(ended.Load()))
	require.Zero(t, s.Counters.Unstarted, "a span counts although it started while the profiler was off")
	for _, b := range s.Blocks {
		require.Zero(t, b.Stats.Active, b.Site)
		require.Zero(t, b.Pending, b.Site)
	}
	before := s.Counters.Spans
	_, span := tracer.Start(context.Background(), "after")
	span.End()
	require.Equal(t, before+1, p.Snapshot().Counters.Spans)
}

// Without the call tree, self times and call sites, starts are not looked at; what started while the profiler was off is
// left out all the same.
func TestStatisticsOnlyLeavesOutWhatStartedWhileOff(t *testing.T) {
	p, tracer := profiled(t, otelprof.WithSelfTime(false), otelprof.WithCallTree(false), otelprof.WithCallSite(otelprof.CallSiteOff))
	p.SetEnabled(false)
	_, span := tracer.Start(context.Background(), "half")
	p.SetEnabled(true)
	span.End()
	_, span = tracer.Start(context.Background(), "whole")
	span.End()
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, 1)
	require.Equal(t, "whole", s.Blocks[0].Site.Name)

	otelprof.SetGlobalEnabled(false)
	_, span = tracer.Start(context.Background(), "globally half")
	otelprof.SetGlobalEnabled(true)
	span.End()
	require.Len(t, check(t, p.Snapshot()).Blocks, 1)
}

// A span that starts just after the switch went off may have got its time just before that: it is not counted at all,
// instead of as one whose start was missed.
func TestStartTimeFromJustBeforeTheSwitch(t *testing.T) {
	for _, options := range [][]otelprof.Option{nil, statisticsOnly} {
		p, tracer := profiled(t, options...)
		before := time.Now().Add(-time.Second)
		p.SetEnabled(false)
		_, span := tracer.Start(context.Background(), "late to look", trace.WithTimestamp(before))
		p.SetEnabled(true)
		span.End()
		s := check(t, p.Snapshot())
		require.Zero(t, s.Counters.Spans)
		require.Zero(t, s.Counters.Unstarted)
	}
}

// A span that started while the profiler was off stays left out, however often it is switched until the span ends.
func TestSwitchedOffTwice(t *testing.T) {
	for _, options := range [][]otelprof.Option{nil, statisticsOnly} {
		synctest.Test(t, func(t *testing.T) {
			p, tracer := profiled(t, options...)
			p.SetEnabled(false)
			_, span := tracer.Start(context.Background(), "half")
			p.SetEnabled(true)
			time.Sleep(time.Hour)
			p.SetEnabled(false)
			p.SetEnabled(true)
			span.End()
			require.Zero(t, check(t, p.Snapshot()).Counters.Spans)
		})
	}
}
