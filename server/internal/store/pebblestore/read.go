package pebblestore

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// damage remembers which values cannot be read: when a checksum is wrong, Pebble looks for the bit that is, which can take
// seconds. That once is enough.
type damage struct {
	mu   sync.Mutex
	keys map[string]error
}

// maxDamage is how many values are remembered.
const maxDamage = 1 << 16

func (d *damage) of(key []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keys[string(key)]
}

func (d *damage) note(key []byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys == nil {
		d.keys = make(map[string]error)
	}
	if len(d.keys) < maxDamage {
		d.keys[string(key)] = err
	}
}

// get returns a copy of a value.
func (s *Store) get(key []byte) (value []byte, err error) {
	if err := s.damage.of(key); err != nil {
		return nil, err
	}
	v, closer, err := s.db.Get(key)
	if err != nil {
		return nil, s.readError(key, err)
	}
	value = append([]byte(nil), v...)
	return value, closer.Close()
}

// view calls f with a value, which is valid during the call only. If there is no such value it does nothing: the block has
// been forgotten meanwhile.
func (s *Store) view(key []byte, f func(value []byte) error) error {
	if err := s.damage.of(key); err != nil {
		return err
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return s.readError(key, err)
	}
	return errors.Join(f(value), closer.Close())
}

// readError makes Pebble's word for damaged data that of the store.
func (s *Store) readError(key []byte, err error) error {
	if !pebble.IsCorruptionError(err) {
		return err
	}
	err = fmt.Errorf("%w: %w", store.ErrDamaged, err)
	s.damage.note(key, err)
	return err
}

// part returns a part of a block that has a checksum, without it; nil if the block has been forgotten.
func (s *Store) part(kind byte, block uint64) ([]byte, error) {
	value, err := s.get(key(kind, block))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return checked(value)
}
