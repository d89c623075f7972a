package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// TableOptions are the options of [Table].
type TableOptions struct {
	// Sort is the order of the rows, SortSelf by default.
	Sort SortKey
	// Top is how many rows to show. The others are summed up in one row "(N more)". 0 and less show all.
	Top int
	// Width is the largest number of terminal columns for a name, track or location, of which the rest is cut;
	// 0 means 60, but no more than a third of LineWidth, and 24 for a track, whose end is kept; less than 0 no limit.
	Width int
	// LineWidth is the width of the terminal. The last columns are left out as far as it takes to fit a line into
	// it. 0 and less mean no limit.
	LineWidth int
	// Color marks titles, errors and warnings by ANSI colours. See [IsColorTerminal].
	Color bool
}

// Table writes the blocks as a table for a terminal: one row per site, with figures in human units. Columns for
// services, critical paths, open spans and bytes appear only if there are any. Bandwidth is bytes per second of total time.
//
// Names are shown so that they cannot act on the terminal: control characters (and so ANSI sequences),
// bidirectional and other invisible characters, and invalid UTF-8 appear as escapes such as \x1b and \u202e.
func Table(w io.Writer, s *core.Snapshot, o TableOptions) error {
	key, err := o.Sort.or(SortSelf)
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	bw := bufio.NewWriter(w)
	writeHeader(bw, s, o.Color)
	if len(s.Blocks) == 0 {
		bw.WriteString("nothing recorded\n")
	} else {
		tableGrid(s, key, o).fit(o.LineWidth).write(bw, o.Color)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func tableGrid(s *core.Snapshot, key SortKey, o TableOptions) *grid {
	order := key.order(len(s.Blocks), func(i int) *core.Stats { return &s.Blocks[i].Stats })
	shown := len(order)
	if o.Top > 0 {
		shown = min(shown, o.Top)
	}
	figures := tableFigures(s)
	service := extrasOf(s).service
	g := &grid{columns: []column{{"name", true}}}
	if service {
		g.columns = append(g.columns, column{"service", true})
	}
	for _, f := range figures {
		g.columns = append(g.columns, column{title: f.title})
	}
	g.columns = append(g.columns, column{"location", true}, column{"track", true})
	row := func(name cell, stats *core.Stats, site core.Site) {
		cells := []cell{name}
		if service {
			cells = append(cells, serviceCell(site, o.Width))
		}
		cells = append(cells, figureCells(figures, stats)...)
		g.rows = append(g.rows, append(cells, locationCell(site, o.Width), trackCell(site, o.Width)))
	}
	for _, i := range order[:shown] {
		site := s.Blocks[i].Site
		row(nameCell(site, nameWidth(o.Width, o.LineWidth)), &s.Blocks[i].Stats, site)
	}
	if rest := order[shown:]; len(rest) > 0 {
		var sum core.Stats
		for _, i := range rest {
			sum = sum.Merge(s.Blocks[i].Stats)
		}
		row(moreCell(len(rest)), &sum, core.Site{})
	}
	return g
}

// nameWidth returns the width to cut names to: on a narrow terminal it leaves room for figures beside them.
func nameWidth(width, line int) int {
	if width != 0 || line <= 0 {
		return width
	}
	return min(defaultWidth, max(line/3, leastNameWidth))
}

func moreCell(n int) cell { return cell{text: "(" + strconv.Itoa(n) + " more)", style: dim} }

// What a name or location, and a track or service, may take of the width of a line by default; a name never has less
// than leastNameWidth for the sake of the figures.
const (
	defaultWidth      = 60
	defaultTrackWidth = 24
	leastNameWidth    = 16
)

func nameCell(s core.Site, width int) cell {
	c := cell{text: clip(siteName(s), cmp.Or(width, defaultWidth))}
	if s.Kind != core.KindUnspecified && s.Kind != core.KindInternal {
		c.note = " (" + s.Kind.String() + ")"
	}
	return c
}

func locationCell(s core.Site, width int) cell {
	return cell{text: clip(shortLocation(s), cmp.Or(width, defaultWidth)), style: dim}
}

func serviceCell(s core.Site, width int) cell {
	return cell{text: clip(visible(s.Service), cmp.Or(width, defaultTrackWidth))}
}

// trackCell cuts at the front: the names of instrumentation scopes are import paths, which differ at the end.
func trackCell(s core.Site, width int) cell {
	return cell{text: clipFront(visible(s.Track), cmp.Or(width, defaultTrackWidth))}
}

// shortLocation returns the location with the last folder of the path alone, which is enough to recognise it.
func shortLocation(s core.Site) string {
	folder, file := path.Split(s.File)
	if folder := path.Base(folder); folder != "." && folder != "/" {
		file = folder + "/" + file
	}
	s.File = file
	return visible(s.Location())
}

// tableFigures returns the figures of the table, those that are rare only if some block has them.
func tableFigures(s *core.Snapshot) []figure {
	figures := []figure{
		callsFigure(), errorsFigure(), totalFigure(), selfFigure(), shareFigure(totalSelf(s)),
	}
	if extrasOf(s).critical {
		figures = append(figures, criticalFigure())
	}
	figures = append(figures, meanFigure(), quantileFigure("p50", 0.50), quantileFigure("p99", 0.99), maxFigure())
	active, bytes := false, false
	for i := range s.Blocks {
		active = active || s.Blocks[i].Stats.Active != 0
		bytes = bytes || s.Blocks[i].Stats.Bytes != 0
	}
	if active {
		figures = append(figures, activeFigure())
	}
	if bytes {
		figures = append(figures, bytesFigure(), bandwidthFigure())
	}
	return figures
}
