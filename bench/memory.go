package main

import (
	"encoding/binary"
	"runtime"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// memory measures what a site and an open span take.
func memory(b *bench) (chapter, error) {
	c := chapter{
		title: "Memory",
		text: `The live heap, after garbage collection. The durations of a site are spread evenly in their logarithm over so many decades;
three decades are what a busy site has, from 1 ms to 1 s, say. A site has one node in the call tree here; a site on several paths has several.`,
	}
	sites := table{header: []string{"a site after 1 000 000 observations", "decades", "bytes"}}
	observations := b.size(1_000_000)
	for _, k := range []struct {
		name                      string
		contended, selfHistograms bool
	}{
		{stripes(false), false, false}, {stripes(true), true, false},
		{"one stripe, self times as histograms", false, true},
	} {
		for _, decades := range []int{1, 3, 6} {
			b.say("%d decades, %s", decades, k.name)
			size, err := siteSize(observations, decades, k.contended, k.selfHistograms)
			if err != nil {
				return chapter{}, err
			}
			sites.add(k.name, strconv.Itoa(decades), bytes(size))
			if decades == 3 && !k.contended && !k.selfHistograms {
				c.targets = append(c.targets, atMost("memory of a site after 1 000 000 observations, durations over 3 decades", 4096, size, bytes))
			}
		}
	}
	size, err := openSpanSize(b.size(15_000))
	open := table{header: []string{"an open span", "bytes"}}
	open.add("in a trace of 15 open spans", bytes(size))
	c.tables = []table{sites, open}
	return c, err
}

// siteSize returns how many bytes a site retains.
func siteSize(observations, decades int, contended, selfHistograms bool) (float64, error) {
	const sites = 16
	values := durations(decades)
	s, err := newStock(0, selfHistograms)
	if err != nil {
		return 0, err
	}
	size := retained(func() {
		var filled *stock
		filled, err = newStock(sites, selfHistograms)
		if err == nil {
			s.labels, s.Aggregator = filled.labels, filled.Aggregator
			s.fill(observations, values, contended)
		}
	})
	runtime.KeepAlive(s)
	runtime.KeepAlive(values)
	return size / sites, err
}

// openSpanSize returns how many bytes an open span retains, beside the span itself, which belongs to the SDK.
func openSpanSize(traces int) (float64, error) {
	const perTrace = 15
	s, err := newStock(0, false)
	if err != nil {
		return 0, err
	}
	size := retained(func() {
		for i := range traces {
			var o core.Opening
			// Ids as they come are spread over the shards by their hash.
			binary.LittleEndian.PutUint64(o.Trace[:], uint64(i+1)*0x9E3779B97F4A7C15)
			for k := range perTrace {
				o.Parent, o.Span = o.Span, core.SpanID{byte(k + 1)}
				s.Open(&o)
			}
		}
	})
	runtime.KeepAlive(s)
	return size / float64(traces*perTrace), nil
}
