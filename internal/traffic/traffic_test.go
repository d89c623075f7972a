package traffic

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

func TestProfile(t *testing.T) {
	for _, shape := range []Shape{
		{Nodes: 1, Spans: 1}, {Nodes: 40, Spans: 10}, {Nodes: 500, Spans: 20_000, Rare: 3, Spread: 1, Sampled: 0.1},
	} {
		s := Profile(shape)
		require.NoError(t, s.Validate())
		require.Equal(t, shape.Nodes, len(s.Nodes))
		require.Equal(t, core.Counters{Spans: s.Counters.Spans}, s.Counters, "no limit bit")
		require.GreaterOrEqual(t, s.Counters.Spans, uint64(shape.Spans))
		require.Less(t, s.Counters.Spans, uint64(shape.Spans+10*shape.Nodes))
		first, err := s.MarshalBinary()
		require.NoError(t, err)
		second, err := Profile(shape).MarshalBinary()
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second), "it depends on something else")
		for _, b := range s.Blocks {
			require.False(t, b.Stats.Slowest.Sampled && shape.Sampled == 0)
			require.GreaterOrEqual(t, b.Stats.First, Start.UnixNano())
		}
	}
}
