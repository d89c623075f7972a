package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "info")
	require.NoError(t, os.WriteFile(path, []byte("a\nmodel\t: X: 1\nmodel : Y\n"), 0o600))
	require.Equal(t, "X: 1", fileValue(path, "model", ":"))
	require.Empty(t, fileValue(path, "missing", ":"))
	require.Empty(t, fileValue(path+"x", "model", ":"))
}

func TestEnvironmentLeavesOutWhatIsUnknown(t *testing.T) {
	text := environment{date: "today", command: "go run ./bench"}.markdown()
	require.Equal(t, "- date: today\n- command: `go run ./bench`\n", text)
	require.Contains(t, thisEnvironment([]string{"-quick"}).markdown(), "`go run ./bench -quick`")
}
