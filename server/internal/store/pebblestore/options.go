package pebblestore

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a store. Dir is needed; the zero value of all others means the default.
type Options struct {
	// Dir is the directory of the database, which is made if it is not there. Nobody else may use it.
	Dir string
	// MaxBytes is how much the store may take on the disk. What is over it is refused with store.ErrFull until Retain
	// made room. 0 is no limit.
	MaxBytes int64
	// ReserveBytes is how much room must be left on the disk; with less, Append returns store.ErrFull, with half of it Commit
	// does. It is needed to free room: 256 MiB by default, negative for none.
	ReserveBytes int64
	// CacheBytes is how much of the data on the disk is kept in memory, 64 MiB by default; the chunks that were read last are
	// kept unpacked besides, in at most 20 MiB.
	CacheBytes int64
	// MemTableBytes is how much is collected in memory, twice at most, before it is written in order: 16 MiB by default.
	MemTableBytes int64
	// Logger gets what operators should know; nil for slog.Default().
	Logger *slog.Logger
	// Now is the clock for the time at which snapshots are saved; nil for time.Now.
	Now func() time.Time
	// FS is the file system; nil for that of the machine.
	FS vfs.FS
}

const (
	defaultReserve  = 256 << 20
	defaultCache    = 64 << 20
	defaultMemTable = 16 << 20
)

func (o *Options) setDefaults() {
	if o.ReserveBytes == 0 {
		o.ReserveBytes = defaultReserve
	}
	o.ReserveBytes = max(o.ReserveBytes, 0)
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCache
	}
	if o.MemTableBytes <= 0 {
		o.MemTableBytes = defaultMemTable
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
}
