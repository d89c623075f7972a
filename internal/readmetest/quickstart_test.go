// Package readmetest proves that what the README shows is true.
package readmetest

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// TestQuickstart does what a new user with a checkout does: it pastes the README's program into an empty folder, runs
// the README's commands, and compares what they print with what the README says.
func TestQuickstart(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	program, output := fenced(t, string(readme), "go"), fenced(t, string(readme), "text")

	example, err := os.ReadFile(filepath.Join(root, "examples/quickstart/main.go"))
	require.NoError(t, err)
	require.Equal(t, string(example), program, "README.md and examples/quickstart differ")
	require.LessOrEqual(t, strings.Count(program, "\n"), 40)

	require.Equal(t, shape(output), shape(runInEmptyModule(t, string(readme), program)))
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

// runInEmptyModule saves a program as main.go in an empty folder, runs the README's commands there, with its command
// for a checkout before the second one, and returns what the last of them prints.
func runInEmptyModule(t *testing.T, readme, program string) string {
	t.Helper()
	library, err := filepath.Abs(root)
	require.NoError(t, err)
	commands := strings.Split(strings.TrimSpace(fenced(t, readme, "sh")), "\n")
	require.Equal(t, []string{"go mod init quickstart", "go mod tidy", "go run ."}, commands)
	replace := replaceCommand.FindString(readme)
	require.NotEmpty(t, replace, "README.md does not say how to use a checkout")
	commands = slices.Insert(commands, 1, strings.Replace(strings.Trim(replace, "`"), "PATH", library, 1))

	// The folder is a part of the locations in the report.
	dir := filepath.Join(t.TempDir(), "quickstart")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	environment := newUser(t)
	var out string
	for _, command := range commands {
		out = run(t, dir, environment, command)
	}
	return out
}

var replaceCommand = regexp.MustCompile("`go mod edit -replace [^`]*=PATH`")

// newUser returns the environment of somebody without a workspace. Modules come from the module cache if they are
// there, so that the test needs no network on a machine that has run it before, else from where they always do.
func newUser(t *testing.T) []string {
	t.Helper()
	settings := strings.Split(run(t, ".", os.Environ(), "go env GOMODCACHE GOPROXY"), "\n")
	cache := url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(settings[0], "cache", "download"))}
	// The checksum database would take the network even for what is in the cache.
	return append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY="+cache.String()+","+settings[1], "GONOSUMDB=*")
}

// run returns what a command prints. It fails the test if the command fails.
func run(t *testing.T, dir string, environment []string, command string) string {
	t.Helper()
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = dir, environment
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	require.NoError(t, cmd.Run(), "%s: %s", command, &problems)
	return out.String()
}
