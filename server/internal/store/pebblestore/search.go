package pebblestore

import (
	"context"
	"errors"
	"slices"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search implements store.Reader. It looks at what started latest first, until nothing earlier can be among the first. What cannot
// be read is left out, counted, and reported to the logger.
func (s *Store) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	var blocks []searchPlace
	for _, b := range s.blocks.list() {
		if q.Start.Overlaps(b.start, b.maxStart) && (q.Service == "" || slices.Contains(b.services, q.Service)) {
			blocks = append(blocks, searchPlace{maxStart: b.maxStart, block: b.block})
		}
	}
	f := newFrontier(q.Limit, blocks)
	// One block is work for two already: it has many chunks.
	s.share(len(blocks)+1, func() { newFinder(s, q, f).run(ctx) })
	if f.err != nil {
		return nil, f.err
	}
	return f.hits.All(), nil
}

// finder is what one goroutine needs for a search.
type finder struct {
	*frontier
	s       *Store
	query   *store.Query
	matcher *store.Matcher
	// sieve leaves out most spans, if there is one.
	sieve  *store.Sieve
	probes []probes
	raw    []byte
	found  []store.Hit
}

func newFinder(s *Store, q *store.Query, f *frontier) *finder {
	w := &finder{frontier: f, s: s, query: q, matcher: store.NewMatcher(q)}
	w.sieve = w.matcher.Sieve()
	for _, a := range w.matcher.Attributes() {
		w.probes = append(w.probes, probesOf(hashOf(a)))
	}
	return w
}

// run searches place after place.
func (f *finder) run(ctx context.Context) {
	for {
		p, ok := f.take()
		if !ok {
			return
		}
		f.found = f.found[:0]
		var chunks []searchPlace
		err := ctx.Err()
		switch {
		case err != nil:
		case p.open == nil:
			chunks, err = f.open(p.block)
		default:
			err = f.chunk(p)
		}
		if errors.Is(err, store.ErrDamaged) {
			f.s.report("a block cannot be searched", err, "block", p.block, "chunk", p.chunk)
			err = nil
		}
		f.done(f.found, chunks, err)
	}
}

// openBlock is a block that a search has looked into.
type openBlock struct {
	origins []store.Origin
	// any tells of which origins the sieve does not know all fields that matter.
	any []bool
}

// open returns the chunks of a block that may have what is wanted.
func (f *finder) open(block uint64) (places []searchPlace, err error) {
	x, err := f.s.blockIndex(block)
	if x == nil || err != nil {
		return nil, err
	}
	wanted, any := x.wanted(f.query)
	if !any {
		return nil, nil
	}
	var chunks []int
	for i := range x.chunks {
		if x.chunks[i].matches(f.query, f.matcher, wanted) {
			chunks = append(chunks, i)
		}
	}
	if chunks, err = f.filter(block, chunks); err != nil || len(chunks) == 0 {
		return nil, err
	}
	var o openBlock
	if o.origins, err = f.s.origins(block); err != nil {
		return nil, err
	}
	for i := range o.origins {
		o.any = append(o.any, f.sieve == nil || f.sieve.Origin(&o.origins[i]))
	}
	for _, n := range chunks {
		places = append(places, searchPlace{maxStart: x.chunks[n].maxStart, block: block, open: &o, chunk: n})
	}
	return places, nil
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
func (f *finder) chunk(p searchPlace) error {
	return f.s.chunk(chunkPlace{p.block, p.chunk}, func(r *chunkReader) error {
		if f.sieve != nil {
			r.look = f.sieve.Field
		}
		for {
			id, spans, ok, err := r.next()
			if err != nil || !ok {
				return err
			}
			hit, matched := store.Hit{Trace: id}, false
			for i := range spans {
				origin, err := r.span(i)
				if err != nil {
					return err
				}
				if origin >= len(p.open.origins) {
					return damaged("an origin is missing")
				}
				if !r.marked && !p.open.any[origin] {
					continue
				}
				f.raw = r.raw(f.raw[:0])
				if start, ok := f.matcher.Match(&p.open.origins[origin], f.raw); ok && (!matched || start > hit.Start) {
					hit.Start, matched = start, true
				}
			}
			if matched {
				f.found = append(f.found, hit)
			}
		}
	})
}
