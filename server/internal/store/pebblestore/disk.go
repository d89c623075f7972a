package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// disk is the file system as Pebble sees it. Pebble ends the process when its log or its manifest cannot be written. Here such a
// write waits until there is room again, and meanwhile the store refuses what is new. Writing tables may fail, which frees
// what they took, and is tried again.
type disk struct {
	vfs.FS
	dir string
	// waiting is how many writes wait now, waited how many ever had to.
	waiting atomic.Int64
	waited  atomic.Uint64
	// open is set while the store is open: only then it is worth to wait.
	open atomic.Bool

	// free is what the last look at the disk found, at the time looked.
	mu     sync.Mutex
	free   uint64
	looked time.Time
}

const (
	// retryEvery is how often a write that waits is tried.
	retryEvery = 50 * time.Millisecond
	// tableWaits is how often one of a table is tried before it fails.
	tableWaits = 20
	// lookEvery is how long a look at the free space holds.
	lookEvery = 100 * time.Millisecond
)

func newDisk(fs vfs.FS, dir string) *disk {
	return &disk{FS: fs, dir: dir}
}

// Unwrap implements vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

// Create implements vfs.FS.
func (d *disk) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = d.patiently(category, func() error {
		f, err = d.FS.Create(name, category)
		return err
	})
	return d.wrap(f, category, err)
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = d.patiently(category, func() error {
		f, err = d.FS.ReuseForWrite(from, to, category)
		return err
	})
	return d.wrap(f, category, err)
}

func (d *disk) wrap(f vfs.File, category vfs.DiskWriteCategory, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d, category: category}, nil
}

// noRoom reports whether an error may pass when somebody makes room or makes the disk writable again.
func noRoom(err error) bool {
	return err != nil && (vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS))
}

// patiently calls write until there is room for it.
func (d *disk) patiently(category vfs.DiskWriteCategory, write func() error) error {
	err := write()
	if !noRoom(err) {
		return err
	}
	d.waited.Add(1)
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	table := category != "pebble-wal" && category != "pebble-manifest" && category != vfs.WriteCategoryUnspecified
	for tries := 0; noRoom(err) && d.open.Load() && !(table && tries >= tableWaits); tries++ {
		time.Sleep(retryEvery)
		err = write()
	}
	return err
}

// diskFile is a file of disk.
type diskFile struct {
	vfs.File
	disk     *disk
	category vfs.DiskWriteCategory
}

// Write implements vfs.File.
func (f *diskFile) Write(p []byte) (int, error) {
	written := 0
	err := f.disk.patiently(f.category, func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}

// Sync implements vfs.File.
func (f *diskFile) Sync() error { return f.disk.patiently(f.category, f.File.Sync) }

// SyncData implements vfs.File.
func (f *diskFile) SyncData() error { return f.disk.patiently(f.category, f.File.SyncData) }

// available returns how much room there is on the disk, as of the last tenth of a second.
func (d *disk) available() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.looked) >= lookEvery {
		usage, err := d.GetDiskUsage(d.dir)
		if errors.Is(err, vfs.ErrUnsupported) {
			usage.AvailBytes, err = 1<<63, nil
		}
		if err != nil {
			return 0, fmt.Errorf("the free space of %s: %w", d.dir, err)
		}
		d.free, d.looked = usage.AvailBytes, now
	}
	return d.free, nil
}

// room returns store.ErrFull if there is none for more bytes of which keep must remain.
func (s *Store) room(more, keep int64) error {
	err := s.checkRoom(more, keep)
	if errors.Is(err, store.ErrFull) {
		s.refused.Add(1)
	}
	return err
}

// Ready returns why the store could not take a request now; nil if it could.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	if err := s.failure.get(); err != nil {
		return err
	}
	return s.checkRoom(0, s.options.ReserveBytes)
}

func (s *Store) checkRoom(more, keep int64) error {
	if s.disk.waiting.Load() > 0 {
		return fmt.Errorf("%w: the disk of %s is full or read-only", store.ErrFull, s.options.Dir)
	}
	free, err := s.disk.available()
	if err != nil {
		return err
	}
	if need := max(more, 0) + keep; free < uint64(need) {
		return fmt.Errorf("%w: %d bytes are free on the disk of %s, %d must be: make room there, or lower the retention",
			store.ErrFull, free, s.options.Dir, need)
	}
	if limit := s.options.MaxBytes; limit > 0 {
		if used := s.logical(); used+more > limit {
			return fmt.Errorf("%w: %s takes %d bytes, %d are allowed", store.ErrFull, s.options.Dir, used, limit)
		}
	}
	return nil
}
