package pipeline

import (
	"bytes"
	"context"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// rawSpan is a span as it was received. Neither part changes until the query is done, so that it outlives the cut.
type rawSpan struct {
	origin *origin
	raw    []byte
}

// site returns the site of a span that the table of sites had no room for.
func (s rawSpan) site() (core.Site, bool) {
	var read otlp.Span
	if err := read.Read(s.raw); err != nil {
		return core.Site{}, false
	}
	return core.Site{Service: s.origin.Service, Name: string(read.Name), Kind: read.Kind}, true
}

// Traces implements store.Reader.
func (l *Live) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	live := make(map[core.TraceID][]rawSpan, len(ids))
	for _, id := range ids {
		live[id] = nil
	}
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			known, ok := live[t.id]
			if !ok || !t.overlaps(within) {
				return
			}
			for s := range t.all {
				known = append(known, rawSpan{s.origin, s.raw})
			}
			live[t.id] = known
		})
	})
	defer release()
	found, err := committed.Traces(ctx, ids, within)
	if found == nil {
		return nil, err
	}
	return merge(found, ids, live), err
}

// overlaps reports whether some of the spans ran within the range.
func (t *trace) overlaps(within store.Range) bool {
	for s := range t.all {
		if within.Overlaps(s.start, s.end()) {
			return true
		}
	}
	return false
}

// merge puts the live spans behind those found, by trace.
func merge(found *store.Found, ids []core.TraceID, live map[core.TraceID][]rawSpan) *store.Found {
	out := &store.Found{Origins: found.Origins}
	numbers := map[*origin]int{}
	stored := found.Traces
	for _, id := range ids {
		t := store.Trace{ID: id}
		if len(stored) > 0 && stored[0].ID == id {
			t, stored = stored[0], stored[1:]
		}
		for _, s := range live[id] {
			n, ok := numbers[s.origin]
			if !ok {
				n = len(out.Origins)
				numbers[s.origin] = n
				out.Origins = append(out.Origins, s.origin.Origin)
			}
			t.Spans = append(t.Spans, store.Span{Origin: n, Raw: bytes.Clone(s.raw)})
		}
		delete(live, id) // an id may be asked for twice
		if len(t.Spans) > 0 {
			out.Traces = append(out.Traces, t)
		}
	}
	return out
}

// candidate is a span that may be what a query looks for.
type candidate struct {
	rawSpan
	trace core.TraceID
}

// Search implements store.Reader.
func (l *Live) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	var candidates []candidate
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			for s := range t.all {
				if s.mayMatch(q) {
					candidates = append(candidates, candidate{rawSpan{s.origin, s.raw}, t.id})
				}
			}
		})
	})
	defer release()
	matcher, hits := store.NewMatcher(q), store.NewHits(q.Limit)
	for _, c := range candidates {
		if start, ok := matcher.Match(&c.origin.Origin, c.raw); ok {
			hits.Add(c.trace, start)
		}
	}
	stored, err := committed.Search(ctx, hits.Narrowed(q))
	if err != nil {
		return nil, err
	}
	for _, h := range stored {
		hits.Add(h.Trace, h.Start)
	}
	return hits.All(), nil
}

// mayMatch is false for spans that cannot be what the query looks for, by what is at hand.
func (s *span) mayMatch(q *store.Query) bool {
	if s.raw == nil {
		return false
	}
	if !s.site.overflow && (q.Service != "" && s.site.Service != q.Service || q.Operation != "" && s.site.Name != q.Operation ||
		q.Kind != core.KindUnspecified && s.site.Kind != q.Kind) {
		return false
	}
	return q.Start.Contains(s.start)
}
