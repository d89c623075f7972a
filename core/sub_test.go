package core

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// laterProfile returns p some time later: with more events, other open spans, and fewer events pending.
func laterProfile(p *naive, seed uint64, size int) (later *naive, added []event) {
	r := newRand(seed)
	sites := randomSites(r, 6)
	for _, e := range p.events {
		sites = append(sites, e.path...)
	}
	added = randomEvents(r, sites, r.IntN(size+1), p.to)
	keepSelfTimes(added, p.selfTimes)
	next := *p
	next.to = p.to + 10
	next.events = append(slices.Clone(p.events), added...)
	for i := range next.events {
		next.events[i].pending = next.events[i].pending && r.IntN(2) == 0
	}
	next.active = randomEvents(r, sites, r.IntN(3), 0)
	next.counters.each(&p.counters, func(a *uint64, _ uint64) { *a += uint64(r.IntN(3)) })
	return &next, added
}

func TestSubIsWhatWasAdded(t *testing.T) {
	for seed := range uint64(200) {
		p := randomProfile(newRand(seed), 30)
		older := p.snapshot()
		later, added := laterProfile(p, seed, 20)
		newer := later.snapshot()
		before := plain(newer)

		got, err := newer.Sub(older)
		require.NoError(t, err)
		checkInvariants(t, got)
		require.Equal(t, before, plain(newer), "subtracting changed its operand")
		require.Equal(t, older.End, got.Start)
		require.Equal(t, newer.End, got.End)
		require.Equal(t, newer.DisabledTracks, got.DisabledTracks)

		want := map[Site][]event{}
		for _, e := range added {
			site := e.path[len(e.path)-1]
			want[site] = append(want[site], e)
		}
		for _, b := range newer.Blocks {
			requireDelta(t, naiveStats(want[b.Site]), b.Stats.Active, got.Block(b.Site))
		}
		requireNothingIdle(t, got)
	}
}

// requireDelta compares a block of a difference with what happened; absent when nothing did.
func requireDelta(t *testing.T, want Stats, active int64, got *Block) {
	t.Helper()
	if got == nil {
		require.Zero(t, want.Count)
		require.Zero(t, active)
		return
	}
	s := got.Stats
	require.Equal(t, active, s.Active)
	for _, extreme := range [][2]uint64{{want.Min, s.Min}, {want.Max, s.Max}} {
		require.Equal(t, bucketOf(extreme[0]), bucketOf(extreme[1]), "extreme in another bucket")
	}
	if want.Count > 0 {
		require.LessOrEqual(t, s.Min, want.Min)
		require.GreaterOrEqual(t, s.Max, want.Max)
		require.GreaterOrEqual(t, s.Last, want.Last)
	}
	want.Active, want.Min, want.Max, want.First, want.Last = s.Active, s.Min, s.Max, s.First, s.Last
	want.Slowest, want.LastError = s.Slowest, s.LastError
	require.Equal(t, want, s)
}

func requireNothingIdle(t *testing.T, s *Snapshot) {
	t.Helper()
	used := make([]bool, len(s.Blocks))
	for i, n := range s.Nodes {
		used[n.Block] = true
		hasChild := i+1 < len(s.Nodes) && s.Nodes[i+1].Parent == i
		require.True(t, hasChild || !n.Stats.IsZero(), "node %d is idle", i)
	}
	for i, b := range s.Blocks {
		require.True(t, used[i] || !b.Stats.IsZero(), "block %d is idle", i)
	}
}

func TestSubOfAdjacentWindowsMerges(t *testing.T) {
	for seed := range uint64(100) {
		first := randomProfile(newRand(seed), 20)
		first.active = nil
		second, _ := laterProfile(first, seed+1, 20)
		second.active = nil
		third, _ := laterProfile(second, seed+2, 20)
		third.active = nil
		a, b, c := first.snapshot(), second.snapshot(), third.snapshot()

		ab, err := b.Sub(a)
		require.NoError(t, err)
		bc, err := c.Sub(b)
		require.NoError(t, err)
		ac, err := c.Sub(a)
		require.NoError(t, err)
		sum := ab.Merge(bc)
		checkInvariants(t, sum)
		require.Equal(t, ac.Window(), sum.Window())
		require.Equal(t, ac.Counters, sum.Counters)
		for _, want := range ac.Blocks {
			got := sum.Block(want.Site)
			require.NotNil(t, got)
			require.Equal(t, want.Pending, got.Pending)
			require.Equal(t, want.Stats.Histogram, got.Stats.Histogram)
			require.Equal(t, want.Stats.Total, got.Stats.Total)
			require.Equal(t, want.Stats.SumSquares, got.Stats.SumSquares)
		}
	}
}

func TestSubOfNothingAndOfItself(t *testing.T) {
	for seed := range uint64(50) {
		p := randomProfile(newRand(seed), 30)
		p.active = nil
		s := p.snapshot()
		for _, older := range []*Snapshot{nil, {}} {
			got, err := s.Sub(older)
			require.NoError(t, err)
			checkInvariants(t, got)
			require.Equal(t, s.Start, got.Start)
			require.Equal(t, plain(s).Nodes, plain(got).Nodes)
		}
		got, err := s.Sub(s)
		require.NoError(t, err)
		requireSame(t, &Snapshot{Names: s.Names, Start: s.End, End: s.End, DisabledTracks: s.DisabledTracks}, got)
	}
}

func TestSubRefusesWhatIsNotLater(t *testing.T) {
	base := func() *naive {
		p := randomProfile(newRand(7), 40)
		p.counters = Counters{Spans: 5}
		p.events[0].path = []Site{{Name: "only here"}}
		p.events[0].duration, p.events[0].self, p.events[0].pending = 1000, 10, false
		p.events = append(p.events, p.events[0])
		return p
	}
	require.NotEmpty(t, base().events)
	for name, test := range map[string]struct {
		change func(*naive)
		want   string
	}{
		"name":     {func(p *naive) { p.name = "another" }, "the profile is of"},
		"start":    {func(p *naive) { p.from++ }, "it began at"},
		"end":      {func(p *naive) { p.to-- }, "it ends at"},
		"counter":  {func(p *naive) { p.counters.Spans-- }, "a counter went down"},
		"count":    {func(p *naive) { p.events = p.events[1:] }, "sum of block"},
		"duration": {func(p *naive) { p.events[0].duration-- }, "sum of block"},
		"gone":     {func(p *naive) { p.events, p.active = nil, nil }, "profile: block"},
		"node":     {func(p *naive) { p.events[0].pending = true }, "sum of a node of"},
		"moved": {func(p *naive) {
			path := append([]Site{{Name: "new root"}}, p.events[0].path...)
			p.events[0].path, p.events[len(p.events)-1].path = path, path
		}, "profile: a node of"},
	} {
		t.Run(name, func(t *testing.T) {
			older := base()
			newer := base()
			test.change(newer)
			_, err := newer.snapshot().Sub(older.snapshot())
			require.ErrorIs(t, err, ErrNotLater)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestSubAllowsOpenSpansToVanish(t *testing.T) {
	older := &naive{name: "x", to: 1, active: []event{{path: []Site{{Name: "GET"}}}}}
	newer := &naive{name: "x", to: 2, events: []event{{path: []Site{{Name: "GET /users"}}, duration: 7}}}
	got, err := newer.snapshot().Sub(older.snapshot())
	require.NoError(t, err)
	require.Len(t, got.Blocks, 1)
	require.Equal(t, uint64(7), got.Blocks[0].Stats.Total)
}

func TestSubKeepsPendingObservationsApart(t *testing.T) {
	root, leaf := Site{Name: "root"}, Site{Name: "leaf"}
	older := &naive{name: "x", to: 1, events: []event{{path: []Site{root, leaf}, duration: 5, pending: true}}}
	newer := &naive{name: "x", to: 2, events: []event{{path: []Site{root, leaf}, duration: 5}, {path: []Site{root}, duration: 9}}}
	got, err := newer.snapshot().Sub(older.snapshot())
	require.NoError(t, err)
	checkInvariants(t, got)
	block := got.Block(leaf)
	require.NotNil(t, block, "its node received an observation in the window")
	require.Zero(t, block.Stats.Count)
	require.Equal(t, int64(-1), block.Pending)
}

func TestStatsSubKeepsSaturatedSums(t *testing.T) {
	one := Stats{Count: 1, Total: 10, Self: 10, Min: 10, Max: 10, Histogram: histogramOf(10)}
	huge := one.Merge(Stats{Count: 1, Total: math.MaxUint64 - 3, Self: 5, Min: math.MaxUint64 - 3, Max: math.MaxUint64 - 3,
		SumSquares: Uint128{math.MaxUint64, math.MaxUint64}, Histogram: histogramOf(math.MaxUint64 - 3)})
	d := huge.Sub(one)
	require.Equal(t, uint64(math.MaxUint64), d.Total)
	require.Equal(t, uint64(5), d.Self)
	require.Equal(t, Uint128{math.MaxUint64, math.MaxUint64}, d.SumSquares)
	require.NoError(t, d.validate())
}
