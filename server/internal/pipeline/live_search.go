package pipeline

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search implements store.Reader.
func (l *Live) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	matcher, hits := store.NewMatcher(q), store.NewHits(q.Limit)
	filter := newFilter(q, matcher)
	var candidates []candidate
	committed, release := l.read(func(segments []*segment) {
		l.p.each(segments, func(t *trace) {
			for s := range t.all {
				switch filter.judge(s) {
				case matches:
					hits.Add(t.id, s.start)
				case mayMatch:
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

// filter judges spans by what is at hand of them. There may be a million, and they are held up meanwhile.
type filter struct {
	query             *store.Query
	from, to          int64 // of their starts, to excluded
	shortest, longest int64
	asked, failed     bool // for the status, and what it must be
	// texts: attributes are asked for, which only the bytes of a span tell.
	texts bool
	// sites are the verdicts so far, by site.number.
	sites []siteVerdict
}

type siteVerdict struct {
	site *site
	verdict
}

// verdict is what is known of whether a span matches.
type verdict uint8

const (
	differs verdict = iota
	mayMatch
	matches
)

func newFilter(q *store.Query, m *store.Matcher) *filter {
	f := &filter{query: q, from: math.MinInt64, to: math.MaxInt64, shortest: int64(q.MinDuration), longest: math.MaxInt64}
	if !q.Start.From.IsZero() {
		f.from = store.Nanos(q.Start.From)
	}
	if !q.Start.To.IsZero() {
		f.to = store.Nanos(q.Start.To)
	}
	if q.MaxDuration != 0 {
		f.longest = int64(q.MaxDuration)
	}
	f.asked, f.failed = m.Failed()
	f.texts = len(q.Attributes) > 1 || len(q.Attributes) == 1 && !f.asked
	return f
}

func (f *filter) judge(s *span) verdict {
	if s.request == nil || f.asked && s.failed != f.failed {
		return differs
	}
	if s.start >= maxMoment || s.duration >= maxMoment { // cut
		return min(f.ofSite(s.site), mayMatch)
	}
	if d := max(s.duration, 0); s.start < f.from || s.start >= f.to || d < f.shortest || d > f.longest {
		return differs
	}
	return f.ofSite(s.site)
}

// ofSite is judgeSite, once for each site.
func (f *filter) ofSite(s *site) verdict {
	if s.number < len(f.sites) && f.sites[s.number].site == s {
		return f.sites[s.number].verdict
	}
	if missing := s.number + 1 - len(f.sites); missing > 0 {
		f.sites = append(f.sites, make([]siteVerdict, missing)...)
	}
	f.sites[s.number] = siteVerdict{s, f.judgeSite(s)}
	return f.sites[s.number].verdict
}

// judgeSite judges by the names alone. Those of the overflow site are not the span's own, and long ones were cut.
func (f *filter) judgeSite(s *site) verdict {
	q := f.query
	switch {
	case s.overflow, len(s.Name) >= maxText, len(s.Service) >= maxText:
		return mayMatch
	case q.Service != "" && s.Service != q.Service, q.Operation != "" && s.Name != q.Operation,
		q.Kind != core.KindUnspecified && s.Kind != q.Kind:
		return differs
	case f.texts:
		return mayMatch
	}
	return matches
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
