package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Profile implements store.Reader. ClickHouse merges the rows, and what comes of it is bit for bit what core.Merge would make.
func (s view) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	whole := &core.Snapshot{}
	err := s.profiles(ctx, within, math.MaxInt64, func(_ int64, p *core.Snapshot) error {
		whole = p
		return nil
	})
	return whole, err
}

// Profiles implements store.Reader.
func (s view) Profiles(ctx context.Context, within store.Range, step int, f func(minute int64, p *core.Snapshot) error) error {
	return s.profiles(ctx, within, int64(max(step, 1)), f)
}

// profiles calls f for groups of step minutes; for one of all if that is MaxInt64.
func (s view) profiles(ctx context.Context, within store.Range, step int64, f func(minute int64, p *core.Snapshot) error) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	groups, err := s.readGroups(ctx, within, step)
	if err != nil {
		return err
	}
	for _, first := range slices.Sorted(maps.Keys(groups)) {
		if err := f(first, core.Merge(groups[first]...)); err != nil {
			return err
		}
	}
	return nil
}

// readGroups returns what is to be merged for each group: of ClickHouse, and of the parcels that wait.
func (s view) readGroups(ctx context.Context, within store.Range, step int64) (map[int64][]*core.Snapshot, error) {
	ctx, waiting, release, err := s.outbox.read(ctx, s.upTo)
	if err != nil {
		return nil, err
	}
	defer release()
	from, until := within.Minutes()
	groups := map[int64][]*core.Snapshot{}
	for _, p := range waiting {
		for _, m := range p.segment.Profiles {
			if m.Minute >= from && m.Minute < until {
				first := groupOf(m.Minute, step)
				groups[first] = append(groups[first], m.Snapshot)
			}
		}
	}
	stored, err := s.storedGroups(ctx, from, until, step)
	if err != nil {
		return nil, err
	}
	for first, snapshot := range stored {
		groups[first] = append(groups[first], snapshot)
	}
	return groups, nil
}

func groupOf(minute, step int64) int64 {
	if step == math.MaxInt64 {
		return 0
	}
	return store.FloorStep(minute, int(step))
}

// groupBy is the first minute of the group of a row.
func groupBy(column string, step int64) string {
	if step == math.MaxInt64 {
		return "toInt64(0)"
	}
	return fmt.Sprintf("%s - positiveModulo(%s, toInt64(%d))", column, column, step)
}

// storedGroups returns the profiles that ClickHouse has.
func (s *Store) storedGroups(ctx context.Context, from, until, step int64) (map[int64]*core.Snapshot, error) {
	within := fmt.Sprintf("Minute >= toInt64(%d) AND Minute < toInt64(%d)", from, until)
	snapshots, err := s.minutes(ctx, groupBy("Minute", step), within)
	if err != nil || len(snapshots) == 0 {
		return nil, err
	}
	source, err := s.source(ctx, from, until, step)
	if err != nil {
		return nil, err
	}
	rows, err := s.profileStats(ctx, source)
	if err != nil {
		return nil, err
	}
	dictionary, err := s.names(ctx, rows)
	if err != nil {
		return nil, err
	}
	for first, stats := range rows {
		if snapshots[first] == nil {
			snapshots[first] = &core.Snapshot{}
		}
		if err := dictionary.build(snapshots[first], stats); err != nil {
			return nil, err
		}
	}
	return snapshots, nil
}

// minutes reads what profiles have beside blocks and nodes.
func (s *Store) minutes(ctx context.Context, group, within string) (map[int64]*core.Snapshot, error) {
	rows, err := s.conn.Query(ctx, "SELECT "+group+" AS first, groupUniqArrayArray(Names), groupUniqArrayArray(DisabledTracks), "+
		"min(Start), max(End), sumMap(Counters) FROM (SELECT * FROM otelprof_minutes WHERE "+within+") GROUP BY first")
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	snapshots := map[int64]*core.Snapshot{}
	for rows.Next() {
		var first, start, end int64
		var counters map[string]uint64
		p := &core.Snapshot{}
		if err := rows.Scan(&first, &p.Names, &p.DisabledTracks, &start, &end, &counters); err != nil {
			return nil, explain(err)
		}
		p.Start, p.End = momentOf(start), momentOf(end)
		for name, field := range counterFields(&p.Counters) {
			*field = counters[name]
		}
		slices.Sort(p.Names)
		slices.Sort(p.DisabledTracks)
		snapshots[first] = p
	}
	return snapshots, explain(rows.Err())
}

// pathStats are the statistics of a path, or of a block: that has no path.
type pathStats struct {
	site, path id
	stats      core.Stats
	pending    int64
	// left: spans counted here once, and do no more since their traces were completed.
	left bool
}

// saturated sums up as core does: not over 2^64-1. Corrections are numbers modulo 2^128, which may stand for negative ones.
func saturated(column string) string {
	return "toUInt64(least(greatest(toInt128(sum(" + column + ")), toInt128(0)), toInt128(18446744073709551615)))"
}

// profileStats reads the merged statistics.
func (s *Store) profileStats(ctx context.Context, source string) (map[int64][]pathStats, error) {
	query := "SELECT first, SiteId, PathId, sum(Count), sum(Errors)"
	for _, column := range []string{"Total", "Self", "Critical", "Unsampled", "Bytes"} {
		query += ", " + saturated(column)
	}
	query += ", toUInt128(least(greatest(sum(toInt256(SumSquares)) - sum(toInt256(SquaresLess)), toInt256(0)), toInt256('340282366920938463463374607431768211455'))), min(Min), max(Max), min(First), max(Last), " +
		"sum(Active), sum(Pending), sum(Zero), sumMap(Buckets), sum(SelfZero), sumMap(SelfBuckets), max(Slowest), max(LastError) " +
		"FROM " + source + " GROUP BY first, SiteId, PathId"
	rows, err := s.conn.Query(ctx, query)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	all := map[int64][]pathStats{}
	for rows.Next() {
		var first int64
		var site, path, slowest, lastError string
		var squares big.Int
		var zero, selfZero uint64
		var buckets, selfBuckets map[int32]uint64
		var p pathStats
		st := &p.stats
		if err := rows.Scan(&first, &site, &path, &st.Count, &st.Errors, &st.Total, &st.Self, &st.Critical, &st.Unsampled, &st.Bytes,
			&squares, &st.Min, &st.Max, &st.First, &st.Last, &st.Active, &p.pending, &zero, &buckets, &selfZero, &selfBuckets,
			&slowest, &lastError); err != nil {
			return nil, explain(err)
		}
		copy(p.site[:], site)
		copy(p.path[:], path)
		st.Slowest, st.LastError = decodeSlowest(slowest), decodeLastError(lastError)
		if st.Count == 0 {
			p.left = st.First != math.MaxInt64
			st.Min, st.Max, st.First, st.Last = 0, 0, 0, 0
			st.Slowest, st.LastError = core.Exemplar{}, core.Exemplar{}
		}
		st.SumSquares = core.Uint128{Hi: new(big.Int).Rsh(&squares, 64).Uint64(), Lo: squares.Uint64()}
		st.Histogram = histogram(zero, buckets)
		// As core does: unless all self times are known one by one, none are.
		if h := histogram(selfZero, selfBuckets); st.Count > 0 && h.Count() == st.Count {
			st.SelfHistogram = &h
		}
		all[first] = append(all[first], p)
	}
	return all, explain(rows.Err())
}

func histogram(zero uint64, buckets map[int32]uint64) core.Histogram {
	list := make([]core.Bucket, 0, len(buckets))
	for _, index := range slices.Sorted(maps.Keys(buckets)) {
		if n := buckets[index]; n > 0 {
			list = append(list, core.Bucket{Index: index, Count: n})
		}
	}
	return core.NewHistogram(zero, list)
}
