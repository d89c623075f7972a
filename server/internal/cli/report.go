package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// reportFlags are the settings of otelprof report.
type reportFlags struct {
	format, out, sort string
	top               int
	sources           sourceFlags
}

// sourceFlags are what commands that read profiles have in common.
type sourceFlags struct {
	memory, token string
	split         []string
}

func (f *sourceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.memory, "memory", "2GiB", "how much memory spans may take that wait for the rest of their trace")
	c.Flags().StringSliceVar(&f.split, "split-services", nil, splitHelp)
	c.Flags().StringVar(&f.token, "token", "", "bearer token for addresses; better given by OTELPROF_TOKEN")
}

func (f *sourceFlags) sources(p Process) (*sources, error) {
	memory, err := parseBytes(f.memory)
	if err != nil {
		return nil, fmt.Errorf("--memory: %w", err)
	}
	return &sources{process: p, memory: memory, token: f.token, split: f.split}, nil
}

// snapshotFormat is the format that can be read again.
const snapshotFormat = "snapshot"

func newReport(p Process) *cobra.Command {
	var f reportFlags
	var names []string
	for _, format := range report.Formats() {
		names = append(names, format.Name)
	}
	names = append(names, snapshotFormat)
	c := &cobra.Command{
		Use:   "report SOURCE…",
		Short: "Aggregate files, snapshots or a running server into a report",
		Long: `Aggregate files of OTLP traces, saved snapshots or a running server into one exact profile, and write it as a report.

` + sourceHelp + `

  otelprof report traces.json
  otelprof report --format html -o report.html monday.jsonl.gz tuesday.jsonl.gz
  otelprof report --format pprof -o p.pb.gz http://127.0.0.1:4319?since=15m && go tool pprof -http : p.pb.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, p, args) },
	}
	c.Flags().StringVarP(&f.format, "format", "f", "table", strings.Join(names, ", "))
	c.Flags().StringVarP(&f.out, "output", "o", "-", "write to this `file`; - is the standard output")
	c.Flags().StringVar(&f.sort, "sort", "", "order of table and tree: total, self, count, p99, errors, mean, max, name (default self, of a tree total)")
	c.Flags().IntVar(&f.top, "top", 0, "how many rows a table shows; 0 shows all")
	f.sources.add(c)
	return withConfig(c, p)
}

func (f *reportFlags) run(c *cobra.Command, p Process, args []string) error {
	write, err := f.writer(p)
	if err != nil {
		return usageError{c.CommandPath(), err}
	}
	sources, err := f.sources.sources(p)
	if err != nil {
		return usageError{c.CommandPath(), err}
	}
	snapshot, err := sources.load(c.Context(), args)
	if err != nil {
		return err
	}
	return writeTo(p.Stdout, f.out, func(w io.Writer) error { return write(w, snapshot) })
}

// writer returns what writes the report.
func (f *reportFlags) writer(p Process) (func(io.Writer, *core.Snapshot) error, error) {
	key := report.SortKey(f.sort)
	if f.sort != "" && !slices.Contains(report.SortKeys(), key) {
		return nil, fmt.Errorf("--sort is %q, want one of %v", f.sort, report.SortKeys())
	}
	width, color := f.terminal(p)
	switch f.format {
	case snapshotFormat:
		return func(w io.Writer, s *core.Snapshot) error {
			b, err := s.MarshalBinary()
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		}, nil
	case "table":
		o := report.TableOptions{Sort: key, Top: f.top, LineWidth: width, Color: color}
		return func(w io.Writer, s *core.Snapshot) error { return report.Table(w, s, o) }, nil
	case "tree":
		o := report.TreeOptions{Sort: key, LineWidth: width, Color: color}
		return func(w io.Writer, s *core.Snapshot) error { return report.Tree(w, s, o) }, nil
	}
	format, err := report.Lookup(f.format)
	return format.Write, err
}

// terminal returns the width of the terminal that is written to, 0 if it is none, and whether it has colours.
func (f *reportFlags) terminal(p Process) (width int, color bool) {
	file, ok := p.Stdout.(*os.File)
	if f.out != "-" || !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, _ = term.GetSize(int(file.Fd()))
	return width, report.IsColorTerminal(file)
}
