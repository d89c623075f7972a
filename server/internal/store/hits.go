package store

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Hit is a trace that a search found.
type Hit struct {
	Trace core.TraceID
	// Start is the latest start among its spans that match.
	Start int64
}

// Compare orders hits as [Reader.Search] does: the latest first, and by id if they started together.
func (h Hit) Compare(o Hit) int {
	return cmp.Or(cmp.Compare(o.Start, h.Start), bytes.Compare(h.Trace[:], o.Trace[:]))
}

// Hits collects the first limit traces of a search; all of them for a limit of 0 or less.
type Hits struct {
	limit  int
	starts map[core.TraceID]int64
	// bound is the start that a new trace must at least have to be among the first, once there are enough.
	bound int64
	full  bool
	// added: something came since the last cut.
	added bool
}

// NewHits returns an empty collection.
func NewHits(limit int) *Hits {
	return &Hits{limit: max(limit, 0), starts: make(map[core.TraceID]int64)}
}

// Add notes that a span of the trace that started then matches.
func (h *Hits) Add(trace core.TraceID, start int64) {
	if h.full && start < h.bound {
		return // those that are kept did not start earlier
	}
	if old, ok := h.starts[trace]; ok && old >= start {
		return
	}
	h.starts[trace], h.added = start, true
	// Sorting only when there are twice as many as needed makes a search linear in what it finds.
	if h.limit > 0 && len(h.starts) >= 2*h.limit {
		h.cut()
	}
}

// Narrowed returns a query that finds of the same spans only those that can still be among the first.
func (h *Hits) Narrowed(q *Query) *Query {
	if h.enough() && !(!q.Start.From.IsZero() && Nanos(q.Start.From) >= h.bound) {
		narrow := *q
		narrow.Start.From = time.Unix(0, h.bound)
		return &narrow
	}
	return q
}

// Enough reports whether spans that started at the time or earlier cannot change the result any more.
func (h *Hits) Enough(start int64) bool {
	return h.enough() && start < h.bound
}

func (h *Hits) enough() bool {
	if h.added && h.limit > 0 && len(h.starts) >= h.limit {
		h.cut()
	}
	return h.full
}

func (h *Hits) cut() {
	sorted := h.sorted()
	if len(sorted) < h.limit {
		return
	}
	for _, hit := range sorted[h.limit:] {
		delete(h.starts, hit.Trace)
	}
	h.full, h.added, h.bound = true, false, sorted[h.limit-1].Start
}

func (h *Hits) sorted() []Hit {
	sorted := make([]Hit, 0, len(h.starts))
	for id, start := range h.starts {
		sorted = append(sorted, Hit{id, start})
	}
	slices.SortFunc(sorted, Hit.Compare)
	return sorted
}

// All returns the hits in order.
func (h *Hits) All() []Hit {
	sorted := h.sorted()
	if h.limit > 0 && len(sorted) > h.limit {
		sorted = sorted[:h.limit]
	}
	return sorted
}

// IDs returns the traces of hits.
func IDs(hits []Hit) []core.TraceID {
	ids := make([]core.TraceID, len(hits))
	for i, hit := range hits {
		ids[i] = hit.Trace
	}
	return ids
}
