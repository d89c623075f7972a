package exporter

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// box is the place of one span in the picture that the timeline and the flame graph view of a tracing backend draw:
// an icicle.
//
// The rule: one nanosecond of length is one nanosecond of total time everywhere in the picture. Every span is as long
// as its total, except that a span is lengthened where its children need more room than that, as they do where
// they ran concurrently or outlived their parent; so the window's span is as long as the window, or as long as all
// root spans one after the other. Children are packed from the left without gaps, in descending order of total.
//
// Nothing is ever shortened or overlaps, because both views need spans that lie within their parents: the flame graph
// view takes the length of a span minus those of its children for its self time and shifts everything to the
// right of children that do not fit. The true total and self times are in the attributes. (That view also joins siblings
// of one name, and then shows the children of the first only: sites that differ in their line alone, say.)
type box struct {
	// parent is an index that is less than the box's own, -1 for the window.
	parent int
	// total is the time that the span stands for.
	total uint64
	// start and end are distances from the window's start. layOut sets them.
	start, end uint64
}

// layOut places the boxes. No moment in the picture is after latestEnd: if one would be, all lengths are divided by
// a power of two, whose exponent is returned. Only nonsensical timestamps, such as starts in 1970, make that necessary.
func layOut(boxes []box, windowStart int64) (shift int) {
	lengths := make([]uint64, len(boxes))
	needed := make([]uint64, len(boxes)) // by the children
	for i := len(boxes) - 1; i >= 0; i-- {
		b := &boxes[i]
		lengths[i] = max(b.total, needed[i])
		if b.parent >= 0 {
			needed[b.parent] = addSaturating(needed[b.parent], lengths[i])
		}
	}
	for lengths[0]>>shift > room(windowStart) {
		shift++
	}
	order := make([]int, len(boxes)) // siblings together, parents before children
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &boxes[i], &boxes[j]
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(b.total, a.total), cmp.Compare(i, j))
	})
	used := make([]uint64, len(boxes)) // by the children placed so far
	for _, i := range order {
		b := &boxes[i]
		if b.parent >= 0 {
			b.start = addSaturating(boxes[b.parent].start, used[b.parent])
			used[b.parent] = addSaturating(used[b.parent], lengths[i])
		}
		b.end = addSaturating(b.start, lengths[i])
	}
	for i := range boxes {
		boxes[i].start, boxes[i].end = boxes[i].start>>shift, boxes[i].end>>shift
	}
	return shift
}

// latestEnd is the last second that tools whose times are nanoseconds in int64 can show: in 2262.
const latestEnd = math.MaxInt64 - int64(time.Second)

// room returns how long a window from start on can be shown.
func room(start int64) uint64 {
	return uint64(latestEnd - min(max(start, 0), latestEnd-int64(time.Second)))
}

func addSaturating(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}
