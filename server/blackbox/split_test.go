package blackbox

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServicesAreSplitByVersionAndEnvironment configures it by the file, by the environment and by the flag.
func TestServicesAreSplitByVersionAndEnvironment(t *testing.T) {
	const keys = "service.version,deployment.environment.name"
	file := filepath.Join(t.TempDir(), "otelprof.yaml")
	require.NoError(t, os.WriteFile(file, []byte("split-services: [service.version, deployment.environment.name]\n"), 0o600))
	for name, configure := range map[string]func(*server){
		"flag":        func(s *server) { s.cmd.Args = append(s.cmd.Args, "--split-services", keys) },
		"environment": func(s *server) { s.cmd.Env = append(os.Environ(), "OTELPROF_SPLIT_SERVICES="+keys) },
		"file":        func(s *server) { s.cmd.Args = append(s.cmd.Args, "--config", file) },
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			s := start(t, data, "--trace-grace", "100ms", "--trace-idle", "100ms")
			configure(s)
			s.run()
			versions := []string{"1.0", "1.1"}
			for i, version := range versions {
				s.sendVersion(version, i+1)
			}
			s.requireVersions()
			s.waitForFiling()
			s.requireVersions()
			require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)

			again := start(t, data).run() // what is stored keeps its service
			again.requireVersions()
			require.NoError(t, again.end(syscall.SIGTERM))
		})
	}
}

// sendVersion sends n spans of a version of the service cart.
func (s *server) sendVersion(version string, n int) {
	s.t.Helper()
	now := time.Now().UnixNano()
	var spans []string
	for i := range n {
		spans = append(spans, fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","name":"GET /cart","startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`,
			now+int64(i), i+1, now-1000, now))
	}
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}},
		{"key":"deployment.environment.name","value":{"stringValue":"prod"}},{"key":"service.version","value":{"stringValue":"%s"}}]},
		"scopeSpans":[{"spans":[%s]}]}]}`, version, strings.Join(spans, ","))
	response, err := http.Post("http://"+s.http+"/v1/traces", "application/json", strings.NewReader(body))
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	require.Equal(s.t, http.StatusOK, response.StatusCode)
}

// requireVersions asks for both versions of the service.
func (s *server) requireVersions() {
	s.t.Helper()
	counts := map[string]uint64{}
	for _, b := range s.blocks() {
		counts[b.Service] = b.Stats.Count
	}
	require.Equal(s.t, map[string]uint64{"cart@1.0,prod": 1, "cart@1.1,prod": 2}, counts)
	var services struct {
		Data []string `json:"data"`
	}
	s.get("/api/services", &services)
	slices.SortFunc(services.Data, cmp.Compare[string])
	require.Equal(s.t, []string{"cart@1.0,prod", "cart@1.1,prod"}, services.Data)
	var found struct {
		Data []struct {
			Processes map[string]struct{ ServiceName string }
		} `json:"data"`
	}
	s.get("/api/traces?lookback=1h&service="+url.QueryEscape("cart@1.1,prod"), &found)
	require.Len(s.t, found.Data, 2)
	for _, trace := range found.Data {
		for _, process := range trace.Processes {
			require.Equal(s.t, "cart@1.1,prod", process.ServiceName, "the service that was asked for")
		}
	}
}
