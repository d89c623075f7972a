package assembly

import (
	"bytes"
	"cmp"
	"slices"
)

// ending is a span with its end, to be sorted by.
type ending struct {
	end  int64
	span int32
}

// siblings makes the lists of children: the one that ended last first, of those that ended together the one that started
// first. The order does not depend on that of the spans.
func (a *Assembler) siblings(spans []Span) {
	a.byEnd = a.byEnd[:0]
	for _, i := range a.Order {
		if spans[i].Up >= 0 {
			a.byEnd = append(a.byEnd, ending{spans[i].end, i})
		}
	}
	if len(a.byEnd) <= 12 {
		insertionSort(a.byEnd, spans)
	} else {
		slices.SortFunc(a.byEnd, func(x, y ending) int { return compare(x, y, spans) })
	}
	for _, e := range a.byEnd {
		s := &spans[e.span]
		p := &spans[s.Up]
		s.next, p.first = p.first, e.span
	}
}

// compare orders spans by their ends; those that end together backwards by start and id.
func compare(x, y ending, spans []Span) int {
	if x.end != y.end {
		return cmp.Compare(x.end, y.end)
	}
	s, o := &spans[x.span], &spans[y.span]
	if s.start != o.start {
		return cmp.Compare(o.start, s.start)
	}
	return bytes.Compare(o.ID[:], s.ID[:])
}

// insertionSort sorts few spans: most traces have few.
func insertionSort(list []ending, spans []Span) {
	for i := 1; i < len(list); i++ {
		for k := i; k > 0 && compare(list[k], list[k-1], spans) < 0; k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
	}
}
