package pipeline

import (
	"encoding/binary"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
)

// recent remembers the traces that were filed lately, with the fingerprints of their spans, to recognise what comes late
// and what comes again. The fingerprints lie in a ring, so that a span costs one store; only traces are in a table. Only
// the holder of the cut uses it.
type recent struct {
	ring []uint64 // of a power of two
	// head is how much was ever put into the ring: what is less than len(ring) below it is still there.
	head   uint64
	traces map[core.TraceID]part
	// parts are what is in the ring, in order, from the index first on.
	parts []part
	first int

	wanted map[uint64]bool // scratch of mark
}

// part is where the fingerprints of a filed part of a trace begin in the ring, and their number. Before them stand the
// same two numbers of the part of the same trace that was filed before.
type part struct {
	trace core.TraceID
	from  uint64
	n     uint64
}

func newRecent(spans int) *recent {
	size := 64
	for size < spans {
		size *= 2
	}
	return &recent{ring: make([]uint64, size), traces: make(map[core.TraceID]part), wanted: make(map[uint64]bool)}
}

func (r *recent) at(i uint64) *uint64 { return &r.ring[i&uint64(len(r.ring)-1)] }

// holds reports whether a part is still in the ring.
func (r *recent) holds(p part) bool { return p.n > 0 && p.from-2+uint64(len(r.ring)) >= r.head }

// mark marks the spans of a trace that are known from parts filed before, and reports whether there are such parts.
func (r *recent) mark(id core.TraceID, spans []assembly.Span) (late bool) {
	p, late := r.traces[id]
	if !late {
		return false
	}
	clear(r.wanted)
	for i := range spans {
		r.wanted[fingerprint(&spans[i])] = false
	}
	for ; r.holds(p); p.from, p.n = *r.at(p.from - 2), *r.at(p.from - 1) {
		for i := range p.n {
			f := *r.at(p.from + i)
			if _, ok := r.wanted[f]; ok {
				r.wanted[f] = true
			}
		}
	}
	for i := range spans {
		spans[i].Repeated = r.wanted[fingerprint(&spans[i])]
	}
	return true
}

// add remembers a part of a trace.
func (r *recent) add(id core.TraceID, spans []assembly.Span) {
	n := uint64(len(spans))
	if n == 0 || n+2 > uint64(len(r.ring)) {
		return
	}
	before := r.traces[id]
	*r.at(r.head), *r.at(r.head + 1) = before.from, before.n
	p := part{trace: id, from: r.head + 2, n: n}
	for i := range spans {
		*r.at(p.from + uint64(i)) = fingerprint(&spans[i])
	}
	r.head = p.from + n
	r.traces[id] = p
	r.parts = append(r.parts, p)
	for !r.holds(r.parts[r.first]) {
		if gone := r.parts[r.first]; r.traces[gone.trace] == gone {
			delete(r.traces, gone.trace)
		}
		r.first++
	}
	if r.first > len(r.parts)/2 {
		r.parts = r.parts[:copy(r.parts, r.parts[r.first:])]
		r.first = 0
	}
}

// fingerprint is the same for the same span only.
func fingerprint(s *assembly.Span) uint64 { return mix(binary.LittleEndian.Uint64(s.ID[:]), s.Sum) }
