package main

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/exporter"
)

// queues are the ways in which raw spans are queued for an exporter that takes its time, or none.
var queues = []struct {
	name string
	make func(e sdktrace.SpanExporter, size int) sdktrace.SpanProcessor
}{
	{"`BatchSpanProcessor`", func(e sdktrace.SpanExporter, size int) sdktrace.SpanProcessor {
		return sdktrace.NewBatchSpanProcessor(e, sdktrace.WithMaxQueueSize(size))
	}},
	{"`exporter.SpanProcessor`", func(e sdktrace.SpanExporter, size int) sdktrace.SpanProcessor {
		return exporter.NewSpanProcessor(e, exporter.WithQueueSize(size), exporter.WithLossHandler(func(exporter.SpanLoss, error) {}))
	}},
}

// rawSpans compares the processors of raw spans.
func rawSpans(b *bench, c *chapter) (table, error) {
	n := b.size(30_000)
	var out []contender
	add := func(name string, p sdktrace.SpanProcessor) {
		shop := newShop(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p)))
		out = append(out, contender{name, func() {
			shop.trade(n)
			// What is still queued belongs to this turn. The error could only be that of the exporter, which has none.
			_ = p.ForceFlush(context.Background())
		}})
	}
	add(noopBase, idle{})
	add(control, idle{})
	exporters := map[string]*slowExporter{}
	var names []string
	for _, load := range []struct {
		name string
		wait time.Duration
		size int
	}{
		{"all fit into the queue", 0, 2 * n}, {"with the default queue, at full speed", exportTime, 2048},
	} {
		for _, q := range queues {
			name := q.name + ", " + load.name
			exporters[name] = &slowExporter{wait: load.wait}
			add(name, q.make(exporters[name], load.size))
			names = append(names, name)
		}
	}
	b.say("raw spans")
	r := b.compare(out, b.rounds, 30*time.Second)
	m := spanCosts{results: r, perTurn: spansOfTurn(n)}
	t := table{header: []string{"a raw span: added to the SDK", "ns", "allocations", "bytes", "lost"}}
	t.add("control: "+control, spread(m.added(control, noopBase)), "", "", "")
	for _, name := range names {
		objects, size := m.allocations(name, noopBase)
		turns := len(r.cpu(name)) + 1 // the first round warms up
		lost := 1 - float64(exporters[name].exported.Load())/float64(turns*m.perTurn)
		t.add(name, spread(m.added(name, noopBase)), objects, size, percent(max(lost, 0)))
	}
	theirs, ours := m.added(names[0], noopBase).median(), m.added(names[1], noopBase).median()
	c.targets = append(c.targets, atMost("a raw span, queued: as the `BatchSpanProcessor`, all fit into the queue", theirs, ours, duration))
	return t, nil
}
