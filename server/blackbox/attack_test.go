package blackbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp/otlptest"
)

// post sends a body over OTLP/HTTP and returns the status.
func (s *server) post(path, content, encoding string, body io.Reader) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.http+path, body)
	require.NoError(s.t, err)
	r.Header.Set("Content-Type", content)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err, "%s", s.output)
	answer, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	s.t.Logf("%s %s %s: %s after %v: %.100q", path, content, encoding, response.Status, time.Since(began).Round(time.Millisecond), answer)
	return response.StatusCode
}

// deepJSON is a request with a value that is nested so many levels deep.
func deepJSON(root, inner string, levels int) string {
	return fmt.Sprintf(`{"%s":[{"resource":{"attributes":[{"key":"deep","value":%s%s}]},"%s":[]}]}`, root,
		strings.Repeat(`{"arrayValue":{"values":[`, levels), strings.Repeat(`]}}`, levels), inner)
}

// TestTheDeepestNestingEndsNoProcess sends values that are nested 1.5 million levels deep, which overflow the stack of who descends
// into them: that ends a process of Go, and nothing can catch it.
func TestTheDeepestNestingEndsNoProcess(t *testing.T) {
	const levels, protobuf, json = 1_500_000, "application/x-protobuf", "application/json"
	deep := otlptest.Deep(levels, time.Now())
	require.Greater(t, len(deep), 12<<20)
	resource := protowire.AppendBytes([]byte{1<<3 | 2}, append([]byte("\x0a\x01d"), protowire.AppendBytes([]byte{2<<3 | 2}, otlptest.Nested(levels))...))
	metrics := protowire.AppendBytes([]byte{1<<3 | 2}, protowire.AppendBytes([]byte{1<<3 | 2}, resource))
	for name, args := range map[string][]string{
		"as it is": nil, "with the widest limits": {"--value-bytes", "60MiB", "--attribute-depth", "1000"}, "statistics alone": {"--store", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), args...).run()
			require.Equal(t, http.StatusOK, s.post("/v1/traces", protobuf, "", bytes.NewReader(deep)), "the attribute is left out")
			for _, n := range []int{64, 1000} {
				require.Equal(t, http.StatusOK, s.post("/v1/traces", protobuf, "", bytes.NewReader(otlptest.Deep(n, time.Now()))))
			}
			require.Equal(t, http.StatusBadRequest, s.post("/v1/metrics", protobuf, "", bytes.NewReader(metrics)))
			require.Equal(t, http.StatusBadRequest, s.post("/v1/traces", json, "", strings.NewReader(deepJSON("resourceSpans", "scopeSpans", levels))))
			require.Equal(t, http.StatusBadRequest, s.post("/v1/metrics", json, "", strings.NewReader(deepJSON("resourceMetrics", "scopeMetrics", levels))))
			for _, text := range []string{"[", `{"a":`} {
				require.Equal(t, http.StatusBadRequest, s.post("/v1/traces", json, "", strings.NewReader(strings.Repeat(text, levels))))
			}
			require.EqualValues(t, 3, s.blocks()[0].Stats.Count)
			if name != "statistics alone" {
				const id = "30313233343536373839616263646566" // 0123456789abcdef
				for _, path := range []string{"/api/v1/traces/", "/api/traces/", "/api/v3/traces/"} {
					require.Contains(t, string(s.fetch(path+id)), "deep", "64 levels are kept")
				}
			}
			require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
		})
	}
	file := filepath.Join(t.TempDir(), "deep.pb")
	require.NoError(t, os.WriteFile(file, deep, 0o600))
	require.NotEmpty(t, otelprof(t, "report", "--format", "csv", file))
}

// peak returns the largest resident size that a process ever had, in bytes.
func (s *server) peak() int {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Skip("only Linux tells the peak of the memory")
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(s.t, found)
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(s.t, err)
	return n << 10
}

// TestBombsDoNotFillTheMemory sends what is larger than it looks to the real process.
func TestBombsDoNotFillTheMemory(t *testing.T) {
	const protobuf = "application/x-protobuf"
	s := start(t, t.TempDir()).run()
	before := s.peak()
	for _, size := range []int64{70 << 20, 1 << 30} {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		require.NoError(t, err)
		_, err = io.CopyN(w, zeros{}, size)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.Equal(t, http.StatusRequestEntityTooLarge, s.post("/v1/traces", protobuf, "gzip", &packed))
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, s.post("/v1/traces", protobuf, "", io.LimitReader(zeros{}, 70<<20)))
	grown := s.peak() - before
	t.Logf("the process grew by %d MiB", grown>>20)
	require.Less(t, grown, 256<<20)
	require.Contains(t, string(s.fetch("/metrics")), `otelprof_receiver_requests_total{outcome="too_large"} 3`)
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestSecretsAreShownNowhere gives secrets in every way there is, and looks for them in all that the server tells.
func TestSecretsAreShownNowhere(t *testing.T) {
	const secret = "hunter2"
	s := start(t, t.TempDir(), "--debug", "--log-level", "debug", "--insecure-public", "--token", "flag-"+secret,
		"--forward", "http://127.0.0.1:1", "--forward-token", "forward-"+secret)
	s.cmd.Env = append(os.Environ(), "OTELPROF_FORWARD_HEADERS=x-key=header-"+secret)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		if !s.ended {
			s.end(syscall.SIGKILL)
		}
	})
	ask := func(path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.page+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer flag-"+secret)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, ""
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	require.Eventually(t, func() bool { code, _ := ask("/readyz"); return code == http.StatusOK }, time.Minute, 20*time.Millisecond, "%s", s.output)
	for _, path := range []string{"/", "/metrics", "/readyz", "/api/v1/status", "/api/v1/openapi.yaml", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/otelprof/", "/api/v1/nothing"} {
		_, body := ask(path)
		require.NotEmpty(t, body, path)
		require.NotContains(t, body, secret, path)
	}
	require.Contains(t, s.output.String(), "others may reach this server", "the flag that allows it warns")
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
	require.NotContains(t, s.output.String(), secret)
}

// TestDefaultsAreLoopback reads where the server listens that is told nothing.
func TestDefaultsAreLoopback(t *testing.T) {
	help := otelprof(t, "serve", "--help")
	for _, flag := range []string{"otlp-grpc", "otlp-http", "http", "jaeger-grpc", "jaeger-storage"} {
		require.Regexp(t, `--`+flag+` address .*\(default "127\.0\.0\.1:\d+"\)`, help)
	}
}
