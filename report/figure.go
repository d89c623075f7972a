package report

import (
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// figure is a statistic that the terminal reports show in a column.
type figure struct {
	title string
	cell  func(*core.Stats) cell
}

// figureCells returns a row's cells for the figures, with room for the cells that name the row.
func figureCells(figures []figure, s *core.Stats) []cell {
	cells := make([]cell, len(figures), len(figures)+3)
	for i, f := range figures {
		cells[i] = f.cell(s)
	}
	return cells
}

func callsFigure() figure {
	return figure{"calls", func(s *core.Stats) cell { return cell{text: formatCount(s.Count)} }}
}

func errorsFigure() figure {
	return figure{"errors", func(s *core.Stats) cell {
		if s.Errors == 0 {
			return cell{text: "0"}
		}
		return cell{text: formatCount(s.Errors), style: red}
	}}
}

func totalFigure() figure {
	return durationFigure("total", func(s *core.Stats) float64 { return float64(s.Total) })
}

func selfFigure() figure {
	return durationFigure("self", func(s *core.Stats) float64 { return float64(s.Self) })
}

// shareFigure is the share of the self time in the self time of everything, total nanoseconds.
func shareFigure(total float64) figure {
	return figure{"self%", func(s *core.Stats) cell { return cell{text: formatShare(float64(s.Self), total)} }}
}

func criticalFigure() figure {
	return durationFigure("critical", func(s *core.Stats) float64 { return float64(s.Critical) })
}

func meanFigure() figure { return durationFigure("mean", (*core.Stats).Mean) }

func maxFigure() figure {
	return durationFigure("max", func(s *core.Stats) float64 { return float64(s.Max) })
}

func quantileFigure(title string, q float64) figure {
	return durationFigure(title, func(s *core.Stats) float64 { return s.Quantile(q) })
}

func durationFigure(title string, ns func(*core.Stats) float64) figure {
	return figure{title, func(s *core.Stats) cell { return cell{text: formatDuration(ns(s))} }}
}

func activeFigure() figure {
	return figure{"active", func(s *core.Stats) cell { return cell{text: strconv.FormatInt(s.Active, 10)} }}
}

func bytesFigure() figure {
	return figure{"bytes", func(s *core.Stats) cell { return cell{text: formatBytes(float64(s.Bytes))} }}
}

// bandwidthFigure is the bytes per second of total time.
func bandwidthFigure() figure {
	return figure{"bytes/s", func(s *core.Stats) cell {
		if s.Total == 0 {
			return cell{text: "-"}
		}
		return cell{text: formatBytes(float64(s.Bytes) / float64(s.Total) * 1e9)}
	}}
}
