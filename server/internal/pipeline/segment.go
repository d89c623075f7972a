package pipeline

import (
	"cmp"
	"fmt"
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
	// traces are those filed; none if only statistics are kept. spans, bytes and raw count what was filed anyway.
	traces []*trace
	spans  int
	bytes  int64
	raw    int64
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
	places   []place // of the spans
	segment  store.Segment
	requests []*request
	finished []*request
	// raw has the bytes of the spans, one behind the other.
	raw    []byte
	opener opener
}

// place is where in its request a span is, and which span of the same request was listed before it, -1 for none.
type place struct {
	from   uint32
	before int32
}

// list puts the segment into the form of the store, but for the bytes of the spans.
func (w *writer) list(g *segment) {
	s := &w.segment
	s.Origins, s.Traces, s.Consumed = s.Origins[:0], s.Traces[:0], s.Consumed[:0]
	s.Profiles = g.profiles
	w.requests, w.finished = w.requests[:0], w.finished[:0]
	w.spans, w.places = slices.Grow(w.spans[:0], g.spans), slices.Grow(w.places[:0], g.spans)
	w.raw = slices.Grow(w.raw[:0], int(g.raw))
	for _, t := range g.traces {
		from := len(w.spans)
		for i := range t.spans {
			w.add(&t.spans[i], g.number)
		}
		s.Traces = append(s.Traces, store.Trace{ID: t.id, Spans: w.spans[from:len(w.spans):len(w.spans)], Filed: t.filed})
	}
	w.consume()
}

func (w *writer) add(sp *span, number uint64) {
	o := sp.origin
	if o.segment != number {
		o.segment, o.index = number, len(w.segment.Origins)
		w.segment.Origins = append(w.segment.Origins, o.Origin)
	}
	r := sp.request
	if r.segment != number {
		r.segment, r.last = number, -1
		w.requests = append(w.requests, r)
	}
	w.places = append(w.places, place{sp.from, r.last})
	r.last = int32(len(w.spans))
	from := len(w.raw)
	w.raw = w.raw[:from+int(sp.size)]
	w.spans = append(w.spans, store.Span{Origin: o.index, Raw: w.raw[from:len(w.raw):len(w.raw)]})
	if r.consumed == nil {
		r.consumed = make(store.Bits, (r.spans+7)/8)
	}
	r.consumed.Set(int(sp.index))
	r.left--
}

// fill copies the bytes of the spans out of their requests.
func (w *writer) fill() error {
	for _, r := range w.requests {
		bytes, err := w.opener.open(r)
		if err != nil {
			return fmt.Errorf("entry %d of the log: %w", r.seq, err)
		}
		for i := r.last; i >= 0; i = w.places[i].before {
			copy(w.spans[i].Raw, bytes[w.places[i].from:])
		}
	}
	return nil
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

// maxRaw is how large the memory for the bytes of spans is that is kept.
const maxRaw = 64 << 20

// forget lets go of what the segment referred to, which is committed now, and returns how many bytes became free.
func (w *writer) forget() (freed int64) {
	for _, r := range w.finished {
		freed += r.free
	}
	clear(w.spans)
	clear(w.requests)
	clear(w.finished)
	clear(w.segment.Origins)
	clear(w.segment.Traces)
	clear(w.segment.Consumed)
	w.segment.Profiles = nil
	w.opener.close()
	if cap(w.raw) > maxRaw {
		w.raw = nil
	}
	return freed
}
