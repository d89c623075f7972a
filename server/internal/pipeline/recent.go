package pipeline

import (
	"encoding/binary"

	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
)

// recent remembers the traces that were filed lately, with the fingerprints of their spans, to recognise what comes late
// and what comes again. There are two generations: when the present one is full, the one before is forgotten, and the
// present one takes its place. Only the holder of the cut uses it.
type recent struct {
	now, before generation
	limit       int

	wanted map[uint64]bool // scratch of mark
}

// generation has the fingerprints one behind the other, so that a span costs one store; only traces are in a table, by a
// hash of their ids. Before the fingerprints of a part of a trace stands where those of the part filed before it begin, with
// their number.
type generation struct {
	spans  []uint64
	traces map[uint64]part
}

type part struct{ from, n uint32 }

func newRecent(spans int) *recent {
	r := &recent{limit: max(spans/2, 1), wanted: make(map[uint64]bool)}
	r.now.traces, r.before.traces = make(map[uint64]part), make(map[uint64]part)
	return r
}

// mark marks the spans of a trace that are known from parts filed before, and reports whether there are such parts.
func (r *recent) mark(trace uint64, spans []assembly.Span) (late bool) {
	now, inNow := r.now.traces[trace]
	before, inBefore := r.before.traces[trace]
	if !inNow && !inBefore {
		return false
	}
	clear(r.wanted)
	for i := range spans {
		r.wanted[fingerprint(&spans[i])] = false
	}
	r.now.look(now, r.wanted)
	r.before.look(before, r.wanted)
	for i := range spans {
		spans[i].Repeated = r.wanted[fingerprint(&spans[i])]
	}
	return true
}

// look notes which of the wanted spans are in a part or in one before it.
func (g *generation) look(p part, wanted map[uint64]bool) {
	for p.n > 0 {
		for _, f := range g.spans[p.from : p.from+p.n] {
			if _, ok := wanted[f]; ok {
				wanted[f] = true
			}
		}
		header := g.spans[p.from-1]
		p = part{uint32(header >> 32), uint32(header)}
	}
}

// add remembers a part of a trace.
func (r *recent) add(trace uint64, spans []assembly.Span) {
	if len(r.now.spans) >= r.limit {
		r.before, r.now = r.now, r.before
		clear(r.now.traces)
		r.now.spans = r.now.spans[:0]
	}
	g := &r.now
	if g.spans == nil {
		g.spans = make([]uint64, 0, r.limit+4096) // at once: to grow into it by doubling would touch twice as much
	}
	last := g.traces[trace]
	g.spans = append(g.spans, uint64(last.from)<<32|uint64(last.n))
	p := part{uint32(len(g.spans)), uint32(len(spans))}
	for i := range spans {
		g.spans = append(g.spans, fingerprint(&spans[i]))
	}
	g.traces[trace] = p
}

// fingerprint is the same for the same span only.
func fingerprint(s *assembly.Span) uint64 { return mix(binary.LittleEndian.Uint64(s.ID[:]), s.Sum) }
