package report

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// skipOrFail skips a test for want of a tool, and fails it where OTELPROF_TEST_REQUIRE_BROWSER says that setup has installed it.
func skipOrFail(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("OTELPROF_TEST_REQUIRE_BROWSER") == "1" {
		t.Fatalf("%s, and OTELPROF_TEST_REQUIRE_BROWSER=1", reason)
	}
	t.Skip(reason)
}

func requireNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		skipOrFail(t, "node is not installed")
	}
	return node
}

// runNode runs the tests of a folder below html with node's test runner and logs what they print.
func runNode(t *testing.T, node, dir string, env ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("html", dir, "*.test.js"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--test", "--test-reporter=spec"}, files...)...)
	cmd.Dir = filepath.Join("html", dir)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

func TestHTMLScript(t *testing.T) {
	runNode(t, requireNode(t), "test")
}

func TestHTMLInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser and half a minute")
	}
	node := requireNode(t)
	if _, err := os.Stat(filepath.Join("html", "browsertest", "node_modules", "playwright-core")); err != nil {
		skipOrFail(t, "playwright-core is not installed: run npm ci in report/html/browsertest")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		skipOrFail(t, "chromium is not installed")
	}
	dir := t.TempDir()
	pages := map[string]*core.Snapshot{
		"webshop.html": htmlWebshop(), "hostile.html": htmlHostile(), "empty.html": {},
		"forest10k.html": htmlForest(10_000), "forest50k.html": htmlForest(50_000),
	}
	links := []Link{{"JSON", "json"}, {"CSV", "csv"}, {"pprof", "pprof"}, {"Bad", "javascript:window.pwned=1"}}
	for name, s := range pages {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, HTML(f, s, HTMLOptions{Links: links}))
		require.NoError(t, f.Close())
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policy.txt"), []byte(HTMLContentSecurityPolicy()), 0o600))
	runNode(t, node, "browsertest", "OTELPROF_PAGES="+dir, "OTELPROF_CHROMIUM="+chromium)
}
