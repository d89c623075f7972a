package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePagesLogic runs the tests of what the page computes, without a browser.
func TestThePagesLogic(t *testing.T) {
	esbuild, err := filepath.Abs("../../../bin/esbuild")
	require.NoError(t, err)
	node, missing := exec.LookPath("node")
	if _, err := os.Stat(esbuild); err != nil {
		missing = err
	}
	if missing != nil && os.Getenv("OTELPROF_TEST_REQUIRE_BROWSER") != "" {
		t.Fatal(missing)
	}
	if missing != nil {
		t.Skipf("%v: run make setup and make bin/esbuild", missing)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600))
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(t.Context(), esbuild, "src/changecolor.ts", "src/layers.ts", "src/merge.ts", "src/selection.ts", "src/spanindex.ts",
			"--bundle", "--format=esm", "--outdir="+dir, "--log-level=warning"),
		exec.CommandContext(t.Context(), node, "--test", "test/logic.test.mjs"),
	} {
		cmd.Dir = "../../web"
		cmd.Env = append(os.Environ(), "OTELPROF_LOGIC="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
