package clickhouse_test

import (
	"math"
	mathbits "math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// TestSumsEndWhereTheyDoInCore adds times up to more than there is room for.
func TestSumsEndWhereTheyDoInCore(t *testing.T) {
	s := open(t, options(t, newDatabase(t)))
	const n = math.MaxInt64
	hi, lo := mathbits.Mul64(n, n)
	var want []*core.Snapshot
	for range 3 { // of squares there may be no more: merges of the table add up modulo 2^128
		p := &core.Snapshot{Blocks: []core.Block{{Site: core.Site{Service: "s", Name: "b"}, Pending: 1, Stats: core.Stats{
			Count: 1, Total: n, Self: n, Critical: n, Unsampled: n, Bytes: n, Min: n, Max: n, First: 1, Last: 1,
			SumSquares: core.Uint128{Hi: hi, Lo: lo},
			Histogram:  core.NewHistogram(0, []core.Bucket{{Index: int32(core.BucketIndex(n)), Count: 1}}),
		}}}}
		want = append(want, p)
		require.NoError(t, s.Commit(t.Context(), &store.Segment{Profiles: []store.Profile{{Minute: 1, Snapshot: p}}}))
		require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
		got, err := s.Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		requireSame(t, core.Merge(want...), got)
	}
	require.NoError(t, s.Close())
}
