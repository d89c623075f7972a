package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Traces implements store.Reader. With store.ErrDamaged, it returns what can be read as well. As a search, it is helped where
// there are processors.
func (s *Store) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	c := &collector{ctx: ctx, s: s, wanted: make(map[core.TraceID]struct{}, len(ids))}
	for _, id := range ids {
		if _, ok := c.wanted[id]; !ok {
			c.wanted[id] = struct{}{}
			c.ids = append(c.ids, id)
		}
	}
	c.choose(within)
	s.share(len(c.blocks), c.run)
	return c.found()
}

// share calls f, and calls it in other goroutines at the same time where there are processors: all questions together have as
// many helpers as there are processors besides one, so that one question uses all of them, and many are not slowed down by
// goroutines. There are at most so many calls as there are parts of the work.
func (s *Store) share(parts int, f func()) {
	var helpers sync.WaitGroup
	for range min(cap(s.helpers), parts-1) {
		select {
		case s.helpers <- struct{}{}:
			helpers.Go(func() {
				f()
				<-s.helpers
			})
		default:
		}
	}
	f()
	helpers.Wait()
}

// collector collects the spans of traces, by several goroutines.
type collector struct {
	ctx    context.Context
	s      *Store
	ids    []core.TraceID // each once
	wanted map[core.TraceID]struct{}
	// blocks are those that may have some, in their order; next is the number of the first that nobody has taken.
	blocks []*collected
	next   atomic.Int32
}

// collected is what was found in a block.
type collected struct {
	*summary
	// filtered: the block is to have a filter.
	filtered bool
	spans    map[core.TraceID][]store.Span
	// origins are those of the spans, known are those of the block, numbers are where they are in origins, plus one.
	origins, known []store.Origin
	numbers        []int
	err            error
}

// choose finds the blocks that may have some of the traces.
func (c *collector) choose(within store.Range) {
	blocks := c.s.blocks.list()
	later := int64(0) // how many traces there are in this block and later
	for _, b := range blocks {
		later += b.traces
	}
	for _, b := range blocks {
		filtered := later <= c.s.maxFiltered
		later -= b.traces
		if !within.Overlaps(b.start, b.end) {
			continue
		}
		if f := b.traceFilter.Load(); f != nil && !filtered {
			b.traceFilter.Store(nil)
		} else if f != nil && !f.mayHave(c.ids) {
			continue
		}
		c.blocks = append(c.blocks, &collected{summary: b, filtered: filtered})
	}
}

// run reads block after block.
func (c *collector) run() {
	for {
		i := int(c.next.Add(1)) - 1
		if i >= len(c.blocks) {
			return
		}
		b := c.blocks[i]
		if b.err = c.ctx.Err(); b.err == nil {
			b.err = c.block(b)
		}
	}
}

// found puts together what was found.
func (c *collector) found() (*store.Found, error) {
	found, spans := &store.Found{}, make(map[core.TraceID][]store.Span, len(c.ids))
	var unreadable error
	for _, b := range c.blocks {
		if b.err != nil {
			if !errors.Is(b.err, store.ErrDamaged) {
				return nil, b.err
			}
			c.s.report("traces of a block cannot be read", b.err, "block", b.block)
			unreadable = fmt.Errorf("block %d: %w", b.block, b.err)
		}
		for id, list := range b.spans {
			for i := range list {
				list[i].Origin += len(found.Origins)
			}
			if before := spans[id]; before != nil {
				list = append(before, list...)
			}
			spans[id] = list
		}
		found.Origins = append(found.Origins, b.origins...)
	}
	for _, id := range c.ids {
		if len(spans[id]) > 0 {
			found.Traces = append(found.Traces, store.Trace{ID: id, Spans: spans[id]})
		}
	}
	return found, unreadable
}

// block reads what a block has.
func (c *collector) block(b *collected) error {
	places, err := c.look(b)
	if err != nil || len(places) == 0 {
		return err
	}
	// In the order of the block, which is that of the spans.
	slices.SortFunc(places, func(a, b tracePlace) int { return cmp.Compare(uint32(a), uint32(b)) })
	if b.known, err = c.s.origins(b.block); err != nil {
		return err
	}
	b.numbers, b.spans = make([]int, len(b.known)), make(map[core.TraceID][]store.Span)
	for rest := places; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].chunk() == rest[0].chunk() {
			n++
		}
		if err := c.chunk(b, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// look finds the places in the block's table.
func (c *collector) look(b *collected) (places []tracePlace, err error) {
	err = c.s.view(key(keyTraces, b.block), func(value []byte) error {
		if b.filtered && b.traceFilter.Load() == nil {
			b.traceFilter.Store(traceTable(value).filter())
		}
		for i := range c.ids {
			places = traceTable(value).find(places, &c.ids[i])
		}
		return nil
	})
	return places, err
}

// origins returns those of a block.
func (s *Store) origins(block uint64) ([]store.Origin, error) {
	value, err := s.part(keyOrigins, block)
	if value == nil || err != nil {
		return nil, err
	}
	if value, err = s.decoder.DecodeAll(value, nil); err != nil {
		return nil, fmt.Errorf("%w: origins: %w", store.ErrDamaged, err)
	}
	return parseOrigins(value)
}

// chunk adds the traces at the places of a chunk.
func (c *collector) chunk(b *collected, places []tracePlace) error {
	return c.s.chunk(chunkPlace{b.block, places[0].chunk()}, func(r *chunkReader) error {
		for number := 0; len(places) > 0; number++ {
			id, n, ok, err := r.next()
			if err != nil || !ok {
				return errors.Join(err, damagedIf(!ok, "a trace is missing"))
			}
			wanted := number == places[0].number()
			if wanted {
				places = places[1:]
				_, wanted = c.wanted[id]
			}
			if err := b.trace(c.ctx, r, id, n, wanted); err != nil {
				return err
			}
		}
		return nil
	})
}

// trace reads n spans, and keeps them if wanted.
func (b *collected) trace(ctx context.Context, r *chunkReader, id core.TraceID, n int, wanted bool) error {
	var ends []int
	var raw []byte
	first := len(b.spans[id])
	for i := range n {
		if i%readAtOnce == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		origin, err := r.span(i)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		raw = r.raw(raw)
		if origin >= len(b.known) {
			return damaged("an origin is missing")
		}
		if b.numbers[origin] == 0 {
			b.origins = append(b.origins, b.known[origin])
			b.numbers[origin] = len(b.origins)
		}
		ends = append(ends, len(raw))
		b.spans[id] = append(b.spans[id], store.Span{Origin: b.numbers[origin] - 1})
	}
	// raw has grown, so that only now its parts are where they stay.
	start := 0
	for i, end := range ends {
		b.spans[id][first+i].Raw = raw[start:end:end]
		start = end
	}
	return nil
}

// readAtOnce is how many spans of a trace are read before somebody looks whether they are still wanted.
const readAtOnce = 4096

func damagedIf(bad bool, what string) error {
	if !bad {
		return nil
	}
	return damaged(what)
}
