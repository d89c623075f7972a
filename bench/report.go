package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// report is the whole of BENCHMARKS.md.
type report struct {
	environment environment
	// quick says that next to nothing was measured.
	quick    bool
	chapters []chapter
}

// chapter is what one set of measurements found.
type chapter struct {
	title   string
	text    string
	tables  []table
	targets []target
}

// target is a figure that the library promises to stay within.
type target struct {
	what            string
	limit, measured string
	met             bool
}

// table is a table in Markdown. Its first column is text, the others are figures.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

const introduction = `What otelprof costs, beside other ways to count spans. Everything in one table was measured in one process: the
contenders took turns, in another order in every round, and all figures are medians over the rounds. “Added” is the difference to the named
baseline in the same round, and ± is the median absolute deviation of that difference: half of the rounds were within it. CPU time is
that of the whole process, user and system, including the garbage collector.
`

// markdown returns the text of the report.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n" + introduction + "\n" + r.environment.markdown())
	if r.quick {
		b.WriteString("\n**This was a quick run, to see that everything works: its figures mean nothing.**\n")
	}
	if t := r.targets(); len(t.rows) > 0 {
		b.WriteString("\n## Targets\n\n" + t.markdown())
	}
	for _, c := range r.chapters {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.title, c.text)
		for _, t := range c.tables {
			b.WriteString("\n" + t.markdown())
		}
	}
	return b.String()
}

// targets gathers the targets of all chapters.
func (r report) targets() table {
	t := table{header: []string{"what", "target", "measured", ""}}
	for _, c := range r.chapters {
		for _, g := range c.targets {
			verdict := "met"
			if !g.met {
				verdict = "**missed**"
			}
			t.add(g.what, g.limit, g.measured, verdict)
		}
	}
	return t
}

// markdown returns the table, in columns that are also aligned in the source.
func (t table) markdown() string {
	width := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 2)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		b.WriteByte('|')
		for i, cell := range row {
			space := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(" " + cell + space + " |")
			} else {
				b.WriteString(" " + space + cell + " |")
			}
		}
		b.WriteByte('\n')
	}
	line(t.header)
	b.WriteByte('|')
	for i, w := range width {
		if i == 0 {
			b.WriteString(strings.Repeat("-", w+2) + "|")
		} else {
			b.WriteString(strings.Repeat("-", w+1) + ":|")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}
