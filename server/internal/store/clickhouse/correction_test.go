package clickhouse

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// A correction of sums of squares is a number on its own, of all 128 bits.
func TestCorrectionOfSquares(t *testing.T) {
	profile := func(count, hi, lo uint64) []store.Profile {
		return []store.Profile{{Minute: 1, Snapshot: &core.Snapshot{Blocks: []core.Block{{
			Site: core.Site{Name: "b"}, Stats: core.Stats{Count: count, SumSquares: core.Uint128{Hi: hi, Lo: lo}},
		}}}}}
	}
	r := makeCorrection(profile(1, 5, 7), profile(2, 6, 1))
	two64 := new(big.Int).Lsh(big.NewInt(1), 64)
	number := func(hi, lo int64) *big.Int {
		return new(big.Int).Add(new(big.Int).Mul(two64, big.NewInt(hi)), big.NewInt(lo))
	}
	require.Len(t, r.squares, 1)
	require.Zero(t, number(6, 1).Cmp(r.squares[0]))
	require.Zero(t, number(5, 7).Cmp(r.squaresLess[0]))
	require.EqualValues(t, 1, r.count[0])
}
