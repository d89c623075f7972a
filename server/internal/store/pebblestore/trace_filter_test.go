package pebblestore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// TestTraceFilters come with the first look at a block, are those of the latest blocks, and leave nothing out.
func TestTraceFilters(t *testing.T) {
	s := openIn(t, nil, t.TempDir())
	g := storetest.NewGenerator(3)
	var ids []core.TraceID
	for range 4 {
		m := g.Segment(50)
		require.NoError(t, s.Commit(background, &m.Segment))
		for i := range m.Traces {
			ids = append(ids, m.Traces[i].ID)
		}
	}
	filtered := func() (blocks []bool) {
		for _, b := range s.blocks.list() {
			blocks = append(blocks, b.traceFilter.Load() != nil)
		}
		return blocks
	}
	for _, c := range []struct {
		traces int64
		want   []bool
	}{
		{defaultFiltered, []bool{true, true, true, true}},
		{100, []bool{false, false, true, true}},
		{199, []bool{false, true, true, true}},
		{0, []bool{false, false, false, false}},
	} {
		s.maxFiltered = c.traces
		for round := range 2 {
			for i := range ids {
				found, err := s.Traces(background, ids[i:i+1], store.Range{})
				require.NoError(t, err)
				require.Len(t, found.Traces, 1, "round %d: %v", round, ids[i])
			}
		}
		missing, err := s.Traces(background, []core.TraceID{{1}}, store.Range{})
		require.NoError(t, err)
		require.Empty(t, missing.Traces)
		require.Equal(t, c.want, filtered())
	}
	require.NoError(t, s.Close())
}
