package pebblestore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// TestLongTraceIsGivenUp stops in the middle of a trace when nobody waits for it any more.
func TestLongTraceIsGivenUp(t *testing.T) {
	m := storetest.NewGenerator(1).Segment(1)
	long := &m.Traces[0]
	for len(long.Spans) < 3*readAtOnce {
		long.Spans = append(long.Spans, long.Spans[0])
	}
	s := openIn(t, nil, t.TempDir())
	require.NoError(t, s.Commit(background, &m.Segment))

	const asked = 100
	all := &storetest.Patience{Context: background, Left: asked}
	found, err := s.Traces(all, []core.TraceID{long.ID}, store.Range{})
	require.NoError(t, err)
	require.Len(t, found.Traces[0].Spans, len(long.Spans))
	require.GreaterOrEqual(t, asked-all.Left, 4)
	for left := range asked - all.Left {
		_, err := s.Traces(&storetest.Patience{Context: background, Left: left}, []core.TraceID{long.ID}, store.Range{})
		require.ErrorIs(t, err, context.Canceled, "asked %d times", left)
	}
	require.NoError(t, s.Close())
}
