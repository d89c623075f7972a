package integration

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// skipOrFail skips a test for want of something, and fails it where the variable is 1, which says that setup has seen to it.
func skipOrFail(t *testing.T, variable, reason string) {
	t.Helper()
	if os.Getenv(variable) == "1" {
		t.Fatalf("%s, and %s=1", reason, variable)
	}
	t.Skip(reason)
}

// builtPeer returns the path of a program that make builds into bin.
func builtPeer(t *testing.T, name, variable string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		skipOrFail(t, variable, "there is no bin/"+name+": run make "+name)
	}
	return path
}

// process is a running program whose output goes to a file.
type process struct {
	cmd   *exec.Cmd
	log   *os.File
	ended chan struct{}
	err   error // of the program, once ended is closed
}

// start starts a program. It is ended with the test, must end well, and its output is shown if the test failed.
func start(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	p := &process{cmd: exec.Command(binary, args...), log: log, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s", p.output(t))
		}
		require.NoError(t, log.Close())
	})
	return p
}

// stop ends the program as Ctrl-C would, unless it has ended, and fails the test if it did not end well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
	default:
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		<-p.ended
	}
	assert.NoError(t, p.err, "%s", p.cmd.Path)
}

// awaitReady waits until the program is ready, and fails the test if it ends before.
func (p *process) awaitReady(t *testing.T, ready func(context.Context) bool) {
	t.Helper()
	eventually(t, p.cmd.Path+" is ready", func(ctx context.Context) bool {
		select {
		case <-p.ended:
			require.FailNow(t, "it ended", "%s: %v", p.cmd.Path, p.err)
		default:
		}
		return ready(ctx)
	})
}

// output returns what the program has printed.
func (p *process) output(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log.Name())
	require.NoError(t, err)
	return string(text)
}

// deployed returns a copy of one of the files that docker-compose.yml gives to its services, with changes, each of which
// must find its place.
func deployed(t *testing.T, name string, changes map[string]string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "deploy", name))
	require.NoError(t, err)
	text := string(data)
	for old, replacement := range changes {
		require.Equal(t, 1, strings.Count(text, old), "%q in deploy/%s", old, name)
		text = strings.Replace(text, old, replacement, 1)
	}
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// eventually calls ready until it is true, and fails the test after a minute.
func eventually(t *testing.T, what string, ready func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for !ready(ctx) {
		select {
		case <-retry.C:
		case <-ctx.Done():
			require.FailNow(t, "not in a minute: "+what)
		}
	}
}

// answers reports whether a URL answers with 200.
func answers(url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		response, err := http.DefaultClient.Do(request)
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}
}

// accepts reports whether something listens at an address.
func accepts(address string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		return err == nil && connection.Close() == nil
	}
}

// freeAddress returns an address on loopback that nothing listens on.
func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
