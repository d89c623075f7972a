package otelprof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/report"
)

// The tests whose names begin with TestStichotrope are those of the thread safety of Stichotrope, otelprof's Python
// ancestor, by number: what they were meant to prove, here for goroutines. Number 2, 4, 5 and 23 are in package core,
// 6 and 16 with the tests of their subjects, and those that need many goroutines or measurements in
// stichotrope_load_test.go.

var epoch = time.Unix(1_700_000_000, 0)

// lasting records a span of exactly the duration.
func lasting(tracer trace.Tracer, name string, d time.Duration) {
	_, span := tracer.Start(context.Background(), name, trace.WithTimestamp(epoch))
	span.End(trace.WithTimestamp(epoch.Add(d)))
}

// repeat is n spans of a duration.
type repeat struct {
	name string
	n    int
	d    time.Duration
}

// inGoroutines does each of the repeats in a goroutine of its own.
func inGoroutines(tracer trace.Tracer, repeats ...repeat) {
	var all sync.WaitGroup
	for _, r := range repeats {
		all.Go(func() {
			for range r.n {
				lasting(tracer, r.name, r.d)
			}
		})
	}
	all.Wait()
}

func TestStichotrope01_GoroutinesDoNotDisturbEachOtherConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	inGoroutines(tracer, repeat{"work", 10, time.Millisecond}, repeat{"work", 20, 2 * time.Millisecond})
	s := total(check(t, p.Snapshot()), "work")
	require.EqualValues(t, 30, s.Count)
	require.EqualValues(t, 50*time.Millisecond, s.Total)
	require.EqualValues(t, 50*time.Millisecond, s.Self)
	require.EqualValues(t, time.Millisecond, s.Min)
	require.EqualValues(t, 2*time.Millisecond, s.Max)
}

// The first span of a new site counts, whoever comes first.
func TestStichotrope03_FirstSpanIsNotLostConcurrentSafe(t *testing.T) {
	const rounds, goroutines = 50, 8
	p, tracer := profiled(t)
	for round := range rounds {
		var all sync.WaitGroup
		begin := make(chan struct{})
		name := fmt.Sprint("site ", round)
		for range goroutines {
			all.Go(func() {
				<-begin
				lasting(tracer, name, 1)
			})
		}
		close(begin)
		all.Wait()
	}
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, rounds)
	for _, b := range s.Blocks {
		require.EqualValues(t, goroutines, b.Stats.Count)
	}
}

// Everything at once ends: no lock waits for another in a circle.
func TestStichotrope07_NoDeadlockConcurrentSafe(t *testing.T) {
	p := newProfiler(t, otelprof.WithLimits(core.Limits{MaxPending: 4, MaxActive: 64, MaxSites: 16, MaxNodes: 32}))
	tp := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.AlwaysSample())...)
	tracer := tp.Tracer("app")
	ctx := context.Background()
	finishes(t, func() {
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				for i := range 150 {
					ctx, root := tracer.Start(ctx, fmt.Sprint("root ", i%20))
					b := p.Block(ctx, "app", "block")
					_, child := tracer.Start(b.Context(), fmt.Sprint("child ", g))
					child.End()
					b.End()
					root.End()
				}
			})
		}
		for _, f := range []func(){
			func() { p.Snapshot() }, p.Reset, p.Clear, func() { p.Take() },
			func() { _ = tp.ForceFlush(ctx) }, func() { p.SetTrackEnabled("app", true) },
		} {
			all.Go(func() {
				for range 20 {
					f()
				}
			})
		}
		all.Wait()
		for range 4 {
			all.Go(func() { _ = tp.Shutdown(ctx) })
		}
		all.Wait()
	})
	check(t, p.Snapshot())
}

func TestStichotrope08_MergeIsExactConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	inGoroutines(tracer, repeat{"work", 10, time.Millisecond}, repeat{"work", 20, 2 * time.Millisecond}, repeat{"work", 30, 3 * time.Millisecond})
	s := total(check(t, p.Snapshot()), "work")
	require.EqualValues(t, 60, s.Count)
	require.EqualValues(t, 140*time.Millisecond, s.Total)
	require.EqualValues(t, time.Millisecond, s.Min)
	require.EqualValues(t, 3*time.Millisecond, s.Max)
	require.EqualValues(t, 10, s.Histogram.CountAtMost(uint64(1500*time.Microsecond)))
	require.EqualValues(t, 30, s.Histogram.CountAtMost(uint64(2500*time.Microsecond)))
}

func TestStichotrope09_DifferentBlocksConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	inGoroutines(tracer,
		repeat{"A", 10, 1}, repeat{"B", 10, 1}, repeat{"A", 5, 2}, repeat{"C", 5, 1}, repeat{"B", 10, 2},
	)
	s := check(t, p.Snapshot())
	for name, count := range map[string]uint64{"A": 15, "B": 20, "C": 5} {
		require.Equal(t, count, total(s, name).Count, name)
	}
}

// Goroutines that do nothing leave nothing, and a profile of nothing can be written in every format.
func TestStichotrope10_EmptyProfileIsValid(t *testing.T) {
	p, _ := profiled(t)
	var all sync.WaitGroup
	for range 10 {
		all.Go(runtime.Gosched)
	}
	all.Wait()
	s := check(t, p.Snapshot())
	require.True(t, s.IsEmpty())
	require.Empty(t, s.Nodes)
	require.NotEmpty(t, report.Formats())
	for _, f := range report.Formats() {
		var out bytes.Buffer
		require.NoError(t, f.Write(&out, s), f.Name)
		if f.ContentType == "application/json" {
			require.True(t, json.Valid(out.Bytes()), f.Name)
		}
	}
}

func startedHere(ctx context.Context, tracer trace.Tracer) (core.Site, trace.Span) {
	_, span := tracer.Start(ctx, "here", trace.WithSpanKind(trace.SpanKindClient))
	pc, file, line, _ := runtime.Caller(0)
	return core.Site{
		Track: "app", Name: "here", Kind: core.KindClient, Function: runtime.FuncForPC(pc).Name(), File: file, Line: line - 1,
	}, span
}

func TestStichotrope11_SitesAreThoseOfTheUser(t *testing.T) {
	p, tracer := profiled(t)
	want, span := startedHere(context.Background(), tracer)
	var all sync.WaitGroup
	all.Go(func() { span.End() })
	all.Wait()
	s := check(t, p.Snapshot())
	require.Len(t, s.Blocks, 1)
	require.Equal(t, want, s.Blocks[0].Site)
	require.Equal(t, want, s.Site(s.Nodes[0]))
}

func TestStichotrope12_PoolConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	tasks := make(chan int)
	var workers sync.WaitGroup
	for range 10 {
		workers.Go(func() {
			for task := range tasks {
				lasting(tracer, "task", time.Duration(task))
			}
		})
	}
	for task := range 100 {
		tasks <- task
	}
	close(tasks)
	workers.Wait()
	s := total(check(t, p.Snapshot()), "task")
	require.EqualValues(t, 100, s.Count)
	require.EqualValues(t, 99*100/2, s.Total)
}

// Counts never go down from snapshot to snapshot, and in each they are those of the histogram.
func TestStichotrope13_SnapshotsWhileRecordingConcurrentSafe(t *testing.T) {
	const goroutines, each = 4, 200
	p, tracer := profiled(t)
	var work, readers sync.WaitGroup
	for range goroutines {
		work.Go(func() {
			for range each {
				ctx, root := tracer.Start(context.Background(), "root")
				_, child := tracer.Start(ctx, "child")
				child.End()
				root.End()
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			var before *core.Snapshot
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				s := check(t, p.Snapshot())
				_, err := s.Sub(before)
				require.NoError(t, err)
				before = s
			}
		})
	}
	work.Wait()
	close(done)
	readers.Wait()
	s := check(t, p.Snapshot())
	require.EqualValues(t, goroutines*each, nodeAt(s, "root").Stats.Count)
	require.EqualValues(t, goroutines*each, nodeAt(s, "root", "child").Stats.Count)
}

// What goroutines that are gone have done counts, and so does what others end for them.
func TestStichotrope14_SpansOutliveTheirGoroutinesConcurrentSafe(t *testing.T) {
	const goroutines, each = 10, 30
	p, tracer := profiled(t)
	spans := make(chan trace.Span, goroutines*each)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				_, span := tracer.Start(context.Background(), "span")
				spans <- span
			}
		})
	}
	all.Wait()
	close(spans)
	for range 5 {
		all.Go(func() {
			for span := range spans {
				span.End()
			}
		})
	}
	all.Wait()
	s := total(check(t, p.Snapshot()), "span")
	require.EqualValues(t, 300, s.Count)
	require.Zero(t, s.Active)
}

// Children in other goroutines hang below their parent, and overlapping ones do not take its time twice.
func TestStichotrope15_TreeAcrossGoroutinesConcurrentSafe(t *testing.T) {
	p, tracer := profiled(t)
	at := func(ms int) trace.SpanEventOption {
		return trace.WithTimestamp(epoch.Add(time.Duration(ms) * time.Millisecond))
	}
	const traces = 20
	for range traces {
		ctx, root := tracer.Start(context.Background(), "root", at(0))
		var all sync.WaitGroup
		for worker := range 4 { // 10–40, 20–50, 30–60, 40–70: covers 60 of 100
			all.Go(func() {
				ctx, child := tracer.Start(ctx, "worker", at(10+10*worker))
				_, leaf := tracer.Start(ctx, "leaf", at(15+10*worker))
				leaf.End(at(20 + 10*worker))
				child.End(at(40 + 10*worker))
			})
		}
		all.Wait()
		root.End(at(100))
	}
	s := check(t, p.Snapshot())
	require.Equal(t, map[string]uint64{"/root": traces, "/root/worker": 4 * traces, "/root/worker/leaf": 4 * traces}, paths(s))
	require.EqualValues(t, traces*40*time.Millisecond, nodeAt(s, "root").Stats.Self)
	require.EqualValues(t, traces*4*25*time.Millisecond, nodeAt(s, "root", "worker").Stats.Self)
	require.EqualValues(t, traces*4*5*time.Millisecond, nodeAt(s, "root", "worker", "leaf").Stats.Self)
}
