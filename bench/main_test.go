package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQuick runs everything, if only for an instant.
func TestQuick(t *testing.T) {
	out := filepath.Join(t.TempDir(), "BENCHMARKS.md")
	o, err := parse([]string{"-quick", "-o", out}, io.Discard)
	require.NoError(t, err)
	var stdout, stderr strings.Builder
	require.NoError(t, run(o, &stdout, &stderr))
	require.Empty(t, stdout.String())
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, title := range []string{"## Targets", "## A span", "## Many goroutines", "## A block", "## A snapshot", "## Memory", "## Sending"} {
		require.Contains(t, string(text), title)
	}
	require.Contains(t, string(text), "quick run")
	require.NotContains(t, string(text), "NaN", "a contender has no results: is its name right?")
}

func TestOnly(t *testing.T) {
	o, err := parse([]string{"-quick", "-only", "blocks"}, io.Discard)
	require.NoError(t, err)
	var stdout strings.Builder
	require.NoError(t, run(o, &stdout, io.Discard))
	require.Contains(t, stdout.String(), "## A block")
	require.NotContains(t, stdout.String(), "## A span")
	require.Contains(t, stdout.String(), "go run ./bench -quick -only blocks")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, out string }{
		{"", "BENCHMARKS.md"}, {"-quick", "-"}, {"-only spans,memory", "-"}, {"-only spans -o x.md", "x.md"}, {"-o -", "-"},
	} {
		o, err := parse(strings.Fields(c.args), io.Discard)
		require.NoError(t, err, c.args)
		require.Equal(t, c.out, o.out, c.args)
	}
	for args, want := range map[string]string{
		"-only span": `-only names "span", want some of spans, scaling, blocks, snapshot, memory, export`,
		"-rounds 0":  "-rounds is 0, want at least 1",
		"fast":       `unexpected argument "fast"`,
		"-fast":      "flag provided but not defined: -fast",
	} {
		var stderr strings.Builder
		_, err := parse(strings.Fields(args), &stderr)
		require.ErrorContains(t, err, want)
		require.Contains(t, stderr.String(), want)
	}
}

func TestUnwritableFile(t *testing.T) {
	o, err := parse([]string{"-quick", "-only", "blocks", "-o", filepath.Join(t.TempDir(), "none", "x.md")}, io.Discard)
	require.NoError(t, err)
	require.ErrorIs(t, run(o, io.Discard, io.Discard), os.ErrNotExist)
}
