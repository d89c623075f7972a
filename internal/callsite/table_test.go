package callsite

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func newTable() *table {
	t := &table{}
	t.init()
	return t
}

func TestTableKeepsEverySite(t *testing.T) {
	tab := newTable()
	// Addresses that are close together, far apart, and the extremes.
	pcs := []uintptr{1, ^uintptr(0)}
	for i := range uintptr(5000) {
		pcs = append(pcs, 0x400000+i, 0x1000000+i<<12)
	}
	sites := map[uintptr]*site{}
	for i, pc := range pcs {
		require.Nil(t, tab.slots.Load().get(pc))
		sites[pc] = tab.add(site{pc: pc, first: &Location{Line: i % 10}})
	}
	for _, pc := range pcs {
		require.Same(t, sites[pc], tab.slots.Load().get(pc))
		require.Same(t, sites[pc], tab.add(site{pc: pc}))
	}
	require.Len(t, tab.locations, 10)
	require.LessOrEqual(t, 2*tab.count, len(tab.slots.Load().at))
}

func TestTableConcurrentSafe(t *testing.T) {
	tab := newTable()
	results := make([][]*site, 8)
	var wg sync.WaitGroup
	for g := range results {
		wg.Go(func() {
			for pc := range uintptr(3000) {
				e := tab.slots.Load().get(pc + 1)
				if e == nil {
					e = tab.add(site{pc: pc + 1, first: &Location{Line: int(pc)}})
				}
				results[g] = append(results[g], e)
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		require.Equal(t, results[0], r)
		for i, e := range r {
			require.Same(t, results[0][i], e)
			require.Equal(t, i, e.first.Line)
		}
	}
}

func TestTableIsBounded(t *testing.T) {
	f := New(Options{})
	for i := range uintptr(maxSites) {
		f.sites.add(site{pc: i + 1})
	}
	require.Nil(t, f.Block())
	require.EqualValues(t, 1, f.Unknown())
	require.Equal(t, maxSites, f.sites.count)
}
