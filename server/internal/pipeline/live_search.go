package pipeline

import (
	"cmp"
	"context"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search implements store.Reader.
func (l *Live) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	matcher, hits := store.NewMatcher(q), store.NewHits(q.Limit)
	asked, failed := matcher.Failed()
	// enough: what is at hand of a span tells whether it matches, and its bytes are not needed.
	enough := len(q.Attributes) == 0 || asked && len(q.Attributes) == 1
	var candidates []candidate
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			for s := range t.all {
				switch {
				case !s.mayMatch(q), asked && s.failed != failed:
				case enough && s.isWhole():
					hits.Add(t.id, s.start)
				default:
					candidates = append(candidates, candidate{s.raw(t.id), s.start})
				}
			}
		})
	})
	defer release()
	if err := match(ctx, candidates, matcher, hits); err != nil {
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
	return !s.isWhole() || (q.Service == "" || s.site.Service == q.Service) && (q.Operation == "" || s.site.Name == q.Operation) &&
		(q.Kind == core.KindUnspecified || s.site.Kind == q.Kind) && q.MatchesTimes(s.start, s.duration)
}

// isWhole reports whether the site has the span's own names, and nothing was cut from them or from the times.
func (s *span) isWhole() bool {
	return !s.site.overflow && len(s.site.Name) < maxText && len(s.site.Service) < maxText && s.start < maxMoment && s.duration < maxMoment
}

// candidate is a span that may match.
type candidate struct {
	rawSpan
	start int64
}

// bunch is the candidates in one request.
type bunch struct {
	latest int64 // start
	list   []candidate
}

// match adds those of the candidates that match. Requests with what started latest are unpacked first, until nothing earlier
// can be among the hits.
func match(ctx context.Context, candidates []candidate, matcher *store.Matcher, hits *store.Hits) error {
	var o opener
	for _, b := range bunches(candidates) {
		if hits.Enough(b.latest) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		request, err := o.open(b.list[0].request)
		if err != nil {
			return err
		}
		for i := range b.list {
			c := &b.list[i]
			if start, ok := matcher.Match(&c.origin.Origin, request[c.from:c.from+c.size]); ok {
				hits.Add(c.trace, start)
			}
		}
	}
	return nil
}

// bunches returns the candidates by requests, those with the latest start first.
func bunches(candidates []candidate) []*bunch {
	var list []*bunch
	of := map[*request]*bunch{}
	for i := range candidates {
		c := &candidates[i]
		b := of[c.request]
		if b == nil {
			b = &bunch{latest: c.start}
			of[c.request] = b
			list = append(list, b)
		}
		b.latest = max(b.latest, c.start)
		b.list = append(b.list, *c)
	}
	slices.SortFunc(list, func(a, b *bunch) int { return cmp.Compare(b.latest, a.latest) })
	return list
}
