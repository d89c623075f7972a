package report

import (
	"bufio"
	"strings"
)

// grid is text in columns that are aligned by display width.
type grid struct {
	columns []column
	rows    [][]cell
}

// column is a title, above cells that are aligned to the right unless left is true.
type column struct {
	title string
	left  bool
}

// cell is text in one style, followed by a note that is dimmed.
type cell struct {
	text  string
	style style
	note  string
}

func (c cell) width() int { return displayWidth(c.text) + displayWidth(c.note) }

const columnGap = "  "

// fit drops columns from the right until a line is no wider than width, but never the first. A width of 0 or less is
// no limit.
func (g *grid) fit(width int) *grid {
	if width <= 0 {
		return g
	}
	line := -len(columnGap)
	for n, w := range g.widths() {
		if line += len(columnGap) + w; line <= width || n == 0 {
			continue
		}
		g.columns = g.columns[:n]
		for i := range g.rows {
			g.rows[i] = g.rows[i][:n]
		}
		break
	}
	return g
}

// clipLast cuts the cells of the last column where a line would be wider than width, but never shorter than its title.
// A width of 0 or less is no limit.
func (g *grid) clipLast(width int) *grid {
	if width <= 0 {
		return g
	}
	last := len(g.columns) - 1
	for _, w := range g.widths()[:last] {
		width -= w + len(columnGap)
	}
	width = max(width, displayWidth(g.columns[last].title))
	for _, row := range g.rows {
		row[last] = row[last].clip(width)
	}
	return g
}

// clip cuts the note, and when that is not enough the text.
func (c cell) clip(width int) cell {
	c.text = clip(c.text, width)
	if room := width - displayWidth(c.text); room > 0 {
		c.note = clip(c.note, room)
	} else {
		c.note = ""
	}
	return c
}

// widths returns the width of each column.
func (g *grid) widths() []int {
	widths := make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i] = displayWidth(c.title)
	}
	for _, row := range g.rows {
		for i, c := range row {
			widths[i] = max(widths[i], c.width())
		}
	}
	return widths
}

// write writes the titles and the rows. Every row must have a cell for each column.
func (g *grid) write(w *bufio.Writer, color bool) {
	titles := make([]cell, len(g.columns))
	for i, c := range g.columns {
		titles[i] = cell{text: c.title, style: bold}
	}
	widths := g.widths()
	g.writeRow(w, titles, widths, color)
	for _, row := range g.rows {
		g.writeRow(w, row, widths, color)
	}
}

// writeRow pads lazily, so that no line ends in blanks.
func (g *grid) writeRow(w *bufio.Writer, row []cell, widths []int, color bool) {
	blanks := 0
	for i, c := range row {
		before, after := widths[i]-c.width(), 0
		if g.columns[i].left {
			before, after = after, before
		}
		blanks += before
		if c.width() > 0 {
			w.WriteString(strings.Repeat(" ", blanks))
			w.WriteString(c.style.paint(c.text, color))
			w.WriteString(dim.paint(c.note, color))
			blanks = 0
		}
		blanks += after + len(columnGap)
	}
	w.WriteByte('\n')
}
