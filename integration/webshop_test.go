package integration

import (
	"bytes"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// programs is the folder that the tests build the examples into. The go command links each of them once.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "otelprof-integration-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if err := os.RemoveAll(programs); err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

// build builds one of the examples and returns its path.
func build(t *testing.T, example string, flags ...string) string {
	t.Helper()
	binary := filepath.Join(programs, example+strings.Join(flags, ""))
	cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", binary}, buildFlags, flags, []string{"."})...)
	cmd.Dir = filepath.Join("..", "examples", example)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// webshop runs the example webshop, whose spans come from other people's instrumentation, until it has served a number of
// requests, and returns the profile that it kept itself.
func webshop(t *testing.T, requests string, args ...string) *core.Snapshot {
	t.Helper()
	return runWebshop(t, build(t, "webshop"), requests, args...)
}

// runWebshop is webshop with a binary that was built already.
func runWebshop(t *testing.T, binary, requests string, args ...string) *core.Snapshot {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"--requests", requests, "--debug-addr", "127.0.0.1:0", "--out", dir}, args...)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "OTELPROF_SELF_HISTOGRAMS=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "no spans lost")
	return savedProfile(t, dir)
}

// savedProfile returns the profile that the webshop wrote into a folder when it ended.
func savedProfile(t *testing.T, dir string) *core.Snapshot {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "profile.otelprof"))
	require.NoError(t, err)
	profile, err := core.Decode(bytes.NewReader(data), core.DecodeLimits{})
	require.NoError(t, err)
	return profile
}
