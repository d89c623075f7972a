package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// snapshots measures how long a snapshot takes.
func snapshots(b *bench) (chapter, error) {
	c := chapter{
		title: "A snapshot",
		text: `Every site has one node in the call tree and 2 000 observations or more, spread evenly in their logarithm over so many decades: a decade has
213 buckets. Stripes multiply only where goroutines meet, so most sites have one. Recording goes on during a snapshot. Before each, an
observation was recorded at every site. A snapshot shares the histograms, and the next observation at a site copies its own: “then, a site” is by
how much the first one after a snapshot takes longer than the second. The live heap is 64 MiB besides. In a process that has hardly any, the runtime
gives the memory of a snapshot back to the system before the next one, which then takes several times as long.`,
	}
	heap := newBallast(64 << 20)
	defer runtime.KeepAlive(heap)
	t := table{header: []string{"a snapshot of", "sites", "decades", "time", "CPU time", "allocated", "then, a site"}}
	for _, k := range []struct {
		sites, decades int
		contended      bool
	}{
		{100, 1, false}, {1000, 1, false}, {10_000, 1, false},
		{100, 3, false}, {1000, 3, false}, {1000, 3, true},
	} {
		s, err := newStock(b.size(k.sites), false)
		if err != nil {
			return chapter{}, err
		}
		b.say("%d sites, %d decades, contended: %t", k.sites, k.decades, k.contended)
		observations := 2000
		if k.contended {
			observations = b.size(50_000) // long enough for the goroutines to meet
		}
		s.fill(observations, durations(k.decades), k.contended)
		name := stripes(k.contended)
		median := b.snapshot(&t, name, strconv.Itoa(k.decades), s)
		if k.sites == 1000 && !k.contended {
			what := fmt.Sprintf("a snapshot of 1 000 sites, durations over %d decades", k.decades)
			if k.decades == 1 {
				what = "a snapshot of 1 000 sites, durations over a decade"
			}
			c.targets = append(c.targets, atMost(what, 1e6, median, duration))
		}
	}
	median, err := b.crowdedSnapshot(&t)
	c.targets = append(c.targets, atMost("a snapshot with spans open in 10 000 goroutines", 10e6, median, duration))
	c.tables = []table{t}
	return c, err
}

// stripes names what a stock was filled with.
func stripes(contended bool) string {
	if contended {
		return fmt.Sprintf("stripes as after contention, on %d CPUs", runtime.GOMAXPROCS(0))
	}
	return "one stripe a site"
}

// snapshot adds a row and returns the median time in ns.
func (b *bench) snapshot(t *table, name, decades string, s *stock) float64 {
	const first, second = "first", "second"
	values, r := durations(1), results{}
	for round := range max(b.rounds/2, minRounds) {
		record := func() { s.touch(values[round%len(values)]) }
		record()
		r[name] = append(r[name], measure(func() { s.Snapshot() }))
		r[first] = append(r[first], measure(record))
		r[second] = append(r[second], measure(record))
	}
	then := r.wall(first).minus(r.wall(second)).per(len(s.labels)).median()
	t.add(name, strconv.Itoa(len(s.labels)), decades, duration(r.wall(name).median()), duration(r.cpu(name).median()),
		bytes(r.bytes(name).median()), duration(then))
	return r.wall(name).median()
}

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
	r := b.compare([]contender{{name: name, turn: func() { p.Snapshot() }}}, b.rounds/2, 3*time.Second)
	sites := len(p.Snapshot().Blocks)
	t.add(name, strconv.Itoa(sites), "", duration(r.wall(name).median()), duration(r.cpu(name).median()), bytes(r.bytes(name).median()), "")
	return r.wall(name).median(), nil
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
