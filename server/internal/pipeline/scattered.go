package pipeline

import (
	"cmp"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
)

// scattered is scratch memory for traces whose spans ended in different minutes.
type scattered struct {
	byMinute []minuteOf
	depth    []int32
	chain    []int32
}

type minuteOf struct {
	minute int64
	span   int32
}

// recordMinutes counts a trace whose spans ended in different minutes: in each minute those that ended then, with the path
// that leads to them. A span deeper than the call tree may be needs no path: it goes to the overflow branch anyway, and a
// trace may be a chain of any length.
func (t *tally) recordMinutes(tr *trace, found []assembly.Span, order []int32) {
	t.byMinute = t.byMinute[:0]
	t.depth = slices.Grow(t.depth[:0], len(found))[:len(found)]
	for _, i := range order {
		t.byMinute = append(t.byMinute, minuteOf{tr.spans[i].minute(), i})
		t.depth[i] = 1
		if up := found[i].Up; up >= 0 {
			t.depth[i] = t.depth[up] + 1
		}
	}
	slices.SortStableFunc(t.byMinute, func(a, b minuteOf) int { return cmp.Compare(a.minute, b.minute) })
	t.reset(len(found), len(order))
	clear(t.at)
	for rest := t.byMinute; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].minute == rest[0].minute {
			n++
		}
		t.recordMinute(tr, found, rest[:n])
		rest = rest[n:]
	}
}

// recordMinute counts the spans of one minute. All places in at are 0 before and after.
func (t *tally) recordMinute(tr *trace, found []assembly.Span, spans []minuteOf) {
	m := t.of(spans[0].minute)
	maxDepth := int32(t.makers.config.Limits.MaxDepth)
	t.out = t.out[:0]
	t.chain = t.chain[:0]
	tooDeep := int32(-1)
	for _, s := range spans {
		i := s.span
		if t.depth[i] > maxDepth {
			if tooDeep < 0 {
				tooDeep = int32(len(t.out))
				t.out = append(t.out, core.TraceSpan{Label: m.agg.Label(core.OverflowSite), Parent: -1, PathOnly: true})
			}
			t.put(m, &tr.spans[i], &found[i], i, tooDeep)
			continue
		}
		t.path(m, tr, found, i)
		t.out[t.at[i]-1].PathOnly = false
	}
	m.agg.RecordTrace(tr.id, t.out)
	for _, s := range spans {
		for i := s.span; i >= 0 && t.at[i] != 0; i = found[i].Up {
			t.at[i] = 0
		}
	}
}

// path puts a span and those of its ancestors that are not there yet, the highest one first, as what only leads to others.
func (t *tally) path(m *minuteCounter, tr *trace, found []assembly.Span, i int32) {
	t.chain = t.chain[:0]
	for ; i >= 0 && t.at[i] == 0; i = found[i].Up {
		t.chain = append(t.chain, i)
	}
	for k := len(t.chain) - 1; k >= 0; k-- {
		i := t.chain[k]
		parent := int32(-1)
		if up := found[i].Up; up >= 0 {
			parent = t.at[up] - 1
		}
		t.put(m, &tr.spans[i], &found[i], i, parent).PathOnly = true
	}
}

// split returns the parts that a trace must be filed in, nil if it can be filed as it is: a trace whose spans ended in more
// minutes than a segment may have is cut, as one with too many spans is.
func (p *Pipeline) split(t *trace) []*trace {
	first, last := t.spans[0].end(), t.spans[0].end()
	for i := range t.spans {
		end := t.spans[i].end()
		first, last = min(first, end), max(last, end)
	}
	if last/minute-first/minute < int64(p.config.SegmentMinutes) {
		return nil
	}
	slices.SortStableFunc(t.spans, func(a, b span) int { return cmp.Compare(a.minute(), b.minute()) })
	var parts []*trace
	minutes, from := 1, 0
	for i := 1; i < len(t.spans); i++ {
		if t.spans[i].minute() == t.spans[i-1].minute() {
			continue
		}
		if minutes++; minutes > p.config.SegmentMinutes {
			parts = append(parts, t.part(from, i))
			minutes, from = 1, i
		}
	}
	if parts == nil {
		return nil
	}
	parts = append(parts, t.part(from, len(t.spans)))
	p.counts.oversized.Add(uint64(len(parts)))
	return parts
}

// part returns a trace of some of the spans.
func (t *trace) part(from, to int) *trace {
	part := &trace{id: t.id, n: to - from, spans: slices.Clone(t.spans[from:to]), born: t.born, touched: t.touched}
	for i := range part.spans {
		part.bytes += part.spans[i].cost()
		part.raw += part.spans[i].kept()
	}
	return part
}
