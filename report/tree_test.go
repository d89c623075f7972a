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

// longNames is a profile of which no line fits a terminal.
func longNames() *core.Snapshot {
	long := strings.Repeat("name ", 100)
	p := newProfile("long")
	root := core.Site{Track: "track/" + long, Name: "GET " + long, File: "/src/shop/" + long + ".go", Line: 7}
	child := core.Site{Track: "track/" + long, Name: "SELECT " + long}
	p.record(observation{duration: 2 * ms, self: ms}, root)
	p.record(observation{duration: ms, self: ms}, root, child)
	return p.snapshot()
}

// TestTreeFitsTheTerminal: what is cut is the names, never the figures.
func TestTreeFitsTheTerminal(t *testing.T) {
	s := longNames()
	whole := treeRows(t, s, report.TreeOptions{})
	figures := len("2.00 ms  1.00 ms  50.0%      1       0  2.00 ms  ")
	for width := 1; width < 200; width++ {
		for i, row := range treeRows(t, s, report.TreeOptions{LineWidth: width}) {
			columns := len([]rune(row))
			require.LessOrEqual(t, columns, max(width, figures+len("call tree")))
			require.Equal(t, whole[i][:figures], row[:figures])
			if columns < len([]rune(whole[i])) {
				require.Equal(t, max(width, figures+len("call tree")), columns, "room is left")
			}
		}
	}
}

// TestTreeSaysWhyThereIsPending: without a call tree nothing need be open.
func TestTreeSaysWhyThereIsPending(t *testing.T) {
	site := core.Site{Track: "t", Name: "a"}
	a, err := core.New(core.Config{NoTree: true})
	require.NoError(t, err)
	a.Record(a.Label(site), &core.Observation{Duration: int64(ms)})
	require.Contains(t, treeRows(t, a.Snapshot(), report.TreeOptions{})[0], "(pending)  no call tree is kept, or")

	p := newProfile("pending")
	p.record(observation{duration: ms, self: ms}, site)
	s := p.snapshot()
	s.Blocks[0].Stats = s.Blocks[0].Stats.Merge(s.Blocks[0].Stats)
	s.Blocks[0].Pending = 1
	require.Contains(t, treeRows(t, s, report.TreeOptions{Sort: report.SortName})[1], "(pending)  a span around these is still open")
}

// TestTreeTellsKindsApart: a client and a server of the same call often have the same name and track.
func TestTreeTellsKindsApart(t *testing.T) {
	p := newProfile("kinds")
	for _, kind := range []core.Kind{core.KindInternal, core.KindServer, core.KindClient} {
		p.record(observation{duration: ms, self: ms}, core.Site{Track: "rpc", Name: "Charge", Kind: kind})
	}
	var labels []string
	for _, row := range treeRows(t, p.snapshot(), report.TreeOptions{}) {
		labels = append(labels, row[strings.Index(row, "Charge"):])
	}
	require.Equal(t, []string{"Charge  [rpc]", "Charge (server)  [rpc]", "Charge (client)  [rpc]"}, labels)
}

func TestTreeCutsLongNames(t *testing.T) {
	row := func(width int) string { return treeRows(t, longNames(), report.TreeOptions{Width: width})[0] }
	require.Less(t, len(row(0)), 250)
	require.Less(t, len(row(10)), 100)
	require.Greater(t, len(row(-1)), 1500)
}
