package blackbox

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pageFolder = "../web"

// hostile is what a name of a span must not do to the page: run, turn the text around, or colour a terminal.
const hostile = `<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>\u202eesrever\u001b[31mred`

// needBrowser skips a test where what it takes is not installed, and fails it where OTELPROF_TEST_REQUIRE_BROWSER says it is.
func needBrowser(t *testing.T) (node, chromium string) {
	t.Helper()
	missing := ""
	node, err := exec.LookPath("node")
	if err != nil {
		missing = "node is not installed"
	}
	if _, err := os.Stat(filepath.Join(pageFolder, "node_modules", "playwright-core")); err != nil {
		missing = "playwright-core is not installed: run npm ci --prefix server/web"
	}
	chromium, err = exec.LookPath("chromium")
	if err != nil {
		missing = "chromium is not installed"
	}
	if missing != "" && os.Getenv("OTELPROF_TEST_REQUIRE_BROWSER") != "" {
		t.Fatal(missing)
	}
	if missing != "" {
		t.Skip(missing)
	}
	return node, chromium
}

// sendHostile sends a trace of one span, in JSON over HTTP.
func (s *server) sendHostile() {
	s.t.Helper()
	now := time.Now().UnixNano()
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"%[1]s"}}]},
		"scopeSpans":[{"scope":{"name":"%[1]s"},"spans":[{"traceId":"0000000000000000000000000000bad1","spanId":"000000000000bad1",
		"name":"%[1]s","kind":2,"startTimeUnixNano":"%[2]d","endTimeUnixNano":"%[3]d",
		"attributes":[{"key":"%[1]s","value":{"stringValue":"%[1]s"}}]}]}]}]}`, hostile, now-5_000_000, now)
	response, err := http.Post("http://"+s.http+"/v1/traces", "application/json", strings.NewReader(body))
	require.NoError(s.t, err)
	defer response.Body.Close()
	require.Equal(s.t, http.StatusOK, response.StatusCode)
}

// TestThePageInABrowser looks at every view of a server with traffic, at one without any, and at one with hostile names. With
// OTELPROF_TEST_PICTURES, the path of a folder, it leaves a picture of each view there.
func TestThePageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser and half a minute")
	}
	node, chromium := needBrowser(t)
	full, empty, hostile := start(t, t.TempDir()), start(t, t.TempDir()), start(t, t.TempDir())
	full.run()
	empty.run()
	hostile.run()
	for step := range 12 { // an hour of traffic, the last of it now
		full.sendDemo("--spans", "2000", "--rate", "0", "--seed", strconv.Itoa(step+1), "--ago", (time.Duration(11-step) * 5 * time.Minute).String())
	}
	hostile.sendHostile()
	full.waitForFiling()
	hostile.waitForFiling()

	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=spec", "test/views.test.mjs", "test/quality.test.mjs")
	cmd.Dir = pageFolder
	cmd.Env = append(os.Environ(), "OTELPROF_PAGE=http://"+full.page, "OTELPROF_EMPTY_PAGE=http://"+empty.page, "OTELPROF_HOSTILE_PAGE=http://"+hostile.page,
		"OTELPROF_CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}
