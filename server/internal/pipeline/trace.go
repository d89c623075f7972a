package pipeline

import (
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// trace is what was received of a trace since it was last filed.
type trace struct {
	id core.TraceID
	// n is how many spans there are: in pieces while the trace is pending, in spans when it is filed.
	n           int
	first, last *piece
	spans       []span
	// bytes is what the spans count for in Config.Memory, raw how many bytes are kept of them, as they were received.
	bytes, raw int64
	// born is when the first span came, touched when the last one came that prolonged the time to wait.
	born, touched time.Duration
	// list is the list that the trace is in, before and after are its neighbours there.
	list          *traceList
	before, after *trace
	rooted        bool
	// filed is how it was counted, once it is filed.
	filed store.Filed
}

// isLarge reports whether the trace must not grow any more.
func (t *trace) isLarge(c *Config) bool { return t.n >= c.TraceSpans || t.raw >= c.SegmentBytes }

// traceList is a list of traces in the order in which they were put into it.
type traceList struct{ first, last *trace }

func (l *traceList) push(t *trace) {
	t.list, t.before, t.after = l, l.last, nil
	if l.last == nil {
		l.first = t
	} else {
		l.last.after = t
	}
	l.last = t
}

// remove takes a trace out of the list that it is in.
func (t *trace) remove() {
	if t.before == nil {
		t.list.first = t.after
	} else {
		t.before.after = t.after
	}
	if t.after == nil {
		t.list.last = t.before
	} else {
		t.after.before = t.before
	}
	t.list, t.before, t.after = nil, nil, nil
}

// all yields every span.
func (t *trace) all(yield func(*span) bool) {
	for i := range t.spans {
		if !yield(&t.spans[i]) {
			return
		}
	}
	for p := t.first; p != nil; p = p.next {
		for i := range p.spans[:p.n] {
			if !yield(&p.spans[i]) {
				return
			}
		}
	}
}
