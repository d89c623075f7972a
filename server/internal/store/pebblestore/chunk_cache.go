package pebblestore

import (
	"slices"
	"sync"
)

// chunkPlace is which chunk of which block.
type chunkPlace struct {
	block uint64
	chunk int
}

// chunkCache keeps readers that wait for their next chunk, with the ones that they read last: what a search has found is asked for
// right after. The collector of garbage does not get their memory either, of which the first touch would take as long as what is
// done with it.
type chunkCache struct {
	mu      sync.Mutex
	waiting []*chunkReader // the one that has waited longest is the first
	bytes   int
}

// What waits at most: so many readers, with so many bytes together, give or take one, and none with more than maxKept. A chunk
// has some 300 KB.
const (
	maxReaders     = 32
	maxReaderBytes = 16 << 20
	maxKept        = 4 << 20
)

func (r *chunkReader) size() int { return cap(r.whole) + cap(r.tokens) + cap(r.literals) }

// take returns a reader that has the chunk, or one whose chunk is not needed any more, or nil.
func (c *chunkCache) take(at chunkPlace) *chunkReader {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.waiting, func(r *chunkReader) bool { return r.opened && r.at == at })
	if i < 0 {
		if len(c.waiting) < maxReaders && c.bytes < maxReaderBytes {
			return nil
		}
		i = 0
	}
	r := c.waiting[i]
	c.waiting = slices.Delete(c.waiting, i, i+1)
	c.bytes -= r.size()
	return r
}

// give takes a reader back.
func (c *chunkCache) give(r *chunkReader) {
	r.look = nil
	if r.size() > maxKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, r)
	c.bytes += r.size()
}

// chunk calls f with a reader of a chunk; it does nothing if the block has been forgotten.
func (s *Store) chunk(at chunkPlace, f func(r *chunkReader) error) error {
	r := s.chunks.take(at)
	if r == nil {
		r = &chunkReader{decoder: s.decoder}
	}
	defer s.chunks.give(r)
	if r.opened && r.at == at {
		r.rewind()
		return f(r)
	}
	r.at, r.opened = at, false
	err := s.view(key(keyChunk, at.block, uint64(at.chunk)), func(value []byte) error {
		err := r.open(value)
		r.opened = err == nil
		return err
	})
	if err != nil || !r.opened {
		return err
	}
	return f(r)
}
