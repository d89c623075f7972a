package exporter

import sdktrace "go.opentelemetry.io/otel/sdk/trace"

// spanQueue is a ring of spans, first in, first out. A mutex around it costs less than a channel, keeps the order,
// and lets a whole batch be taken at once; the statistics under the same mutex then add up at every moment.
type spanQueue struct {
	slots []sdktrace.ReadOnlySpan
	// pushed and taken count spans since ever: their difference is the length, and pushed a mark to drain up to.
	pushed, taken uint64
}

func newSpanQueue(size int) spanQueue { return spanQueue{slots: make([]sdktrace.ReadOnlySpan, size)} }

func (q *spanQueue) len() int   { return int(q.pushed - q.taken) }
func (q *spanQueue) full() bool { return q.len() == len(q.slots) }

// push adds a span to a queue that is not full.
func (q *spanQueue) push(s sdktrace.ReadOnlySpan) {
	q.slots[q.pushed%uint64(len(q.slots))] = s
	q.pushed++
}

// take appends spans to into, up to its capacity, and none that was pushed after the mark until.
func (q *spanQueue) take(into []sdktrace.ReadOnlySpan, until uint64) []sdktrace.ReadOnlySpan {
	for len(into) < cap(into) && q.taken < until {
		slot := &q.slots[q.taken%uint64(len(q.slots))]
		into = append(into, *slot)
		*slot = nil
		q.taken++
	}
	return into
}

// clear drops all spans and returns how many there were.
func (q *spanQueue) clear() int {
	n := q.len()
	clear(q.slots)
	q.taken = q.pushed
	return n
}
