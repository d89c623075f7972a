package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// logTable is what is in memory of the log: the sizes of the entries.
type logTable struct {
	mu    sync.Mutex
	sizes map[uint64]int64
	bytes int64
	// consumed is how many bytes of entries were forgotten since the store was opened.
	consumed atomic.Int64
}

func (t *logTable) add(seq uint64, size int64) {
	t.mu.Lock()
	t.sizes[seq] = size
	t.bytes += size
	t.mu.Unlock()
}

func (t *logTable) remove(seq uint64) {
	t.mu.Lock()
	t.bytes -= t.sizes[seq]
	t.consumed.Add(t.sizes[seq])
	delete(t.sizes, seq)
	t.mu.Unlock()
}

func (t *logTable) has(seq uint64) bool {
	t.mu.Lock()
	_, ok := t.sizes[seq]
	t.mu.Unlock()
	return ok
}

// numbers returns those of the entries, ascending.
func (t *logTable) numbers() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.sizes))
}

// sizeOf returns how many bytes the entries have that are consumed completely.
func (t *logTable) sizeOf(consumed []store.Consumed) (n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range consumed {
		if c.All {
			n += t.sizes[c.Seq]
		}
	}
	return n
}

func (t *logTable) size() (entries, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.sizes)), t.bytes
}

// loadLog finds the entries of the log and the highest number.
func (s *Store) loadLog() error {
	s.log.sizes = make(map[uint64]int64)
	value, err := s.get(key(keySequence))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case errors.Is(err, store.ErrDamaged):
		// The time is higher than any number that ever was.
		s.report("the number of the log cannot be read", err)
		s.sequence.Store(uint64(s.options.Now().UnixNano()))
	case err != nil:
		return fmt.Errorf("the number of the log: %w", err)
	case len(value) == 8:
		s.sequence.Store(binary.BigEndian.Uint64(value))
	}
	// An entry that cannot be read hides what follows it, which is looked for one by one.
	from := uint64(0)
	for range maxHidden {
		err := s.eachIn(s.db, key(keyLog, from), []byte{keyLog + 1}, func(k []byte, value pebble.LazyValue) error {
			if seq, ok := keyNumber(k, 0); ok {
				s.log.add(seq, int64(value.Len()))
				s.sequence.Store(max(s.sequence.Load(), seq))
				from = seq + 1
			}
			return nil
		})
		if !pebble.IsCorruptionError(err) {
			return err
		}
		s.report("an entry of the log cannot be read", err, "entry", from)
		from++
		s.sequence.Store(max(s.sequence.Load(), from))
	}
	return fmt.Errorf("%w: more than %d entries of the log", store.ErrDamaged, maxHidden)
}

// maxHidden is how many entries of the log are passed over when the store is opened.
const maxHidden = 64

// each calls f for all keys of a kind, in order.
func (s *Store) each(r pebble.Reader, kind byte, f func(key []byte, value pebble.LazyValue) error) (err error) {
	return s.eachIn(r, []byte{kind}, []byte{kind + 1}, f)
}

func (s *Store) eachIn(r pebble.Reader, from, until []byte, f func(key []byte, value pebble.LazyValue) error) (err error) {
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: until})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		if err := f(iter.Key(), iter.LazyValue()); err != nil {
			return err
		}
	}
	return iter.Error()
}

// Append implements store.Store. Calls at the same time share a write and a sync of Pebble's write-ahead log.
func (s *Store) Append(ctx context.Context, entry []byte) (uint64, error) {
	if err := s.use(ctx); err != nil {
		return 0, err
	}
	defer s.release()
	if err := s.room(int64(len(entry)), s.options.ReserveBytes); err != nil {
		return 0, err
	}
	seq := s.sequence.Add(1)
	var k [9]byte
	if err := s.write(func() error { return s.db.Set(appendKey(k[:0], keyLog, seq), entry, pebble.Sync) }); err != nil {
		return 0, fmt.Errorf("append to the log: %w", err)
	}
	s.log.add(seq, int64(len(entry)))
	return seq, nil
}

// Replay implements store.Store. An entry that cannot be read is left out, counted, and reported to the logger.
func (s *Store) Replay(ctx context.Context, f func(seq uint64, entry []byte, consumed store.Bits) error) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	for _, seq := range s.log.numbers() {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, err := s.get(key(keyLog, seq))
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if errors.Is(err, store.ErrDamaged) {
			s.report("an entry of the log cannot be read", err, "entry", seq)
			continue
		}
		if err != nil {
			return fmt.Errorf("entry %d of the log: %w", seq, err)
		}
		consumed, err := s.get(key(keyConsumed, seq))
		if err != nil && !errors.Is(err, pebble.ErrNotFound) {
			return fmt.Errorf("what is consumed of entry %d of the log: %w", seq, err)
		}
		if err := f(seq, entry, consumed); errors.Is(err, store.ErrDamaged) {
			s.report("an entry of the log cannot be read", err, "entry", seq)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// consume writes what a segment says of the log to its batch.
func (s *Store) consume(batch *pebble.Batch, consumed []store.Consumed) error {
	for _, c := range consumed {
		if !s.log.has(c.Seq) {
			continue
		}
		var err error
		if c.All {
			err = errors.Join(batch.Delete(key(keyLog, c.Seq), nil), batch.Delete(key(keyConsumed, c.Seq), nil))
		} else {
			err = batch.Set(key(keyConsumed, c.Seq), bytes.Clone(c.Spans), nil)
		}
		if err != nil {
			return err
		}
	}
	if len(consumed) == 0 {
		return nil
	}
	return batch.Set(key(keySequence), binary.BigEndian.AppendUint64(nil, s.sequence.Load()), nil)
}

// report counts and logs that something stored cannot be read.
func (s *Store) report(what string, err error, args ...any) {
	s.damaged.Add(1)
	s.options.Logger.Error("store: "+what, append(args, "error", err)...)
}
