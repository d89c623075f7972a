package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// hour is one in minutes.
const hour = 60

// source is the rows of a part of the profile, with the first minute of their group: of otelprof_profile, but of otelprof_hours for
// whole hours of which nobody asks for single minutes.
func (s *Store) source(ctx context.Context, from, until, step int64) (string, error) {
	minutes := func(condition string) string { return s.rows("otelprof_profile", "Minute", step, condition) }
	all := fmt.Sprintf("Minute >= toInt64(%d) AND Minute < toInt64(%d)", from, until)
	if step != math.MaxInt64 && step%hour != 0 || until != math.MaxInt64 && from != math.MinInt64 && until-from < hour {
		return "(" + minutes(all) + ")", nil
	}
	since, err := s.rolledUpSince(ctx)
	if err != nil {
		return "", err
	}
	first, last := ceilHour(max(from, since)), store.FloorStep(until, hour)
	if first >= last {
		return "(" + minutes(all) + ")", nil
	}
	return "(" + minutes(all+fmt.Sprintf(" AND (Minute < toInt64(%d) OR Minute >= toInt64(%d))", first, last)) + " UNION ALL " +
		s.rows("otelprof_hours", "Hour", step, fmt.Sprintf("Hour >= toInt64(%d) AND Hour < toInt64(%d)", first, last)) + ")", nil
}

// rows selects from a table of statistics. In a cluster each shard merges what it has, which is all of a path.
func (s *Store) rows(table, time string, step int64, condition string) string {
	columns := ""
	for _, c := range profileColumns {
		switch merge := merges[c]; {
		case merge == "":
		case s.options.Schema.Cluster == "":
			columns += ", " + c
		default:
			columns += ", " + merge + "(" + table + "." + c + ") AS " + c
		}
	}
	query := "SELECT " + groupBy(time, step) + " AS first, SiteId, PathId" + columns + " FROM " + table + " WHERE " + condition
	if s.options.Schema.Cluster != "" {
		query += " GROUP BY first, SiteId, PathId" + s.perShard()
	}
	return query
}

// merges are the functions that merge the columns of statistics.
var merges = map[string]string{
	"Count": "sum", "Errors": "sum", "Total": "sum", "Self": "sum", "Critical": "sum", "Unsampled": "sum", "SumSquares": "sum",
	"SquaresLess": "sum", "Bytes": "sum", "Min": "min", "Max": "max", "First": "min", "Last": "max", "Active": "sum", "Pending": "sum",
	"Zero": "sum", "Buckets": "sumMap", "SelfZero": "sum", "SelfBuckets": "sumMap", "Slowest": "max", "LastError": "max",
}

// rolledUpSince returns the minute from which on otelprof_hours has what otelprof_profile has: what was there before is not rolled
// up, and hours of which a part was forgotten are not right.
func (s *Store) rolledUpSince(ctx context.Context) (since int64, err error) {
	err = s.conn.QueryRow(ctx, "SELECT Since FROM otelprof_rollup ORDER BY Since DESC LIMIT 1").Scan(&since)
	if errors.Is(err, sql.ErrNoRows) {
		return math.MaxInt64 - 2*hour, nil
	}
	return since, explain(err)
}

// rolledUpFrom notes that hours before a minute are not to be used.
func (s *Store) rolledUpFrom(ctx context.Context, minute int64) error {
	return explain(s.conn.Exec(ctx, fmt.Sprintf("INSERT INTO otelprof_rollup (Since) VALUES (%d)", ceilHour(minute))))
}

// ceilHour returns the first hour that begins at a minute or later.
func ceilHour(minute int64) int64 {
	first := store.FloorStep(minute, hour)
	if first < minute {
		first += hour
	}
	return first
}
