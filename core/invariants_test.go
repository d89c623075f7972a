package core

import (
	"cmp"
	"math/big"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkInvariants fails the test unless everything holds that the types promise about a snapshot which has no saturated
// sums. It is written without the code that it checks: brute force, and big numbers.
func checkInvariants(t testing.TB, s *Snapshot) {
	t.Helper()
	require.NotNil(t, s)
	requireSet(t, "names", s.Names)
	requireSet(t, "disabled tracks", s.DisabledTracks)
	if !s.Start.IsZero() {
		require.False(t, s.End.Before(s.Start), "end before start")
	}
	for i, b := range s.Blocks {
		for _, text := range []string{b.Site.Track, b.Site.Name, b.Site.Function, b.Site.File} {
			require.True(t, utf8.ValidString(text), "block %d: %q is not UTF-8", i, text)
		}
		require.True(t, i == 0 || s.Blocks[i-1].Site.Compare(b.Site) < 0, "block %d (%v) out of order", i, b.Site)
		requireStats(t, b.Site, b.Stats)
	}
	requireTree(t, s)
	require.NoError(t, s.Validate())
}

func requireSet(t testing.TB, what string, names []string) {
	t.Helper()
	want := slices.Clone(names)
	slices.Sort(want)
	require.Equal(t, slices.Compact(want), names, what)
}

// requireStats checks one set of statistics.
func requireStats(t testing.TB, site Site, s Stats) {
	t.Helper()
	fail := func(ok bool, what string) {
		t.Helper()
		require.True(t, ok, "%v: %s: %+v", site, what, s)
	}
	n := s.Histogram.Zero
	before := -2
	for _, b := range s.Histogram.Buckets() {
		fail(int(b.Index) > before, "buckets out of order or range")
		fail(b.Count > 0, "empty bucket")
		before = int(b.Index)
		n += b.Count
	}
	fail(before < 64*64, "bucket out of range")
	fail(s.Count == n, "count is not that of the histogram")
	fail(s.Errors <= s.Count, "more errors than observations")
	fail(s.Self <= s.Total, "self exceeds total")
	fail(s.Active >= 0, "negative active")
	fail(s.First <= s.Last, "first after last")
	if s.Count == 0 {
		want := Stats{Active: s.Active, Bytes: s.Bytes}
		assert.Equal(t, want, s, "%v: statistics of nothing", site)
		return
	}
	count, total := new(big.Int).SetUint64(s.Count), new(big.Int).SetUint64(s.Total)
	times := func(v uint64) *big.Int { return new(big.Int).Mul(count, new(big.Int).SetUint64(v)) }
	fail(s.Min <= s.Max, "min exceeds max")
	fail(times(s.Min).Cmp(total) <= 0, "mean below min")
	fail(times(s.Max).Cmp(total) >= 0, "mean above max")
	// (Σx)² ≤ n·Σx² ≤ n·max·Σx
	squares := new(big.Int).Mul(count, s.SumSquares.big())
	fail(new(big.Int).Mul(total, total).Cmp(squares) <= 0, "sum of squares too small for the total")
	fail(new(big.Int).Mul(times(s.Max), total).Cmp(squares) >= 0, "sum of squares too large for max")
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		v := s.Quantile(q)
		fail(float64(s.Min) <= v && v <= float64(s.Max), "quantile outside of the extremes")
	}
	if h := s.SelfHistogram; h != nil {
		fail(h.Count() == s.Count, "not as many self times as observations")
		fail(h.Quantile(1) <= float64(s.Max)*1.006, "a self time beyond the longest duration")
		fail(s.SelfQuantile(1) <= float64(s.Max), "the longest self time beyond the longest duration")
	}
	fail(s.Slowest.IsZero() || s.Slowest.Duration <= s.Max, "an exemplar slower than max")
	fail(s.LastError.IsZero() || s.Errors > 0, "an erroneous exemplar without an error")
	for _, e := range []Exemplar{s.Slowest, s.LastError} {
		fail(e == (Exemplar{}) || !e.IsZero(), "an exemplar without ids")
	}
}

// requireTree checks the order of the nodes against a sort by whole paths, and their sums against the blocks.
func requireTree(t testing.TB, s *Snapshot) {
	t.Helper()
	counts := make([]int64, len(s.Blocks))
	paths := make([][]int, len(s.Nodes))
	for i, n := range s.Nodes {
		require.True(t, n.Parent >= -1 && n.Parent < i, "node %d: parent %d", i, n.Parent)
		require.True(t, n.Block >= 0 && n.Block < len(s.Blocks), "node %d: block %d", i, n.Block)
		requireStats(t, s.Site(n), n.Stats)
		counts[n.Block] += int64(n.Stats.Count)
		if n.Parent >= 0 {
			paths[i] = append(slices.Clone(paths[n.Parent]), n.Block)
		} else {
			paths[i] = []int{n.Block}
		}
		if i > 0 {
			require.Negative(t, slices.CompareFunc(paths[i-1], paths[i], cmp.Compare[int]), "node %d out of order", i)
		}
	}
	for i, b := range s.Blocks {
		require.Equal(t, int64(b.Stats.Count)-b.Pending, counts[i], "%v: nodes and pending do not add up to the block", b.Site)
	}
}

// requireSame fails the test unless the snapshots are equal, apart from how times and empty lists are represented.
func requireSame(t testing.TB, want, got *Snapshot) {
	t.Helper()
	require.Equal(t, plain(want), plain(got))
}

func plain(s *Snapshot) *Snapshot {
	out := *s
	out.Start, out.End = plainTime(s.Start), plainTime(s.End)
	out.Names, out.DisabledTracks = append([]string{}, s.Names...), append([]string{}, s.DisabledTracks...)
	out.Blocks, out.Nodes = append([]Block{}, s.Blocks...), append([]Node{}, s.Nodes...)
	for i := range out.Blocks {
		out.Blocks[i].Stats = plainStats(out.Blocks[i].Stats)
	}
	for i := range out.Nodes {
		out.Nodes[i].Stats = plainStats(out.Nodes[i].Stats)
	}
	return &out
}

// moment returns a time n seconds into the life of the profiles of these tests.
func moment(n int64) time.Time { return time.Unix(1_700_000_000+n, 0).UTC() }
