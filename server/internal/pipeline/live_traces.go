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
	add := func(t *trace) {
		if t.overlaps(within) {
			for s := range t.all {
				spans = append(spans, s.raw(t.id))
			}
		}
	}
	committed, release := l.read(func(segments []*segment) {
		for _, g := range segments {
			for _, t := range g.traces {
				if _, ok := wanted[t.id]; ok {
					add(t)
				}
			}
		}
		for id := range wanted {
			l.p.shard(&id).find(&id, add)
		}
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
