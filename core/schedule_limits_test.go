package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// used returns the blocks with observations or activity: a tree of provisional names shows others. Pending
// depends on how often a trace was settled.
func (p oracleProfile) used() map[Site]Block {
	used := map[Site]Block{}
	for site, b := range p.blocks {
		if b.Pending = 0; b.Stats.Count > 0 || b.Stats.Active > 0 {
			used[site] = b
		}
	}
	return used
}

// withoutSelf returns the blocks without what is lost when the record of a span is.
func withoutSelf(blocks map[Site]Block) map[Site]Block {
	out := map[Site]Block{}
	for site, b := range blocks {
		b.Stats.SelfHistogram = nil
		if b.Stats.Self, b.Stats.Active, b.Pending = 0, 0, 0; b.Stats.Count > 0 {
			out[site] = b
		}
	}
	return out
}

// compareBlocks wants the blocks to be as the oracle says. The tree may have other paths, and adds up to the blocks.
func (s *schedule) compareBlocks(got *Snapshot) {
	s.check(got)
	want, have := s.model.profile(), flat(got)
	requireSameEntries(s.t, want.used(), have.used())
	have.counters.OverflowNodes, have.counters.Settled = 0, 0
	require.Equal(s.t, want.counters, have.counters)
}

// compareTotals wants the blocks to be as the oracle says, but for self time and activity.
func (s *schedule) compareTotals(got *Snapshot) {
	s.check(got)
	requireSameEntries(s.t, withoutSelf(s.model.profile().blocks), withoutSelf(flat(got).blocks))
	require.Equal(s.t, s.model.counters.Duplicates, got.Counters.Duplicates)
}

func limitsWith(change func(l *Limits)) Limits {
	l := DefaultLimits()
	change(&l)
	return l
}

// A trace that outgrows MaxPending is filed in parts. Whatever its path, every span counts once in its block, and its
// self time is exact as long as children start while their parent is open.
func TestScheduleWithSettling(t *testing.T) {
	var settled uint64
	for _, limit := range []int{1, 2, 5, 20} {
		limits := limitsWith(func(l *Limits) { l.MaxPending = limit })
		runSchedules(t, 12, 400, scheduleKind{limits: limits, early: true, compare: func(s *schedule, got *Snapshot) {
			s.compareBlocks(got)
			settled += got.Counters.Settled
		}})
		runSchedules(t, 6, 400, scheduleKind{limits: limits, compare: (*schedule).compareTotals})
	}
	require.Positive(t, settled, "nothing was settled: the test tests nothing")
}

// Spans over MaxActive are given up. They still count, once, in their blocks.
func TestScheduleWithEviction(t *testing.T) {
	var evicted uint64
	for _, limit := range []int{1, 3, 10, 40} {
		limits := limitsWith(func(l *Limits) { l.MaxActive = limit })
		runSchedules(t, 12, 400, scheduleKind{limits: limits, plain: true, compare: func(s *schedule, got *Snapshot) {
			s.compareTotals(got)
			active := int64(0)
			for _, b := range got.Blocks {
				active += b.Stats.Active
			}
			require.LessOrEqual(s.t, active, int64(limit))
			evicted += got.Counters.Evicted
		}})
	}
	require.Positive(t, evicted, "nothing was evicted: the test tests nothing")
}

// Paths over MaxNodes and MaxDepth go to the overflow branch. The blocks are exact.
func TestScheduleWithFewNodes(t *testing.T) {
	for _, limits := range []Limits{
		limitsWith(func(l *Limits) { l.MaxNodes = 1 }), limitsWith(func(l *Limits) { l.MaxNodes = 20 }),
		limitsWith(func(l *Limits) { l.MaxDepth = 1 }), limitsWith(func(l *Limits) { l.MaxDepth = 3 }),
	} {
		var overflowed uint64
		runSchedules(t, 10, 400, scheduleKind{limits: limits, compare: func(s *schedule, got *Snapshot) {
			s.compareBlocks(got)
			overflowed += got.Counters.OverflowNodes
			nodes := 0
			for i := range got.Nodes {
				if path := got.Path(i); path[0] != OverflowSite {
					nodes++
					require.LessOrEqual(s.t, len(path), limits.MaxDepth)
				} else {
					require.LessOrEqual(s.t, len(path), 2)
				}
			}
			require.LessOrEqual(s.t, nodes, limits.MaxNodes)
		}})
		require.Positive(t, overflowed, "nothing went over: the test tests nothing")
	}
}

// Sites over MaxSites share one block. Nothing is lost and nothing is counted twice.
func TestScheduleWithFewSites(t *testing.T) {
	for _, limit := range []int{1, 4, 12} {
		limits := limitsWith(func(l *Limits) { l.MaxSites = limit })
		var overflowed uint64
		runSchedules(t, 12, 400, scheduleKind{limits: limits, compare: func(s *schedule, got *Snapshot) {
			s.check(got)
			require.LessOrEqual(s.t, len(got.Blocks), limit+1)
			overflowed += got.Counters.OverflowSites
			var want, have Stats
			blocks := s.model.profile().blocks
			for _, b := range blocks {
				want = want.Merge(b.Stats)
			}
			for _, b := range got.Blocks {
				have = have.Merge(b.Stats)
				if b.Site != OverflowSite {
					require.LessOrEqual(s.t, b.Stats.Count, blocks[b.Site].Stats.Count, b.Site)
				}
			}
			want.Active = have.Active // a site seen for a snapshot alone need not have room
			require.Equal(s.t, plainStats(want), plainStats(have))
		}})
		require.Positive(t, overflowed, "nothing went over: the test tests nothing")
	}
}

// Without a tree there are blocks alone, and their self times are those with a tree.
func TestScheduleWithoutTree(t *testing.T) {
	for _, limits := range []Limits{DefaultLimits(), limitsWith(func(l *Limits) { l.MaxPending = 3 })} {
		early := limits.MaxPending == 3
		kind := scheduleKind{limits: limits, noTree: true, early: early}
		kind.compare = func(s *schedule, got *Snapshot) {
			checkInvariants(s.t, got)
			require.Empty(s.t, got.Nodes)
			requireSameEntries(s.t, s.model.profile().used(), flat(got).used())
		}
		runSchedules(t, 6, 400, kind)
	}
}
