package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// retainRounds is how often Retain forgets more, if the disk is still fuller than it should be.
const retainRounds = 4

// Retain implements store.Store. Blocks are forgotten as a whole.
func (s *Store) Retain(ctx context.Context, before time.Time, maxBytes int64) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	s.committing.Lock()
	defer s.committing.Unlock()
	cut := int64(math.MinInt64)
	if !before.IsZero() {
		cut = store.Nanos(before)
	}
	excess := int64(0)
	if maxBytes > 0 {
		excess = s.logical() - maxBytes
	}
	for range retainRounds {
		gone, until := s.oldest(cut, excess)
		cut = until
		if err := s.forget(ctx, gone, cut); err != nil {
			return fmt.Errorf("forget what is old: %w", err)
		}
		if maxBytes <= 0 {
			return nil
		}
		if excess = s.physical() - maxBytes; excess <= 0 {
			return nil
		}
		// Perhaps it is only what was deleted and overwritten.
		if err := s.compact(ctx); err != nil {
			return fmt.Errorf("free what was forgotten: %w", err)
		}
		if excess = s.physical() - maxBytes; excess <= 0 || len(s.blocks.list()) == 0 {
			return nil
		}
	}
	return nil
}

// oldest returns the blocks that ended before cut, and the oldest of the others that take excess bytes together, in ascending
// order of their numbers; and up to when everything is forgotten then.
func (s *Store) oldest(cut, excess int64) (gone []*summary, until int64) {
	blocks := slices.Clone(s.blocks.list())
	slices.SortStableFunc(blocks, func(a, b *summary) int { return cmp.Compare(a.end, b.end) })
	until = cut
	for _, b := range blocks {
		if b.end >= cut && excess <= 0 {
			break
		}
		gone = append(gone, b)
		excess -= b.bytes
		until = max(until, b.end)
	}
	slices.SortFunc(gone, func(a, b *summary) int { return cmp.Compare(a.block, b.block) })
	return gone, until
}

// blockKinds are the kinds of keys that a block has.
var blockKinds = [...]byte{keyChunk, keyTraces, keyIndex, keyFilters, keyOrigins, keySummary}

// blockRun is a range of numbers of blocks without any that stays: first until before end.
type blockRun struct{ first, end uint64 }

func (s *Store) runs(gone []*summary) []blockRun {
	numbers := make(map[uint64]bool, len(gone))
	for _, b := range gone {
		numbers[b.block] = true
	}
	var runs []blockRun
	open := false
	for _, b := range s.blocks.list() {
		switch {
		case !numbers[b.block]:
			open = false
		case open:
			runs[len(runs)-1].end = b.block + 1
		default:
			open = true
			runs = append(runs, blockRun{b.block, b.block + 1})
		}
	}
	return runs
}

// forget deletes blocks, and profiles of minutes before the cut, and has the disk freed.
func (s *Store) forget(ctx context.Context, gone []*summary, cut int64) error {
	s.profiles.changing.Lock()
	defer s.profiles.changing.Unlock()
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	runs := s.runs(gone)
	var err error
	for _, r := range runs {
		for _, kind := range blockKinds {
			err = errors.Join(err, batch.DeleteRange(key(kind, r.first), key(kind, r.end), nil))
		}
	}
	forgetProfiles := func() {}
	if cut > math.MinInt64 && s.profiles.before(store.FloorMinute(cut)) {
		var failed error
		forgetProfiles, failed = s.profiles.cut(batch, store.FloorMinute(cut))
		err = errors.Join(err, failed)
	}
	if err != nil || batch.Empty() {
		return err
	}
	s.profiles.switching.Lock()
	err = s.write(func() error { return batch.Commit(pebble.Sync) })
	if err == nil {
		forgetProfiles()
		numbers := make(map[uint64]bool, len(gone))
		for _, b := range gone {
			numbers[b.block] = true
		}
		s.blocks.remove(numbers)
	}
	s.profiles.switching.Unlock()
	if err != nil {
		return err
	}
	return s.free(ctx, runs)
}

// free has Pebble rewrite the tables that hold what was deleted.
func (s *Store) free(ctx context.Context, runs []blockRun) error {
	if err := s.write(s.db.Flush); err != nil {
		return err
	}
	for _, r := range runs {
		if err := s.db.Compact(ctx, key(keyChunk, r.first), key(keyChunk, r.end), false); err != nil {
			return err
		}
	}
	return nil
}

// compact has Pebble remove everything that was deleted or replaced.
func (s *Store) compact(ctx context.Context) error {
	if err := s.write(s.db.Flush); err != nil {
		return err
	}
	return s.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
}
