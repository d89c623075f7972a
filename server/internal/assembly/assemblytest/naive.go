// Package assemblytest is the plainest assembler of traces: pointers, recursion and loops over everything. It is what the
// real one, and those who use it, are compared with.
package assemblytest

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
)

// Span is a span with what is to be found out about it.
type Span struct {
	In             assembly.Span
	Up             *Span
	Flags          assembly.Flags
	Self, Critical uint64

	children   []*Span
	start, end int64
	visiting   bool
}

// Assemble does what assembly.Assembler does. Times must be far from the limits of int64.
func Assemble(spans []assembly.Span, maxSkew time.Duration) []*Span {
	all := make([]*Span, len(spans))
	for i, s := range spans {
		all[i] = &Span{In: s, start: s.Start, end: s.Start + max(s.Duration, 0)}
	}
	first := map[core.SpanID]*Span{}
	for i, n := range all {
		if n.In.Repeated {
			n.Flags = assembly.Duplicate
			continue
		}
		for _, earlier := range all[:i] {
			if earlier.In.ID == n.In.ID && earlier.In.Sum == n.In.Sum && !earlier.In.Repeated {
				n.Flags = assembly.Duplicate
			}
		}
		if first[n.In.ID] == nil {
			first[n.In.ID] = n
		}
	}
	for _, n := range all {
		if n.Flags.Has(assembly.Duplicate) {
			continue
		}
		if n.In.Duration < 0 {
			n.Flags = assembly.Backward
		}
		if n.In.Parent != (core.SpanID{}) {
			if n.Up = first[n.In.Parent]; n.Up == nil {
				n.Flags |= assembly.Orphan
			}
		}
	}
	for _, n := range all {
		if ring := n.ring(); ring != nil {
			slices.SortFunc(ring, func(a, b *Span) int {
				return cmp.Or(cmp.Compare(a.In.Start, b.In.Start), bytes.Compare(a.In.ID[:], b.In.ID[:]))
			})
			ring[0].Up, ring[0].Flags = nil, ring[0].Flags|assembly.Cut
		}
	}
	for _, n := range all {
		if n.Up != nil {
			n.Up.children = append(n.Up.children, n)
		}
	}
	for _, n := range all {
		if n.Up == nil && !n.Flags.Has(assembly.Duplicate) {
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
func (n *Span) ring() []*Span {
	var ring []*Span
	for at := n; at != nil && len(ring) <= 10_000; at = at.Up {
		ring = append(ring, at)
		if at.Up == n {
			return ring
		}
	}
	return nil
}

// align is Jaeger's adjustment of clocks, for a span and all below it.
func (n *Span) align(delta, limit int64) {
	if n.Up != nil && n.Up.In.Clock != n.In.Clock {
		p := n.Up
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
		if max(delta, -delta) > limit || n.In.Async {
			delta = 0
		}
	}
	if delta != 0 {
		n.start, n.end, n.Flags = n.start+delta, n.end+delta, n.Flags|assembly.Moved
	}
	for _, c := range n.children {
		c.align(delta, limit)
	}
}

// walkBack distributes the time between from and to, all of it on the critical path, over n and those below it.
func (n *Span) walkBack(from, to int64) {
	for at := to; ; {
		var last *Span
		for _, c := range n.children {
			if !c.visiting && max(c.start, from) <= min(c.end, to) && min(c.end, to) <= at && (last == nil || c.after(last)) {
				last = c
			}
		}
		if last == nil {
			n.Critical += uint64(at - from)
			return
		}
		last.visiting = true
		n.Critical += uint64(at - min(last.end, to))
		at = max(last.start, from)
		last.walkBack(at, min(last.end, to))
	}
}

// after says which of two children is taken first.
func (n *Span) after(o *Span) bool {
	return cmp.Or(cmp.Compare(o.end, n.end), cmp.Compare(n.start, o.start),
		bytes.Compare(n.In.ID[:], o.In.ID[:]), cmp.Compare(n.In.Sum, o.In.Sum)) < 0
}

// countSelf looks at every period in which nothing begins or ends.
func (n *Span) countSelf() {
	if n.Flags.Has(assembly.Duplicate) {
		return
	}
	moments := []int64{n.start, n.end}
	for _, c := range n.children {
		moments = append(moments, min(max(c.start, n.start), n.end), min(max(c.end, n.start), n.end))
	}
	slices.Sort(moments)
	for i := 1; i < len(moments); i++ {
		from, to := moments[i-1], moments[i]
		if !slices.ContainsFunc(n.children, func(c *Span) bool { return c.start <= from && to <= c.end }) {
			n.Self += uint64(to - from)
		}
	}
}
