package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// formatVersion is what this code writes, and the only version that it reads.
const formatVersion = 2

// Store is a store.Store in a directory. See [Options] and [Open].
type Store struct {
	options Options
	db      *pebble.DB
	cache   *pebble.Cache
	disk    *disk
	counters

	// users are the calls that use db; Close waits for them.
	users  sync.WaitGroup
	closed bool // with mu

	sequence atomic.Uint64 // of the last log entry
	log      logTable
	parcels  parcelTable
	blocks   blockTable
	// maxFiltered is how many traces the traceFilters may have.
	maxFiltered int64
	profiles    *profileStore

	// committing is held by Commit and Retain, and guards writer and batch, which keeps its memory.
	committing sync.Mutex
	writer     *blockWriter
	batch      *pebble.Batch
	decoder    *zstd.Decoder // for DecodeAll, which may be called concurrently
	chunks     chunkCache
	// helpers has a place for each goroutine that helps a question; see share.
	helpers chan struct{}

	mu      sync.Mutex
	failure failure
	damage  damage
}

var _ store.Store = (*Store)(nil)

// counters are read with Counters.
type counters struct {
	damaged, refused, cutBytes atomic.Uint64
}

// Counters tell what went wrong since the store was opened.
type Counters struct {
	// Damaged is how often something that was stored could not be read.
	Damaged uint64
	// Refused is how many requests and segments were refused with store.ErrFull.
	Refused uint64
	// CutBytes is how much of a damaged write-ahead log was cut off when the store was opened.
	CutBytes uint64
	// WaitedForDisk is how many writes had to wait because there was no room on the disk.
	WaitedForDisk uint64
}

// Counters returns the present counts. It may be called at any time.
func (s *Store) Counters() Counters {
	return Counters{
		Damaged: s.damaged.Load(), Refused: s.refused.Load(), CutBytes: s.cutBytes.Load(),
		WaitedForDisk: s.disk.waited.Load(),
	}
}

// Open opens or makes a store. The error says what to do about it if somebody can.
func Open(o Options) (*Store, error) {
	o.setDefaults()
	s := &Store{options: o, disk: newDisk(o.FS, o.Dir), maxFiltered: defaultFiltered}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", o.Dir, err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if s.writer, err = newBlockWriter(); err != nil {
		return err
	}
	if s.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxChunk)); err != nil {
		return err
	}
	s.helpers = make(chan struct{}, runtime.GOMAXPROCS(0)-1)
	s.cache = pebble.NewCache(s.options.CacheBytes)
	defer func() {
		if err != nil {
			s.decoder.Close()
			s.cache.Unref()
			if s.db != nil {
				err = errors.Join(err, s.db.Close())
			}
		}
	}()
	if err = s.openDB(); err != nil {
		return err
	}
	if err = s.checkFormat(); err != nil {
		return err
	}
	if err = s.loadLog(); err != nil {
		return err
	}
	if err = s.loadParcels(); err != nil {
		return err
	}
	if err = s.loadBlocks(); err != nil {
		return err
	}
	if s.profiles, err = openProfiles(s); err != nil {
		return err
	}
	s.batch = s.db.NewBatch(pebble.WithInitialSizeBytes(4<<20), pebble.WithMaxRetainedSizeBytes(16<<20))
	s.disk.open.Store(true)
	return nil
}

// checkFormat refuses what a later version wrote, and marks what is new.
func (s *Store) checkFormat() error {
	value, err := s.get(key(keyFormat))
	if errors.Is(err, pebble.ErrNotFound) {
		return s.db.Set(key(keyFormat), binary.BigEndian.AppendUint64(nil, formatVersion), pebble.Sync)
	}
	if errors.Is(err, store.ErrDamaged) || err == nil && len(value) != 8 {
		// Whatever is of another version has no right checksum.
		s.report("the version of the format cannot be read", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the version of the format: %w", err)
	}
	if v := binary.BigEndian.Uint64(value); v != formatVersion {
		return fmt.Errorf("it has the format %d, this version of otelprof knows %d: use the version that wrote it, or another directory",
			v, formatVersion)
	}
	return nil
}

// use is called by everything that uses the database; release must follow, unless there is an error.
func (s *Store) use(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.users.Add(1)
	return nil
}

func (s *Store) release() { s.users.Done() }

// Close implements store.Store. It waits for calls under way.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	// What waits for room on the disk gets its error now.
	s.disk.open.Store(false)
	s.profiles.stop()
	s.users.Wait()
	deadline := time.Now().Add(closeTime)
	flushed := s.flush(closeTime)
	if flushed {
		s.dropConsumed(deadline)
	}
	err := s.closeDB()
	if err == nil && flushed {
		err = removeLogs(s.options.FS, s.options.Dir)
	}
	s.decoder.Close()
	s.cache.Unref()
	if err != nil {
		return fmt.Errorf("close the store in %s: %w", s.options.Dir, err)
	}
	return nil
}
