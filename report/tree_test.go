package report_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// treeRows returns the lines of the tree, without the header.
func treeRows(t *testing.T, s *core.Snapshot, o report.TreeOptions) []string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Tree(&b, s, o))
	_, rows, ok := strings.Cut(b.String(), "call tree\n")
	require.True(t, ok)
	return strings.Split(strings.TrimSuffix(rows, "\n"), "\n")
}

// TestTreeShowsEveryNode reads the paths back from the guides and compares them with those of the snapshot.
func TestTreeShowsEveryNode(t *testing.T) {
	s := large()
	want := map[string]int{}
	for i := range s.Nodes {
		path := ""
		for _, site := range s.Path(i) {
			path += "/" + site.Name
		}
		want[path]++
	}
	got := map[string]int{}
	var path []string
	for _, row := range treeRows(t, s, report.TreeOptions{}) {
		depth, name := readTreeRow(row)
		path = append(path[:depth], name)
		got["/"+strings.Join(path, "/")]++
	}
	require.Equal(t, want, got)
}

// readTreeRow returns the depth and the name that the guides before a name stand for.
func readTreeRow(row string) (depth int, name string) {
	if before, after, ok := strings.Cut(row, "─ "); ok {
		guides := before[strings.IndexAny(before, "│├└"):]
		depth = (len([]rune(guides)) + 2) / 3
		name = after
	} else {
		name = row[strings.LastIndex(row, "root"):]
		if at := strings.Index(row, "root"); at >= 0 {
			name = row[at:]
		}
	}
	name, _, _ = strings.Cut(name, "  ")
	return depth, name
}

// TestTreeFoldsVisibly proves that folding loses neither nodes nor, with one level, calls.
func TestTreeFoldsVisibly(t *testing.T) {
	s := large()
	for _, o := range []report.TreeOptions{{MaxDepth: 1}, {MinShare: 0.0001}, {MinShare: 1}, {MinShare: 0.02, MaxDepth: 2}} {
		nodes := 0
		for _, row := range treeRows(t, s, o) {
			nodes += nodesIn(t, row)
		}
		require.Equal(t, len(s.Nodes), nodes, "%+v", o)
	}
}

// nodesIn returns how many nodes a row stands for.
func nodesIn(t *testing.T, row string) int {
	_, rest, ok := strings.Cut(row, "(")
	if !ok {
		return 1
	}
	var more, below int
	_, err := fmt.Sscanf(rest, "%d more) and %d below", &more, &below)
	if more == 0 {
		require.NoError(t, err, row)
	}
	return more + below
}

func TestTreeFoldsByDepth(t *testing.T) {
	rows := treeRows(t, deep(100), report.TreeOptions{MaxDepth: 3})
	require.Len(t, rows, 4)
	require.Contains(t, rows[0], "down  [app]")
	require.Contains(t, rows[2], "└─ down (recursion, level 3)")
	require.Contains(t, rows[3], "   └─ (1 more) and 96 below")
}

// TestTreeSelfAddsUp proves that the self% column, with what is folded, adds up to 100 %.
func TestTreeSelfAddsUp(t *testing.T) {
	for _, o := range []report.TreeOptions{{}, {MaxDepth: 1}, {MinShare: 0.3}, {Sort: report.SortName}} {
		var sum float64
		for _, row := range treeRows(t, shop(), o) {
			for _, field := range strings.Fields(row) {
				if number, ok := strings.CutSuffix(field, "%"); ok {
					share, err := strconv.ParseFloat(number, 64)
					require.NoError(t, err)
					sum += share
				}
			}
		}
		require.InDelta(t, 100, sum, 0.5, "%+v", o)
	}
}
