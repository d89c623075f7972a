package core

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewRefusesBadLimits(t *testing.T) {
	_, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxSites, l.MaxName = 0, 3 })})
	require.ErrorContains(t, err, "MaxSites is 0")
	require.ErrorContains(t, err, "MaxName is 3")
}

// Moments are nanoseconds since the Unix epoch, those of times with a monotonic reading by that reading, and none is so
// far away that a sum of two would wrap.
func TestMoment(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	for _, n := range []int64{0, 1, -1, 1_700_000_000_000_000_000, 4_000_000_000_000_000_000} {
		require.Equal(t, n, a.Moment(time.Unix(0, n)))
	}
	before := a.Now()
	now := time.Now()
	after := a.Now()
	require.LessOrEqual(t, before, a.Moment(now))
	require.LessOrEqual(t, a.Moment(now), after)
	require.EqualValues(t, time.Hour, a.Moment(now.Add(time.Hour))-a.Moment(now))
	for _, far := range []time.Time{
		{}, time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		m := a.Moment(far)
		require.Equal(t, far.After(now), m > 0)
		require.LessOrEqual(t, m, int64(maxMoment))
		require.GreaterOrEqual(t, m, int64(-maxMoment))
	}
}
