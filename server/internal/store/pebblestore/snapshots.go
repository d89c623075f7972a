package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// A saved snapshot is the time at which it was saved, in ns since the Unix epoch and in big-endian order, the snapshot as in
// profileStore.encode, and a checksum.

func snapshotKey(name string) []byte { return append([]byte{keySnapshot}, name...) }

// SaveSnapshot implements store.Snapshots.
func (s *Store) SaveSnapshot(ctx context.Context, name string, p *core.Snapshot) error {
	if err := store.CheckSnapshotName(name); err != nil {
		return err
	}
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	value, err := s.profiles.encode(binary.BigEndian.AppendUint64(nil, uint64(s.options.Now().UnixNano())), p)
	if err == nil {
		err = s.room(int64(len(value)), s.options.ReserveBytes)
	}
	if err == nil {
		err = s.write(func() error { return s.db.Set(snapshotKey(name), value, pebble.Sync) })
	}
	if err != nil {
		return fmt.Errorf("save snapshot %q: %w", name, err)
	}
	return nil
}

// LoadSnapshot implements store.Snapshots.
func (s *Store) LoadSnapshot(ctx context.Context, name string) (*core.Snapshot, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	_, p, err := s.snapshot(name)
	return p, err
}

func (s *Store) snapshot(name string) (time.Time, *core.Snapshot, error) {
	value, err := s.get(snapshotKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return time.Time{}, nil, fmt.Errorf("snapshot %q: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("snapshot %q: %w", name, err)
	}
	b, err := checked(value)
	if err == nil && len(b) < 8 {
		err = damaged("it is too short")
	}
	var p *core.Snapshot
	if err == nil {
		p, err = s.decodeProfile(b[8:])
	}
	if err != nil {
		s.damaged.Add(1)
		return time.Time{}, nil, fmt.Errorf("snapshot %q: %w", name, err)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), p, nil
}

// ListSnapshots implements store.Snapshots. What cannot be read is left out, counted, and reported to the logger.
func (s *Store) ListSnapshots(ctx context.Context) ([]store.SavedSnapshot, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	var names []string
	err := s.each(s.db, keySnapshot, func(k []byte, _ pebble.LazyValue) error {
		names = append(names, string(k[1:]))
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	list := []store.SavedSnapshot{}
	for _, name := range names {
		saved, p, err := s.snapshot(name)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case errors.Is(err, store.ErrDamaged):
			s.options.Logger.Error("store: a snapshot cannot be read", "name", name, "error", err)
		case err != nil:
			return nil, err
		default:
			list = append(list, store.Describe(name, saved, p))
		}
	}
	return list, nil
}

// DeleteSnapshot implements store.Snapshots.
func (s *Store) DeleteSnapshot(ctx context.Context, name string) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	if _, err := s.get(snapshotKey(name)); errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("snapshot %q: %w", name, store.ErrNotFound)
	}
	if err := s.write(func() error { return s.db.Delete(snapshotKey(name), pebble.Sync) }); err != nil {
		return fmt.Errorf("delete snapshot %q: %w", name, err)
	}
	return nil
}
