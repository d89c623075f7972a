package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// SaveSnapshot implements store.Store. All nodes see it.
func (s *Store) SaveSnapshot(ctx context.Context, name string, p *core.Snapshot) error {
	if err := store.CheckSnapshotName(name); err != nil {
		return err
	}
	if err := s.use(ctx); err != nil {
		return err
	}
	data, err := p.MarshalBinary()
	if err != nil {
		return fmt.Errorf("save snapshot %q: %w", name, err)
	}
	d := store.Describe(name, s.options.Now(), p)
	return s.putSnapshot(ctx, d, data, 0)
}

func (s *Store) putSnapshot(ctx context.Context, d store.SavedSnapshot, data []byte, deleted uint8) error {
	ctx, release := limit(context.WithoutCancel(ctx), s.options.Timeout)
	defer release()
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO otelprof_snapshots (Name, Saved, Start, End, Spans, Data, Deleted)")
	if err != nil {
		return explain(err)
	}
	defer func() { _ = batch.Close() }()
	start, end := int64(math.MaxInt64), int64(math.MinInt64)
	if !d.Start.IsZero() {
		start, end = d.Start.UnixNano(), d.End.UnixNano()
	}
	if err := batch.Append(d.Name, d.Saved.UnixNano(), start, end, d.Spans, string(data), deleted); err != nil {
		return fmt.Errorf("snapshot %q: %w", d.Name, err)
	}
	return explain(batch.Send())
}

// LoadSnapshot implements store.Store.
func (s *Store) LoadSnapshot(ctx context.Context, name string) (*core.Snapshot, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	var data string
	err := s.conn.QueryRow(ctx, "SELECT Data FROM otelprof_snapshots FINAL WHERE Name = ? AND Deleted = 0", name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("snapshot %q: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return nil, explain(err)
	}
	p := &core.Snapshot{}
	if err := p.UnmarshalBinary([]byte(data)); err != nil {
		return nil, fmt.Errorf("snapshot %q: %w: %w", name, store.ErrDamaged, err)
	}
	return p, nil
}

// ListSnapshots implements store.Store.
func (s *Store) ListSnapshots(ctx context.Context) ([]store.SavedSnapshot, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	rows, err := s.conn.Query(ctx, "SELECT Name, Saved, Start, End, Spans FROM otelprof_snapshots FINAL WHERE Deleted = 0 ORDER BY Name")
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	list := []store.SavedSnapshot{}
	for rows.Next() {
		var d store.SavedSnapshot
		var saved, start, end int64
		if err := rows.Scan(&d.Name, &saved, &start, &end, &d.Spans); err != nil {
			return nil, explain(err)
		}
		d.Saved, d.Start, d.End = time.Unix(0, saved), momentOf(start), momentOf(end)
		list = append(list, d)
	}
	return list, explain(rows.Err())
}

// DeleteSnapshot implements store.Store.
func (s *Store) DeleteSnapshot(ctx context.Context, name string) error {
	if _, err := s.LoadSnapshot(ctx, name); err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	return s.putSnapshot(ctx, store.SavedSnapshot{Name: name, Saved: s.options.Now()}, nil, 1)
}
