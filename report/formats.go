package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// Format is a format by name, with the default options.
type Format struct {
	// Name is how flags and URLs call the format.
	Name string
	// Description is one line for a list of the formats.
	Description string
	// ContentType is the media type for HTTP.
	ContentType string
	// Extension is how file names end, with the dot.
	Extension string
	// Write writes the snapshot, which must not be nil.
	Write func(io.Writer, *core.Snapshot) error
}

// Formats returns all formats, always in the same order. The caller may change the slice.
func Formats() []Format {
	return []Format{
		{"table", "blocks as a table for the terminal", textPlain, ".txt", with(Table, TableOptions{})},
		{"tree", "call tree for the terminal", textPlain, ".tree.txt", with(Tree, TreeOptions{})},
		{"html", "page with a table and a flame graph", textHTML, ".html", with(HTML, HTMLOptions{})},
		{"csv", "blocks for spreadsheets", textCSV, ".csv", with(CSV, CSVOptions{})},
		{"csv-stichotrope", "blocks in the columns of Stichotrope", textCSV, ".stichotrope.csv",
			with(CSV, CSVOptions{Stichotrope: true})},
		{"json", "everything, for programs", applicationJSON, ".json", with(JSON, JSONOptions{})},
		{"json-stichotrope", "blocks with the keys of Stichotrope", applicationJSON, ".stichotrope.json",
			with(JSON, JSONOptions{Stichotrope: true})},
		{"folded", "folded stacks for flamegraph.pl and speedscope", textPlain, ".folded", with(Folded, FoldedOptions{})},
		{"pprof", "call tree for go tool pprof", "application/octet-stream", ".pb.gz", with(Pprof, PprofOptions{})},
		{"prometheus", "metrics in Prometheus' text format", "text/plain; version=0.0.4; charset=utf-8", ".prom",
			with(Prometheus, PrometheusOptions{})},
		{"openmetrics", "metrics with exemplars in OpenMetrics",
			"application/openmetrics-text; version=1.0.0; charset=utf-8", ".om",
			with(Prometheus, PrometheusOptions{OpenMetrics: true})},
	}
}

const (
	textPlain       = "text/plain; charset=utf-8"
	textHTML        = "text/html; charset=utf-8"
	textCSV         = "text/csv; charset=utf-8; header=present"
	applicationJSON = "application/json"
)

// with returns a writer with its options fixed.
func with[O any](write func(io.Writer, *core.Snapshot, O) error, o O) func(io.Writer, *core.Snapshot) error {
	return func(w io.Writer, s *core.Snapshot) error { return write(w, s, o) }
}

// Lookup returns the format with this name. The error names all formats.
func Lookup(name string) (Format, error) {
	formats := Formats()
	names := make([]string, len(formats))
	for i, f := range formats {
		if f.Name == name {
			return f, nil
		}
		names[i] = f.Name
	}
	return Format{}, fmt.Errorf("unknown format %q, want one of %s", name, strings.Join(names, ", "))
}
