package jaeger_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

// peerConfig makes a Jaeger that reads from the remote storage at the first address. It would write to the second, but is
// sent nothing; a collector needs a pipeline to start.
const peerConfig = `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry: {metrics: {level: none}}
extensions:
  jaeger_query:
    storage: {traces: here}
    http: {endpoint: "%[3]s"}
    grpc: {endpoint: "%[4]s"}
  jaeger_storage:
    backends:
      here: {grpc: {endpoint: "%[1]s", tls: {insecure: true}, writer: {endpoint: "%[2]s", tls: {insecure: true}}}}
receivers:
  otlp: {protocols: {http: {endpoint: "%[5]s"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: here}
`

// startPeer starts a real Jaeger on top of the handler's remote storage, and returns the address of its HTTP API.
func startPeer(t *testing.T) string {
	binary, err := filepath.Abs("../../../bin/jaeger")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		if os.Getenv("OTELPROF_TEST_REQUIRE_JAEGER") == "1" {
			t.Fatal("there is no bin/jaeger, and OTELPROF_TEST_REQUIRE_JAEGER=1")
		}
		t.Skip("there is no bin/jaeger: run make jaeger")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := newHandler().StorageServer()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	address := freeAddress(t)
	config := filepath.Join(t.TempDir(), "jaeger.yaml")
	text := fmt.Sprintf(peerConfig, listener.Addr(), freeAddress(t), address, freeAddress(t), freeAddress(t))
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd := exec.Command(binary, "--config", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_SAMPLER=always_off") // it would send spans of its own
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		assert.NoError(t, cmd.Wait())
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
	})
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + address + "/api/services")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, time.Minute, 100*time.Millisecond)
	return "http://" + address + "/api/"
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// TestRealJaegerReadsFromHere asks a real Jaeger, whose storage this is, and compares with the spans, and with what this
// package answers to the same question.
func TestRealJaegerReadsFromHere(t *testing.T) {
	base := startPeer(t)
	defer http.DefaultClient.CloseIdleConnections()
	fetch := func(target string, answer any) {
		t.Helper()
		response, err := http.Get(base + target)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", target, body)
		require.NoError(t, json.Unmarshal(body, answer))
	}
	h := newHandler()
	var services, names envelope[[]string]
	fetch("services", &services)
	require.ElementsMatch(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, services.Data)
	fetch("services/"+url.PathEscape(querytest.Cart)+"/operations", &names)
	require.ElementsMatch(t, get[envelope[[]string]](t, h, "services/"+querytest.Cart+"/operations").Data, names.Data)

	for _, n := range []uint64{1, 7, 90, querytest.Duplicated} {
		target := "traces/" + querytest.TraceID(n).String()
		var theirs envelope[[]uiTrace]
		fetch(target, &theirs)
		ours := get[envelope[[]uiTrace]](t, h, target)
		require.Len(t, theirs.Data, 1)
		require.Len(t, theirs.Data[0].Spans, len(ours.Data[0].Spans))
		for _, s := range ours.Data[0].Spans {
			at := slices.IndexFunc(theirs.Data[0].Spans, func(x uiSpan) bool { return x.SpanID == s.SpanID })
			require.GreaterOrEqual(t, at, 0)
			other := theirs.Data[0].Spans[at]
			require.ElementsMatch(t, s.Tags, other.Tags)
			require.Equal(t, ours.Data[0].Processes[s.ProcessID].ServiceName, theirs.Data[0].Processes[other.ProcessID].ServiceName)
			require.ElementsMatch(t, ours.Data[0].Processes[s.ProcessID].Tags, theirs.Data[0].Processes[other.ProcessID].Tags)
			other.Tags, other.ProcessID, s.Tags, s.ProcessID = nil, "", nil, ""
			require.Equal(t, s, other)
		}
	}
	for _, c := range searches {
		q := url.Values{"service": {c.service}, "operation": {c.operation}, "limit": {fmt.Sprint(c.limit)},
			"start": {fmt.Sprint(querytest.Epoch.UnixMicro())}, "end": {fmt.Sprint(now.UnixMicro())}}
		if c.minDuration > 0 {
			q.Set("minDuration", c.minDuration.String())
		}
		if c.maxDuration > 0 {
			q.Set("maxDuration", c.maxDuration.String())
		}
		if c.tags != nil {
			text, err := json.Marshal(c.tags)
			require.NoError(t, err)
			q.Set("tags", string(text))
		}
		var found envelope[[]uiTrace]
		fetch("traces?"+q.Encode(), &found)
		ids := []string{}
		for _, trace := range found.Data {
			ids = append(ids, trace.TraceID)
		}
		require.ElementsMatch(t, matching(c.want), ids, q)
	}
	type link struct {
		Parent, Child string
		CallCount     uint64
	}
	var dependencies envelope[[]link]
	fetch(fmt.Sprintf("dependencies?endTs=%d&lookback=3600000", now.UnixMilli()), &dependencies)
	require.ElementsMatch(t, []link{{querytest.Frontend, querytest.Cart, 200}, {querytest.Frontend, querytest.Payment, 66}}, dependencies.Data)
	var v3 struct{ Result json.RawMessage }
	fetch("v3/traces/"+querytest.TraceID(1).String()+"?raw_traces=true", &v3)
	requireSameSpans(t, querytest.Traces(querytest.Spans())[0], otlp(t, v3.Result))
}
