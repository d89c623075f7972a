package report_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// release returns the profile of a version in which one thing is slow or fails by a factor.
func release(slow uint64, failing int, hostileName bool) *core.Snapshot {
	p := newProfile("shop")
	root := core.Site{Track: "http", Name: "GET /cart", Kind: core.KindServer, File: "/src/shop/cart.go", Line: 12}
	for i := range uint64(200) {
		d := 1_000_000 + 10_000*(i%40)
		p.record(observation{duration: 10 * d, self: 9 * d, failed: int(i%100) < failing}, root)
		p.record(observation{duration: d * slow, self: d * slow}, root, core.Site{Track: "sql", Name: "SELECT"})
		p.record(observation{duration: d, self: d}, root, core.Site{Track: "sql", Name: "UPDATE"})
	}
	name := "only before"
	if slow > 1 {
		name = "only after"
	}
	if hostileName {
		name = "\x1b[31m\u202e" + name
	}
	p.record(observation{duration: 5, self: 5}, core.Site{Track: "rare", Name: name})
	return p.snapshot()
}

func TestDiffGolden(t *testing.T) {
	c := core.Diff(release(1, 2, false), release(15, 50, true), core.DiffOptions{})
	for name, o := range map[string]report.DiffOptions{
		"diff.txt": {}, "diff-all.ansi": {All: true, Color: true}, "diff-top.txt": {Top: 1, LineWidth: 60},
	} {
		var b bytes.Buffer
		require.NoError(t, report.Diff(&b, c, o))
		golden(t, filepath.Join("options", name), b.Bytes())
	}
	var b bytes.Buffer
	require.NoError(t, report.Diff(&b, core.Diff(release(1, 2, false), release(1, 2, false), core.DiffOptions{}), report.DiffOptions{}))
	require.Contains(t, b.String(), "nothing changed")
	require.ErrorIs(t, report.Diff(&fullDisk{}, c, report.DiffOptions{}), errDiskFull)
}

func TestDiffNeverWritesControlCharacters(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.Diff(&b, core.Diff(nil, hostile(), core.DiffOptions{MinCount: 1}), report.DiffOptions{All: true}))
	require.NotContains(t, b.String(), "\x1b")
	require.NotContains(t, b.String(), "\u202e")
	require.Equal(t, len(hostile().Blocks)+3, strings.Count(b.String(), "\n"))
}
