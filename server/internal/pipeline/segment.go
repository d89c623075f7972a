package pipeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// segment is filed traces on their way to the store. While it is open, whoever holds the cut may change it; then it stays
// as it is until it was committed.
type segment struct {
	number uint64
	// began is when the first trace was filed.
	began time.Duration
	// traces are those filed; none if only statistics are kept. spans and bytes count what was filed anyway.
	traces []*trace
	spans  int
	bytes  int64
	tally  tally
	// memory is that of the traces' spans.
	memory arena
	// withheld counts the traces that are kept out of the call tree.
	withheld tally
	// profiles are those that came as such, with importedSize blocks and nodes, and once the segment is closed those of
	// the traces.
	profiles     []store.Profile
	importedSize int
}

// writer puts segments into the form of the store. It keeps its memory.
type writer struct {
	spans    []store.Span
	segment  store.Segment
	requests []*request
	finished []*request
}

// write returns the segment as the store takes it, until the next call.
func (w *writer) write(g *segment) *store.Segment {
	s := &w.segment
	s.Origins, s.Traces, s.Consumed = s.Origins[:0], s.Traces[:0], s.Consumed[:0]
	s.Profiles = g.profiles
	w.requests, w.finished = w.requests[:0], w.finished[:0]
	if n := g.spans; cap(w.spans) < n {
		w.spans = make([]store.Span, 0, n)
	}
	w.spans = w.spans[:0]
	for _, t := range g.traces {
		from := len(w.spans)
		for i := range t.spans {
			w.add(&t.spans[i], g.number)
		}
		s.Traces = append(s.Traces, store.Trace{ID: t.id, Spans: w.spans[from:len(w.spans):len(w.spans)], Filed: t.filed})
	}
	w.consume()
	return s
}

func (w *writer) add(sp *span, number uint64) {
	o := sp.origin
	if o.segment != number {
		o.segment, o.index = number, len(w.segment.Origins)
		w.segment.Origins = append(w.segment.Origins, o.Origin)
	}
	w.spans = append(w.spans, store.Span{Origin: o.index, Raw: sp.raw})
	r := sp.request
	if r.segment != number {
		r.segment = number
		w.requests = append(w.requests, r)
	}
	if r.consumed == nil {
		r.consumed = make(store.Bits, (r.spans+7)/8)
	}
	r.consumed.Set(int(sp.index))
	r.left--
}

// consume lists the requests that spans of the segment came from.
func (w *writer) consume() {
	slices.SortFunc(w.requests, func(a, b *request) int { return cmp.Compare(a.seq, b.seq) })
	for _, r := range w.requests {
		c := store.Consumed{Seq: r.seq, All: r.left == 0}
		if c.All {
			w.finished = append(w.finished, r)
		} else {
			c.Spans = r.consumed
		}
		w.segment.Consumed = append(w.segment.Consumed, c)
	}
}

// forget lets go of what the segment referred to, which is committed now, and returns how many bytes became free. recycle,
// if there is one, gets the requests of which nothing is left.
func (w *writer) forget(recycle func([]byte)) (freed int64) {
	for _, r := range w.finished {
		freed += r.cost
		if recycle != nil {
			recycle(r.bytes)
		}
	}
	clear(w.spans)
	clear(w.requests)
	clear(w.finished)
	clear(w.segment.Origins)
	clear(w.segment.Traces)
	clear(w.segment.Consumed)
	w.segment.Profiles = nil
	return freed
}
