package integration

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

// TestJaegerShowsTheProfile looks at the profile in Jaeger's own user interface, in a browser. Jaeger's module has no
// such interface in it, so the test needs a folder with its files from elsewhere. With -update it writes the
// pictures in the documentation.
func TestJaegerShowsTheProfile(t *testing.T) {
	assets := os.Getenv("OTELPROF_TEST_JAEGER_UI")
	if assets == "" {
		t.Skip("the module of Jaeger has no user interface: OTELPROF_TEST_JAEGER_UI=FOLDER says where the files of one are")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		skipOrFail(t, "OTELPROF_TEST_REQUIRE_BROWSER", "node is not installed")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		skipOrFail(t, "OTELPROF_TEST_REQUIRE_BROWSER", "chromium is not installed")
	}
	jaeger := startJaeger(t, jaegerOptions{assets: assets})
	// No paths of this machine are in the pictures.
	runWebshop(t, build(t, "webshop", "-trimpath"), "600", "--clients", "2", "--sample", "1", "--otlp", jaeger.otlp, "--tracks-interval", "1h")
	profile := jaeger.traces(t, "webshop-profile", true)
	windows, err := exporter.ReadSpans(profile)
	require.NoError(t, err)
	require.Len(t, windows, 1)
	path := []string{"GET /products/{id}", "ask suppliers", "HTTP GET"}

	pictures := t.TempDir()
	if *update {
		pictures = "../docs/images"
	}
	for trace := range spansByID(t, profile) {
		args := append([]string{"browser/jaeger.mjs", jaeger.query + "/trace/" + trace.String(), pictures,
			strconv.FormatUint(countOf(t, windows[0], path), 10)}, path...)
		cmd := exec.CommandContext(t.Context(), node, args...)
		cmd.Env = append(os.Environ(), "OTELPROF_CHROMIUM="+chromium)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// countOf returns the count of the one node whose path has these names.
func countOf(t *testing.T, s *core.Snapshot, names []string) uint64 {
	t.Helper()
	for i := range s.Nodes {
		var path []string
		for _, site := range s.Path(i) {
			path = append(path, site.Name)
		}
		if len(path) == len(names) && path[0] == names[0] && path[len(path)-1] == names[len(names)-1] {
			return s.Nodes[i].Stats.Count
		}
	}
	require.FailNow(t, "no such path", "%v", names)
	return 0
}
