package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadyTellsByItsExitCode(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "Bearer first" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("the disk is full"))
	}))
	defer s.Close()
	run := func(environment ...string) (int, string) {
		var errs bytes.Buffer
		code := Main(t.Context(), []string{"ready", s.URL + "/"}, Process{Environment: environment, Stdout: io.Discard, Stderr: &errs})
		return code, errs.String()
	}
	token := "OTELPROF_TOKEN=first,second"
	code, errs := run(token, "OTELPROF_DATA=/data")
	require.Zero(t, code, errs)
	file := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	code, errs = run("OTELPROF_TOKEN_FILE=" + file)
	require.Zero(t, code, errs)
	code, errs = run()
	require.Equal(t, 1, code)
	require.Contains(t, errs, "401")
	status = http.StatusServiceUnavailable
	code, errs = run(token)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the disk is full")
	s.Close()
	code, _ = run(token)
	require.Equal(t, 1, code)
}
