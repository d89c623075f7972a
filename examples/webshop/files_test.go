package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFolderThatCannotBe is refused before the shop runs, not after hours of it.
func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "folder"), "/dev/fd"} {
		out := tempFile(t)
		r, err := run(t.Context(), parse(t, "--out", dir, "--requests", "1"), out)
		require.ErrorContains(t, err, "--out chooses another folder")
		require.Zero(t, r.tally.Sent)
		require.Empty(t, contents(t, out))
	}
}

// TestFileIsWholeOrNotThere: a failure leaves the file of before, and nothing beside it.
func TestFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "profile.txt")
	require.NoError(t, writeFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }))
	failure := errors.New("the disk is full")
	require.ErrorIs(t, writeFile(name, func(w io.Writer) error { io.WriteString(w, "half"); return failure }), failure)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "whole", string(text))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}
