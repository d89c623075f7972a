package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheBundleIsFresh builds the page as "make web" does, and compares.
func TestTheBundleIsFresh(t *testing.T) {
	const source, tool = "../../web", "../../../bin/esbuild"
	missing := ""
	if _, err := os.Stat(filepath.Join(source, "node_modules")); err != nil {
		missing = "npm ci --prefix server/web"
	} else if _, err := os.Stat(tool); err != nil {
		missing = "make bin/esbuild"
	}
	if missing != "" {
		if os.Getenv("OTELPROF_TEST_REQUIRE_BROWSER") != "" {
			t.Fatal("the page cannot be built: run " + missing)
		}
		t.Skip("the page cannot be built: run " + missing)
	}
	out := t.TempDir()
	esbuild, err := filepath.Abs(tool)
	require.NoError(t, err)
	cmd := exec.Command("sh", "build.sh", esbuild, out)
	cmd.Dir = source
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	files, err := os.ReadDir("dist")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(out, f.Name()))
		require.NoError(t, err, "dist has a file that the build does not make: run make web")
		have, err := os.ReadFile(filepath.Join("dist", f.Name()))
		require.NoError(t, err)
		require.True(t, string(want) == string(have), "%s is not what its sources make: run make web", f.Name())
	}
}
