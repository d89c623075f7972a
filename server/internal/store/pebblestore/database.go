package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// openDB opens the Pebble database, and cuts off what is damaged of its log.
func (s *Store) openDB() error {
	db, err := pebble.Open(s.options.Dir, s.pebbleOptions())
	if err != nil && pebble.IsCorruptionError(err) {
		cut, failed := cutLogs(s.options.FS, s.options.Dir)
		if failed != nil || cut == 0 {
			return explain(errors.Join(err, failed))
		}
		s.cutBytes.Store(uint64(cut))
		s.report("the end of the log is damaged and was cut off", err, "bytes", cut)
		db, err = pebble.Open(s.options.Dir, s.pebbleOptions())
	}
	if err != nil {
		return explain(err)
	}
	s.db = db
	return nil
}

// explain adds to an error what can be done about it.
func explain(err error) error {
	switch {
	case noRoom(err):
		return fmt.Errorf("the disk is full or read-only: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the directory must be readable and writable: %w", err)
	}
	return err
}

func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.disk,
		Cache:                       s.cache,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(s.options.MemTableBytes),
		MemTableStopWritesThreshold: 2,
		L0CompactionThreshold:       8,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               256 << 20,
		Logger:                      newLogger(s.options.Logger),
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			// Without this Pebble would end the process. Whoever reads gets an error.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.options.Logger.Error("store: a file is damaged", "file", info.Path, "error", info.Details)
			},
			BackgroundError: func(err error) { s.options.Logger.Error("store: work in the background failed", "error", err) },
		},
	}
	// Values that are large are compressed already.
	for i := range o.Levels {
		o.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
		o.Levels[i].BlockSize = 32 << 10
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 16 << 20
	}
	return o
}

// logger passes on what Pebble says.
type logger struct{ *slog.Logger }

func newLogger(l *slog.Logger) *logger { return &logger{l} }

// Infof implements pebble.Logger. Pebble tells a lot.
func (l *logger) Infof(format string, args ...any) { l.Debug("store: " + fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (l *logger) Errorf(format string, args ...any) {
	l.Error("store: " + fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble relies on it not to return.
func (l *logger) Fatalf(format string, args ...any) {
	err := fatal{fmt.Sprintf(format, args...)}
	l.Error("store: " + err.Error())
	panic(err)
}

// fatal is what Fatalf panics with. In a call of the store it becomes the call's error; in a goroutine of Pebble's it ends the
// process, and what was acknowledged is there when it starts again.
type fatal struct{ text string }

func (f fatal) Error() string { return f.text }

// failure keeps the error after which nothing can be written.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// write calls f, which writes to the database, and turns Pebble's panic into an error.
func (s *Store) write(f func() error) (err error) {
	if err := s.failure.get(); err != nil {
		return err
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case fatal:
			err = fmt.Errorf("the store cannot be written any more, restart it: %w", p)
			s.failure.mu.Lock()
			s.failure.err = err
			s.failure.mu.Unlock()
		default:
			panic(p)
		}
	}()
	return f()
}

// closeTime is how long closing waits for what is in memory to be written in order, and for what is not needed any more to
// be given back. What is in memory is in the write-ahead log anyway.
const closeTime = 10 * time.Second

// dropConsumed has Pebble give back the room of entries of the log that are consumed: it does so by itself, but not before
// there are some more tables to rewrite at once.
func (s *Store) dropConsumed(deadline time.Time) {
	if s.log.consumed.Load() < minConsumed {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := s.write(func() error { return s.db.Compact(ctx, key(keyLog), key(keyLog+1), false) }); err != nil {
		s.options.Logger.Warn("store: consumed entries of the log still take room on the disk", "error", err)
	}
}

// minConsumed is how many bytes of consumed entries are worth to rewrite tables.
const minConsumed = 8 << 20

// flush has what is in memory written in order, so that the write-ahead logs of before are not needed any more, and reports
// whether that is done.
func (s *Store) flush(patience time.Duration) (flushed bool) {
	var done <-chan struct{}
	err := s.write(func() (err error) { done, err = s.db.AsyncFlush(); return err })
	if err != nil {
		return false
	}
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}

// closeDB closes the database also when it cannot be written any more.
func (s *Store) closeDB() (err error) {
	defer func() {
		if p, ok := recover().(fatal); ok {
			err = p
		}
	}()
	return s.db.Close()
}
