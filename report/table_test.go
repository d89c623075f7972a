package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// tableNames returns the names in a table in the order of its rows, which is what comes first.
func tableNames(t *testing.T, s *core.Snapshot, o report.TableOptions) []string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Table(&b, s, o))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	title := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "name ") })
	require.GreaterOrEqual(t, title, 0)
	var names []string
	for _, line := range lines[title+1:] {
		name, _, _ := strings.Cut(line, "  ")
		names = append(names, name)
	}
	return names
}

// TestTableSorts compares the order of the rows with a plain sort of the blocks.
func TestTableSorts(t *testing.T) {
	p := newProfile("sort")
	for i := range uint64(30) {
		site := core.Site{Track: "t", Name: fmt.Sprintf("n%02d", i)}
		for j := range i%5 + 1 {
			p.record(observation{duration: (i*7919%31 + 1) * (j + 1) * ms, self: i * 104729 % 37, failed: (i+j)%3 == 0}, site)
		}
	}
	s := p.snapshot()
	for key, value := range map[report.SortKey]func(core.Stats) float64{
		"":                func(s core.Stats) float64 { return float64(s.Self) },
		report.SortSelf:   func(s core.Stats) float64 { return float64(s.Self) },
		report.SortTotal:  func(s core.Stats) float64 { return float64(s.Total) },
		report.SortCount:  func(s core.Stats) float64 { return float64(s.Count) },
		report.SortErrors: func(s core.Stats) float64 { return float64(s.Errors) },
		report.SortMax:    func(s core.Stats) float64 { return float64(s.Max) },
		report.SortMean:   func(s core.Stats) float64 { return s.Mean() },
		report.SortP99:    func(s core.Stats) float64 { return s.Quantile(0.99) },
		report.SortName:   func(core.Stats) float64 { return 0 },
	} {
		blocks := slices.Clone(s.Blocks)
		slices.SortStableFunc(blocks, func(a, b core.Block) int {
			switch x, y := value(a.Stats), value(b.Stats); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
		var want []string
		for _, b := range blocks {
			want = append(want, b.Site.Name)
		}
		require.Equal(t, want, tableNames(t, s, report.TableOptions{Sort: key}), "by %q", key)
		got := tableNames(t, s, report.TableOptions{Sort: key, Top: 7})
		require.Equal(t, append(want[:7:7], "(23 more)"), got, "by %q", key)
	}
	require.Len(t, report.SortKeys(), 8)
}

// TestTableAddsUpTheRest proves that rows and the row of the rest have all calls and errors.
func TestTableAddsUpTheRest(t *testing.T) {
	s := large()
	for _, top := range []int{1, 3, len(s.Blocks) - 1} {
		var b bytes.Buffer
		require.NoError(t, report.Table(&b, s, report.TableOptions{Top: top}))
		_, rows, _ := strings.Cut(b.String(), "track\n")
		var calls, errors uint64
		for _, line := range strings.Split(strings.TrimSuffix(rows, "\n"), "\n") {
			// The calls and the errors stand before the first figure with a unit.
			figures := regexp.MustCompile(`  (\d+) +(\d+) +\d[\d.]* [nµm]?s  `).FindStringSubmatch(line)
			require.NotNil(t, figures, line)
			c, _ := strconv.ParseUint(figures[1], 10, 64)
			e, _ := strconv.ParseUint(figures[2], 10, 64)
			calls, errors = calls+c, errors+e
		}
		require.Equal(t, s.Total().Count, calls)
		require.Equal(t, s.Total().Errors, errors)
	}
}

func TestTableCutsLongNames(t *testing.T) {
	for width, longest := range map[int]int{0: 300, 10: 150, -1: 1_000_000} {
		var b bytes.Buffer
		require.NoError(t, report.Table(&b, huge(), report.TableOptions{Width: width}))
		lines := strings.Split(b.String(), "\n")
		row := lines[len(lines)-2]
		require.Less(t, len([]rune(row)), longest)
		require.Equal(t, width >= 0, strings.Contains(row, "…"))
	}
}

// TestTableBandwidth needs bytes that took time, bytes that took none, and no bytes.
func TestTableBandwidth(t *testing.T) {
	p := newProfile("copy")
	p.record(observation{duration: 500 * ms, self: 500 * ms, bytes: 1 << 20}, core.Site{Name: "slow"})
	p.record(observation{bytes: 1 << 20}, core.Site{Name: "instant"})
	p.record(observation{duration: ms, self: ms}, core.Site{Name: "idle"})
	var b bytes.Buffer
	require.NoError(t, report.Table(&b, p.snapshot(), report.TableOptions{}))
	require.Contains(t, b.String(), "500 ms  1.00 MiB  2.00 MiB")
	require.Contains(t, b.String(), "       0  1.00 MiB         -\n")
	require.Contains(t, b.String(), "1.00 ms         0         0\n")
}

// TestTableFitsTheTerminal: columns go from the right, whole ones, and the names stay.
func TestTableFitsTheTerminal(t *testing.T) {
	p := newProfile("narrow")
	p.record(observation{duration: ms, self: ms}, core.Site{Track: "example.com/a/very/long/scope/name", Name: "GET /", File: "/src/shop/main.go", Line: 7})
	s := p.snapshot()
	last := func(o report.TableOptions) string {
		var b bytes.Buffer
		require.NoError(t, report.Table(&b, s, o))
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		return lines[len(lines)-1]
	}
	whole := last(report.TableOptions{})
	require.Contains(t, whole, "…/a/very/long/scope/name")
	require.Equal(t, whole, last(report.TableOptions{LineWidth: len(whole)}))
	for width := 1; width < len(whole)-2; width++ { // the ellipsis has three bytes and one column
		line := last(report.TableOptions{LineWidth: width})
		require.True(t, strings.HasPrefix(whole, line))
		require.True(t, len(line) <= max(width, len("GET /")), "%q is wider than %d", line, width)
	}
}

// TestTableKeepsFiguresBesideLongNames: on the narrowest of usual terminals one sees by what the rows are sorted.
func TestTableKeepsFiguresBesideLongNames(t *testing.T) {
	header := func(o report.TableOptions) string {
		var b bytes.Buffer
		require.NoError(t, report.Table(&b, longNames(), o))
		lines := strings.Split(b.String(), "\n")
		for _, line := range lines {
			require.LessOrEqual(t, len([]rune(line)), 80)
		}
		return lines[4]
	}
	require.Regexp(t, `name.*calls.*errors.*total.*self.*self%`, header(report.TableOptions{LineWidth: 80}))
	require.NotContains(t, header(report.TableOptions{LineWidth: 80, Width: 60}), "self", "a width that is asked for is kept")
}
