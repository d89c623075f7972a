package otelprof

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOverheadClockMustMove(t *testing.T) {
	require.False(t, moves(func() time.Duration { return 0 }))
	once := time.Duration(0)
	calls := 0
	require.False(t, moves(func() time.Duration {
		if calls++; calls == 2 {
			once = time.Millisecond
		}
		return once
	}), "one tick may be chance")
	require.True(t, moves(func() time.Duration { once++; return once }))
}

func TestOverheadClockRunsForward(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, name := overheadClock()
	require.Contains(t, []string{"CPU time of the thread", "wall time"}, name)
	if runtime.GOOS != "linux" {
		require.Equal(t, "wall time", name)
	}
	for last, i := clock(), 0; i < 1000; i++ {
		now := clock()
		require.GreaterOrEqual(t, now, last)
		last = now
	}
}
