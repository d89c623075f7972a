// Package readmetest proves that what the README shows is true.
package readmetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestQuickstart does what a new user does: it pastes the README's program into an empty module, with the library
// replaced by this tree, runs it, and compares what it prints with what the README says.
func TestQuickstart(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	program, output := fenced(t, string(readme), "go"), fenced(t, string(readme), "text")

	example, err := os.ReadFile(filepath.Join(root, "examples/quickstart/main.go"))
	require.NoError(t, err)
	require.Equal(t, string(example), program, "README.md and examples/quickstart differ")
	require.LessOrEqual(t, strings.Count(program, "\n"), 40)

	require.Equal(t, shape(output), shape(runInEmptyModule(t, program)))
}

// fenced returns the first code block of a language.
func fenced(t *testing.T, markdown, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(markdown, "\n```"+language+"\n")
	require.True(t, ok, "README.md has no block of %s", language)
	block, _, ok := strings.Cut(rest, "\n```\n")
	require.True(t, ok, "the block of %s has no end", language)
	return block + "\n"
}

var (
	timestamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+Z`)
	durations  = regexp.MustCompile(`[\d.]+ (ns|µs|ms|s)\b`)
	shares     = regexp.MustCompile(`[\d.]+%`)
	indents    = regexp.MustCompile(`(?m)^ +`)
	spaces     = regexp.MustCompile(` +`)
)

// shape leaves of a report what is the same in each run: everything but times and the widths that they cause.
func shape(report string) string {
	report = timestamps.ReplaceAllString(report, "MOMENT")
	report = durations.ReplaceAllString(report, "TIME")
	report = shares.ReplaceAllString(report, "SHARE")
	return spaces.ReplaceAllString(indents.ReplaceAllString(report, ""), " ")
}

// runInEmptyModule returns what a program prints. The requirements and checksums are copied from the library's
// module, so that nothing has to be downloaded and no version is newer than the tested one.
func runInEmptyModule(t *testing.T, program string) string {
	t.Helper()
	// The folder is a part of the locations in the report.
	dir := filepath.Join(t.TempDir(), "quickstart")
	require.NoError(t, os.Mkdir(dir, 0o700))
	library, err := filepath.Abs(root)
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	mod = bytes.Replace(mod, []byte("module github.com/stichotrope/stichotrope-go\n"), []byte("module quickstart\n"), 1)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, content := range map[string][]byte{"go.mod": mod, "go.sum": sum, "main.go": []byte(program)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	const path = "github.com/stichotrope/stichotrope-go"
	goCommand(t, dir, "mod", "edit", "-require="+path+"@v0.0.0", "-replace="+path+"="+library)
	return goCommand(t, dir, "run", ".")
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	require.NoError(t, cmd.Run(), "go %s: %s", strings.Join(args, " "), &problems)
	return out.String()
}
