package pebblestore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestChunkCacheIsBounded(t *testing.T) {
	var c chunkCache
	reader := func(chunk, size int) *chunkReader {
		return &chunkReader{at: chunkPlace{7, chunk}, opened: true, whole: make([]byte, 0, size)}
	}
	for i := range maxReaders {
		require.Nil(t, c.take(chunkPlace{7, i}), "there is room for more")
		c.give(reader(i, 1<<10))
	}
	require.Equal(t, 5, c.take(chunkPlace{7, 5}).at.chunk, "the one that has the chunk")
	c.give(reader(5, 1<<10))
	require.Equal(t, 0, c.take(chunkPlace{8, 0}).at.chunk, "the one that has waited longest")
	require.Len(t, c.waiting, maxReaders-1)
	require.Equal(t, len(c.waiting)<<10, c.bytes)

	c = chunkCache{}
	c.give(reader(1, maxKept+1))
	require.Empty(t, c.waiting, "too large to be kept")
	for i := range maxReaderBytes / maxKept {
		require.Nil(t, c.take(chunkPlace{8, i}))
		c.give(reader(i, maxKept))
	}
	require.NotNil(t, c.take(chunkPlace{8, 0}), "there is no room for the bytes of more")

	c = chunkCache{}
	c.give(&chunkReader{})
	require.Nil(t, c.take(chunkPlace{}), "one that was never opened has no chunk")
}

// TestWhatASearchReadIsNotReadAgain takes the chunks away between a search and the question for what it found.
func TestWhatASearchReadIsNotReadAgain(t *testing.T) {
	s := openIn(t, nil, t.TempDir())
	m := storetest.NewGenerator(3).Segment(40)
	require.NoError(t, s.Commit(background, &m.Segment))
	hits, err := s.Search(background, &store.Query{Limit: 5})
	require.NoError(t, err)
	require.Len(t, hits, 5)
	want, err := s.Traces(background, store.IDs(hits), store.Range{})
	require.NoError(t, err)
	require.Len(t, want.Traces, 5)
	require.NoError(t, s.db.DeleteRange([]byte{keyChunk}, []byte{keyChunk + 1}, nil))
	got, err := s.Traces(background, store.IDs(hits), store.Range{})
	require.NoError(t, err)
	require.Equal(t, want, got)
	s.chunks = chunkCache{}
	got, err = s.Traces(background, []core.TraceID{hits[0].Trace}, store.Range{})
	require.NoError(t, err)
	require.Empty(t, got.Traces)
	require.NoError(t, s.Close())
}
