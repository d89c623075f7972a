package otelprof

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// What is read directly is what the methods of time.Time say, and the rest is left to them.
func TestClockAccess(t *testing.T) {
	var c clockAccess
	c.learn()
	require.NotZero(t, c.carries, "the fields of time.Time are as expected")
	agg, err := core.New(core.Config{})
	require.NoError(t, err)
	zero, now := c.zero(agg), time.Now()
	const century = 100 * 365 * 24 * time.Hour
	for _, begin := range []time.Time{now, now.Add(-time.Hour), now.Add(century), now.Add(-century), now.Round(0), {}} {
		for _, d := range []time.Duration{0, 1, -1, time.Hour, century, -century, math.MaxInt64, math.MinInt64} {
			finish := begin.Add(d)
			from, to, ok := c.readings(unsafe.Pointer(&begin), unsafe.Pointer(&finish))
			if ok {
				require.Equal(t, agg.Moment(begin), from+zero)
				require.Equal(t, int64(finish.Sub(begin)), to-from)
			}
			near := begin == now && d.Abs() <= time.Hour
			require.Truef(t, ok || !near, "%v and %v later", begin, d)
		}
	}
}

// If Go keeps times otherwise one day, the methods are used.
func TestClockAccessDisagrees(t *testing.T) {
	now := time.Now()
	var c clockAccess
	c.learn()
	require.True(t, c.agrees(now))
	swapped := clockAccess{wall: c.ext, ext: c.wall, carries: c.carries}
	require.False(t, swapped.agrees(now))
	always := clockAccess{wall: c.wall, ext: c.ext, carries: math.MaxUint64}
	require.False(t, always.agrees(now))
	require.False(t, c.agrees(now.Round(0)))
}
