package pipeline

import (
	"cmp"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// request is an entry of the log from which spans are not committed yet.
type request struct {
	seq   uint64
	entry entry
	// plain is there in place of the entry if only statistics are kept.
	plain []byte
	// size is how many bytes the request has, packed how many it counts for in Config.Memory.
	size, packed int64
	// free is how many of them become free with it and its spans.
	free int64
	// spans is how many the entry has, left how many of them are in no segment.
	spans, left int
	// consumed are the spans that are in a segment. Only the committing goroutine uses it and what follows.
	consumed store.Bits
	segment  uint64 // the last segment that had spans of the request
	last     int32  // the last of those spans in the writer's list
}

// maxRatio is how many bytes count as one at least. What is pending gets that much larger at most when it is committed, also
// if somebody sends what hardly has a size while it is packed.
const maxRatio = 8

// newRequest describes a request of so many bytes and spans.
func newRequest(e entry, size, spans int) *request {
	return &request{entry: e, size: int64(size), packed: max(int64(len(e)), int64(size)/maxRatio), spans: spans}
}

// cost is what the request and so many spans of it count for.
func (q *request) cost(spans int) int64 { return int64(spans)*spanSize + q.packed }

// opener reads requests. It keeps the last one open, and its memory.
type opener struct {
	request *request
	bytes   []byte
}

// open returns the bytes of a request, until the next call.
func (o *opener) open(q *request) ([]byte, error) {
	if q.entry == nil {
		return q.plain, nil
	}
	if q == o.request {
		return o.bytes, nil
	}
	o.request = nil
	bytes, err := q.entry.unpack(o.bytes)
	if err != nil {
		return nil, err
	}
	o.request, o.bytes = q, bytes
	return bytes, nil
}

// maxOpen is how large the memory of an opener is that is kept.
const maxOpen = 4 << 20

// close forgets what was open.
func (o *opener) close() {
	o.request = nil
	if cap(o.bytes) > maxOpen {
		o.bytes = nil
	}
}

// rawSpan is where the bytes of a span are. None of it changes, so that it outlives the cut.
type rawSpan struct {
	trace      core.TraceID
	origin     *origin
	request    *request
	from, size uint32
}

// eachRaw calls f for all spans, request by request: each request is unpacked once, and they are not all in memory at once. The
// bytes are there until f returns.
func eachRaw(spans []rawSpan, f func(i int, raw []byte) error) error {
	order := make([]int32, len(spans))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(spans[a].request.seq, spans[b].request.seq) })
	var o opener
	for _, i := range order {
		s := &spans[i]
		bytes, err := o.open(s.request)
		if err != nil {
			return err
		}
		if err := f(int(i), bytes[s.from:s.from+s.size]); err != nil {
			return err
		}
	}
	return nil
}
