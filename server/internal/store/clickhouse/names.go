package clickhouse

import (
	"context"
	"maps"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Services implements store.Reader.
func (s view) Services(ctx context.Context) ([]string, error) {
	names := map[string]struct{}{}
	err := s.operations(ctx, "SELECT ServiceName, '', '' FROM otel_traces GROUP BY ServiceName"+s.perShard(), func(o store.Operation) { names[o.Service] = struct{}{} })
	return slices.Sorted(maps.Keys(names)), err
}

// Operations implements store.Reader.
func (s view) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	query := "SELECT ServiceName, SpanName, SpanKind FROM otel_traces"
	if service != "" {
		query += " WHERE ServiceName = " + quote(service)
	}
	query += " GROUP BY ServiceName, SpanName, SpanKind" + s.perShard()
	all := map[store.Operation]struct{}{}
	err := s.operations(ctx, query, func(o store.Operation) {
		if service == "" || o.Service == service {
			all[o] = struct{}{}
		}
	})
	return slices.SortedFunc(maps.Keys(all), store.Operation.Compare), err
}

// operations calls f for what a query finds, which may be the same several times, and for the spans that wait.
func (s view) operations(ctx context.Context, query string, f func(store.Operation)) error {
	if err := s.use(ctx); err != nil {
		return err
	}
	ctx, waiting, release, err := s.outbox.read(ctx, s.upTo)
	if err != nil {
		return err
	}
	defer release()
	var read otlp.Span
	for _, p := range waiting {
		for i := range p.segment.Traces {
			for _, sp := range p.segment.Traces[i].Spans {
				if err := read.Read(sp.Raw); err != nil {
					return err
				}
				f(store.Operation{Service: p.segment.Origins[sp.Origin].Service, Name: string(read.Name), Kind: read.Kind})
			}
		}
	}
	rows, err := s.conn.Query(ctx, query)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var o store.Operation
		var kind string
		if err := rows.Scan(&o.Service, &o.Name, &kind); err != nil {
			return explain(err)
		}
		o.Kind = core.Kind(max(slices.Index(kinds[:], kind), 0))
		f(o)
	}
	return explain(rows.Err())
}
