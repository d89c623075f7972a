package report

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGridAligns proves that columns start at the same place whatever is in them, and that no line ends in blanks.
func TestGridAligns(t *testing.T) {
	g := &grid{
		columns: []column{{"n", false}, {"name", true}, {"end", true}},
		rows: [][]cell{
			{{text: "1"}, {text: "世界"}, {text: "x"}},
			{{text: "1000", style: red}, {text: "e\u0301", note: " note"}, {}},
			{{}, {text: "a"}, {text: "y"}},
			{{text: "5"}, {}, {text: "z"}},
			{{}, {}, {}},
		},
	}
	var b strings.Builder
	w := bufio.NewWriter(&b)
	g.write(w, false)
	require.NoError(t, w.Flush())
	require.Equal(t, strings.Join([]string{
		"   n  name    end",
		"   1  世界    x",
		"1000  e\u0301 note",
		"      a       y",
		"   5          z",
		"",
		"",
	}, "\n"), b.String())

	b.Reset()
	g.rows = g.rows[1:2]
	g.write(w, true)
	require.NoError(t, w.Flush())
	require.Contains(t, b.String(), "\x1b[31m1000\x1b[0m  e\u0301\x1b[2m note\x1b[0m\n")
}
