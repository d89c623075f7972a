package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// hour is one in minutes.
const hour = 60

// source is where the rows of a part of the profile are read: as if from otelprof_profile, but from otelprof_hours for whole hours
// of which nobody asks for single minutes. Minute is the first of the hour there.
func (s *Store) source(ctx context.Context, from, until, step int64) (string, error) {
	minutes := func(condition string) string {
		return "SELECT " + rolledUp + ", Minute FROM otelprof_profile WHERE " + condition
	}
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
		"SELECT " + rolledUp + fmt.Sprintf(", Hour AS Minute FROM otelprof_hours WHERE Hour >= toInt64(%d) AND Hour < toInt64(%d))", first, last), nil
}

// rolledUp are the columns that both tables have.
var rolledUp = strings.Join(withoutMinute(), ", ")

func withoutMinute() (columns []string) {
	for _, c := range profileColumns {
		if c != "Minute" {
			columns = append(columns, c)
		}
	}
	return columns
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
