package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// stackAndValue is how flamegraph.pl takes a line apart. It does so twice, and takes a second number for the other
// half of a difference.
var stackAndValue = regexp.MustCompile(`^(.*?)\s+(\d+(?:\.\d*)?)$`)

// readFolded returns the stacks and their values, summed up by stack.
func readFolded(t *testing.T, s *core.Snapshot, o report.FoldedOptions) map[string]uint64 {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Folded(&b, s, o))
	values := map[string]uint64{}
	for line := range strings.Lines(b.String()) {
		parts := stackAndValue.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		require.NotNil(t, parts, "%q", line)
		require.NotRegexp(t, stackAndValue, parts[1])
		values[parts[1]] += parseUint(t, parts[2])
	}
	return values
}

// TestFoldedAddsUp proves that every stack has as many frames as its path, and that nothing is lost.
func TestFoldedAddsUp(t *testing.T) {
	for name, s := range fixtures() {
		if name == "saturated" || name == "deep" {
			continue
		}
		total := s.Total()
		depths := map[int]bool{2: true} // of what is pending
		for i := range s.Nodes {
			depths[len(s.Path(i))] = true
		}
		for value, want := range map[report.FoldedValue]uint64{"": total.Self, report.FoldedCount: total.Count, report.FoldedErrors: total.Errors} {
			var sum uint64
			for stack, n := range readFolded(t, s, report.FoldedOptions{Value: value}) {
				sum += n
				require.Contains(t, depths, strings.Count(stack, ";")+1, "%q", stack)
			}
			require.Equal(t, want, sum, "%s of %s", value, name)
		}
	}
}

func TestFoldedEscapes(t *testing.T) {
	for name, want := range map[string]string{
		"a;b": `a\x3bb`, "a\nb": `a\nb`, "SELECT 1": `SELECT\x201`, "SELECT 1.5": `SELECT\x201.5`, "": "(unnamed)",
		"say hi": "say hi", "世界": "世界",
	} {
		p := newProfile()
		p.record(observation{duration: 5, self: 5}, core.Site{Name: name})
		p.record(observation{duration: 5, self: 4}, core.Site{Name: name, Track: "t;1"})
		require.Equal(t, map[string]uint64{want: 5, strings.ReplaceAll(want, `\x20`, " ") + ` [t\x3b1]`: 4}, readFolded(t, p.snapshot(), report.FoldedOptions{}))
	}
}
