package clickhouse_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// address returns that of the ClickHouse to test with, or skips the test.
func address(t testing.TB) string {
	address := os.Getenv("OTELPROF_TEST_CLICKHOUSE")
	if address == "" {
		t.Skip("OTELPROF_TEST_CLICKHOUSE, host:port of ClickHouse's native protocol, is not set: no engine to test against")
	}
	return address
}

var databases atomic.Int64

// newDatabase makes a database that is dropped at the end, and returns its URL.
func newDatabase(t testing.TB) string {
	name := fmt.Sprintf("otelprof_test_%d_%d", os.Getpid(), databases.Add(1))
	conn := connect(t, "clickhouse://"+address(t)+"/default")
	require.NoError(t, conn.Exec(context.Background(), "CREATE DATABASE "+name))
	t.Cleanup(func() { require.NoError(t, conn.Exec(context.Background(), "DROP DATABASE "+name)) })
	return "clickhouse://" + address(t) + "/" + name
}

func connect(t testing.TB, url string) driver.Conn {
	o, err := driver.ParseDSN(url)
	require.NoError(t, err)
	conn, err := driver.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func options(t testing.TB, url string) clickhouse.Options {
	return clickhouse.Options{
		URL: url, Dir: t.TempDir(), ReserveBytes: -1, RetainSlack: -1,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func open(t testing.TB, o clickhouse.Options) *clickhouse.Store {
	s, err := clickhouse.Open(context.Background(), o)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	address(t)
	all := map[store.Store]clickhouse.Options{}
	storetest.Run(t, storetest.Engine{
		New: func(t testing.TB) store.Store {
			o := options(t, newDatabase(t))
			s := open(t, o)
			all[s] = o
			return s
		},
		Reopen: func(t testing.TB, s store.Store) store.Store {
			require.NoError(t, s.Close())
			o := all[s]
			s = open(t, o)
			all[s] = o
			return s
		},
	})
}

// TestDown commits while ClickHouse does not answer, and sends when it does.
func TestDown(t *testing.T) {
	o := options(t, newDatabase(t))
	open(t, o).Close()
	down := o
	down.URL = "clickhouse://127.0.0.1:1/nothing?dial_timeout=100ms"
	down.CloseTime = -1
	s := open(t, down)
	ctx := context.Background()
	seq, err := s.Append(ctx, []byte("entry"))
	require.NoError(t, err)
	m := storetest.NewGenerator(1).Segment(100)
	m.AddProfiles()
	m.Consumed = []store.Consumed{{Seq: seq, All: true}}
	require.NoError(t, s.Commit(ctx, &m.Segment))
	_, err = s.Profile(ctx, store.Range{})
	require.ErrorContains(t, err, "ClickHouse does not answer")
	require.ErrorIs(t, err, store.ErrAway)
	require.EqualValues(t, len(m.Spans), s.Counters().WaitingSpans)
	require.NoError(t, s.Close())

	// What an earlier start left may be in ClickHouse already: whoever reads must wait until it was sent again, or count it twice.
	s = open(t, down)
	_, err = s.Profile(ctx, store.Range{})
	require.ErrorContains(t, err, "it is not known which spans ClickHouse has")
	require.NoError(t, s.Close())

	s = open(t, o)
	p, err := s.Profile(ctx, store.Range{})
	require.NoError(t, err)
	require.EqualValues(t, len(m.Spans), p.Counters.Spans)
	size, err := s.Size(ctx)
	require.NoError(t, err)
	require.EqualValues(t, len(m.Spans), size.Spans)
	require.Zero(t, size.LogEntries)
	require.NoError(t, s.Close())
}

func TestURLIsNeverShown(t *testing.T) {
	for _, bad := range []string{
		"clickhouse://u:hush@127.0.0.1:9000/x?dial_timeout=hush", "http://u:hush@h", "://hush", "clickhouse://u:hush@[::1", "",
	} {
		_, err := clickhouse.Open(context.Background(), clickhouse.Options{URL: bad, Dir: t.TempDir()})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hush")
	}
	u := url.URL{Scheme: "clickhouse", User: url.UserPassword("u", "hush"), Host: "127.0.0.1:1", Path: "/x", RawQuery: "dial_timeout=50ms"}
	var log strings.Builder
	s, err := clickhouse.Open(context.Background(), clickhouse.Options{
		URL: u.String(), Dir: t.TempDir(), ReserveBytes: -1, CloseTime: -1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	_, err = s.Services(context.Background())
	require.ErrorContains(t, err, "does not answer")
	require.NotContains(t, err.Error(), "hush")
	require.NoError(t, s.Close())
	require.Contains(t, log.String(), "does not answer")
	require.NotContains(t, log.String(), "hush")
}
