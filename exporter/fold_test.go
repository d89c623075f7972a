package exporter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// levelSums returns the merged statistics of the nodes of every level of the tree.
func levelSums(s *core.Snapshot) []core.Stats {
	var sums []core.Stats
	depths := make([]int, len(s.Nodes))
	for i, n := range s.Nodes {
		if n.Parent >= 0 {
			depths[i] = depths[n.Parent] + 1
		}
		if depths[i] == len(sums) {
			sums = append(sums, core.Stats{})
		}
		sums[depths[i]] = plain(sums[depths[i]].Merge(n.Stats))
	}
	return sums
}

// childSums returns the sum of the children's totals and counts below the path of each node that is not folded.
func childSums(s *core.Snapshot) map[string][2]uint64 {
	sums := map[string][2]uint64{}
	path := func(i int) (text string, whole bool) {
		whole = true
		for _, site := range s.Path(i) {
			text += site.String() + "\x00"
			whole = whole && site != OtherSite
		}
		return text, whole
	}
	for i, n := range s.Nodes {
		if text, whole := path(i); whole {
			sums[text] = [2]uint64{} // its children come later
		}
		if text, whole := path(n.Parent); whole {
			v := sums[text]
			sums[text] = [2]uint64{v[0] + n.Stats.Total, v[1] + n.Stats.Count}
		}
	}
	return sums
}

func TestFoldKeepsTheSums(t *testing.T) {
	for seed := range uint64(150) {
		w := newWorkload(t, seed)
		w.run(10 + w.r.IntN(60))
		s := w.Snapshot()
		limit := 5 + w.r.IntN(len(s.Nodes)+1)
		f, folded := fold(s, limit)
		require.NoError(t, f.Validate(), "seed %d", seed)
		require.LessOrEqual(t, len(f.Nodes), limit)
		require.Equal(t, len(s.Nodes) > limit, folded > 0)
		require.Equal(t, levelSums(s), levelSums(f), "seed %d: levels", seed)
		all := childSums(s)
		for path, sum := range childSums(f) {
			require.Equal(t, all[path], sum, "seed %d: below %q", seed, path)
		}
		requireSameTotals(t, s, f)
		requireRoundTrip(t, fromNodes(f), rand.New(rand.NewPCG(seed, 1)))

		// Folding what was folded is possible, too.
		again, _ := fold(f, 5)
		require.NoError(t, again.Validate())
		require.Equal(t, levelSums(s), levelSums(again))
		requireSameTotals(t, s, again)
		require.LessOrEqual(t, len(again.Nodes), 5)
	}
}

// requireSameTotals compares the sums over all blocks.
func requireSameTotals(t *testing.T, want, got *core.Snapshot) {
	t.Helper()
	require.Equal(t, plain(want.Total()), plain(got.Total()))
	pending := func(s *core.Snapshot) (n int64) {
		for _, b := range s.Blocks {
			n += b.Pending
		}
		return n
	}
	require.Equal(t, pending(want), pending(got))
}

func TestFoldKeepsTheLargest(t *testing.T) {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	for i := range 40 {
		site := core.Site{Track: "t", Name: string(rune('A' + i))}
		a.Record(a.Label(site), &core.Observation{Start: 1, Duration: int64(i+1) * 10})
	}
	f, folded := fold(a.Snapshot(), 11)
	require.Equal(t, 30, folded)
	var names []string
	var other core.Stats
	for _, n := range f.Nodes {
		if f.Site(n) == OtherSite {
			other = n.Stats
		} else {
			names = append(names, f.Site(n).Name)
		}
	}
	require.Equal(t, []string{"_", "`", "a", "b", "c", "d", "e", "f", "g", "h"}, names)
	require.Equal(t, uint64(30), other.Count)
	require.Equal(t, uint64(10*30*31/2), other.Total)
	require.Equal(t, uint64(300), other.Max)
	require.Len(t, f.Blocks, 11)
}

func TestFoldOfADeepTree(t *testing.T) {
	branches := make([]branch, 100)
	s := &core.Snapshot{Blocks: []core.Block{{Site: core.Site{Name: "recursion"}}}}
	for i := range branches {
		branches[i] = branch{site: s.Blocks[0].Site, parent: i - 1}
	}
	s.Nodes = inOrder(s.Blocks, branches)
	f, _ := fold(s, 16)
	require.NoError(t, f.Validate())
	require.Len(t, f.Nodes, 100, "one for each level")
}

// TestFoldWithObservationsOutside: what a site with pending observations loses is counted as outside of the tree.
func TestFoldWithObservationsOutside(t *testing.T) {
	a, err := core.New(core.Config{})
	require.NoError(t, err)
	for i := range 30 {
		a.Record(a.Label(core.Site{Name: string(rune('A' + i))}), &core.Observation{Duration: int64(i + 1)})
	}
	open := &core.Opening{}
	a.Open(open)
	child := &core.Opening{Trace: open.Trace, Parent: open.Span}
	a.Open(child)
	a.Close(&core.Closing{Trace: child.Trace, Span: child.Span, Label: a.Label(core.Site{Name: "A"}), Duration: 5})
	s := a.Snapshot()
	f, _ := fold(s, 16)
	require.NoError(t, f.Validate())
	before, after := s.Block(core.Site{Name: "A"}), f.Block(core.Site{Name: "A"})
	require.Equal(t, plain(before.Stats), plain(after.Stats))
	require.Equal(t, int64(2), after.Pending)
	require.Equal(t, int64(-1), f.Block(OtherSite).Pending)
	requireSameTotals(t, s, f)
	requireRoundTrip(t, f, rand.New(rand.NewPCG(1, 1)))
}
