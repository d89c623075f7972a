package pebblestore

import (
	"context"
	"math"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Size implements store.Reader.
func (s *Store) Size(ctx context.Context) (store.Size, error) {
	if err := s.use(ctx); err != nil {
		return store.Size{}, err
	}
	defer s.release()
	size := store.Size{Bytes: s.physical()}
	size.LogEntries, _ = s.log.size()
	start, end := int64(math.MaxInt64), int64(math.MinInt64)
	for _, b := range s.blocks.list() {
		size.Spans += b.spans
		size.Traces += b.traces
		if b.spans > 0 {
			start, end = min(start, b.start), max(end, b.end)
		}
	}
	if size.Spans > 0 {
		size.Oldest, size.Newest = time.Unix(0, start), time.Unix(0, end)
	}
	return size, nil
}

// physical returns how many bytes of the disk are used, with what was deleted or replaced and not yet rewritten. It leaves out
// files that are deleted at this moment, and old files of Pebble's write-ahead log that are kept to be written over: three of
// Options.MemTableBytes at most.
func (s *Store) physical() int64 {
	m := s.db.Metrics()
	return int64(m.Table.Local.LiveSize + m.WAL.Size)
}

// logical returns how many bytes the log, the parcels, the blocks and the profiles have.
func (s *Store) logical() int64 {
	_, n := s.log.size()
	s.blocks.mu.RLock()
	n += s.blocks.bytes
	s.blocks.mu.RUnlock()
	s.profiles.mu.Lock()
	n += s.profiles.bytes
	s.profiles.mu.Unlock()
	return n + s.parcels.size()
}
