package blackbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/demo"
)

// binary builds the program once for all tests, as the Dockerfile does: what is tested is what runs elsewhere.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "otelprof-blackbox-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "otelprof")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "../cmd/otelprof")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// server is a running binary.
type server struct {
	t                *testing.T
	cmd              *exec.Cmd
	grpc, http, page string
	jaeger, storage  string
	output           *lockedBuffer
	ended            bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a server on free ports and waits until it is ready.
func start(t *testing.T, data string, args ...string) *server {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	s := &server{t: t, output: &lockedBuffer{}}
	for _, address := range []*string{&s.grpc, &s.http, &s.page, &s.jaeger, &s.storage} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() // all at the end, so that no port is given twice
		*address = l.Addr().String()
	}
	s.cmd = exec.Command(path, append([]string{
		"serve", "--data", data, "--otlp-grpc", s.grpc, "--otlp-http", s.http, "--http", s.page,
		"--jaeger-grpc", s.jaeger, "--jaeger-storage", s.storage,
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	return s
}

// run starts the process. It is apart from start, so that the ports are free again.
func (s *server) run() *server {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Start())
	s.t.Cleanup(func() {
		if !s.ended {
			s.end(syscall.SIGKILL)
		}
	})
	require.Eventually(s.t, func() bool {
		response, err := http.Get("http://" + s.page + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "%s", s.output)
	return s
}

// end sends a signal and waits for the end of the process.
func (s *server) end(signal syscall.Signal) error {
	s.ended = true
	if err := s.cmd.Process.Signal(signal); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// get asks the server, and decodes the JSON.
func (s *server) get(path string, into any) {
	s.t.Helper()
	body := s.fetch(path)
	require.NoError(s.t, json.Unmarshal(body, into), "%.300s", body)
}

func (s *server) fetch(path string) []byte {
	s.t.Helper()
	response, err := http.Get("http://" + s.page + path)
	require.NoError(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, response.StatusCode, "%s: %.300s", path, body)
	return body
}

// otelprof runs another command of the binary, and returns what it prints.
func otelprof(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.Bytes())
	return string(out)
}

// sendDemo sends traffic and returns the truth about it.
func (s *server) sendDemo(args ...string) demo.Summary {
	s.t.Helper()
	var truth demo.Summary
	text := otelprof(s.t, append([]string{"demo", "--endpoint", "http://" + s.grpc, "--rate", "0"}, args...)...)
	require.NoError(s.t, json.Unmarshal([]byte(text), &truth))
	return truth
}
