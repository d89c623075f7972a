package blackbox

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/demo"
)

// newDatabase makes a database in the ClickHouse to test with, and returns its URL; or it skips the test.
func newDatabase(t *testing.T) string {
	address := os.Getenv("OTELPROF_TEST_CLICKHOUSE")
	if address == "" {
		t.Skip("OTELPROF_TEST_CLICKHOUSE, host:port of ClickHouse's native protocol, is not set: no engine to test against")
	}
	conn, err := driver.Open(&driver.Options{Addr: []string{address}})
	require.NoError(t, err)
	name := fmt.Sprintf("otelprof_blackbox_%d_%d", os.Getpid(), time.Now().UnixNano())
	require.NoError(t, conn.Exec(context.Background(), "CREATE DATABASE "+name))
	t.Cleanup(func() {
		require.NoError(t, conn.Exec(context.Background(), "DROP DATABASE "+name))
		require.NoError(t, conn.Close())
	})
	return "clickhouse://u:hush@" + address + "/" + name
}

// node starts one of several nodes.
func node(t *testing.T, data, url string) *server {
	s := start(t, data, "--store", "clickhouse", "--trace-grace", "500ms", "--trace-idle", "1s",
		"--clickhouse-complete-every", "200ms", "--clickhouse-complete-grace", "2s")
	s.cmd.Env = append(os.Environ(), "OTELPROF_CLICKHOUSE="+url)
	return s.run()
}

// take has a server take spans of one service.
func (s *server) take(r *tracepb.ResourceSpans) {
	s.t.Helper()
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{r}})
	require.NoError(s.t, err)
	response, err := http.Post("http://"+s.http+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	require.Equal(s.t, http.StatusOK, response.StatusCode)
}

// waitFor waits until the server counts so many spans, none of them pending. One node of three does so in seconds, and in more than
// a minute where other tests keep the processors and the same ClickHouse busy.
func (s *server) waitFor(spans int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		count, pending := 0, int64(0)
		for _, b := range s.blocks() {
			count += int(b.Stats.Count)
			pending += b.Pending
		}
		require.LessOrEqual(s.t, count, spans, "more is counted than there is")
		return count == spans && pending == 0
	}, 4*time.Minute, 50*time.Millisecond, "%s", s.output)
}

// byService puts the spans of a trace together by service.
func byService(trace []demo.Span) (all []*tracepb.ResourceSpans) {
	services := map[string][]demo.Span{}
	for _, s := range trace {
		services[s.Service] = append(services[s.Service], s)
	}
	for _, service := range slices.Sorted(maps.Keys(services)) {
		all = append(all, demo.Resource(service, services[service]))
	}
	return all
}

// bySpan returns the spans of a trace one by one.
func bySpan(trace []demo.Span) (all []*tracepb.ResourceSpans) {
	for i := range trace {
		all = append(all, demo.Resource(trace[i].Service, trace[i:i+1]))
	}
	return all
}

// answers are what must be the same of all servers.
func (s *server) answers() (all []string) {
	s.t.Helper()
	for _, path := range []string{
		"/api/services", "/api/v3/operations?service=web", "/api/v3/services",
		"/api/v1/profile?since=all&format=csv", "/api/v1/profile?since=all&format=folded",
	} {
		all = append(all, path+": "+string(s.fetch(path)))
	}
	return append(all, s.traces()...)
}

// traces returns all traces by Jaeger's API: their spans in an order that does not depend on when they came.
func (s *server) traces() (all []string) {
	s.t.Helper()
	type span struct {
		SpanID    string `json:"spanID"`
		Operation string `json:"operationName"`
		Start     int64  `json:"startTime"`
		Duration  int64  `json:"duration"`
		Tags      any    `json:"tags"`
	}
	var found struct {
		Data []struct {
			TraceID string `json:"traceID"`
			Spans   []span `json:"spans"`
		} `json:"data"`
	}
	s.get("/api/traces?service=web&limit=10000&lookback=2h", &found)
	for _, trace := range found.Data {
		slices.SortFunc(trace.Spans, func(a, b span) int { return cmp.Compare(a.SpanID, b.SpanID) })
		all = append(all, fmt.Sprint(trace))
	}
	return all
}

// TestThreeNodes sends the same traces to one node with Pebble and to three with one ClickHouse behind them: whole traces, services
// of a trace to different nodes, and every span to the next node. The answers are the same.
func TestThreeNodes(t *testing.T) {
	for _, way := range []string{"whole traces", "services", "spans"} {
		t.Run(way, func(t *testing.T) {
			url := newDatabase(t)
			one := start(t, t.TempDir(), "--trace-grace", "500ms", "--trace-idle", "1s").run()
			var nodes []*server
			for range 3 {
				nodes = append(nodes, node(t, t.TempDir(), url))
			}
			g, began, spans := demo.New(7), time.Now().Add(-10*time.Minute), 0
			for i := range 150 {
				trace := g.Trace(began.Add(time.Duration(i) * time.Second))
				spans += len(trace)
				parts := byService(trace)
				if way == "spans" {
					parts = bySpan(trace)
				}
				for n, r := range parts {
					one.take(r)
					if way == "whole traces" {
						n = i
					}
					nodes[n%3].take(r)
				}
			}
			for _, s := range append([]*server{one}, nodes...) {
				s.waitFor(spans)
			}
			want := one.answers()
			for _, s := range nodes {
				got := s.answers()
				require.Len(t, got, len(want))
				for i := range want {
					require.True(t, want[i] == got[i], "want %.600s\n got %.600s", want[i], got[i])
				}
				require.Equal(t, one.sorted(), s.sorted())
				require.Contains(t, string(s.fetch("/metrics")), "otelprof_store_completed_timestamp_seconds 1.")
				require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
				require.NotContains(t, s.output.String(), "hush")
			}
			require.NoError(t, one.end(syscall.SIGTERM))
		})
	}
}

// sorted returns the blocks in an order of their own.
func (s *server) sorted() []block {
	s.t.Helper()
	list := s.blocks()
	slices.SortFunc(list, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Track, b.Track), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// TestKilledNode kills a node in the midst of its work, several times: every span that was acknowledged is there once.
func TestKilledNode(t *testing.T) {
	url, data := newDatabase(t), t.TempDir()
	g, began, spans := demo.New(9), time.Now().Add(-10*time.Minute), 0
	for round := range 4 {
		s := node(t, data, url)
		for i := range 50 {
			trace := g.Trace(began.Add(time.Duration(round*50+i) * time.Second))
			spans += len(trace)
			for _, r := range byService(trace) {
				s.take(r)
			}
		}
		if round%2 == 1 {
			s.waitFor(spans) // then all of it is in segments, and some of these are being sent
		}
		_ = s.end(syscall.SIGKILL)
	}
	s := node(t, data, url)
	s.waitFor(spans)
	require.Len(t, s.traces(), 200)
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
	other := node(t, t.TempDir(), url)
	other.waitFor(spans)
	require.Contains(t, string(other.fetch("/metrics")), "otelprof_store_queue_segments 0")
	require.NoError(t, other.end(syscall.SIGTERM), "%s", other.output)
}
