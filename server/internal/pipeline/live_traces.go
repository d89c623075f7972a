package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Traces implements store.Reader.
func (l *Live) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	wanted := make(map[core.TraceID]struct{}, len(ids))
	for _, id := range ids {
		wanted[id] = struct{}{}
	}
	var spans []rawSpan
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			if _, ok := wanted[t.id]; !ok || !t.overlaps(within) {
				return
			}
			for s := range t.all {
				spans = append(spans, s.raw(t.id))
			}
		})
	})
	defer release()
	found, err := committed.Traces(ctx, ids, within)
	if found == nil {
		return nil, err
	}
	live, unreadable := liveSpans(spans)
	return merge(found, ids, live), errors.Join(err, unreadable)
}

// liveSpan is a span with a copy of its bytes.
type liveSpan struct {
	origin *origin
	raw    []byte
}

// liveSpans returns the spans by trace, in their order.
func liveSpans(spans []rawSpan) (map[core.TraceID][]liveSpan, error) {
	raw := make([][]byte, len(spans))
	err := eachRaw(spans, func(i int, bytes []byte) error {
		raw[i] = slices.Clone(bytes)
		return nil
	})
	if err != nil {
		return nil, err
	}
	live := map[core.TraceID][]liveSpan{}
	for i := range spans {
		id := spans[i].trace
		live[id] = append(live[id], liveSpan{spans[i].origin, raw[i]})
	}
	return live, nil
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
func merge(found *store.Found, ids []core.TraceID, live map[core.TraceID][]liveSpan) *store.Found {
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
			t.Spans = append(t.Spans, store.Span{Origin: n, Raw: s.raw})
		}
		delete(live, id) // an id may be asked for twice
		if len(t.Spans) > 0 {
			out.Traces = append(out.Traces, t)
		}
	}
	return out
}

// Search implements store.Reader.
func (l *Live) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	var candidates []rawSpan
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			for s := range t.all {
				if s.mayMatch(q) {
					candidates = append(candidates, s.raw(t.id))
				}
			}
		})
	})
	defer release()
	matcher, hits := store.NewMatcher(q), store.NewHits(q.Limit)
	err := eachRaw(candidates, func(i int, raw []byte) error {
		c := &candidates[i]
		if start, ok := matcher.Match(&c.origin.Origin, raw); ok {
			hits.Add(c.trace, start)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
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
	if s.request == nil {
		return false
	}
	if !s.site.overflow && (q.Service != "" && s.site.Service != q.Service || q.Operation != "" && s.site.Name != q.Operation ||
		q.Kind != core.KindUnspecified && s.site.Kind != q.Kind) {
		return false
	}
	return q.Start.Contains(s.start)
}
