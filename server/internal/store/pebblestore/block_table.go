package pebblestore

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// blockTable is what is kept in memory of the blocks: their summaries, and the indexes that were last used.
type blockTable struct {
	mu sync.RWMutex
	// all are in ascending order of their numbers. The slice is replaced, never changed.
	all    []*summary
	number uint64 // that of the next block
	bytes  int64  // what all of them take
	// version counts the changes of all.
	version uint64

	indexes   map[uint64]*blockIndex
	indexSize int

	// operations are the result of the last look for them, as of that version.
	operations        map[string][]store.Operation
	operationsVersion uint64
}

// maxIndexSize is about how many operations of chunks the indexes in memory may have: some 16 MiB.
const maxIndexSize = 1 << 21

func (t *blockTable) next() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.number
}

// list returns the blocks in ascending order of their numbers. It must not be changed.
func (t *blockTable) list() []*summary {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.all
}

func (t *blockTable) add(blocks []*summary) {
	if len(blocks) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(slices.Clip(t.all), blocks...)
	t.number = blocks[len(blocks)-1].block + 1
	for _, b := range blocks {
		t.bytes += b.bytes
	}
	t.version++
}

func (t *blockTable) remove(gone map[uint64]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = slices.DeleteFunc(slices.Clone(t.all), func(s *summary) bool {
		if gone[s.block] {
			t.bytes -= s.bytes
		}
		return gone[s.block]
	})
	for block := range gone {
		if x := t.indexes[block]; x != nil {
			t.indexSize -= x.size()
			delete(t.indexes, block)
		}
	}
	t.version++
}

// loadBlocks reads the summaries.
func (s *Store) loadBlocks() error {
	s.blocks.indexes = make(map[uint64]*blockIndex)
	var all []*summary
	err := s.each(s.db, keySummary, func(k []byte, lazy pebble.LazyValue) error {
		block, ok := keyNumber(k, 0)
		if !ok {
			return nil
		}
		value, _, err := lazy.Value(nil)
		var sum *summary
		if err == nil {
			sum, err = parseSummary(block, value)
		}
		if err != nil {
			s.report("a block cannot be read", err, "block", block)
			sum = &summary{block: block}
		}
		all = append(all, sum)
		return nil
	})
	if err != nil {
		return fmt.Errorf("the blocks: %w", err)
	}
	s.blocks.add(all)
	return nil
}

func (x *blockIndex) size() int {
	n := len(x.operations)
	for i := range x.chunks {
		n += 4 + len(x.chunks[i].operations)
	}
	return n
}

// blockIndex returns the index of a block; nil if it has been forgotten.
func (s *Store) blockIndex(block uint64) (*blockIndex, error) {
	t := &s.blocks
	t.mu.RLock()
	x := t.indexes[block]
	t.mu.RUnlock()
	if x != nil {
		return x, nil
	}
	value, err := s.part(keyIndex, block)
	if value == nil || err != nil {
		return nil, err
	}
	if x, err = parseBlockIndex(value); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.indexes[block] == nil {
		// Any one will do: which are asked for next is hardly known.
		for other, o := range t.indexes {
			if t.indexSize+x.size() <= maxIndexSize {
				break
			}
			t.indexSize -= o.size()
			delete(t.indexes, other)
		}
		t.indexes[block] = x
		t.indexSize += x.size()
	}
	return x, nil
}

// part returns a part of a block that has a checksum, without it; nil if the block has been forgotten.
func (s *Store) part(kind byte, block uint64) ([]byte, error) {
	value, err := s.get(key(kind, block))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	return checked(value)
}

// readError makes Pebble's word for damaged data that of the store.
func readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}
