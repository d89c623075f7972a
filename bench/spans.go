package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
)

// spans measures what a span costs: with our processor at every stage, with those of others, and without any.
func spans(b *bench) (chapter, error) {
	n := b.size(60_000)
	own, err := ours(n)
	if err != nil {
		return chapter{}, err
	}
	hand, err := handmade(n)
	if err != nil {
		return chapter{}, err
	}
	others := newPeers(n)
	heap := newBallast(64 << 20)
	r := b.compare(slices.Concat(baselines(n), own, others.contenders, hand), b.rounds, 120*time.Second)
	runtime.KeepAlive(heap)

	m := spanCosts{results: r, perTurn: spansOfTurn(n)}
	return chapter{
		title: "A span",
		text: fmt.Sprintf(`The workload is a service of %d places that start spans with 3 to 5 attributes each, in traces of 10 to 21 spans up to 5 deep;
it does nothing else, on one goroutine. The live heap is 64 MiB. A turn begins with a collected heap, and its %d spans make the garbage
collector run about once, the same number of times in every round; there were %d rounds. “%s” is the baseline measured twice: how far it is from 0 is how far to trust the rest.

Exporting took %v a batch; the `+"`BatchSpanProcessor`"+` with its default queue lost %s of the spans at full speed, so its figure is
mostly the price of dropping them.`, siteCount, m.perTurn, len(r.cpu(noopBase)), control, exportTime, percent(others.lost())),
		tables:  []table{m.ours(), m.others(), m.absolute()},
		targets: m.targets(),
	}, nil
}

// spansOfTurn returns how many spans a turn of at least n has: a trace is never cut short.
func spansOfTurn(n int) int {
	s := newShop(noop.NewTracerProvider())
	s.trade(n)
	return s.spans
}

// spanCosts are the results of turns with so many spans each.
type spanCosts struct {
	results
	perTurn int
}

// added returns the CPU time per span in ns that a contender takes beyond a base.
func (m spanCosts) added(name, base string) sample {
	return m.cpu(name).minus(m.cpu(base)).per(m.perTurn)
}

// allocations returns the objects and bytes per span that a contender allocates beyond a base.
func (m spanCosts) allocations(name, base string) (objects, size string) {
	o := m.objects(name).minus(m.objects(base)).per(m.perTurn).median()
	s := m.bytes(name).minus(m.bytes(base)).per(m.perTurn).median()
	return decimals(o, 2), whole(s)
}

func (m spanCosts) ours() table {
	t := table{header: []string{"otelprof: added per span", public + ", ns", fast + ", ns", "allocations", "bytes"}}
	for _, s := range stages {
		objects, size := m.allocations(variant(s.name, public), noopBase)
		t.add(s.name, spread(m.added(variant(s.name, public), noopBase)), spread(m.added(variant(s.name, fast), noopBase)), objects, size)
	}
	return t
}

func (m spanCosts) others() table {
	t := table{header: []string{"in comparison: added per span", "ns", "allocations", "bytes"}}
	for _, name := range []string{
		variant(everything, public), fewAccessors, allAccessors, classicPeer, nativePeer, cachedPeer, otelPeer, zpagesPeer, simplePeer, batchPeer,
	} {
		objects, size := m.allocations(name, noopBase)
		t.add(name, spread(m.added(name, noopBase)), objects, size)
	}
	t.add("control: "+control, spread(m.added(control, noopBase)), "", "")
	t.add("`AlwaysRecord` around a sampler that drops, with a processor", spread(m.added(alwaysRecord, neverRecorded)), "", "")
	return t
}

func (m spanCosts) absolute() table {
	t := table{header: []string{"all of a span", "ns", "allocations", "bytes"}}
	for _, name := range []string{
		apiNoop, neverSample, withoutAny, noopBase, neverRecorded, alwaysRecord, variant(everything, fast),
	} {
		t.add(name, spread(m.cpu(name).per(m.perTurn)),
			decimals(m.objects(name).per(m.perTurn).median(), 2), whole(m.bytes(name).per(m.perTurn).median()))
	}
	return t
}

func (m spanCosts) targets() []target {
	price := func(name string) float64 { return m.added(name, noopBase).median() }
	all := price(variant(everything, public))
	var objects float64
	for _, s := range stages {
		for _, a := range accesses {
			added := m.objects(variant(s.name, a.name)).minus(m.objects(noopBase)).per(m.perTurn)
			objects = max(objects, added.median())
		}
	}
	count := func(v float64) string { return decimals(v, 2) }
	return []target{
		atMost("statistics, public accessors", 100, price(variant(statisticsOnly, public)), duration),
		atMost("everything, public accessors", 170, all, duration),
		atMost("statistics, fast access", 50, price(variant(statisticsOnly, fast)), duration),
		atMost("everything, fast access", 110, price(variant(everything, fast)), duration),
		atMost("everything, public accessors: below a Prometheus observation by hand", price(classicPeer), all, duration),
		atMost("everything, by default, on a span of 20 µs", 0.01, price(variant(everything, fast))/20_000, percent),
		atMost("allocations per span, at any stage", 0.005, objects, count),
	}
}
