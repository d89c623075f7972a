package pebblestore

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openIn opens a store with small memory and without a reserve.
func openIn(t testing.TB, fs vfs.FS, dir string) *Store {
	s, err := Open(testOptions(fs, dir))
	require.NoError(t, err)
	return s
}

func testOptions(fs vfs.FS, dir string) Options {
	return Options{
		Dir: dir, FS: fs, ReserveBytes: -1, CacheBytes: 4 << 20, MemTableBytes: 1 << 20,
		Logger: slog.New(slog.DiscardHandler),
	}
}

func reopen(t testing.TB, s *Store) *Store {
	require.NoError(t, s.Close())
	return openIn(t, s.options.FS, s.options.Dir)
}

func TestSuite(t *testing.T) {
	storetest.Run(t, storetest.Engine{
		New:    func(t testing.TB) store.Store { return openIn(t, nil, t.TempDir()) },
		Reopen: func(t testing.TB, s store.Store) store.Store { return reopen(t, s.(*Store)) },
	})
}
