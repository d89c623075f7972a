package demo

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"
)

// Truth is the exact statistics of generated spans, worked out without any code of the server: from the list of all.
type Truth struct {
	operations map[key]*facts
	traces     uint64
}

type key struct {
	service, scope, name string
	kind                 kind
}

// facts are what is known of one operation.
type facts struct {
	errors, self uint64
	durations    []uint64
}

func newTruth() *Truth { return &Truth{operations: map[key]*facts{}} }

// Operation is the statistics of one name of a service, in nanoseconds.
type Operation struct {
	Service string `json:"service"`
	// Track is the instrumentation scope.
	Track  string `json:"track"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Count  uint64 `json:"count"`
	Errors uint64 `json:"errors"`
	Total  uint64 `json:"total_ns"`
	// Self is the time that no child covers.
	Self uint64 `json:"self_ns"`
	Min  uint64 `json:"min_ns"`
	Max  uint64 `json:"max_ns"`
	P50  uint64 `json:"p50_ns"`
	P90  uint64 `json:"p90_ns"`
	P95  uint64 `json:"p95_ns"`
	P99  uint64 `json:"p99_ns"`
}

// Summary is the whole truth.
type Summary struct {
	Traces     uint64      `json:"traces"`
	Spans      uint64      `json:"spans"`
	Operations []Operation `json:"operations"`
}

var kindNames = [...]string{internal: "internal", server: "server", client: "client", producer: "producer", consumer: "consumer"}

// Summary returns the truth in ascending order of service, track, name and kind.
func (t *Truth) Summary() Summary {
	s := Summary{Traces: t.traces, Operations: []Operation{}}
	for k, f := range t.operations {
		d := slices.Sorted(slices.Values(f.durations))
		// The nearest rank: the ⌈q·n⌉-th smallest.
		quantile := func(q float64) uint64 { return d[int(math.Ceil(q*float64(len(d))))-1] }
		o := Operation{
			Service: k.service, Track: k.scope, Name: k.name, Kind: kindNames[k.kind], Count: uint64(len(d)),
			Errors: f.errors, Self: f.self, Min: d[0], Max: d[len(d)-1],
			P50: quantile(0.5), P90: quantile(0.9), P95: quantile(0.95), P99: quantile(0.99),
		}
		for _, n := range d {
			o.Total += n
		}
		s.Spans += o.Count
		s.Operations = append(s.Operations, o)
	}
	slices.SortFunc(s.Operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Track, b.Track), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return s
}

// WriteJSON writes the summary.
func (t *Truth) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(t.Summary())
}

// add counts the spans of a trace.
func (t *Truth) add(spans []made) {
	t.traces++
	for i, s := range spans {
		k := key{s.op.service, s.op.scope, s.op.name, s.op.kind}
		f := t.operations[k]
		if f == nil {
			f = &facts{}
			t.operations[k] = f
		}
		f.durations = append(f.durations, uint64(s.end-s.start))
		if s.proto.Status != nil {
			f.errors++
		}
		f.self += uint64(s.end - s.start - covered(spans, i))
	}
}

// covered returns how much of the time of span i its children cover.
func covered(spans []made, i int) int64 {
	var edges []int64
	for _, c := range spans {
		if from, to := max(c.start, spans[i].start), min(c.end, spans[i].end); c.parent == i && to > from {
			edges = append(edges, from, to)
		}
	}
	bounds := slices.Compact(slices.Sorted(slices.Values(edges)))
	var sum int64
	for b := 1; b < len(bounds); b++ {
		for e := 0; e < len(edges); e += 2 {
			if edges[e] <= bounds[b-1] && bounds[b] <= edges[e+1] {
				sum += bounds[b] - bounds[b-1]
				break
			}
		}
	}
	return sum
}
