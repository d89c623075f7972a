package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// snapshots measures how long a snapshot takes.
func snapshots(b *bench) (chapter, error) {
	t := table{header: []string{"a snapshot of", "sites", "time", "CPU time", "allocated"}}
	c := chapter{
		title: "A snapshot",
		text: `Every site has one node in the call tree and a histogram over three decades, some 640 buckets. Stripes multiply only where goroutines
meet, so most sites have one. Recording goes on during a snapshot.`,
	}
	for _, sites := range []int{100, 1000, 10_000} {
		for _, contended := range []bool{false, true} {
			s, err := newStock(b.size(sites))
			if err != nil {
				return chapter{}, err
			}
			s.fill(2000, durations(3), contended)
			name := "one stripe a site"
			if contended {
				name = "stripes as after contention"
			}
			b.say("%d sites, %s", sites, name)
			median := b.snapshot(&t, name, len(s.labels), s.Snapshot)
			if sites == 1000 && !contended {
				c.targets = append(c.targets, atMost("a snapshot of 1 000 sites", 1e6, median, duration))
			}
		}
	}
	median, err := b.crowdedSnapshot(&t)
	c.targets = append(c.targets, atMost("a snapshot with spans open in 10 000 goroutines", 10e6, median, duration))
	c.tables = []table{t}
	return c, err
}

// snapshot adds a row and returns the median time in ns.
func (b *bench) snapshot(t *table, name string, sites int, take func() *core.Snapshot) float64 {
	r := b.compare([]contender{{name, func() { kept = take() }}}, b.rounds/2, 3*time.Second)
	t.add(name, strconv.Itoa(sites), duration(r.wall(name).median()), duration(r.cpu(name).median()), bytes(r.bytes(name).median()))
	return r.wall(name).median()
}

// kept keeps the compiler from dropping a snapshot.
var kept *core.Snapshot

// crowdedSnapshot measures a snapshot while 10 000 goroutines have a span open in a span, with an ended one beside it.
func (b *bench) crowdedSnapshot(t *table) (float64, error) {
	p, err := newProfiler()
	if err != nil {
		return 0, err
	}
	goroutines := b.size(10_000)
	done := make(chan struct{})
	leave := openSpans(p, goroutines, done)
	defer leave()
	name := fmt.Sprintf("spans open in %d goroutines", goroutines)
	b.say("%s", name)
	return b.snapshot(t, name, len(p.Snapshot().Blocks), p.Snapshot), nil
}

// openSpans starts goroutines that each have two spans open until the function that it returns is called.
func openSpans(p *otelprof.Profiler, goroutines int, done chan struct{}) (leave func()) {
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("example.com/crowd")
	var open, gone sync.WaitGroup
	open.Add(goroutines)
	for range goroutines {
		gone.Go(func() {
			ctx, request := tracer.Start(context.Background(), "request")
			defer request.End()
			_, first := tracer.Start(ctx, "first step")
			first.End()
			_, second := tracer.Start(ctx, "second step")
			defer second.End()
			open.Done()
			<-done
		})
	}
	open.Wait()
	runtime.GC()
	return func() {
		close(done)
		gone.Wait()
	}
}
