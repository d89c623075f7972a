package core

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mergeNaive puts the lists of events together. It keeps what snapshot cannot know of several profiles.
func mergeNaive(profiles ...*naive) *Snapshot {
	all := &naive{}
	var names, disabled []string
	for i, p := range profiles {
		if i == 0 {
			all.from, all.to = p.from, p.to
		}
		all.from, all.to = min(all.from, p.from), max(all.to, p.to)
		names, disabled = append(names, p.name), append(disabled, p.disabled...)
		all.events = append(all.events, p.events...)
		all.active = append(all.active, p.active...)
		all.counters.each(&p.counters, func(a *uint64, b uint64) {
			if *a += b; *a < b {
				*a = math.MaxUint64
			}
		})
	}
	s := all.snapshot()
	slices.Sort(names)
	slices.Sort(disabled)
	s.Names, s.DisabledTracks = slices.Compact(names), slices.Compact(disabled)
	return s
}

func TestMergeEqualsProfileOfAllEvents(t *testing.T) {
	for seed := range uint64(100) {
		r := newRand(seed)
		var profiles []*naive
		var snapshots []*Snapshot
		for range 1 + r.IntN(5) {
			p := randomProfile(r, 30)
			profiles, snapshots = append(profiles, p), append(snapshots, p.snapshot())
		}
		got := Merge(snapshots...)
		checkInvariants(t, got)
		requireSame(t, mergeNaive(profiles...), got)
	}
}

func TestMergeLaws(t *testing.T) {
	for seed := range uint64(100) {
		r := newRand(seed)
		a, b, c := randomSnapshot(r, 30), randomSnapshot(r, 30), randomSnapshot(r, 30)
		copyOfA := plain(a)

		requireSame(t, a.Merge(b), b.Merge(a))
		requireSame(t, a.Merge(b).Merge(c), a.Merge(b.Merge(c)))
		requireSame(t, Merge(a, b, c), Merge(c, a, b))
		requireSame(t, a, a.Merge(&Snapshot{}))
		requireSame(t, a, (&Snapshot{}).Merge(a))
		requireSame(t, a, a.Merge(nil))
		require.Equal(t, copyOfA, plain(a), "merging changed its operand")
	}
}

func TestMergeOfNothingIsEmpty(t *testing.T) {
	require.Equal(t, &Snapshot{}, Merge())
	require.Equal(t, &Snapshot{}, Merge(nil, &Snapshot{}))
	require.True(t, Merge().IsEmpty())
}

func TestMergeWindow(t *testing.T) {
	elsewhere := time.FixedZone("elsewhere", 3600)
	a := &Snapshot{Start: moment(5).In(elsewhere), End: moment(9).In(elsewhere)}
	b := &Snapshot{Start: moment(3), End: moment(7)}
	empty := &Snapshot{}
	got := Merge(a, empty, b)
	require.Equal(t, moment(3), got.Start)
	require.Equal(t, moment(9), got.End)
	require.Equal(t, 6*time.Second, got.Window())
}

func TestMergeSaturates(t *testing.T) {
	big := func() *Snapshot {
		stats := Stats{
			Count: math.MaxUint64 / 2, Total: math.MaxUint64, Self: math.MaxUint64 - 1, Min: 3, Max: 3, Active: math.MaxInt64,
			SumSquares: Uint128{math.MaxUint64, 0}, Bytes: math.MaxUint64 - 1,
			Histogram: Histogram{sparse: []Bucket{{int32(BucketIndex(3)), math.MaxUint64 / 2}}},
		}
		return &Snapshot{
			Blocks:   []Block{{Stats: stats, Pending: 0}},
			Nodes:    []Node{{Parent: -1, Stats: stats}},
			Counters: Counters{Spans: math.MaxUint64 - 1},
		}
	}
	got := Merge(big(), big(), big())
	require.NoError(t, got.Validate())
	s := got.Blocks[0].Stats
	require.Equal(t, uint64(math.MaxUint64), s.Count)
	require.Equal(t, uint64(math.MaxUint64), s.Total)
	require.Equal(t, uint64(math.MaxUint64), s.Self)
	require.Equal(t, uint64(math.MaxUint64), s.Bytes)
	require.Equal(t, int64(math.MaxInt64), s.Active)
	require.Equal(t, Uint128{math.MaxUint64, math.MaxUint64}, s.SumSquares)
	require.Equal(t, uint64(math.MaxUint64), got.Counters.Spans)
	requireSame(t, got, big().Merge(big().Merge(big())))
}

func BenchmarkMerge(b *testing.B) {
	var snapshots []*Snapshot
	for seed := range uint64(32) {
		snapshots = append(snapshots, randomSnapshot(newRand(seed), 300))
	}
	b.ReportAllocs()
	for b.Loop() {
		Merge(snapshots...)
	}
}
