package clickhouse

import (
	"maps"
	"math/big"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// makeCorrection returns the rows that, with those in the table, turn one profile into another. Sums are the difference, modulo
// 2^64 or 2^128. Extremes and exemplars are those after: as a rule, spans that count on a path count there for ever. Only where
// an orphan's parent came after the orphan was counted, the path that it left may keep them.
func makeCorrection(before, after []store.Profile) *profileRows {
	r, was, is := newProfileRows(), byMinute(before), byMinute(after)
	for _, minute := range slices.Sorted(maps.Keys(is)) {
		r.correct(minute, was[minute], is[minute])
		delete(was, minute)
	}
	for _, minute := range slices.Sorted(maps.Keys(was)) {
		r.correct(minute, was[minute], &core.Snapshot{})
	}
	return r
}

// byMinute merges the profiles of a minute.
func byMinute(profiles []store.Profile) map[int64]*core.Snapshot {
	parts := map[int64][]*core.Snapshot{}
	for _, p := range profiles {
		parts[p.Minute] = append(parts[p.Minute], p.Snapshot)
	}
	merged := make(map[int64]*core.Snapshot, len(parts))
	for minute, list := range parts {
		merged[minute] = core.Merge(list...)
	}
	return merged
}

// correct adds the rows of a minute, without those that change nothing.
func (r *profileRows) correct(minute int64, was, is *core.Snapshot) {
	type key struct{ site, path id }
	type figures struct {
		service string
		stats   *core.Stats
		pending int64
	}
	known := map[key]figures{}
	if was != nil {
		r.walk(was, func(service string, site, path id, s *core.Stats, pending int64) {
			known[key{site, path}] = figures{service, s, pending}
		})
	}
	r.walk(is, func(service string, site, path id, s *core.Stats, pending int64) {
		before, ok := known[key{site, path}]
		delete(known, key{site, path})
		if !ok {
			r.add(minute, service, site, path, s, pending) // even one of nothing: it may lead to others
		} else if before.pending != pending || changed(before.stats, s) {
			r.add(minute, service, site, path, s, pending-before.pending)
			r.subtract(before.stats)
		}
	})
	for k, before := range known {
		r.add(minute, before.service, k.site, k.path, &core.Stats{}, -before.pending)
		r.subtract(before.stats)
	}
}

// changed reports whether a sum differs.
func changed(a, b *core.Stats) bool {
	return a.Count != b.Count || a.Self != b.Self || a.Critical != b.Critical || a.Total != b.Total || a.Errors != b.Errors ||
		a.Unsampled != b.Unsampled || a.Bytes != b.Bytes
}

// subtract takes sums off the last row.
func (r *profileRows) subtract(s *core.Stats) {
	at := len(r.minute) - 1
	r.count[at] -= s.Count
	r.errors[at] -= s.Errors
	r.zero[at] -= s.Histogram.Zero
	subtractBuckets(r.buckets[at], &s.Histogram)
	if s.SelfHistogram != nil {
		r.selfZero[at] -= s.SelfHistogram.Zero
		subtractBuckets(r.selfBuckets[at], s.SelfHistogram)
	}
	for _, sum := range []struct {
		of   *big.Int
		less uint64
	}{
		{r.total[at], s.Total}, {r.self[at], s.Self}, {r.critical[at], s.Critical}, {r.unsampled[at], s.Unsampled}, {r.bytes[at], s.Bytes},
	} {
		sum.of.Sub(sum.of, large(0, sum.less)).And(sum.of, maxUint128)
	}
	r.squaresLess[at] = large(s.SumSquares.Hi, s.SumSquares.Lo) // on its own: sums of squares are cut at 2^128-1, not at 2^64-1
	r.active[at] -= s.Active
}

// subtractBuckets takes the buckets of h off, modulo 2^64.
func subtractBuckets(from map[int32]uint64, h *core.Histogram) {
	for b := range h.All {
		if from[b.Index] -= b.Count; from[b.Index] == 0 {
			delete(from, b.Index)
		}
	}
}

// maxUint128 is 2^128-1.
var maxUint128 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
