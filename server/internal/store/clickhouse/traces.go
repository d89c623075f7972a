package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// idsAtOnce is how many traces are asked for in one query.
const idsAtOnce = 1000

// Traces implements store.Reader. Traces are found by their ids; within does not matter, since otel_traces_trace_id_ts knows when
// they were.
func (s view) Traces(ctx context.Context, ids []core.TraceID, _ store.Range) (*store.Found, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	ctx, waiting, release, err := s.outbox.read(ctx, s.upTo)
	if err != nil {
		return nil, err
	}
	defer release()
	c := collection{wanted: make(map[core.TraceID][]store.Span, len(ids)), origins: map[originKey]int{}}
	var order []core.TraceID
	for _, id := range ids {
		if _, twice := c.wanted[id]; !twice {
			c.wanted[id] = nil
			order = append(order, id)
		}
	}
	for some := range slices.Chunk(order, idsAtOnce) {
		if err := s.collect(ctx, &c, some); err != nil {
			return nil, err
		}
	}
	for _, p := range waiting {
		c.addSegment(&p.segment)
	}
	for _, id := range order {
		if spans := c.wanted[id]; len(spans) > 0 {
			c.found.Traces = append(c.found.Traces, store.Trace{ID: id, Spans: spans})
		}
	}
	return &c.found, nil
}

// collection gathers the spans of traces.
type collection struct {
	wanted  map[core.TraceID][]store.Span
	origins map[originKey]int
	found   store.Found
}

type originKey struct{ resource, scope, service string }

func (c *collection) add(id core.TraceID, o originKey, raw []byte) {
	c.wanted[id] = append(c.wanted[id], store.Span{Origin: c.origin(o), Raw: raw})
}

// origin returns the index of an origin.
func (c *collection) origin(o originKey) int {
	n, ok := c.origins[o]
	if !ok {
		n = len(c.found.Origins)
		c.origins[o] = n
		c.found.Origins = append(c.found.Origins, store.Origin{Resource: []byte(o.resource), Scope: []byte(o.scope), Service: o.service})
	}
	return n
}

func (c *collection) addSegment(g *store.Segment) {
	for i := range g.Traces {
		t := &g.Traces[i]
		if _, ok := c.wanted[t.ID]; !ok {
			continue
		}
		for _, sp := range t.Spans {
			o := &g.Origins[sp.Origin]
			c.add(t.ID, originKey{string(o.Resource), string(o.Scope), o.Service}, sp.Raw)
		}
	}
}

// collect reads the spans of traces from ClickHouse: first when they were, then those that we wrote, then those that a Collector
// wrote, which have no remainder.
func (s *Store) collect(ctx context.Context, c *collection, ids []core.TraceID) error {
	condition, err := s.whereTraces(ctx, ids)
	if err != nil || condition == "" {
		return err
	}
	foreign := false
	rows, err := s.conn.Query(ctx, "SELECT "+spanRowColumns+" FROM otel_traces WHERE "+condition+
		" ORDER BY OtelprofOrder, OtelprofNode, OtelprofPart, OtelprofIndex")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r spanRow
		if err := rows.Scan(r.fields()...); err != nil {
			return explain(err)
		}
		if r.remainder == "" {
			foreign = true
			continue
		}
		id, err := traceID(r.trace)
		if err != nil {
			return err
		}
		message, err := r.message(id)
		if err != nil {
			return err
		}
		c.add(id, r.originKey, message)
	}
	if err := rows.Err(); err != nil {
		return explain(err)
	}
	if foreign {
		return s.collectForeign(ctx, c, condition)
	}
	return nil
}

// whereTraces returns the condition for the rows of traces, "" if there are none.
func (s *Store) whereTraces(ctx context.Context, ids []core.TraceID) (string, error) {
	var list strings.Builder
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString("'" + id.String() + "'")
	}
	var first, last time.Time
	var n uint64
	err := s.conn.QueryRow(ctx, "SELECT min(Start), max(End), count() FROM (SELECT Start, End FROM otel_traces_trace_id_ts WHERE TraceId IN ("+list.String()+"))").
		Scan(&first, &last, &n)
	if err != nil || n == 0 {
		return "", explain(err)
	}
	// A DateTime ends in 2106.
	return fmt.Sprintf("TraceId IN (%s) AND (Timestamp >= toDateTime64(%d, 9) AND Timestamp < toDateTime64(%d, 9) OR Timestamp >= toDateTime64('2106-01-01 00:00:00', 9, 'UTC'))",
		list.String(), first.Unix(), last.Unix()+1), nil
}

func traceID(text string) (id core.TraceID, err error) {
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return id, fmt.Errorf("%w: a trace in ClickHouse: %w", store.ErrDamaged, err)
	}
	return id, nil
}
