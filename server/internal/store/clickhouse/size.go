package clickhouse

import (
	"context"
	"math"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Size implements store.Reader. Bytes are those of the tables on the server that is asked, and of the queue of this node; log
// entries are this node's. Spans that a Collector wrote count, the traces of these do not.
func (s view) Size(ctx context.Context) (store.Size, error) {
	if err := s.use(ctx); err != nil {
		return store.Size{}, err
	}
	local, err := s.local.Size(ctx)
	if err != nil {
		return store.Size{}, err
	}
	ctx, waiting, release, err := s.outbox.read(ctx, s.upTo)
	if err != nil {
		return store.Size{}, err
	}
	defer release()
	size := store.Size{LogEntries: local.LogEntries, Completed: s.Completion().Through}
	var spans, traces uint64
	var start, end int64
	err = s.conn.QueryRow(ctx, "SELECT sum(n), sum(traces), minIf(first, n > 0), maxIf(last, n > 0) FROM ("+
		"SELECT count() AS n, countIf(OtelprofIndex = 0 AND OtelprofOrder > 0) AS traces, min(toUnixTimestamp64Nano(Timestamp)) AS first, "+
		"max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)) AS last FROM otel_traces"+s.perShard()+")").
		Scan(&spans, &traces, &start, &end)
	if err != nil {
		return store.Size{}, explain(err)
	}
	if spans == 0 {
		start, end = math.MaxInt64, math.MinInt64
	}
	size.Spans, size.Traces = int64(spans), int64(traces)
	if size.Bytes, err = s.bytes(ctx); err != nil {
		return store.Size{}, err
	}
	for _, p := range waiting {
		from, to := extent(&p.segment)
		start, end = min(start, from), max(end, to)
		size.Spans += p.spans
		size.Traces += int64(len(p.segment.Traces))
		size.Bytes += p.bytes
	}
	if size.Spans > 0 {
		size.Oldest, size.Newest = time.Unix(0, start), time.Unix(0, end)
	}
	return size, nil
}

// bytes returns how much the tables take on the disk of the server that is asked.
func (s *Store) bytes(ctx context.Context) (int64, error) {
	var n uint64
	err := s.conn.QueryRow(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() "+
		"AND (table LIKE 'otelprof\\_%' OR table LIKE 'otel\\_traces%')").Scan(&n)
	return int64(n), explain(err)
}

// extent returns the earliest start and the latest end of the spans of a segment.
func extent(g *store.Segment) (start, end int64) {
	start, end = math.MaxInt64, math.MinInt64
	var read otlp.Span
	for i := range g.Traces {
		for _, sp := range g.Traces[i].Spans {
			if read.Read(sp.Raw) == nil {
				from, to := store.Moment(read.Start), store.Moment(read.End)
				start, end = min(start, from), max(end, from, to)
			}
		}
	}
	return start, end
}
