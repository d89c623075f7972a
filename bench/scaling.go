package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// crowd is a number of goroutines that start and end spans as fast as they can, on so many processors.
type crowd struct {
	pattern           pattern
	goroutines, procs int
}

// pattern is what the goroutines have in common.
type pattern string

const (
	sameSite   pattern = "of one site, each a trace"
	otherSites pattern = "of a site for each goroutine, each a trace"
	oneTrace   pattern = "of one site, all children of one open span"
)

// scaling measures what many goroutines on several processors make of the cost of a span.
func scaling(b *bench) (chapter, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	crowds := allCrowds(runtime.NumCPU())
	n := b.size(40_000)
	var contenders []contender
	for _, c := range crowds {
		p, err := newProfiler()
		if err != nil {
			return chapter{}, err
		}
		contenders = append(contenders, c.contender(noopBase, idle{}, n), c.contender(everything, p, n))
	}
	heap := newBallast(64 << 20)
	r := b.compare(contenders, b.rounds/4, 70*time.Second)
	runtime.KeepAlive(heap)

	t := table{header: []string{
		"spans", "CPUs", "goroutines", "SDK, ns of CPU", "otelprof adds, ns", "SDK, spans/s", "with otelprof, spans/s", "share kept",
	}}
	for _, c := range crowds {
		base, with := c.name(noopBase), c.name(everything)
		added := r.cpu(with).minus(r.cpu(base)).per(n)
		before, after := r.wall(base).median(), r.wall(with).median()
		perSecond := func(wall float64) string { return whole(float64(n)/wall*1e6) + "k" }
		t.add(string(c.pattern), strconv.Itoa(c.procs), strconv.Itoa(c.goroutines),
			whole(r.cpu(base).per(n).median()), spread(added), perSecond(before), perSecond(after), percent(before/after))
	}
	return chapter{
		title: "Many goroutines",
		text: fmt.Sprintf(`Goroutines that do nothing but start and end spans with three attributes, with the SDK alone (and a processor that does
nothing) and with otelprof as it is by default. A turn is %d spans. The last case is one that no service has, the worst for otelprof:
every span of the process in one trace whose root never ends.`, n),
		tables: []table{t},
	}, nil
}

// allCrowds returns the crowds on one processor and on all, of one goroutine for each processor and of 100.
func allCrowds(procs int) []crowd {
	var out []crowd
	for _, p := range []pattern{sameSite, otherSites, oneTrace} {
		for _, on := range []int{1, procs} {
			if on == 1 || procs > 1 {
				out = append(out, crowd{p, on, on}, crowd{p, 100, on})
			}
			if procs == 1 {
				break
			}
		}
	}
	return out
}

func (c crowd) name(processor string) string {
	return fmt.Sprintf("%s, %d goroutines, %d CPUs: %s", c.pattern, c.goroutines, c.procs, processor)
}

func (c crowd) contender(name string, p sdktrace.SpanProcessor, n int) contender {
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("example.com/crowd")
	return contender{c.name(name), func() {
		runtime.GOMAXPROCS(c.procs)
		c.run(tracer, n)
	}}
}

// run starts and ends n spans.
func (c crowd) run(tracer trace.Tracer, n int) {
	ctx := context.Background()
	if c.pattern == oneTrace {
		var root trace.Span
		ctx, root = tracer.Start(ctx, "root")
		defer root.End()
	}
	var all sync.WaitGroup
	for g := range c.goroutines {
		name := "work"
		if c.pattern == otherSites {
			name += " " + strconv.Itoa(g)
		}
		all.Go(func() {
			for range n / c.goroutines {
				startAndEnd(ctx, tracer, name)
			}
		})
	}
	all.Wait()
}

func startAndEnd(ctx context.Context, tracer trace.Tracer, name string) {
	_, span := tracer.Start(ctx, name, trace.WithAttributes(
		attribute.String("shop.step", "work"), attribute.Int("shop.items", 3), attribute.Bool("shop.member", true)))
	defer span.End()
}
