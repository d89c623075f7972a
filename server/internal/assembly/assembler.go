package assembly

import (
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Span is one span of a trace: what [Assembler.Assemble] is given, and below that what it finds out.
type Span struct {
	// ID is the span's id, Parent that of its parent: all zeros for none.
	ID, Parent core.SpanID
	// Start is in ns since the Unix epoch, Duration in ns; a negative one counts as 0. What is beyond 140 years is cut.
	Start, Duration int64
	// Sum tells spans of one id apart: those with the same Sum are the same span, received twice.
	Sum uint64
	// Clock tells by which clock the times were taken.
	Clock uint32
	// Async: the parent does not wait for the span, so that where it lies tells nothing about the clocks.
	Async bool
	// Repeated: the span is known from an earlier part of the trace, and is a duplicate for that.
	Repeated bool

	// Flags say what is odd about the span.
	Flags Flags
	// Up is the index of the parent; -1 for a root.
	Up int32
	// Self is the part of Duration that no child covers, Critical the part that lies on the critical path, in ns.
	Self, Critical uint64

	// start and end are the times by the root's clock, moved is by how much they differ from those received.
	start, end, moved int64
	// first is the child that ended last, next the sibling that ended next to last; -1 for none.
	first, next int32
	// from and to are the part of the span that lies on the critical path, if any does: then critical is set.
	from, to int64
	critical bool
	state    state
}

// Flags say what is odd about a span.
type Flags uint8

const (
	// Duplicate: the span was received before, and counts there. It has no parent, no time, and is not in the order.
	Duplicate Flags = 1 << iota
	// Orphan: there is no span with the parent's id.
	Orphan
	// Cut: the span was its own ancestor, and was made a root.
	Cut
	// Moved: the times were moved because of another clock.
	Moved
	// Backward: the span ended before it started, and counts as if it had taken no time.
	Backward
)

// Has reports whether a flag is set.
func (f Flags) Has(flag Flags) bool { return f&flag != 0 }

// state is how far the search for the order has come with a span.
type state uint8

const (
	unseen state = iota
	underway
	ordered
)

// Assembler puts traces together. The zero value is ready. One goroutine at a time may use it.
type Assembler struct {
	// MaxSkew is by how much a span's times may be moved, at most a day; if it takes more, they are left alone. 0 is no
	// movement.
	MaxSkew time.Duration

	// Order lists the indexes of the spans of the last trace that are no duplicates: parents before their children.
	Order []int32

	ids   idTable
	chain []int32
	byEnd []ending
}

// Assemble fills in what is to be found out about the spans of a trace, and Order.
func (a *Assembler) Assemble(spans []Span) {
	a.link(spans)
	a.order(spans)
	a.align(spans)
	a.siblings(spans)
	for _, i := range a.Order {
		own(spans, i)
	}
}

// The bounds keep every sum and difference of two times within int64, moved or not.
const (
	maxSkew     = 24 * time.Hour
	maxMoment   = 1<<62 - 1<<48
	maxDuration = 1<<62 - 1
)

// link finds the parents and the duplicates.
func (a *Assembler) link(spans []Span) {
	a.ids.reset(len(spans))
	for i := range spans {
		s := &spans[i]
		s.Flags, s.state, s.Self, s.Critical, s.critical, s.moved = 0, unseen, 0, 0, false, 0
		s.first, s.next, s.Up = -1, -1, -1
		s.start = min(max(s.Start, 0), maxMoment)
		s.end = s.start + min(max(s.Duration, 0), maxDuration)
		if s.Repeated || a.ids.add(spans, int32(i)) {
			s.Flags, s.state = Duplicate, ordered
		} else if s.Duration < 0 {
			s.Flags = Backward
		}
	}
	for i := range spans {
		s := &spans[i]
		if s.Flags.Has(Duplicate) || s.Parent == (core.SpanID{}) {
			continue
		}
		if s.Up = a.ids.find(spans, s.Parent); s.Up < 0 {
			s.Flags |= Orphan
		}
	}
}

// order lists the spans, parents first, and cuts the rings: from each span it climbs to the first ancestor that is in
// the list, and then puts those on the way into the list from the top.
func (a *Assembler) order(spans []Span) {
	a.Order = a.Order[:0]
	for i := range spans {
		a.chain = a.chain[:0]
		for at := int32(i); at >= 0 && spans[at].state != ordered; at = spans[at].Up {
			if spans[at].state == underway {
				// The chain has come back to itself. Cut, it ends before the root, where the climb begins anew.
				a.cut(spans, at)
				a.chain, at = a.chain[:0], int32(i)
			}
			spans[at].state = underway
			a.chain = append(a.chain, at)
		}
		for k := len(a.chain) - 1; k >= 0; k-- {
			spans[a.chain[k]].state = ordered
			a.Order = append(a.Order, a.chain[k])
		}
	}
}

// cut makes a root of the span that started first in the ring which the span at is part of, and forgets the climb.
func (a *Assembler) cut(spans []Span, at int32) {
	first := at
	for i := spans[at].Up; i != at; i = spans[i].Up {
		if s, f := &spans[i], &spans[first]; s.Start < f.Start || s.Start == f.Start && string(s.ID[:]) < string(f.ID[:]) {
			first = i
		}
	}
	spans[first].Up = -1
	spans[first].Flags |= Cut
	for _, i := range a.chain {
		spans[i].state = unseen
	}
}

// align moves the spans of other clocks than their parents'.
func (a *Assembler) align(spans []Span) {
	limit := int64(min(a.MaxSkew, maxSkew))
	for _, i := range a.Order {
		s := &spans[i]
		if s.Up < 0 {
			continue
		}
		p := &spans[s.Up]
		if s.Clock == p.Clock {
			s.moved = p.moved
		} else if d := skew(s, p); !s.Async && d <= limit && -d <= limit {
			s.moved = d
		}
		if s.moved != 0 {
			s.start, s.end = s.start+s.moved, s.end+s.moved
			s.Flags |= Moved
		}
	}
}

// skew returns by how much the span must be moved to lie within its parent.
func skew(s, p *Span) int64 {
	room := (p.end - p.start) - (s.end - s.start)
	switch {
	case room < 0:
		return max(p.start-s.start, 0)
	case s.start >= p.start && s.end <= p.end:
		return 0
	}
	return p.start + room/2 - s.start
}

// own computes the self time of a span, and if it is on the critical path, its share in that and which of its children
// are on it too. Both take the children in the order of their ends, the last one first.
func own(spans []Span, i int32) {
	s := &spans[i]
	if s.Up < 0 {
		s.critical, s.from, s.to = true, s.start, s.end
	}
	self, covered := uint64(s.end-s.start), s.end // what is after covered is subtracted already
	share, at := uint64(0), s.to
	for c := s.first; c >= 0; c = spans[c].next {
		child := &spans[c]
		if from, to := max(child.start, s.start), min(child.end, covered); to > from {
			self -= uint64(to - from)
			covered = from
		}
		if !s.critical {
			continue
		}
		if from, to := max(child.start, s.from), min(child.end, s.to); from <= to && to <= at {
			child.critical, child.from, child.to = true, from, to
			share += uint64(at - to)
			at = from
		}
	}
	s.Self = self
	if s.critical {
		s.Critical = share + uint64(at-s.from)
	}
}
