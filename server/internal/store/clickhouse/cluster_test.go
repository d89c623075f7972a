package clickhouse_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// newShards makes the tables of a cluster on two servers that know each other as the cluster "two". ON CLUSTER, for which servers
// need a Keeper, is left out: every statement goes to both.
func newShards(t *testing.T) (url string, schema clickhouse.Schema) {
	list := os.Getenv("OTELPROF_TEST_CLICKHOUSE_SHARDS")
	if list == "" {
		t.Skip("OTELPROF_TEST_CLICKHOUSE_SHARDS, host:port,host:port of the servers of a cluster named two, is not set")
	}
	schema = clickhouse.Schema{Cluster: "two"}
	script, err := schema.Script()
	require.NoError(t, err)
	script = strings.ReplaceAll(script, " ON CLUSTER 'two'", "")
	statements := strings.Split(strings.TrimSpace(script), ";\n")
	name := "otelprof_shards_" + time.Now().Format("150405000000000")
	shards := strings.Split(list, ",")
	for _, address := range shards {
		conn := connect(t, "clickhouse://"+address+"/default")
		require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+name))
		t.Cleanup(func() { require.NoError(t, conn.Exec(context.Background(), "DROP DATABASE "+name)) })
	}
	// Tables first, on all shards; then what asks for them.
	for _, asks := range []bool{false, true} {
		for _, address := range shards {
			conn := connect(t, "clickhouse://"+address+"/"+name)
			for _, statement := range statements {
				if strings.Contains(statement, "INSERT INTO") == asks {
					require.NoError(t, conn.Exec(t.Context(), statement), statement)
				}
			}
		}
	}
	return "clickhouse://" + shards[0] + "/" + name, schema
}

// TestTwoShards commits to, asks and completes on two shards. The answers are those of a node with a store of its own.
func TestTwoShards(t *testing.T) {
	url, schema := newShards(t)
	c := &cluster{t: t, clock: newClock(), url: url, schema: schema, g: storetest.NewGenerator(11)}
	c.start(2)
	defer c.close()
	c.send(150)
	c.flush()
	want := c.want()
	requireSame(t, withoutTree(want), withoutTree(c.nodes[0].profile()))
	c.clock.advance(time.Minute)
	require.NoError(t, c.nodes[1].CompleteTraces(t.Context()))
	c.requireDone(want)

	conn := connect(t, url)
	for _, table := range []string{"otel_traces_local", "otelprof_profile_local"} {
		var here, all uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&here))
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM (SELECT 1 FROM "+strings.TrimSuffix(table, "_local")+")").Scan(&all))
		require.Less(t, here, all, table)
		require.NotZero(t, here, table)
	}
	ctx, s := t.Context(), c.nodes[1]
	for _, q := range []*store.Query{{}, {Limit: 7}, {Service: "cart", Limit: 20}} {
		hits, err := s.Search(ctx, q)
		require.NoError(t, err)
		expected, err := c.alone.Search(ctx, q)
		require.NoError(t, err)
		require.Equal(t, expected, hits)
		ids := make([]core.TraceID, len(hits))
		for i := range hits {
			ids[i] = hits[i].Trace
		}
		found, err := s.Traces(ctx, ids, store.Range{})
		require.NoError(t, err)
		require.Len(t, found.Traces, len(ids))
	}
	size, err := s.Size(ctx)
	require.NoError(t, err)
	alone, err := c.alone.Size(ctx)
	require.NoError(t, err)
	require.Equal(t, alone.Spans, size.Spans)
	require.Equal(t, alone.Newest.UnixNano(), size.Newest.UnixNano())
	services, err := s.Services(ctx)
	require.NoError(t, err)
	expected, err := c.alone.Services(ctx)
	require.NoError(t, err)
	require.Equal(t, expected, services)
	operations, err := s.Operations(ctx, "cart")
	require.NoError(t, err)
	expectedOperations, err := c.alone.Operations(ctx, "cart")
	require.NoError(t, err)
	require.Equal(t, expectedOperations, operations)
}

// withoutTree leaves what is exact before traces are completed.
func withoutTree(s *core.Snapshot) *core.Snapshot {
	c := *s
	c.Nodes, c.Blocks = nil, append([]core.Block(nil), s.Blocks...)
	for i := range c.Blocks {
		c.Blocks[i].Stats.Self, c.Blocks[i].Stats.Critical, c.Blocks[i].Pending = 0, 0, 0
	}
	return &c
}
