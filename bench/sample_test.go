package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		s           sample
		median, mad float64
	}{
		{sample{7}, 7, 0},
		{sample{3, 1, 2}, 2, 1},
		{sample{4, 1, 3, 2}, 2.5, 1},
		{sample{-5, -5, -5, 100}, -5, 0},
		{sample{1, 1, 2, 2, 4, 6, 9}, 2, 1},
	} {
		require.Equal(t, c.median, c.s.median(), "%v", c.s)
		require.Equal(t, c.mad, c.s.mad(), "%v", c.s)
	}
	require.True(t, math.IsNaN(sample(nil).median()))
	require.True(t, math.IsNaN(sample(nil).mad()))
}

// TestMedianSplits checks the definition on random samples: no more than half lie on either side.
func TestMedianSplits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		s := make(sample, 1+random.IntN(20))
		for i := range s {
			s[i] = float64(random.IntN(10))
		}
		before := append(sample(nil), s...)
		m, d := s.median(), s.mad()
		require.Equal(t, before, s, "the sample must stay as it is")
		below, above, near := 0, 0, 0
		for _, v := range s {
			if v < m {
				below++
			}
			if v > m {
				above++
			}
			if math.Abs(v-m) <= d {
				near++
			}
		}
		require.LessOrEqual(t, 2*below, len(s))
		require.LessOrEqual(t, 2*above, len(s))
		require.GreaterOrEqual(t, 2*near, len(s))
	}
}

func TestDifferencesArePaired(t *testing.T) {
	// Every round is slower than the one before, but the difference is always 5.
	require.Equal(t, sample{5, 5, 5}, sample{15, 25, 105}.minus(sample{10, 20, 100}))
	require.Equal(t, sample{1}, sample{3}.minus(sample{2, 9}))
	require.Equal(t, sample{0.5, 2}, sample{1, 4}.per(2))
}
