package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search implements store.Reader. It looks at the blocks from the latest on, until nothing earlier can be among the first.
// What cannot be read is left out, counted, and reported to the logger.
func (s *Store) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	f := finder{s: s, query: q, matcher: store.NewMatcher(q), hits: store.NewHits(q.Limit)}
	f.sieve = f.matcher.Sieve()
	for _, a := range f.matcher.Attributes() {
		f.probes = append(f.probes, probesOf(hashOf(a)))
	}
	blocks := slices.Clone(s.blocks.list())
	slices.SortStableFunc(blocks, func(a, b *summary) int { return cmp.Compare(b.maxStart, a.maxStart) })
	for _, b := range blocks {
		if f.hits.Enough(b.maxStart) {
			break
		}
		if !q.Start.Overlaps(b.start, b.maxStart) || q.Service != "" && !slices.Contains(b.services, q.Service) {
			continue
		}
		err := f.block(ctx, b.block)
		if errors.Is(err, store.ErrDamaged) {
			s.report("a block cannot be searched", err, "block", b.block)
		} else if err != nil {
			return nil, err
		}
	}
	return f.hits.All(), nil
}

// finder is a search under way.
type finder struct {
	s       *Store
	query   *store.Query
	matcher *store.Matcher
	hits    *store.Hits
	probes  []probes
	raw     []byte

	// sieve leaves out most spans, if there is one; of those of the origins in any it does not know.
	sieve *store.Sieve
	any   []bool
}

// block searches a block: those chunks that may have what is wanted, from the latest on.
func (f *finder) block(ctx context.Context, block uint64) error {
	x, err := f.s.blockIndex(block)
	if x == nil || err != nil {
		return err
	}
	wanted, any := x.wanted(f.query)
	if !any {
		return nil
	}
	var chunks []int
	for i := range x.chunks {
		if x.chunks[i].matches(f.query, f.matcher, wanted) {
			chunks = append(chunks, i)
		}
	}
	if chunks, err = f.filter(block, chunks); err != nil || len(chunks) == 0 {
		return err
	}
	slices.SortStableFunc(chunks, func(a, b int) int { return cmp.Compare(x.chunks[b].maxStart, x.chunks[a].maxStart) })
	origins, err := f.s.origins(block)
	if err != nil {
		return err
	}
	f.any = f.any[:0]
	for i := range origins {
		f.any = append(f.any, f.sieve == nil || f.sieve.Origin(&origins[i]))
	}
	var failed error
	for _, n := range chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.hits.Enough(x.chunks[n].maxStart) {
			break
		}
		if err := f.chunk(block, n, origins); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// filter returns those of the chunks that may have all attributes.
func (f *finder) filter(block uint64, chunks []int) ([]int, error) {
	if len(f.probes) == 0 || len(chunks) == 0 {
		return chunks, nil
	}
	var left []int
	err := f.s.view(key(keyFilters, block), func(value []byte) error {
		value, err := checked(value)
		for n, next := 0, 0; next < len(chunks) && err == nil; n++ {
			var filter []byte
			if filter, value, err = cutFilter(value); err != nil || chunks[next] != n {
				continue
			}
			next++
			if !slices.ContainsFunc(f.probes, func(p probes) bool { return !p.in(filter) }) {
				left = append(left, n)
			}
		}
		return err
	})
	return left, err
}

// chunk looks at every span of a chunk.
func (f *finder) chunk(block uint64, n int, origins []store.Origin) error {
	r := f.s.readers.Get().(*chunkReader)
	defer f.s.readers.Put(r)
	if f.sieve != nil {
		r.look = f.sieve.Field
		defer func() { r.look = nil }()
	}
	return f.s.chunk(r, block, n, func() error {
		for {
			id, spans, ok, err := r.next()
			if err != nil || !ok {
				return err
			}
			for i := range spans {
				origin, err := r.span(i)
				if err != nil {
					return err
				}
				if origin >= len(origins) {
					return damaged("an origin is missing")
				}
				if !r.marked && !f.any[origin] {
					continue
				}
				f.raw = r.raw(f.raw[:0])
				if start, ok := f.matcher.Match(&origins[origin], f.raw); ok {
					f.hits.Add(id, start)
				}
			}
		}
	})
}
