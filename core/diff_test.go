package core

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// profileOf returns a snapshot over one minute with a block and a root node for each of the statistics.
func profileOf(stats map[string]Stats) *Snapshot {
	s := &Snapshot{Start: moment(0), End: moment(60)}
	index := newPathIndex()
	var blocks []Block
	var nodes []Stats
	for name, st := range stats {
		site := Site{Track: "t", Name: name}
		index.addPath(path{-1, index.addSite(site)})
		blocks, nodes = append(blocks, Block{Site: site, Stats: st}), append(nodes, st)
	}
	s.Blocks, s.Nodes = index.assemble(blocks, nodes)
	return s
}

func find(t *testing.T, changes []Change, name string) *Change {
	t.Helper()
	for i := range changes {
		if changes[i].Site.Name == name {
			return &changes[i]
		}
	}
	require.Fail(t, "no change of "+name)
	return nil
}

// withErrors returns s with n of its observations being errors.
func withErrors(s Stats, n uint64) Stats {
	s.Errors = n
	return s
}

func TestDiffVerdicts(t *testing.T) {
	r := newRand(1)
	draw := func(median float64, n int) Stats { return sample(r, logNormal(median, 0.5), n) }
	// The few long ones make up the mean, which stays.
	longTail := func(median float64) Stats { return draw(median, 4750).Merge(sample(r, oneOf(1e9), 250)) }
	idle := Stats{Active: 1}
	before := profileOf(map[string]Stats{
		"slower": draw(1e6, 2000), "faster": draw(1e6, 2000), "same": draw(1e6, 2000), "gone": draw(1e6, 50),
		"rare": draw(1e6, 29), "failing": draw(1e6, 2000), "mended": withErrors(draw(1e6, 2000), 200),
		"faster but failing": draw(1e6, 2000), "idle": idle, "a little slower": draw(1e6, 100_000),
		"zero": sample(r, oneOf(0), 100), "worse tail": draw(1e6, 20_000),
		"slower median": longTail(1e6), "faster median": longTail(1e6),
	})
	after := profileOf(map[string]Stats{
		"slower": draw(1.3e6, 2000), "faster": draw(0.7e6, 2000), "same": draw(1e6, 2000), "new": draw(1e6, 50),
		"rare": draw(1e9, 500), "failing": withErrors(draw(1e6, 2000), 100), "mended": withErrors(draw(1e6, 2000), 20),
		"faster but failing": withErrors(draw(0.5e6, 2000), 500), "idle": idle, "a little slower": draw(1.03e6, 100_000),
		"zero": sample(r, oneOf(0), 100), "worse tail": sample(r, mixed(logNormal(1e6, 0.5), oneOf(1e9), 0.03), 20_000),
		"slower median": longTail(1.2e6), "faster median": longTail(0.8e6),
	})
	c := Diff(before, after, DiffOptions{})
	require.Equal(t, DiffOptions{Alpha: 0.01, MinChange: 0.05, MinCount: 30}, c.Options)
	require.True(t, c.Regressed())
	for name, want := range map[string]Verdict{
		"slower": Regression, "faster": Improvement, "same": Unchanged, "gone": Disappeared, "new": Appeared,
		"rare": Inconclusive, "failing": Regression, "mended": Improvement, "faster but failing": Regression,
		"a little slower": Unchanged, "zero": Unchanged, "worse tail": Regression,
		"slower median": Regression, "faster median": Improvement,
	} {
		for _, changes := range [][]Change{c.Blocks, c.Nodes} {
			require.Len(t, changes, 14, "idle ones have nothing to compare")
			got := find(t, changes, name)
			require.Equal(t, want, got.Verdict, "%s: %+v", name, got)
			require.True(t, 0 <= got.Durations.P && got.Durations.P <= got.Durations.Q && got.Durations.Q <= 1)
			require.True(t, 0 <= got.Errors.P && got.Errors.P <= got.Errors.Q && got.Errors.Q <= 1)
		}
	}
	little := find(t, c.Blocks, "a little slower")
	require.Less(t, little.Durations.Q, 0.01, "significant, but not large enough")
	both := find(t, c.Blocks, "faster but failing")
	require.Equal(t, Improvement, both.Durations.Verdict)
	require.Equal(t, Regression, both.Errors.Verdict)
	require.Equal(t, Test{1, 1, Unchanged}, find(t, c.Blocks, "rare").Durations)

	opposite := Diff(after, before, DiffOptions{})
	require.Equal(t, Improvement, find(t, opposite.Blocks, "slower").Verdict)
	require.Equal(t, Regression, find(t, opposite.Blocks, "faster").Verdict)
	require.InDelta(t, 1, find(t, opposite.Blocks, "slower").Superiority+find(t, c.Blocks, "slower").Superiority, 1e-12)

	strict := Diff(before, after, DiffOptions{MinChange: 0.01, MinCount: 20})
	require.Equal(t, Regression, find(t, strict.Blocks, "a little slower").Verdict)
	require.Equal(t, Regression, find(t, strict.Blocks, "rare").Verdict)
	lax := Diff(before, after, DiffOptions{MinChange: 1e6})
	require.Equal(t, Unchanged, find(t, lax.Blocks, "slower").Verdict)
	require.Equal(t, Unchanged, find(t, lax.Blocks, "mended").Verdict)
}

func TestDiffFigures(t *testing.T) {
	before := profileOf(map[string]Stats{"x": withErrors(sample(newRand(1), oneOf(100), 60), 6)})
	after := profileOf(map[string]Stats{"x": withErrors(sample(newRand(1), oneOf(150), 120), 6)})
	after.End = after.Start.Add(30 * time.Second)
	c := find(t, Diff(before, after, DiffOptions{}).Blocks, "x")
	require.Equal(t, Delta{60, 120}, c.Count)
	require.Equal(t, Delta{1, 4}, c.Rate)
	require.Equal(t, Delta{0.1, 0.05}, c.ErrorRate)
	require.Equal(t, Delta{100, 150}, c.Mean)
	require.Equal(t, Delta{100, 150}, c.P50)
	require.Equal(t, Delta{100, 150}, c.P95)
	require.Equal(t, Delta{100, 150}, c.P99)
	require.Equal(t, Delta{100, 150}, c.SelfMean)
	require.Equal(t, Delta{6000, 18000}, c.Self)
	require.Equal(t, Delta{6000, 18000}, c.Total)
	require.Equal(t, 1.0, c.Superiority)
	require.Equal(t, 120*50.0, c.Impact)
	require.Equal(t, 50.0, c.Mean.Difference())
	require.Equal(t, 0.5, c.Mean.Relative())
	require.Zero(t, Delta{}.Relative())
	require.Equal(t, math.Inf(1), Delta{0, 1}.Relative())
}

func TestDiffOfNothing(t *testing.T) {
	s := profileOf(map[string]Stats{"x": sample(newRand(1), oneOf(100), 60)})
	s.Start, s.End = time.Time{}, time.Time{}
	empty := Diff(nil, nil, DiffOptions{Alpha: math.NaN(), MinChange: math.NaN()})
	require.Equal(t, Diff(&Snapshot{}, &Snapshot{}, DiffOptions{}), empty)
	require.False(t, empty.Regressed())
	gone := Diff(s, nil, DiffOptions{}).Blocks[0]
	require.Equal(t, Disappeared, gone.Verdict)
	require.Equal(t, -6000.0, gone.Impact)
	require.Equal(t, Delta{}, gone.Rate, "a snapshot without a window has no rate")
	require.NotNil(t, gone.After)
	appeared := Diff(nil, s, DiffOptions{}).Blocks[0]
	require.Equal(t, Appeared, appeared.Verdict)
	require.Equal(t, 6000.0, appeared.Impact)
}

// TestDiffOfRandomSnapshots checks what must hold for any two.
func TestDiffOfRandomSnapshots(t *testing.T) {
	for seed := range uint64(50) {
		p := randomProfile(newRand(seed), 60)
		before := p.snapshot()
		later, _ := laterProfile(p, seed+1, 60)
		after := later.snapshot()
		c := Diff(before, after, DiffOptions{MinCount: 3})
		sites := map[Site]bool{}
		for i, x := range c.Blocks {
			require.False(t, sites[x.Site], "twice")
			sites[x.Site] = true
			require.Nil(t, x.Path)
			requireOrder(t, c.Blocks, i)
			if b := before.Block(x.Site); b != nil {
				require.Same(t, &b.Stats, x.Before)
			} else {
				require.Zero(t, x.Before.Count)
			}
			if b := after.Block(x.Site); b != nil {
				require.Same(t, &b.Stats, x.After)
			}
		}
		observed := 0
		for i, n := range after.Nodes {
			if n.Stats.Count == 0 {
				continue
			}
			observed++
			found := false
			for _, x := range c.Nodes {
				if x.After == &after.Nodes[i].Stats {
					found = true
					require.Equal(t, after.Path(i), x.Path)
					require.Equal(t, after.Site(n), x.Site)
				}
			}
			require.True(t, found)
		}
		for i, x := range c.Nodes {
			requireOrder(t, c.Nodes, i)
			if x.After.Count > 0 {
				observed--
			}
		}
		require.Zero(t, observed)
	}
}

func requireOrder(t *testing.T, changes []Change, i int) {
	t.Helper()
	if i > 0 {
		a, b := changes[i-1], changes[i]
		require.True(t, a.Verdict < b.Verdict || a.Verdict == b.Verdict && math.Abs(a.Impact) >= math.Abs(b.Impact))
	}
}

// TestDiffFalseAlarms compares runs of a program in which nothing changed, with 24 blocks of all shapes. That any of them
// is called significant must be no more likely than Alpha, however many there are.
func TestDiffFalseAlarms(t *testing.T) {
	const runs, alpha = 200, 0.05
	r := newRand(2)
	profile := func() *Snapshot {
		stats := map[string]Stats{}
		for _, name := range slices.Sorted(maps.Keys(populations)) { // a fixed order of draws
			for _, copy := range []string{" 1", " 2", " 3"} {
				stats[name+copy] = sample(r, populations[name], 30+r.IntN(40))
			}
		}
		return profileOf(stats)
	}
	alarms := 0
	for range runs {
		if Diff(profile(), profile(), DiffOptions{Alpha: alpha, MinChange: 1e-9}).Regressed() {
			alarms++
		}
	}
	// Half of the false alarms are improvements.
	require.LessOrEqual(t, float64(alarms), runs*alpha/2+4*math.Sqrt(runs*alpha/2))
}

// TestDiffOfDependentObservations shows what MinChange is for. The durations of successive calls are correlated by 0.95, as
// when a disk is slow for a while: the p-value alone is then wrong most of the time, the verdict is not.
func TestDiffOfDependentObservations(t *testing.T) {
	const runs = 50
	r := newRand(3)
	correlated := func(median float64) sampler {
		state := r.NormFloat64()
		return func(r *rand.Rand) uint64 {
			state = 0.95*state + math.Sqrt(1-0.95*0.95)*r.NormFloat64()
			return uint64(median * math.Exp(0.1*state))
		}
	}
	significant, alarms, found := 0, 0, 0
	for range runs {
		before := profileOf(map[string]Stats{"x": sample(r, correlated(1e6), 5_000)})
		after := profileOf(map[string]Stats{"x": sample(r, correlated(1e6), 5_000)})
		worse := profileOf(map[string]Stats{"x": sample(r, correlated(1.2e6), 5_000)})
		c := Diff(before, after, DiffOptions{})
		if c.Blocks[0].Durations.Q < c.Options.Alpha {
			significant++
		}
		if c.Blocks[0].Verdict != Unchanged {
			alarms++
		}
		if Diff(before, worse, DiffOptions{}).Regressed() {
			found++
		}
	}
	require.Greater(t, significant, runs/3)
	require.LessOrEqual(t, alarms, runs/20)
	require.Equal(t, runs, found)
}

func TestVerdictText(t *testing.T) {
	text, err := Regression.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "regression", string(text))
	require.Equal(t, "unchanged", Unchanged.String())
	require.Equal(t, "unknown", Verdict(99).String())
}
