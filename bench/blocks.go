package main

import (
	"context"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

const (
	emptyLoop  = "nothing"
	twoClocks  = "`time.Now` and `time.Since` alone"
	handle     = "`Site.Start` and `Timer.End`"
	rootBlock  = "`Profiler.Block` and `Block.End`, outside of spans"
	emptySpan  = "a span"
	innerBlock = "`Profiler.Block` and `Block.End`, in a span"
)

// blocksPerSpan is how many blocks a span has inside.
const blocksPerSpan = 10

// blocks measures what a block costs, that is code measured without a span.
func blocks(b *bench) (chapter, error) {
	p, err := newProfiler()
	if err != nil {
		return chapter{}, err
	}
	n := b.size(200_000)
	r := b.compare(blockContenders(p, n), b.rounds/2, 20*time.Second)

	t := table{header: []string{"a block", "ns", "allocations"}}
	added := func(name, base string) sample { return r.cpu(name).minus(r.cpu(base)).per(n) }
	row := func(name, base string) {
		t.add(name, spread(added(name, base)), decimals(r.objects(name).minus(r.objects(base)).per(n).median(), 2))
	}
	row(twoClocks, emptyLoop)
	row(handle, emptyLoop)
	row(rootBlock, emptyLoop)
	row(innerBlock, emptySpan)
	return chapter{
		title: "A block",
		text: fmt.Sprintf(`Blocks measure code that has no span. The figures include both readings of the clock. The baseline is an empty loop, for
the last row spans of which each has %d blocks inside, without the blocks. A turn is %d blocks.`, blocksPerSpan, n),
		tables: []table{t},
		targets: []target{
			atMost("a block by a handle made in advance, with both clock readings", 100, added(handle, emptyLoop).median(), duration),
		},
	}, nil
}

func blockContenders(p *otelprof.Profiler, n int) []contender {
	ctx := context.Background()
	site := p.Site("bench", "handle")
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)).Tracer("example.com/blocks")
	return []contender{
		{emptyLoop, func() { repeat(n, func() {}) }},
		{twoClocks, func() { repeat(n, func() { _ = time.Since(time.Now()) }) }},
		{handle, func() { repeat(n, func() { site.Start().End() }) }},
		{rootBlock, func() { repeat(n, func() { p.Block(ctx, "bench", "root").End() }) }},
		{emptySpan, func() { spansAround(tracer, n, func(context.Context) {}) }},
		{innerBlock, func() {
			spansAround(tracer, n, func(ctx context.Context) { p.Block(ctx, "bench", "inner").End() })
		}},
	}
}

//go:noinline
func repeat(n int, f func()) {
	for range n {
		f()
	}
}

// spansAround calls f n times, each blocksPerSpan times in a span.
func spansAround(tracer trace.Tracer, n int, f func(context.Context)) {
	for i := 0; i < n; i += blocksPerSpan {
		ctx, span := tracer.Start(context.Background(), "around")
		for range min(blocksPerSpan, n-i) {
			f(ctx)
		}
		span.End()
	}
}
