package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search implements store.Reader. ClickHouse finds and orders; what waits is looked through here.
func (s view) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	ctx, waiting, release, err := s.outbox.read(ctx, s.upTo)
	if err != nil {
		return nil, err
	}
	defer release()
	hits, matcher := store.NewHits(q.Limit), store.NewMatcher(q)
	for _, p := range waiting {
		g := &p.segment
		for i := range g.Traces {
			for _, sp := range g.Traces[i].Spans {
				if start, ok := matcher.Match(&g.Origins[sp.Origin], sp.Raw); ok {
					hits.Add(g.Traces[i].ID, start)
				}
			}
		}
	}
	if err := s.search(ctx, q, hits); err != nil {
		return nil, err
	}
	return hits.All(), nil
}

func (s *Store) search(ctx context.Context, q *store.Query, hits *store.Hits) error {
	limit := ""
	if q.Limit > 0 {
		limit = fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	// A trace is on one shard.
	text := "SELECT TraceId, at FROM (SELECT TraceId, max(toUnixTimestamp64Nano(Timestamp)) AS at FROM otel_traces WHERE " + where(q) +
		" GROUP BY TraceId ORDER BY at DESC, TraceId" + limit + s.perShard() + ") ORDER BY at DESC, TraceId" + limit
	rows, err := s.conn.Query(ctx, text)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var trace string
		var at int64
		if err := rows.Scan(&trace, &at); err != nil {
			return explain(err)
		}
		id, err := traceID(trace)
		if err != nil {
			return err
		}
		hits.Add(id, at)
	}
	return explain(rows.Err())
}

// where returns the condition of a query, which is true for the same spans as in store.Matcher.
func where(q *store.Query) string {
	conditions := []string{"TraceId != ''"}
	add := func(format string, args ...any) { conditions = append(conditions, fmt.Sprintf(format, args...)) }
	if q.Service != "" {
		add("ServiceName = %s", quote(q.Service))
	}
	if q.Operation != "" {
		add("SpanName = %s", quote(q.Operation))
	}
	if q.Kind != core.KindUnspecified {
		kind := ""
		if int(q.Kind) < len(kinds) {
			kind = kinds[q.Kind]
		}
		add("SpanKind = %s", quote(kind))
	}
	if !q.Start.From.IsZero() {
		add("Timestamp >= fromUnixTimestamp64Nano(toInt64(%d))", firstMoment(q.Start.From))
	}
	if !q.Start.To.IsZero() {
		add("Timestamp < fromUnixTimestamp64Nano(toInt64(%d))", firstMoment(q.Start.To))
	}
	if q.MinDuration > 0 {
		add("Duration >= %d", q.MinDuration)
	}
	if q.MaxDuration != 0 {
		add("Duration <= %d", max(q.MaxDuration, -1))
	}
	for _, a := range q.Attributes {
		switch {
		case a.Key == "error" && a.Value == "true":
			add("StatusCode = 'Error'")
		case a.Key == "error" && a.Value == "false":
			add("StatusCode != 'Error'")
		default:
			add("%s", hasAttribute(a))
		}
	}
	return strings.Join(conditions, " AND ")
}

// firstMoment returns a time in ns since the Unix epoch, cut at those that OTLP can tell.
func firstMoment(t time.Time) int64 { return max(store.Nanos(t), 0) }

// hasAttribute asks everywhere for an attribute. The conditions on keys and values alone are what the indexes are for.
func hasAttribute(a store.Attribute) string {
	key, value := quote(a.Key), quote(a.Value)
	in := func(attributes string) string {
		return fmt.Sprintf("arrayExists((k, v) -> k = %s AND v = %s, mapKeys(%s), mapValues(%s))", key, value, attributes, attributes)
	}
	indexed := func(attributes string) string {
		return fmt.Sprintf("has(mapKeys(%s), %s) AND has(mapValues(%s), %s) AND %s", attributes, key, attributes, value, in(attributes))
	}
	return "(" + strings.Join([]string{
		indexed("SpanAttributes"), indexed("ResourceAttributes"), in("OtelprofScopeAttributes"),
		"arrayExists(m -> " + in("m") + ", `Events.Attributes`)", "arrayExists(m -> " + in("m") + ", `Links.Attributes`)",
	}, " OR ") + ")"
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)

// quote returns a text as a literal of SQL.
func quote(text string) string { return "'" + quoter.Replace(text) + "'" }
