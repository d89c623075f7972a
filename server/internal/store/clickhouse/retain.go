package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// retainRounds is how often Retain forgets more, if the tables are still larger than they should be.
const retainRounds = 8

// Retain implements store.Store. Whole days are dropped as partitions. What is left of the day in which the time lies is deleted
// when it is older than the retention by Options.RetainSlack: that rewrites the rest of the day. Several nodes may do the
// same.
func (s *Store) Retain(ctx context.Context, before time.Time, maxBytes int64) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	if err := s.outbox.flush(ctx); err != nil {
		return fmt.Errorf("forget what is old: %w", err)
	}
	if !before.IsZero() {
		if err := s.forget(ctx, store.Nanos(before), s.options.RetainSlack); err != nil {
			return fmt.Errorf("forget what is old: %w", err)
		}
	}
	for range retainRounds {
		if maxBytes <= 0 {
			return nil
		}
		size, err := s.bytes(ctx)
		if err != nil || size <= maxBytes {
			return err
		}
		cut, ok, err := s.excess(ctx, float64(size-maxBytes)/float64(size))
		if err != nil || !ok {
			return err
		}
		if err := s.forget(ctx, cut, -1); err != nil {
			return fmt.Errorf("forget what is too much: %w", err)
		}
	}
	return nil
}

// excess returns the time before which the given part of the spans ended; not all spans.
func (s *Store) excess(ctx context.Context, part float64) (cut int64, ok bool, err error) {
	const end = "toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)"
	var n uint64
	var at, last int64
	err = s.conn.QueryRow(ctx, fmt.Sprintf("SELECT count(), quantileExact(%f)(%s), max(%s) FROM otel_traces", min(part*1.1+0.01, 1), end, end)).
		Scan(&n, &at, &last)
	return min(at, last), n > 0, explain(err)
}

// forget deletes spans that ended before the cut, and profiles of minutes before it.
func (s *Store) forget(ctx context.Context, cut int64, slack time.Duration) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	minute := store.FloorMinute(cut)
	if err := s.dropDays(ctx, minute); err != nil {
		return err
	}
	oldest := minute - int64(max(slack, 0)/time.Minute)
	for _, t := range []struct{ table, old, older string }{
		{"otel_traces", ended(cut), ended(cut - int64(max(slack, 0)))},
		{"otelprof_hours", fmt.Sprintf("Hour < %d", minute), fmt.Sprintf("Hour < %d", oldest)},
		{"otelprof_profile", fmt.Sprintf("Minute < %d", minute), fmt.Sprintf("Minute < %d", oldest)},
		{"otelprof_minutes", fmt.Sprintf("Minute < %d", minute), fmt.Sprintf("Minute < %d", oldest)},
	} {
		var n uint64
		if err := s.conn.QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+t.table+" WHERE "+t.older+" LIMIT 1)").Scan(&n); err != nil {
			return explain(err)
		}
		if n == 0 {
			continue
		}
		if t.table == "otelprof_hours" {
			if err := s.rolledUpFrom(ctx, minute); err != nil {
				return err
			}
		}
		if err := s.conn.Exec(ctx, "ALTER TABLE "+s.stored(t.table)+" DELETE WHERE "+t.old); err != nil {
			return explain(err)
		}
	}
	return nil
}

// ended is the condition that a span ended before a time in ns since the Unix epoch.
func ended(cut int64) string {
	return fmt.Sprintf("toUnixTimestamp64Nano(Timestamp) + toInt64(Duration) < toInt64(%d)", cut)
}

// stored names the table that has the data.
func (s *Store) stored(table string) string {
	return s.options.Schema.local(table) + s.options.Schema.on()
}

// dropDays drops the partitions of days that are over before the day before the minute: spans lie in the day of their start.
func (s *Store) dropDays(ctx context.Context, minute int64) error {
	day := minute/(24*60) - 1
	if day <= 0 {
		return nil
	}
	for table, condition := range map[string]string{
		"otel_traces":             fmt.Sprintf("partition < '%s'", time.Unix(day*86400, 0).UTC().Format(time.DateOnly)),
		"otel_traces_trace_id_ts": fmt.Sprintf("partition < '%s'", time.Unix(day*86400, 0).UTC().Format(time.DateOnly)),
		"otelprof_profile":        fmt.Sprintf("toInt64OrZero(partition) < %d", day),
		"otelprof_hours":          fmt.Sprintf("toInt64OrZero(partition) < %d", day),
		"otelprof_minutes":        fmt.Sprintf("toInt64OrZero(partition) < %d", day),
	} {
		var ids []string
		err := s.conn.QueryRow(ctx, "SELECT groupUniqArray(partition_id) FROM system.parts WHERE active AND database = currentDatabase() "+
			"AND table = '"+s.options.Schema.local(table)+"' AND "+condition).Scan(&ids)
		if err != nil {
			return explain(err)
		}
		for _, partition := range ids {
			if err := s.conn.Exec(ctx, "ALTER TABLE "+s.stored(table)+" DROP PARTITION ID "+quote(partition)); err != nil {
				return explain(err)
			}
		}
	}
	return nil
}
