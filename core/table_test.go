package core

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStichotrope05_SitesAreInternedOnce: goroutines that meet the same new sites intern each exactly once.
func TestStichotrope05_SitesAreInternedOnceConcurrentSafe(t *testing.T) {
	const goroutines, sites = 16, 500
	a, err := New(Config{})
	require.NoError(t, err)
	var labels [goroutines][sites]*Label
	var places [sites]Location
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range sites {
				l := a.Label(Site{Track: "t", Name: fmt.Sprint("site ", i)})
				labels[g][i] = l
				o := Opening{Place: &places[i%7]}
				a.Open(&o)
				a.Close(&Closing{Trace: o.Trace, Span: o.Span, Label: l, Duration: 1})
			}
		})
	}
	all.Wait()
	for g := range goroutines {
		for i := range sites {
			require.Same(t, labels[0][i], labels[g][i])
		}
	}
	s := a.Snapshot()
	checkInvariants(t, s)
	require.Len(t, s.Blocks, sites)
	for _, b := range s.Blocks {
		require.EqualValues(t, goroutines, b.Stats.Count)
	}
}

// Goroutines that add to a table at the same moment wait for one another: one entry for each key, and no more than the
// limit.
func TestTableAddsOneAtATimeConcurrentSafe(t *testing.T) {
	for _, c := range []struct{ keys, limit, want int }{{1, 0, 1}, {8, 3, 3}} {
		var tracks table[string, track, *track]
		var all sync.WaitGroup
		tracks.mu.Lock() // all goroutines come to this lock before the first gets it
		for g := range 8 {
			all.Go(func() {
				name := fmt.Sprint(g % c.keys)
				tracks.findOrAdd(uint64(g%c.keys), name, c.limit, func() *track {
					runtime.Gosched()
					return &track{name: name, hashed: uint64(g % c.keys)}
				})
			})
		}
		for range 100 {
			runtime.Gosched()
		}
		tracks.mu.Unlock()
		all.Wait()
		n := 0
		for range tracks.all {
			n++
		}
		require.Equal(t, c.want, n)
	}
}

// A full table never has more than its limit, and every goroutine gets the same answer.
func TestTableLimitConcurrentSafe(t *testing.T) {
	const goroutines, names, limit = 8, 300, 100
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxSites, l.MaxNodes = limit, limit/2 })})
	require.NoError(t, err)
	var all sync.WaitGroup
	var over atomic.Int64
	for g := range goroutines {
		all.Go(func() {
			for i := range names {
				l := a.Label(Site{Track: "t", Name: fmt.Sprint((i + g*31) % names)})
				if l.Overflow() {
					over.Add(1)
				}
				a.Record(l, &Observation{Duration: 1})
			}
		})
	}
	all.Wait()
	s := a.Snapshot()
	checkInvariants(t, s)
	checkSums(t, s)
	require.Len(t, s.Blocks, limit+1)
	require.EqualValues(t, goroutines*names, s.Counters.Spans)
	require.EqualValues(t, over.Load(), s.Counters.OverflowSites)
	for _, b := range s.Blocks {
		if b.Site != OverflowSite {
			require.EqualValues(t, goroutines, b.Stats.Count, "all or none of a site are in its block")
		}
	}
}
