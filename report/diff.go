package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// DiffOptions are the options of [Diff].
type DiffOptions struct {
	// Top is how many rows to show; 0 and less show all.
	Top int
	// All shows the blocks that did not change, too.
	All bool
	// LineWidth is the width of the terminal, as in [TableOptions].
	LineWidth int
	// Color marks titles, regressions and improvements by ANSI colours. See [IsColorTerminal].
	Color bool
}

// Diff writes what changed between two profiles as a table for a terminal: one row per block, regressions first. q is the
// probability of such a difference if nothing had changed, adjusted for the number of blocks: the smaller one of
// durations and errors. impact is how much longer all calls took in their own code. Names are shown as in [Table].
func Diff(w io.Writer, c *core.Comparison, o DiffOptions) error {
	bw := bufio.NewWriter(w)
	counts := map[core.Verdict]int{}
	var shown []*core.Change
	for i := range c.Blocks {
		change := &c.Blocks[i]
		counts[change.Verdict]++
		if o.All || change.Verdict < core.Inconclusive {
			shown = append(shown, change)
		}
	}
	fmt.Fprintf(bw, "%s of %d: %d regressions, %d improvements, %d new, %d gone, %d with too few calls\n\n",
		bold.paint("changed blocks", o.Color), len(c.Blocks), counts[core.Regression], counts[core.Improvement],
		counts[core.Appeared], counts[core.Disappeared], counts[core.Inconclusive])
	rest := 0
	if o.Top > 0 && len(shown) > o.Top {
		shown, rest = shown[:o.Top], len(shown)-o.Top
	}
	if len(shown) == 0 {
		bw.WriteString("nothing changed\n")
	} else {
		diffGrid(shown, rest, o.LineWidth).fit(o.LineWidth).write(bw, o.Color)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write diff: %w", err)
	}
	return nil
}

func diffGrid(changes []*core.Change, rest, lineWidth int) *grid {
	g := &grid{columns: []column{
		{"name", true}, {"verdict", true}, {"q", false}, {"calls", false}, {"mean", false}, {"p50", false}, {"p99", false},
		{"errors", false}, {"impact", false}, {"location", true}, {"track", true},
	}}
	service := slices.ContainsFunc(changes, func(c *core.Change) bool { return c.Site.Service != "" })
	if service {
		g.columns = slices.Insert(g.columns, 1, column{"service", true})
	}
	for _, c := range changes {
		verdict := cell{text: c.Verdict.String()}
		switch c.Verdict {
		case core.Regression:
			verdict.style = red
		case core.Improvement:
			verdict.style = green
		}
		row := []cell{
			nameCell(c.Site, nameWidth(0, lineWidth)), verdict, {text: probability(c)},
			change(c.Count, func(v float64) string { return formatCount(uint64(v)) }),
			change(c.Mean, formatDuration), change(c.P50, formatDuration), change(c.P99, formatDuration),
			change(c.ErrorRate, func(v float64) string { return formatShare(v, 1) }),
			{text: signedDuration(c.Impact)}, locationCell(c.Site, 0), trackCell(c.Site, 0),
		}
		if service {
			row = slices.Insert(row, 1, serviceCell(c.Site, 0))
		}
		g.rows = append(g.rows, row)
	}
	if rest > 0 {
		row := make([]cell, len(g.columns))
		row[0] = moreCell(rest)
		g.rows = append(g.rows, row)
	}
	return g
}

// change shows the figure after, and in a note by how much it changed.
func change(d core.Delta, format func(float64) string) cell {
	c := cell{text: format(d.After)}
	switch r := d.Relative(); {
	case d.Before == 0 && d.After == 0, math.IsInf(r, 0), d.After == 0:
	case math.Abs(r) >= 9.995:
		c.note = " ×" + strconv.FormatFloat(1+r, 'f', 0, 64)
	default:
		c.note = fmt.Sprintf(" %+.0f%%", 100*r)
	}
	return c
}

// probability shows the smaller q of both tests, if there were any.
func probability(c *core.Change) string {
	q := min(c.Durations.Q, c.Errors.Q)
	switch {
	case c.Verdict >= core.Appeared && c.Verdict <= core.Inconclusive:
		return "-"
	case q >= 0.995:
		return "1"
	case q < 1e-6:
		return "<1e-6"
	}
	return strconv.FormatFloat(q, 'g', 2, 64)
}

func signedDuration(ns float64) string {
	if ns < 0 {
		return "-" + formatDuration(-ns)
	}
	return formatDuration(ns)
}
