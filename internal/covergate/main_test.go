package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, profile, err string
	}{
		{
			name:    "all above",
			profile: "mode: set\nm.test/a/x.go:1.1,2.2 91 1\nm.test/a/y.go:1.1,2.2 9 0\nm.test/b/x.go:1.1,2.2 1 7\n",
		}, {
			name:    "exactly the minimum is not above it",
			profile: "mode: set\nm.test/a/x.go:1.1,2.2 9 1\nm.test/a/x.go:3.1,4.2 1 0\nm.test/b/x.go:1.1,2.2 1 0\n",
			err:     "coverage is not above 90 % of the statements in:\n\tm.test/a: 90.0 %\n\tm.test/b: 0.0 %",
		}, {
			name:    "block covered by one of two test binaries",
			profile: "mode: set\nm.test/a/x.go:1.1,2.2 4 1\nm.test/a/x.go:1.1,2.2 4 0\n",
		}, {
			name:    "nothing measured",
			profile: "mode: set\n",
			err:     "covers no package",
		}, {
			name:    "not a profile",
			profile: "mode: set\nm.test/a/x.go:1.1,2.2 4\n",
			err:     "line 2: 2 fields, want 3",
		}, {
			name:    "bad number",
			profile: "m.test/a/x.go:1.1,2.2 many 1\n",
			err:     "line 1: number of statements",
		}, {
			name:    "no position",
			profile: "m.test/a/x.go 1 1\n",
			err:     `line 1: no position in "m.test/a/x.go"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "coverage.out")
			require.NoError(t, os.WriteFile(file, []byte(c.profile), 0o600))
			err := run(file, 90)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.err)
			}
		})
	}
	require.ErrorIs(t, run(filepath.Join(t.TempDir(), "missing"), 90), os.ErrNotExist)
}
