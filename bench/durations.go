package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"

	"github.com/stichotrope/stichotrope-go/core"
)

// durations returns many durations in ns, evenly spread in their logarithm over so many decades from 100 µs on.
func durations(decades int) []int64 {
	random := rand.New(rand.NewPCG(2, 26))
	out := make([]int64, 1<<14)
	for i := range out {
		out[i] = int64(1e5 * math.Pow(10, float64(decades)*random.Float64()))
	}
	return out
}

// stock is an aggregator with sites, each a root of the call tree.
type stock struct {
	*core.Aggregator
	labels []*core.Label
}

func newStock(sites int, selfHistograms bool) (*stock, error) {
	limits := core.DefaultLimits()
	limits.MaxSites, limits.MaxNodes, limits.MaxActive = max(limits.MaxSites, 2*sites), max(limits.MaxNodes, 2*sites), 1<<20
	a, err := core.New(core.Config{Limits: limits, SelfHistograms: selfHistograms})
	if err != nil {
		return nil, fmt.Errorf("making an aggregator: %w", err)
	}
	s := &stock{Aggregator: a}
	for i := range sites {
		s.labels = append(s.labels, a.Label(core.Site{
			Track: "example.com/stock", Name: "site " + strconv.Itoa(i),
			Function: "example.com/stock.work", File: "/src/stock/work.go", Line: i + 1,
		}))
	}
	return s, nil
}

// touch records one observation at every site.
func (s *stock) touch(duration int64) {
	for _, label := range s.labels {
		s.Record(label, &core.Observation{Duration: duration, Trace: core.TraceID{1}, Span: core.SpanID{1}})
	}
}

// fill records n observations at every site, the sites one after another. If contended, one goroutine for each
// processor does so, all at the same site, so that it gets more stripes.
func (s *stock) fill(n int, durations []int64, contended bool) {
	goroutines := 1
	if contended {
		goroutines = max(2, runtime.GOMAXPROCS(0))
	}
	for i, label := range s.labels {
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for k := range n / goroutines {
					d := durations[(k+i+g)%len(durations)]
					s.Record(label, &core.Observation{Start: int64(k), Duration: d, Trace: core.TraceID{1}, Span: core.SpanID{1}})
				}
			})
		}
		all.Wait()
	}
}
