package buffer

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoomIsEnoughAndNotMuchMore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		size := r.IntN(1 << r.IntN(maxBits+2))
		b := Get(size)
		require.Empty(t, b)
		require.GreaterOrEqual(t, cap(b), size)
		require.Equal(t, Size(size), cap(b))
		if size >= 1<<minBits {
			require.LessOrEqual(t, cap(b), size/4*5+4)
		}
		Put(b)
	}
}

func TestEveryClassHasItsSize(t *testing.T) {
	for c := range classes {
		size := sizeOf(c)
		for _, s := range []int{size - 1, size} {
			got, ok := classFor(s)
			require.True(t, ok)
			require.Equal(t, c, got, "size %d", s)
		}
		if got, ok := classFor(size + 1); ok {
			require.Equal(t, c+1, got)
		} else {
			require.Equal(t, classes-1, c)
		}
	}
}

func TestMemoryIsReused(t *testing.T) {
	Put(Get(100_000))
	// The race detector makes pools forget some of what they get.
	allocated := testing.AllocsPerRun(1000, func() { Put(append(Get(100_000), 1)) })
	require.Less(t, allocated, 2.0)
}

func TestStrangeBuffersAreNotKept(t *testing.T) {
	Put(nil)
	Put(make([]byte, 10, sizeOf(1)-1))
	require.Equal(t, sizeOf(1), cap(Get(sizeOf(1)-1)))
}
