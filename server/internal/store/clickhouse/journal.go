package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// entry is one of the journal of the completion. ClickHouse takes each term once, whoever writes it first: that is how nodes
// agree on who completes traces, and how far that has come.
type entry struct {
	term uint64
	// holder is the node that completes traces, until that time in ns since the Unix epoch.
	holder string
	until  int64
	// through is the time, in ns since the Unix epoch, before which all parts of traces that had arrived are completed.
	through int64
	// done is the number of the last plan that was carried out.
	done uint64
}

const entryColumns = "Term, Holder, Until, Through, Done"

// lastEntry returns the last entry of the journal; the zero one if there is none.
func (s *Store) lastEntry(ctx context.Context) (entry, error) {
	return s.readEntry(ctx, "SELECT "+entryColumns+" FROM otelprof_journal ORDER BY Term DESC LIMIT 1")
}

func (s *Store) readEntry(ctx context.Context, query string, args ...any) (e entry, err error) {
	err = s.conn.QueryRow(ctx, query, args...).Scan(&e.term, &e.holder, &e.until, &e.through, &e.done)
	if errors.Is(err, sql.ErrNoRows) {
		return entry{}, nil
	}
	return e, explain(err)
}

// writeEntry writes the entry after the last one that was read, and reports whether it is ours that stands there.
func (s *Store) writeEntry(ctx context.Context, e entry) (won bool, err error) {
	rows := []any{[]uint64{e.term}, []string{e.holder}, []int64{e.until}, []int64{e.through}, []uint64{e.done}}
	if _, err := s.insert(ctx, token("term", e.term), "otelprof_journal", journalColumns, rows, 1); err != nil {
		return false, explain(err)
	}
	there, err := s.readEntry(ctx, "SELECT "+entryColumns+" FROM otelprof_journal WHERE Term = ? LIMIT 1", e.term)
	return there == e, err
}

var journalColumns = []string{"Term", "Holder", "Until", "Through", "Done"}

// hold returns the entry by which this node completes traces, if no other does.
func (s *Store) hold(ctx context.Context) (e entry, ours bool, err error) {
	last, err := s.lastEntry(ctx)
	if err != nil {
		return last, false, err
	}
	left := last.until - s.options.Now().UnixNano()
	switch ours := last.holder == s.node; {
	case left > 0 && !ours:
		return last, false, nil
	case left > int64(s.options.Timeout) && ours:
		return last, true, nil
	}
	return s.renew(ctx, last)
}

// renew writes the next entry: with what is in this one, and some more time.
func (s *Store) renew(ctx context.Context, e entry) (next entry, ours bool, err error) {
	next = e
	next.term, next.holder = e.term+1, s.node
	next.until = s.options.Now().Add(2 * s.options.Timeout).UnixNano()
	ours, err = s.writeEntry(ctx, next)
	return next, ours, err
}

// release lets another node go on at once.
func (s *Store) release(ctx context.Context) error {
	last, err := s.lastEntry(ctx)
	if err != nil || last.holder != s.node {
		return err
	}
	last.term++
	last.until = 0
	_, err = s.writeEntry(ctx, last)
	return err
}

// milliseconds returns a time in ns since the Unix epoch as the tables of the completion have it: in ms.
func milliseconds(nanos int64) time.Time { return time.UnixMilli(nanos / int64(time.Millisecond)) }
