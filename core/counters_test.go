package core

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTakeHasEachCountOnce: what a counter counted is in one of the snapshots taken, and a Clear forgets it.
func TestTakeHasEachCountOnce(t *testing.T) {
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxSites, l.MaxNodes, l.MaxActive, l.MaxName = 2, 2, 1, 16 })})
	require.NoError(t, err)
	cause := func() {
		a.Recovered()
		for i, name := range []string{"a", strings.Repeat("b", 17), "c"} {
			a.Open(&Opening{Trace: TraceID{byte(i + 1)}, Span: SpanID{1}, Parent: SpanID{9}})
			a.Record(a.Label(Site{Track: "t", Name: name}), &Observation{Duration: -1})
		}
		closing := Closing{Trace: TraceID{3}, Span: SpanID{1}, Label: a.Label(Site{Track: "t", Name: "a"})}
		require.True(t, a.Close(&closing))
		require.False(t, a.Close(&closing))
		closing.Trace, closing.Unstarted = TraceID{4}, true
		require.False(t, a.Close(&closing))
	}
	cause()
	s := a.Take()
	for name, n := range map[string]uint64{
		"overflow": s.Counters.OverflowSites, "truncated": s.Counters.Truncated, "evicted": s.Counters.Evicted, "clamped": s.Counters.Clamped,
		"duplicates": s.Counters.Duplicates, "unstarted": s.Counters.Unstarted, "detached": s.Counters.Detached, "panics": s.Counters.Panics,
	} {
		require.Positive(t, n, name)
	}
	require.Zero(t, a.Take().Counters)
	cause()
	require.EqualValues(t, 1, a.Snapshot().Counters.Panics)
	a.Clear()
	require.Zero(t, a.Snapshot().Counters)
}
