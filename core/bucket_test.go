package core

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

// bound returns ⌊2^(octave + j/64)⌋, exactly: the 64th root of 2^(64·octave+j), as six square roots of integers.
func bound(octave, j int) *big.Int {
	// With ⌊√x⌋ nested six times the result is the floor of the real root.
	x := new(big.Int).Lsh(big.NewInt(1), uint(64*octave+j))
	for range Scale {
		x.Sqrt(x)
	}
	return x
}

func TestBucketTables(t *testing.T) {
	for j, got := range bucketBounds {
		require.Equal(t, bound(63, j).Uint64(), got, "bound %d", j)
	}
	for segment, got := range bucketGuess {
		start := uint64(1)<<63 + uint64(segment)<<56
		want := 0
		for j := range bucketBounds {
			if bucketBounds[j] <= start {
				want = j
			}
		}
		require.Equal(t, want, int(got), "segment %d", segment)
	}
}

func TestBucketBoundsAreUpperInclusive(t *testing.T) {
	require.Equal(t, -1, BucketIndex(1))
	require.Equal(t, uint64(1), BucketUpper(-1))
	for i := -1; i <= maxBucket; i++ {
		upper := uint64(math.MaxUint64)
		if i < maxBucket {
			upper = bound((i+1)/64, (i+1)%64).Uint64()
		}
		require.Equal(t, upper, BucketUpper(i), "bucket %d", i)
		// Below 2^6 there are buckets without a whole number in them.
		if lower := BucketUpper(i - 1); lower < upper {
			require.Equal(t, i, BucketIndex(upper), "upper bound %d", upper)
			require.Equal(t, i, BucketIndex(lower+1), "just above the lower bound %d", lower)
		}
	}
	require.Zero(t, BucketUpper(-2))
	require.Equal(t, uint64(math.MaxUint64), BucketUpper(maxBucket+1))
	require.Equal(t, maxBucket, BucketIndex(math.MaxUint64))
}

func TestBucketIndexOfRandomValues(t *testing.T) {
	r := newRand(1)
	for range 20_000 {
		v := max(r.Uint64()>>r.IntN(64), 1)
		i := BucketIndex(v)
		require.LessOrEqual(t, v, BucketUpper(i))
		require.Greater(t, v, BucketUpper(i-1))
	}
}

func TestBucketMiddleIsWithinErrorBound(t *testing.T) {
	for i := -1; i <= maxBucket; i++ {
		lower, upper := math.Exp2(float64(i)/64), math.Exp2(float64(i+1)/64)
		middle := bucketMiddle(i)
		require.LessOrEqual(t, (middle-lower)/lower, 0.0055)
		require.LessOrEqual(t, (upper-middle)/upper, 0.0055)
	}
}
