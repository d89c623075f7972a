package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// delivery is a parcel as rows.
type delivery struct {
	parcel  *parcel
	spans   *spanRows
	profile *profileRows
	minutes *minuteRows
	parts   *partRows
}

// makeDelivery makes rows of a parcel. Those of spans take the place of what was in them.
func makeDelivery(p *parcel, spans *spanRows) (*delivery, error) {
	if err := spans.fill(p); err != nil {
		return nil, err
	}
	return &delivery{p, spans, makeProfileRows(p), makeMinuteRows(p), makePartRows(p)}, nil
}

// deliverNames sends what the ids of sites and paths mean. To do so twice does no harm.
func (s *Store) deliverNames(ctx context.Context, d *delivery) error {
	ctx, release := limit(ctx, s.options.Timeout)
	defer release()
	return s.insertNames(ctx, d.parcel.token(), d.profile)
}

func (s *Store) insertNames(ctx context.Context, token string, r *profileRows) error {
	if _, err := s.insert(ctx, token, "otelprof_sites", siteColumns, r.sites.columns(), len(r.sites.id)); err != nil {
		return err
	}
	_, err := s.insert(ctx, token, "otelprof_paths", pathColumns, r.paths.columns(), len(r.paths.id))
	return err
}

// deliver sends spans and profiles, and then that they are there. began tells whether anything of it may have arrived.
func (s *Store) deliver(ctx context.Context, d *delivery) (began bool, err error) {
	ctx, release := limit(ctx, s.options.Timeout)
	defer release()
	if began, err = s.insertSpans(ctx, d.parcel.token(), d.spans); err != nil {
		return began, err
	}
	for _, t := range []struct {
		name    string
		columns []string
		rows    []any
		n       int
	}{
		{"otelprof_profile", profileColumns, d.profile.columns(), len(d.profile.minute)},
		{"otelprof_minutes", minuteColumns, d.minutes.columns(), len(d.minutes.minute)},
		{"otelprof_parts", partColumns, d.parts.columns(s.options.Now()), len(d.parts.trace)},
	} {
		sent, err := s.insert(ctx, d.parcel.token(), t.name, t.columns, t.rows, t.n)
		began = began || sent
		if err != nil {
			return began, err
		}
	}
	return began, nil
}

// limit returns a context that ends after a time. release frees it a moment later: the driver may watch the context of a batch
// still when that was sent, and would close a connection that somebody else has got by then.
func limit(ctx context.Context, patience time.Duration) (limited context.Context, release func()) {
	limited, cancel := context.WithTimeout(ctx, patience)
	return limited, func() { time.AfterFunc(linger, cancel) }
}

const linger = time.Second

// insertSettings make an insert one batch that is in the tables when ClickHouse has answered, once for each token.
func insertSettings(token string) clickhouse.Settings {
	return clickhouse.Settings{
		"insert_deduplication_token": token, "insert_deduplicate": 1, "async_insert": 0,
		"distributed_foreground_insert": 1, "max_partitions_per_insert_block": 0,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"max_insert_block_size":                              1 << 24, "min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0,
	}
}

// insertSpans sends rows of otel_traces as one batch, as insert does.
func (s *Store) insertSpans(ctx context.Context, token string, r *spanRows) (sent bool, err error) {
	if r.timestamp.Rows() == 0 {
		return false, nil
	}
	names := make([]string, len(r.input))
	for i := range r.input {
		names[i] = r.input[i].Name
	}
	query := "INSERT INTO otel_traces (" + strings.Join(names, ", ") + ") VALUES"
	if sent, err = s.inserter.insert(ctx, query, r.input, insertSettings(token+"-otel_traces")); err != nil {
		return sent, fmt.Errorf("insert into otel_traces: %w", err)
	}
	return sent, nil
}

// insert sends the rows of a table as one batch, under a token that begins like that. sent tells whether any may have arrived.
func (s *Store) insert(ctx context.Context, token, table string, names []string, rows []any, n int) (sent bool, err error) {
	if n == 0 {
		return false, nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(insertSettings(token+"-"+table)))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return false, fmt.Errorf("insert into %s: %w", table, err)
	}
	defer func() { _ = batch.Close() }()
	for i, values := range rows {
		if err := batch.Column(i).Append(values); err != nil {
			return false, fmt.Errorf("insert into %s: %s: %w", table, names[i], err)
		}
	}
	if err := batch.Send(); err != nil {
		return true, fmt.Errorf("insert into %s: %w", table, err)
	}
	return true, nil
}
