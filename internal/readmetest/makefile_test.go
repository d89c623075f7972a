package readmetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMakeListsItsCommands proves that make alone lists every command that a person may give, with what it is for.
func TestMakeListsItsCommands(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(makefile), "\n.PHONY: ")
	require.True(t, ok)
	commands, _, _ := strings.Cut(rest, "\n")
	listed := run(t, root, os.Environ(), "make --no-print-directory")
	for _, command := range strings.Fields(commands) {
		if !strings.Contains(command, "/") { // else it is a file
			require.Regexp(t, `(?m)^  make `+command+` +\S`, listed)
		}
	}
}
