package pebblestore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
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

// loadBlocks reads the summaries. Those that cannot be read are made anew from the indexes.
func (s *Store) loadBlocks() error {
	s.blocks.indexes = make(map[uint64]*blockIndex)
	var all []*summary
	bad := map[uint64]bool{}
	err := s.each(s.db, keySummary, func(k []byte, lazy pebble.LazyValue) error {
		block, ok := keyNumber(k, 0)
		if !ok {
			return nil
		}
		value, _, err := lazy.Value(nil)
		if err != nil {
			return err
		}
		sum, err := parseSummary(block, value)
		if err != nil {
			s.report("the summary of a block cannot be read and is made anew", err, "block", block)
			bad[block] = true
			return nil
		}
		all = append(all, sum)
		return nil
	})
	if pebble.IsCorruptionError(err) {
		s.report("summaries of blocks cannot be read and are made anew", err)
		err = s.findBlocks(all, bad)
	}
	if err != nil {
		return fmt.Errorf("the blocks: %w", err)
	}
	for block := range bad {
		sum, err := s.summarize(block)
		if err != nil {
			s.report("a block cannot be read", err, "block", block)
			continue
		}
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b *summary) int { return cmp.Compare(a.block, b.block) })
	s.blocks.add(all)
	return nil
}

// findBlocks adds the blocks that have an index, but are not in known, to missing.
func (s *Store) findBlocks(known []*summary, missing map[uint64]bool) error {
	seen := make(map[uint64]bool, len(known))
	for _, sum := range known {
		seen[sum.block] = true
	}
	err := s.each(s.db, keyIndex, func(k []byte, _ pebble.LazyValue) error {
		if block, ok := keyNumber(k, 0); ok && !seen[block] {
			missing[block] = true
		}
		return nil
	})
	if pebble.IsCorruptionError(err) {
		s.report("not all blocks can be found", err)
		return nil
	}
	return err
}

// summarize makes the summary of a block from its index, as far as that tells: the block may seem to end too early.
func (s *Store) summarize(block uint64) (*summary, error) {
	x, err := s.blockIndex(block)
	if err != nil || x == nil {
		return nil, errors.Join(err, damagedIf(x == nil, "the index is missing"))
	}
	sum := &summary{block: block, start: math.MaxInt64, maxStart: math.MinInt64, services: x.services()}
	for i := range x.chunks {
		c := &x.chunks[i]
		sum.start, sum.maxStart = min(sum.start, c.minStart), max(sum.maxStart, c.maxStart)
		sum.spans += int64(c.spans)
	}
	sum.end = sum.maxStart
	return sum, nil
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
