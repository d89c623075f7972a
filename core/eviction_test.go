package core

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// Spans that never end, each in a trace of its own, are given up the oldest first and few at a time: no start pays
// for thousands.
func TestEvictionIsGradual(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxActive = 4096
	a, err := New(Config{Limits: limits})
	require.NoError(t, err)
	evicted := func() (n uint64) {
		for i := range a.shards {
			n += a.shards[i].counters.Evicted
		}
		return n
	}
	const spans = 20_000
	before := uint64(0)
	for i := range uint64(spans) {
		var o Opening
		binary.BigEndian.PutUint64(o.Trace[8:], i+1)
		binary.BigEndian.PutUint64(o.Span[:], i+1)
		a.Open(&o)
		now := evicted()
		require.LessOrEqual(t, now-before, uint64(evictBatch))
		before = now
	}
	open, youngest := 0, uint64(0)
	for i := range a.shards {
		sh := &a.shards[i]
		open += int(sh.open)
		last := uint64(0)
		for l := sh.oldest; l != nil; l = l.younger {
			trace := binary.BigEndian.Uint64(l.trace[8:])
			require.Greater(t, trace, last, "in the order of their beginnings")
			last = trace
		}
		youngest = max(youngest, last)
	}
	require.LessOrEqual(t, open, limits.MaxActive)
	require.EqualValues(t, spans, uint64(open)+before, "each is open or was evicted")
	require.EqualValues(t, spans, youngest)
}
