package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Traces implements store.Reader. With store.ErrDamaged, it returns what can be read as well.
func (s *Store) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	c := collector{ctx: ctx, s: s, found: &store.Found{}, spans: make(map[core.TraceID][]store.Span, len(ids))}
	for _, id := range ids {
		if _, ok := c.spans[id]; !ok {
			c.spans[id] = nil
			c.ids = append(c.ids, id)
		}
	}
	blocks := s.blocks.list()
	later := int64(0) // how many traces there are in this block and later
	for _, b := range blocks {
		later += b.traces
	}
	for _, b := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.filtered = later <= s.maxFiltered
		later -= b.traces
		if !within.Overlaps(b.start, b.end) {
			continue
		}
		if err := c.block(b); err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				return nil, err
			}
			s.report("traces of a block cannot be read", err, "block", b.block)
			c.damaged = fmt.Errorf("block %d: %w", b.block, err)
		}
	}
	for _, id := range c.ids {
		if len(c.spans[id]) > 0 {
			c.found.Traces = append(c.found.Traces, store.Trace{ID: id, Spans: c.spans[id]})
		}
	}
	return c.found, c.damaged
}

// collector collects the spans of traces.
type collector struct {
	ctx     context.Context
	s       *Store
	ids     []core.TraceID // each once
	spans   map[core.TraceID][]store.Span
	found   *store.Found
	damaged error

	// filtered: the block at hand is to have a filter.
	filtered bool
	places   []tracePlace
	origins  []int // by number in the block: the index in found.Origins, plus one
}

// block adds what a block has.
func (c *collector) block(b *summary) error {
	if f := b.traceFilter.Load(); f != nil && !c.filtered {
		b.traceFilter.Store(nil)
	} else if f != nil && !f.mayHave(c.ids) {
		return nil
	}
	block := b.block
	if err := c.look(b); err != nil || len(c.places) == 0 {
		return err
	}
	// In the order of the block, which is that of the spans.
	slices.SortFunc(c.places, func(a, b tracePlace) int { return cmp.Compare(uint32(a), uint32(b)) })
	origins, err := c.s.origins(block)
	if err != nil {
		return err
	}
	c.origins = append(c.origins[:0], make([]int, len(origins))...)
	r := c.s.reader()
	defer c.s.giveBack(r)
	for rest := c.places; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].chunk() == rest[0].chunk() {
			n++
		}
		if err := c.chunk(r, block, rest[:n], origins); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// look finds the places in the block's table.
func (c *collector) look(b *summary) error {
	c.places = c.places[:0]
	return c.s.view(key(keyTraces, b.block), func(value []byte) error {
		if c.filtered && b.traceFilter.Load() == nil {
			b.traceFilter.Store(traceTable(value).filter())
		}
		for i := range c.ids {
			c.places = traceTable(value).find(c.places, &c.ids[i])
		}
		return nil
	})
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
func (c *collector) chunk(r *chunkReader, block uint64, places []tracePlace, origins []store.Origin) error {
	return c.s.chunk(r, block, places[0].chunk(), func() error {
		for number := 0; len(places) > 0; number++ {
			id, n, ok, err := r.next()
			if err != nil || !ok {
				return errors.Join(err, damagedIf(!ok, "a trace is missing"))
			}
			wanted := number == places[0].number()
			if wanted {
				places = places[1:]
				_, wanted = c.spans[id]
			}
			if err := c.trace(r, id, n, wanted, origins); err != nil {
				return err
			}
		}
		return nil
	})
}

// chunk opens a chunk and calls f; it does nothing if the block has been forgotten.
func (s *Store) chunk(r *chunkReader, block uint64, n int, f func() error) error {
	return s.view(key(keyChunk, block, uint64(n)), func(value []byte) error {
		if err := r.open(value); err != nil {
			return err
		}
		return f()
	})
}

// trace reads n spans, and keeps them if wanted.
func (c *collector) trace(r *chunkReader, id core.TraceID, n int, wanted bool, origins []store.Origin) error {
	var ends []int
	var raw []byte
	first := len(c.spans[id])
	for i := range n {
		if i%readAtOnce == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		origin, err := r.span(i)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		raw = r.raw(raw)
		if origin >= len(origins) {
			return damaged("an origin is missing")
		}
		if c.origins[origin] == 0 {
			c.found.Origins = append(c.found.Origins, origins[origin])
			c.origins[origin] = len(c.found.Origins)
		}
		ends = append(ends, len(raw))
		c.spans[id] = append(c.spans[id], store.Span{Origin: c.origins[origin] - 1})
	}
	// raw has grown, so that only now its parts are where they stay.
	start := 0
	for i, end := range ends {
		c.spans[id][first+i].Raw = raw[start:end:end]
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
