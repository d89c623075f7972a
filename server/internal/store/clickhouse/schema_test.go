package clickhouse_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	driverclickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestScript(t *testing.T) {
	for name, schema := range map[string]clickhouse.Schema{
		"single":             {},
		"single-ttl":         {TTL: 30 * 24 * time.Hour},
		"replicated":         {Replicated: true},
		"cluster":            {Cluster: "main"},
		"cluster-replicated": {Cluster: "{cluster}", Replicated: true, TTL: 7 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := schema.Script()
			require.NoError(t, err)
			golden := filepath.Join("testdata", "schema-"+name+".sql")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
	for _, bad := range []clickhouse.Schema{{Cluster: "a'b"}, {TTL: time.Hour}, {TTL: -24 * time.Hour}} {
		_, err := bad.Script()
		require.Error(t, err)
	}
}

// TestSeveralNodesMigrate starts at the same time on an empty database.
func TestSeveralNodesMigrate(t *testing.T) {
	o := options(t, newDatabase(t))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := clickhouse.Migrate(context.Background(), o.URL, clickhouse.Schema{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s := open(t, o)
	require.NoError(t, s.Close())
	o.KeepSchema = true
	require.NoError(t, open(t, o).Close())
}

// deafConn does not answer the first statements.
type deafConn struct {
	driver.Conn
	deaf, asked int
}

func (c *deafConn) Exec(ctx context.Context, _ string, _ ...any) error {
	c.asked++
	if c.asked > c.deaf {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestLostStatements are given again, three times at most, and not when the caller is who has no time.
func TestLostStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			deaf, asked int
			schema      clickhouse.Schema
			given, took time.Duration
			err         error
		}{
			{deaf: 0, asked: 1, given: time.Hour},
			{deaf: 2, asked: 3, given: time.Hour, took: time.Minute},
			{deaf: 2, asked: 3, given: time.Hour, took: 8 * time.Minute, schema: clickhouse.Schema{Cluster: "main"}},
			{deaf: 9, asked: 3, given: time.Hour, took: 90 * time.Second, err: context.DeadlineExceeded},
			{deaf: 9, asked: 1, given: time.Second, took: time.Second, err: context.DeadlineExceeded},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), c.given)
			conn, began := &deafConn{deaf: c.deaf}, time.Now()
			require.ErrorIs(t, clickhouse.ExecStatement(ctx, conn, c.schema, "CREATE"), c.err)
			cancel()
			require.Equal(t, c.asked, conn.asked)
			require.Equal(t, c.took, time.Since(began))
		}
	})
}

// busyConn has another change of the tables in its way at first.
type busyConn struct {
	driver.Conn
	busy int
}

func (c *busyConn) Exec(context.Context, string, ...any) error {
	if c.busy--; c.busy >= 0 {
		return &driverclickhouse.Exception{Code: 517, Message: "this replica still not applied some of previous alters"}
	}
	return nil
}

// TestStatementsOfSeveralNodes wait for each other, and not for ever.
func TestStatementsOfSeveralNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, clickhouse.ExecStatement(t.Context(), &busyConn{busy: 20}, clickhouse.Schema{}, "ALTER"))
		require.Equal(t, 20*time.Second, time.Since(began))
		require.ErrorContains(t, clickhouse.ExecStatement(t.Context(), &busyConn{busy: 1 << 20}, clickhouse.Schema{}, "ALTER"), "previous alters")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.Error(t, clickhouse.ExecStatement(ctx, &busyConn{busy: 1 << 20}, clickhouse.Schema{}, "ALTER"))
	})
}

func TestOtherVersions(t *testing.T) {
	o := options(t, newDatabase(t))
	o.KeepSchema = true
	_, err := clickhouse.Open(context.Background(), o)
	require.ErrorIs(t, err, clickhouse.ErrSchema)
	require.ErrorContains(t, err, "otelprof clickhouse schema --apply")
	o.KeepSchema = false
	require.NoError(t, open(t, o).Close())
	conn := connect(t, o.URL)
	require.NoError(t, conn.Exec(context.Background(), "INSERT INTO otelprof_schema (Version) VALUES (99)"))
	_, err = clickhouse.Open(context.Background(), o)
	require.ErrorIs(t, err, clickhouse.ErrSchema)
	require.ErrorContains(t, err, "use a newer otelprof")
	require.ErrorIs(t, clickhouse.Migrate(context.Background(), o.URL, clickhouse.Schema{}), clickhouse.ErrSchema)
}

// TestTTL is set where there are tables without one, or with another, and stays when none is given.
func TestTTL(t *testing.T) {
	url, ctx := newDatabase(t), t.Context()
	conn := connect(t, url)
	for _, c := range []struct {
		given time.Duration
		want  string
		n     uint64
	}{{0, "", 0}, {30 * 24 * time.Hour, "toIntervalDay(30)", 5}, {7 * 24 * time.Hour, "toIntervalDay(7)", 5}, {0, "toIntervalDay(7)", 5}} {
		require.NoError(t, clickhouse.Migrate(ctx, url, clickhouse.Schema{TTL: c.given}))
		var n uint64
		require.NoError(t, conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND ? != '' "+
			"AND position(engine_full, ?) > 0", c.want, c.want).Scan(&n))
		require.Equal(t, c.n, n)
	}
}

// TestTableOfACollector has a table that a Collector made, with a span that it wrote.
func TestTableOfACollector(t *testing.T) {
	o := options(t, newDatabase(t))
	conn, ctx := connect(t, o.URL), context.Background()
	statements, err := clickhouse.Schema{}.Statements(1)
	require.NoError(t, err)
	for _, statement := range statements {
		require.NoError(t, conn.Exec(ctx, statement))
	}
	require.NoError(t, conn.Exec(ctx, `INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind,
		ServiceName, ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
		Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes) VALUES
		(fromUnixTimestamp64Nano(1772366400000000007), '0102030405060708090a0b0c0d0e0f10', '0102030405060708', '1112131415161718', 'a=b',
		'GET /', 'Server', 'shop', {'service.name':'shop','host':'h'}, 'lib', '1.2', {'n':'7','path':'it''s \\ here'}, 1500, 'Error', 'broken',
		[fromUnixTimestamp64Nano(1772366400000000008)], ['exception'], [{'type':'Timeout'}],
		['0102030405060708090a0b0c0d0e0f10'], ['2122232425262728'], [''], [{'why':'retry'}])`))
	s := open(t, o)
	id := core.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	found, err := s.Traces(ctx, []core.TraceID{id}, store.Range{})
	require.NoError(t, err)
	require.Len(t, found.Traces, 1)
	require.Equal(t, "shop", found.Origins[0].Service)
	var read otlp.Span
	require.NoError(t, read.Read(found.Traces[0].Spans[0].Raw))
	require.Empty(t, read.Bad)
	require.Equal(t, "GET /", string(read.Name))
	require.Equal(t, core.KindServer, read.Kind)
	require.EqualValues(t, 1772366400000000007, read.Start)
	require.EqualValues(t, 1500, read.Duration())
	require.True(t, read.Failed)
	require.Equal(t, "1112131415161718", read.Parent.String())
	for _, a := range []store.Attribute{
		{Key: "host", Value: "h"}, {Key: "n", Value: "7"}, {Key: "path", Value: `it's \ here`}, {Key: "type", Value: "Timeout"},
		{Key: "why", Value: "retry"}, {Key: "error", Value: "true"},
	} {
		q := &store.Query{Service: "shop", Attributes: []store.Attribute{a}}
		hits, err := s.Search(ctx, q)
		require.NoError(t, err)
		require.Equal(t, []core.TraceID{id}, store.IDs(hits), a.Key)
		_, ok := store.NewMatcher(q).Match(&found.Origins[0], found.Traces[0].Spans[0].Raw)
		require.True(t, ok, "what ClickHouse finds, the span must say: %s", a.Key)
	}
	operations, err := s.Operations(ctx, "")
	require.NoError(t, err)
	require.Equal(t, []store.Operation{{Service: "shop", Name: "GET /", Kind: core.KindServer}}, operations)
	// Ours beside it.
	m := storetest.NewGenerator(5).Segment(3)
	require.NoError(t, s.Commit(ctx, &m.Segment))
	found, err = s.Traces(ctx, []core.TraceID{id, m.Traces[0].ID}, store.Range{})
	require.NoError(t, err)
	require.Len(t, found.Traces, 2)
	require.NoError(t, s.Close())
	// Whoever reads the table by hand sees what a Collector would have written.
	var names []string
	require.NoError(t, conn.QueryRow(ctx, "SELECT groupUniqArray(SpanAttributes['server.port']) FROM otel_traces WHERE SpanAttributes['db.system.name'] = 'postgresql'").Scan(&names))
	require.True(t, slices.Contains(names, "5432"))
}

// TestSizeIsNotAScan: what is asked often is answered from projections of otel_traces, which follow whatever is deleted.
func TestSizeIsNotAScan(t *testing.T) {
	o := options(t, newDatabase(t))
	s := open(t, o)
	m := storetest.NewGenerator(5).Segment(30)
	require.NoError(t, s.Commit(t.Context(), &m.Segment))
	require.NoError(t, s.Close())
	o.URL += "?force_optimize_projection=1"
	s = open(t, o)
	size, err := s.Size(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(m.Spans), size.Spans)
	require.EqualValues(t, 30, size.Traces)
	services, err := s.Services(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, services)
	operations, err := s.Operations(t.Context(), services[0])
	require.NoError(t, err)
	require.NotEmpty(t, operations)
	_, err = s.Search(t.Context(), &store.Query{})
	require.ErrorContains(t, err, "projection", "which the setting does not allow")
	require.NoError(t, s.Close())
}
