package pebblestore

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestNewerFormat(t *testing.T) {
	s := openIn(t, nil, t.TempDir())
	require.NoError(t, s.db.Set(key(keyFormat), binary.BigEndian.AppendUint64(nil, formatVersion+1), pebble.Sync))
	require.NoError(t, s.Close())
	_, err := Open(s.options)
	require.ErrorContains(t, err, fmt.Sprintf("format %d, this version of otelprof knows %d", formatVersion+1, formatVersion))
	require.ErrorContains(t, err, s.options.Dir)
}

func TestTwoStoresInOneDirectory(t *testing.T) {
	s := openIn(t, nil, t.TempDir())
	_, err := Open(s.options)
	require.ErrorContains(t, err, s.options.Dir)
	require.NoError(t, s.Close())
}

// newest returns the path of the newest file with the ending.
func newest(t *testing.T, dir, ending string) string {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths[len(paths)-1]
}

// kill closes a store so that its directory is as a kill would leave it, in another place.
func kill(t *testing.T, s *Store) (dir string) {
	dir = t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(s.options.Dir)))
	require.NoError(t, s.Close())
	return dir
}

// TestDamagedLog damages the write-ahead log at its end and in the middle: what precedes the damage is there.
func TestDamagedLog(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)-100] },
		"flipped": func(b []byte) []byte { b[len(b)-500] ^= 1; return b },
		"zeroed":  func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"middle":  func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
		"junk":    func(b []byte) []byte { return append(b, "some junk that is not a record, of a length of its own"...) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, nil, t.TempDir())
			for i := range 20 {
				e := storetest.NewGenerator(uint64(i)).Segment(3).Requests(1 << 20)[0]
				_, err := s.Append(background, append([]byte{byte(i)}, e[:min(len(e), 1000)]...)) // all in one file
				require.NoError(t, err)
			}
			dir := kill(t, s)
			path := newest(t, dir, ".log")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, spoil(b), 0o600))

			s = openIn(t, nil, dir)
			n := 0
			require.NoError(t, s.Replay(background, func(seq uint64, e []byte, _ store.Bits) error {
				require.EqualValues(t, n+1, seq)
				require.EqualValues(t, n, e[0])
				n++
				return nil
			}))
			switch name {
			case "junk":
				require.Equal(t, 20, n)
			case "cut", "flipped":
				require.Equal(t, 19, n)
			default:
				require.Greater(t, n, 5)
				require.Less(t, n, 15)
			}
			seq, err := s.Append(background, []byte("goes on"))
			require.NoError(t, err)
			require.Greater(t, seq, uint64(n))
			s = reopen(t, s)
			require.Equal(t, n+1, countLog(t, s))
			require.NoError(t, s.Close())
		})
	}
}

// TestDamagedBlocks damages each part of a block in turn: the other block stays readable, and the damage is counted.
func TestDamagedBlocks(t *testing.T) {
	for _, kind := range blockKinds {
		t.Run(string(kind), func(t *testing.T) {
			s := openIn(t, nil, t.TempDir())
			g := storetest.NewGenerator(1)
			bad, good := g.Segment(50), g.Segment(50)
			require.NoError(t, s.Commit(background, &bad.Segment))
			require.NoError(t, s.Commit(background, &good.Segment))
			k := key(kind, 0)
			if kind == keyChunk {
				k = key(kind, 0, 0)
			}
			value, err := s.get(k)
			require.NoError(t, err)
			value[len(value)/2] ^= 1
			require.NoError(t, s.db.Set(k, value, pebble.Sync))
			s = reopen(t, s)

			found, err := s.Traces(background, []core.TraceID{good.Spans[0].Trace}, store.Range{})
			require.NoError(t, err)
			require.Len(t, found.Traces, 1)
			hits, err := s.Search(background, &store.Query{Attributes: []store.Attribute{{Key: "service.version", Value: "1.4.2"}}})
			require.NoError(t, err)
			for _, tr := range good.Traces {
				require.Contains(t, store.IDs(hits), tr.ID)
			}
			_, err = s.Operations(background, "")
			require.NoError(t, err)
			if kind == keyChunk || kind == keyOrigins {
				_, err = s.Traces(background, []core.TraceID{bad.Spans[0].Trace}, store.Range{})
				require.ErrorIs(t, err, store.ErrDamaged)
			}
			if kind != keyTraces {
				require.Positive(t, s.Counters().Damaged)
			}
			require.NoError(t, s.Close())
		})
	}
}

// TestDamagedTable damages a chunk in the file of a table: the store opens, says which trace it cannot read, and reads the others.
func TestDamagedTable(t *testing.T) {
	s := openIn(t, nil, t.TempDir())
	g := storetest.NewGenerator(1)
	var all []storetest.Span
	for range 3 {
		m := g.Segment(50)
		require.NoError(t, s.Commit(background, &m.Segment))
		all = append(all, m.Spans...)
	}
	require.NoError(t, s.db.Flush())
	dir := kill(t, s)
	path := newest(t, dir, ".sst")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[1000] ^= 0x40 // the first chunk stands first
	require.NoError(t, os.WriteFile(path, b, 0o600))

	s = openIn(t, nil, dir)
	_, err = s.Traces(background, []core.TraceID{all[0].Trace}, store.Range{})
	require.ErrorIs(t, err, store.ErrDamaged)
	last := all[len(all)-1].Trace
	found, err := s.Traces(background, []core.TraceID{last, all[0].Trace}, store.Range{})
	require.ErrorIs(t, err, store.ErrDamaged)
	require.Len(t, found.Traces, 1)
	require.Equal(t, last, found.Traces[0].ID)
	hits, err := s.Search(background, &store.Query{})
	require.NoError(t, err)
	require.Contains(t, store.IDs(hits), last)
	require.NotContains(t, store.IDs(hits), all[0].Trace)
	require.Positive(t, s.Counters().Damaged)
	require.NoError(t, s.Close())
}
