package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// parcelTable is what is in memory of the parcels: their sizes.
type parcelTable struct {
	mu    sync.Mutex
	sizes map[uint64]int64
	last  uint64
	bytes int64
}

func (t *parcelTable) add(number uint64, size int64) {
	t.mu.Lock()
	t.sizes[number] = size
	t.bytes += size
	t.last = max(t.last, number)
	t.mu.Unlock()
}

func (t *parcelTable) remove(number uint64) {
	t.mu.Lock()
	t.bytes -= t.sizes[number]
	delete(t.sizes, number)
	t.mu.Unlock()
}

func (t *parcelTable) size() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

func (s *Store) loadParcels() error {
	s.parcels.sizes = make(map[uint64]int64)
	return s.each(s.db, keyParcel, func(k []byte, value pebble.LazyValue) error {
		if number, ok := keyNumber(k, 0); ok {
			s.parcels.add(number, int64(value.Len()))
		}
		return nil
	})
}

// CommitParcel stores bytes that are to go elsewhere, instead of a segment, together with what they used up of the log: all of
// it or nothing, and durably. Parcels have ascending numbers, which may be used again when there is none left.
func (s *Store) CommitParcel(ctx context.Context, parcel []byte, consumed []store.Consumed) (number uint64, err error) {
	if err := s.use(ctx); err != nil {
		return 0, err
	}
	defer s.release()
	s.committing.Lock()
	defer s.committing.Unlock()
	if err := s.room(-s.log.sizeOf(consumed), s.options.ReserveBytes/2); err != nil {
		return 0, err
	}
	batch := s.batch
	defer batch.Reset()
	s.parcels.mu.Lock()
	number = s.parcels.last + 1
	s.parcels.mu.Unlock()
	k, size := key(keyParcel, number), len(parcel)+crc32.Size
	op := batch.SetDeferred(len(k), size)
	copy(op.Key, k)
	withChecksum(append(op.Value[:0], parcel...)) // in place
	if err := errors.Join(op.Finish(), s.consume(batch, consumed)); err != nil {
		return 0, fmt.Errorf("parcel: %w", err)
	}
	if err := s.write(func() error { return batch.Commit(pebble.Sync) }); err != nil {
		return 0, fmt.Errorf("commit a parcel: %w", err)
	}
	s.parcels.add(number, int64(size))
	for _, c := range consumed {
		if c.All {
			s.log.remove(c.Seq)
		}
	}
	return number, nil
}

// Parcels returns the numbers of the parcels, ascending.
func (s *Store) Parcels() []uint64 {
	s.parcels.mu.Lock()
	defer s.parcels.mu.Unlock()
	return slices.Sorted(maps.Keys(s.parcels.sizes))
}

// Parcel returns a parcel, store.ErrNotFound if there is none of the number, and store.ErrDamaged if it cannot be read.
func (s *Store) Parcel(ctx context.Context, number uint64) ([]byte, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	value, err := s.get(key(keyParcel, number))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("parcel %d: %w", number, err)
	}
	return checked(value)
}

// DropParcel forgets a parcel. It need not be durable at once: whoever sends parcels must be ready to send one again.
func (s *Store) DropParcel(ctx context.Context, number uint64) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	if err := s.write(func() error { return s.db.Delete(key(keyParcel, number), pebble.NoSync) }); err != nil {
		return fmt.Errorf("drop parcel %d: %w", number, err)
	}
	s.parcels.remove(number)
	return nil
}

// QueueBytes returns how much the log and the parcels take.
func (s *Store) QueueBytes() int64 {
	_, n := s.log.size()
	return n + s.parcels.size()
}
