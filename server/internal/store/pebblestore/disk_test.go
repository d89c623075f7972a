package pebblestore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// smallDisk is a disk of a size that can be changed, or that cannot be written at all.
type smallDisk struct {
	vfs.FS
	size, used atomic.Int64
	fault      atomic.Pointer[error]
	// hidden: it does not tell how full it is, as with a quota.
	hidden bool
}

func newSmallDisk(size int64) *smallDisk {
	d := &smallDisk{FS: vfs.NewMem()}
	d.size.Store(size)
	return d
}

func (d *smallDisk) breaks(err error) { d.fault.Store(&err) }

func (d *smallDisk) err() error {
	if e := d.fault.Load(); e != nil && *e != nil {
		return fmt.Errorf("write: %w", *e)
	}
	return nil
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return &smallFile{f, d}, nil
}

func (d *smallDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	f, err := d.FS.ReuseForWrite(from, to, c)
	if err != nil {
		return nil, err
	}
	return &smallFile{f, d}, nil
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.hidden {
		return vfs.DiskUsage{AvailBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: uint64(max(0, d.size.Load()-d.used.Load()))}, nil
}

type smallFile struct {
	vfs.File
	d *smallDisk
}

func (f *smallFile) Write(p []byte) (int, error) {
	if err := f.d.err(); err != nil {
		return 0, err
	}
	if used := f.d.used.Add(int64(len(p))); used > f.d.size.Load() {
		f.d.used.Add(-int64(len(p)))
		// As on a real disk, what fits is written.
		n := int(max(0, min(int64(len(p)/2), f.d.size.Load()-f.d.used.Load())))
		f.d.used.Add(int64(n))
		n, _ = f.File.Write(p[:n])
		return n, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return f.File.Write(p)
}

func (f *smallFile) Sync() error {
	if err := f.d.err(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *smallFile) SyncData() error {
	if err := f.d.err(); err != nil {
		return err
	}
	return f.File.SyncData()
}

// TestDiskFull has a disk that tells how full it is: the store refuses before the disk does, and goes on when there is room.
func TestDiskFull(t *testing.T) {
	d := newSmallDisk(8 << 20)
	o := testOptions(d, "data")
	o.ReserveBytes = 2 << 20
	s, err := Open(o)
	require.NoError(t, err)
	entries := fill(t, s)
	require.Positive(t, entries)
	require.Positive(t, s.Counters().Refused)
	require.Zero(t, s.Counters().WaitedForDisk)
	// Segments may use half of the reserve, no more.
	m := storetest.NewGenerator(1).Segment(100)
	require.NoError(t, s.Commit(background, &m.Segment))
	d.size.Store(d.used.Load() + o.ReserveBytes/2 - 1)
	s.disk.forgetLook()
	require.ErrorIs(t, s.Commit(background, &m.Segment), store.ErrFull)
	d.size.Add(8 << 20)
	s.disk.forgetLook()
	_, err = s.Append(background, []byte("there is room"))
	require.NoError(t, err)
	s = reopen(t, s)
	require.Equal(t, entries+1, countLog(t, s))
	require.NoError(t, s.Close())
}

// fill appends until the store is full, and returns how many entries it took.
func fill(t *testing.T, s *Store) (entries int) {
	m := storetest.NewGenerator(1).Segment(100)
	request := m.Requests(1 << 20)[0]
	for {
		s.disk.forgetLook()
		_, err := s.Append(background, request)
		if err != nil {
			require.ErrorIs(t, err, store.ErrFull)
			require.ErrorContains(t, err, "data")
			return entries
		}
		entries++
		require.Less(t, entries, 10_000)
	}
}

func countLog(t *testing.T, s *Store) (n int) {
	require.NoError(t, s.Replay(background, func(uint64, []byte, store.Bits) error { n++; return nil }))
	return n
}

// TestDiskFullSuddenly has a disk that fails without a warning, in the middle of writes: these wait, what is new is refused, and all
// that was acknowledged is there when there is room again.
func TestDiskFullSuddenly(t *testing.T) {
	for name, fault := range map[string]error{"size": nil, "quota": syscall.EDQUOT, "read-only": syscall.EROFS} {
		t.Run(name, func(t *testing.T) {
			d := newSmallDisk(1 << 40)
			d.hidden = true
			s := openIn(t, d, "data")
			request := storetest.NewGenerator(1).Segment(100).Requests(1 << 20)[0]
			before := s.appendAll(t, 20, request)
			if fault == nil {
				d.size.Store(d.used.Load() + 10_000)
			} else {
				d.breaks(fault)
			}
			var during int
			var group sync.WaitGroup
			group.Go(func() { during = s.appendAll(t, 20, request) })
			s.disk.awaitWaiting(true)
			_, err := s.Append(background, request)
			require.ErrorIs(t, err, store.ErrFull)
			require.ErrorContains(t, err, "full or read-only")
			d.size.Store(1 << 40)
			d.breaks(nil)
			group.Wait()
			require.Positive(t, s.Counters().WaitedForDisk)
			s.disk.awaitWaiting(false)
			after := s.appendAll(t, 20, request)
			require.Equal(t, 20, after)
			s = reopen(t, s)
			require.Equal(t, before+during+after, countLog(t, s))
			require.NoError(t, s.Close())
		})
	}
}

// appendAll appends the request n times at once, and returns how often that succeeded. Otherwise the store must be full.
// forgetLook makes the store look at the disk again.
func (d *disk) forgetLook() {
	d.mu.Lock()
	d.looked = time.Time{}
	d.mu.Unlock()
}

// awaitWaiting returns when a write waits for room, or none.
func (d *disk) awaitWaiting(some bool) {
	for d.waiting.Load() > 0 != some {
		runtime.Gosched()
	}
}

func (s *Store) appendAll(t *testing.T, n int, request []byte) int {
	var group sync.WaitGroup
	var done atomic.Int64
	for range n {
		group.Go(func() {
			if _, err := s.Append(background, request); err == nil {
				done.Add(1)
			} else if !errors.Is(err, store.ErrFull) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return int(done.Load())
}

// TestDiskBroken has a disk whose sync fails for another reason, after which nothing written can be relied on.
func TestDiskBroken(t *testing.T) {
	d := newSmallDisk(1 << 40)
	s := openIn(t, d, "data")
	m := storetest.NewGenerator(1).Segment(10)
	require.NoError(t, s.Commit(background, &m.Segment))
	seq, err := s.Append(background, []byte("good"))
	require.NoError(t, err)
	d.breaks(syscall.EIO)
	_, err = s.Append(background, []byte("bad"))
	require.ErrorContains(t, err, syscall.EIO.Error())
	require.ErrorContains(t, err, "restart")
	d.breaks(nil)
	_, err = s.Append(background, []byte("later"))
	require.ErrorContains(t, err, "restart")
	found, err := s.Traces(background, []core.TraceID{m.Spans[0].Trace}, store.Range{})
	require.NoError(t, err, "what is there can still be read")
	require.Len(t, found.Traces, 1)
	_ = s.Close()
	s = openIn(t, d, "data")
	require.NoError(t, s.Replay(background, func(n uint64, entry []byte, _ store.Bits) error {
		require.Equal(t, seq, n)
		require.Equal(t, "good", string(entry))
		return nil
	}))
	require.NoError(t, s.Close())
}

func TestByteBudget(t *testing.T) {
	o := testOptions(vfs.NewMem(), "data")
	o.MaxBytes = 1 << 20
	s, err := Open(o)
	require.NoError(t, err)
	for seed := range uint64(100) {
		m := storetest.NewGenerator(seed).Segment(100)
		if err = s.Commit(background, &m.Segment); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, store.ErrFull)
	_, err = s.Append(background, make([]byte, 1<<19))
	require.ErrorIs(t, err, store.ErrFull)
	require.NoError(t, s.Retain(background, time.Time{}, 1<<19))
	_, err = s.Append(background, make([]byte, 1<<18))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestUnwritable opens a store where it cannot be.
func TestUnwritable(t *testing.T) {
	for fault, text := range map[syscall.Errno]string{
		syscall.EACCES: "must be readable and writable", syscall.EROFS: "full or read-only", syscall.ENOSPC: "full or read-only",
	} {
		d := newSmallDisk(1 << 40)
		d.breaks(fault)
		_, err := Open(testOptions(d, "data"))
		require.ErrorIs(t, err, fault)
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, "data")
	}
}

// TestCloseLeavesNoLogs closes a store through whose write-ahead logs much more went than is to be kept.
func TestCloseLeavesNoLogs(t *testing.T) {
	s := openIn(t, vfs.NewMem(), "data")
	fs, random := s.options.FS, rand.New(rand.NewPCG(1, 2))
	var consumed []store.Consumed
	for range 200 {
		entry := make([]byte, 64<<10)
		for i := range entry {
			entry[i] = byte(random.Uint32())
		}
		seq, err := s.Append(background, entry)
		require.NoError(t, err)
		consumed = append(consumed, store.Consumed{Seq: seq, All: true})
	}
	kept := consumed[len(consumed)-1].Seq
	require.NoError(t, s.Commit(background, &store.Segment{Consumed: consumed[:len(consumed)-1]}))
	before, err := logNumbers(fs, "data")
	require.NoError(t, err)
	require.Greater(t, len(before), 1)
	require.NoError(t, s.Close())
	after, err := logNumbers(fs, "data")
	require.NoError(t, err)
	require.Empty(t, after)
	s = openIn(t, fs, "data")
	var left []uint64
	require.NoError(t, s.Replay(background, func(seq uint64, _ []byte, _ store.Bits) error {
		left = append(left, seq)
		return nil
	}))
	require.Equal(t, []uint64{kept}, left)
	require.NoError(t, s.Close())
}
