package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// The pieces of the hot path, for whoever works on them. What a span costs as a whole, and beside others, is for
// the command in the folder bench.

func benchAggregator(b *testing.B, limits Limits) *Aggregator {
	a, err := New(Config{Limits: limits})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// benchDurations are durations over three decades.
func benchDurations() []uint64 {
	random := rand.New(rand.NewPCG(1, 2))
	d := make([]uint64, 1024)
	for i := range d {
		d[i] = 1 << (10 + random.Uint64N(10))
		d[i] += random.Uint64N(d[i])
	}
	return d
}

func BenchmarkLabel(b *testing.B) {
	a := benchAggregator(b, Limits{})
	site := Site{Track: "example.com/shop/db", Name: "SELECT products", Kind: KindClient}
	b.ReportAllocs()
	for b.Loop() {
		a.Label(site)
	}
}

func BenchmarkRecord(b *testing.B) {
	durations := benchDurations()
	for _, parallel := range []bool{false, true} {
		b.Run(fmt.Sprintf("parallel=%t", parallel), func(b *testing.B) {
			a := benchAggregator(b, Limits{})
			l := a.Label(Site{Track: "track", Name: "name"})
			record := func(i int) {
				a.Record(l, &Observation{
					Start: int64(i), Duration: int64(durations[i%len(durations)]), Trace: TraceID{1}, Span: SpanID{1},
				})
			}
			b.ReportAllocs()
			if !parallel {
				for i := 0; b.Loop(); i++ {
					record(i)
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					record(i)
				}
			})
		})
	}
	b.Run("self", func(b *testing.B) {
		a, err := New(Config{SelfHistograms: true})
		if err != nil {
			b.Fatal(err)
		}
		l := a.Label(Site{Track: "track", Name: "name"})
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			a.Record(l, &Observation{
				Start: int64(i), Duration: int64(durations[i%len(durations)]), Trace: TraceID{1}, Span: SpanID{1},
			})
		}
	})
}

// BenchmarkOpenClose measures one span of a trace of so many, each the child of the one before. A trace of a single
// span pays for all the trace alone.
func BenchmarkOpenClose(b *testing.B) {
	for _, size := range []int{1, 15, 200} {
		b.Run(fmt.Sprintf("spans=%d", size), func(b *testing.B) {
			a := benchAggregator(b, Limits{})
			labels := make([]*Label, size)
			for i := range labels {
				labels[i] = a.Label(Site{Track: "track", Name: fmt.Sprint("name ", i)})
			}
			trace := uint64(0)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%size == 0 {
					trace += 0x9E3779B97F4A7C15
					openAndClose(a, trace, labels)
				}
			}
		})
	}
}

// openAndClose opens a span for each label and closes them from the last to the first.
func openAndClose(a *Aggregator, trace uint64, labels []*Label) {
	var o Opening
	binary.LittleEndian.PutUint64(o.Trace[:], trace)
	for i := range labels {
		o.Parent = o.Span
		binary.LittleEndian.PutUint64(o.Span[:], trace+uint64(i)+1)
		a.Open(&o)
	}
	c := Closing{Trace: o.Trace}
	for i := len(labels) - 1; i >= 0; i-- {
		binary.LittleEndian.PutUint64(c.Span[:], trace+uint64(i)+1)
		c.Label, c.Start, c.Duration, c.Exemplar = labels[i], int64(i), int64(2000-2*i), c.Span
		a.Close(&c)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	durations := benchDurations()
	for _, sites := range []int{100, 1000} {
		for _, striped := range []bool{false, true} {
			b.Run(fmt.Sprintf("sites=%d,striped=%t", sites, striped), func(b *testing.B) {
				a := benchAggregator(b, Limits{})
				for i := range sites {
					l := a.Label(Site{Track: "track", Name: fmt.Sprint("name ", i)})
					if striped {
						l.state.child(&l.state.root, l.unlocated()).widen()
					}
					for k, d := range durations {
						a.Record(l, &Observation{Start: int64(k), Duration: int64(d)})
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					a.Snapshot()
				}
			})
		}
	}
}
