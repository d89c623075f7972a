package assembly

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// naive is a span as the oracle sees it: with pointers, recursion, and a step for every nanosecond.
type naive struct {
	in             Span
	up             *naive
	children       []*naive
	flags          Flags
	start, end     int64
	self, critical uint64
	visiting       bool
}

// assembleNaively does what Assemble does in the plainest way. Durations must be short.
func assembleNaively(spans []Span, maxSkew time.Duration) []*naive {
	all := make([]*naive, len(spans))
	for i, s := range spans {
		all[i] = &naive{in: s, start: s.Start, end: s.Start + max(s.Duration, 0)}
	}
	first := map[core.SpanID]*naive{}
	for i, n := range all {
		for _, earlier := range all[:i] {
			if earlier.in.ID == n.in.ID && earlier.in.Sum == n.in.Sum {
				n.flags = Duplicate
			}
		}
		if first[n.in.ID] == nil {
			first[n.in.ID] = n
		}
	}
	for _, n := range all {
		if n.flags == 0 && n.in.Parent != (core.SpanID{}) {
			if n.up = first[n.in.Parent]; n.up == nil {
				n.flags = Orphan
			}
		}
	}
	for _, n := range all {
		if ring := n.ring(); ring != nil {
			slices.SortFunc(ring, func(a, b *naive) int {
				return cmp.Or(cmp.Compare(a.in.Start, b.in.Start), bytes.Compare(a.in.ID[:], b.in.ID[:]))
			})
			ring[0].up, ring[0].flags = nil, ring[0].flags|Cut
		}
	}
	for _, n := range all {
		if n.up != nil {
			n.up.children = append(n.up.children, n)
		}
	}
	for _, n := range all {
		if n.up == nil && !n.flags.Has(Duplicate) {
			n.align(0, int64(maxSkew))
			n.walkBack(n.start, n.end)
		}
	}
	for _, n := range all {
		n.countSelf()
	}
	return all
}

// ring returns the spans of the ring that n is part of.
func (n *naive) ring() []*naive {
	var ring []*naive
	for at := n; at != nil && len(ring) <= 10_000; at = at.up {
		ring = append(ring, at)
		if at.up == n {
			return ring
		}
	}
	return nil
}

// align is Jaeger's adjustment of clocks, for a span and all below it.
func (n *naive) align(delta, limit int64) {
	if n.up != nil && n.up.in.Clock != n.in.Clock {
		p := n.up
		duration, parents := n.end-n.start, p.end-p.start
		switch {
		case duration > parents && n.start < p.start:
			delta = p.start - n.start
		case duration > parents:
			delta = 0
		case n.start >= p.start && n.end <= p.end:
			delta = 0
		default:
			delta = p.start + (parents-duration)/2 - n.start
		}
		if max(delta, -delta) > limit {
			delta = 0
		}
	}
	if delta != 0 {
		n.start, n.end, n.flags = n.start+delta, n.end+delta, n.flags|Moved
	}
	for _, c := range n.children {
		c.align(delta, limit)
	}
}

// walkBack distributes the time between from and to, all of it on the critical path, over n and those below it.
func (n *naive) walkBack(from, to int64) {
	for at := to; ; {
		var last *naive
		for _, c := range n.children {
			if !c.visiting && max(c.start, from) <= min(c.end, to) && min(c.end, to) <= at && (last == nil || c.after(last)) {
				last = c
			}
		}
		if last == nil {
			n.critical += uint64(at - from)
			return
		}
		last.visiting = true
		n.critical += uint64(at - min(last.end, to))
		at = max(last.start, from)
		last.walkBack(at, min(last.end, to))
	}
}

// after says which of two children is taken first.
func (n *naive) after(o *naive) bool {
	return cmp.Or(cmp.Compare(o.end, n.end), cmp.Compare(n.start, o.start), bytes.Compare(n.in.ID[:], o.in.ID[:])) < 0
}

// countSelf looks at every nanosecond of the span.
func (n *naive) countSelf() {
	if n.flags.Has(Duplicate) {
		return
	}
	for t := n.start; t < n.end; t++ {
		if !slices.ContainsFunc(n.children, func(c *naive) bool { return c.start <= t && t < c.end }) {
			n.self++
		}
	}
}

// randomSpans makes a trace with everything odd in it.
func randomSpans(r *rand.Rand, n int) []Span {
	spans := make([]Span, n)
	clocks := 1 + r.Uint32N(4)
	for i := range spans {
		s := &spans[i]
		if i > 0 && r.IntN(10) == 0 {
			*s = spans[r.IntN(i)]
			if r.IntN(2) == 0 {
				s.Sum = r.Uint64() // another span with the same id
				s.Start += r.Int64N(20)
			}
			continue
		}
		*s = Span{ID: spanID(uint64(i) + 1), Sum: r.Uint64(), Start: 1000 + r.Int64N(100), Duration: r.Int64N(60), Clock: r.Uint32N(clocks)}
		switch r.IntN(12) {
		case 0: // a root
		case 1:
			s.Parent = spanID(uint64(n) + 1 + r.Uint64N(3)) // an orphan
		case 2:
			s.Parent = spanID(1 + r.Uint64N(uint64(n))) // anybody: rings, itself
		case 3:
			s.Duration = r.Int64N(3) - 1
			fallthrough
		default:
			if i > 0 {
				s.Parent = spans[r.IntN(i)].ID
			}
		}
	}
	r.Shuffle(n, func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	return spans
}

func spanID(n uint64) (id core.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}
