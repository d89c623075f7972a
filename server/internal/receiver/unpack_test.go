package receiver

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is packed unusually well, but is no bomb, comes out all the same.
func TestWhatIsPackedWellIsUnpacked(t *testing.T) {
	s := New(&sink{}, nil, DefaultLimits(), nil)
	for _, size := range []int{0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, keptChunks * chunkBytes, 20*chunkBytes + 5} {
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		for encoding, packed := range map[string][]byte{"gzip": gzipped(t, want), "zstd": zstandard(t, want)} {
			l := s.lease()
			require.NoError(t, l.take(int64(cap(packed))))
			got, err := s.unpack(t.Context(), l, packed, encoding)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%s of %d bytes", encoding, size)
			require.Equal(t, int64(cap(got)), s.Counters.InFlightBytes.Load())
			l.free()
		}
	}
	require.Zero(t, s.Counters.InFlightBytes.Load())
}
