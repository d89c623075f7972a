package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// diffFlags are the settings of otelprof diff.
type diffFlags struct {
	failOn, minChange string
	options           core.DiffOptions
	top               int
	all               bool
	sources           sourceFlags
}

func newDiff(p Process) *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Compare two profiles, and fail when something got slower",
		Long: `Compare two profiles block by block. Durations are compared by a rank-sum test on all of them, error rates by a test of two
proportions, both adjusted for testing many blocks at once; a significant change counts if it is large enough, too.

` + sourceHelp + `

  otelprof diff before.otelprof after.otelprof
  otelprof diff "http://127.0.0.1:4319?since=2h&until=1h" "http://127.0.0.1:4319?since=1h"
  otelprof diff --fail-on 10% main.jsonl branch.jsonl   # exit code 1 if something got 10 % slower, or fails more often`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, p, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.failOn, "fail-on", "", "exit with 1 on a regression of the mean or the median by at least this, such as 10%, or of the error rate; 0 is any")
	flags.StringVar(&f.minChange, "min-change", "5%", "the least change that matters")
	flags.Float64Var(&f.options.Alpha, "alpha", 0.01, "the share of false ones that is accepted among the changes shown")
	flags.Uint64Var(&f.options.MinCount, "min-count", 30, "how many calls are needed on both sides")
	flags.IntVar(&f.top, "top", 0, "how many rows to show; 0 shows all")
	flags.BoolVar(&f.all, "all", false, "show what did not change, too")
	f.sources.add(c)
	return withConfig(c, p)
}

func (f *diffFlags) run(c *cobra.Command, p Process, args []string) error {
	var err error
	if f.options.MinChange, err = parseShare(f.minChange); err != nil {
		return usageError{c.CommandPath(), fmt.Errorf("--min-change: %w", err)}
	}
	limit := -1.0
	if f.failOn != "" {
		if limit, err = parseShare(f.failOn); err != nil {
			return usageError{c.CommandPath(), fmt.Errorf("--fail-on: %w", err)}
		}
	}
	var sides [2]*core.Snapshot
	for i, name := range args {
		sources, err := f.sources.sources(p)
		if err != nil {
			return usageError{c.CommandPath(), err}
		}
		if sides[i], err = sources.load(c.Context(), []string{name}); err != nil {
			return err
		}
	}
	comparison := core.Diff(sides[0], sides[1], f.options)
	o := report.DiffOptions{Top: f.top, All: f.all}
	if file, ok := p.Stdout.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		o.LineWidth, _, _ = term.GetSize(int(file.Fd()))
		o.Color = report.IsColorTerminal(file)
	}
	if err := report.Diff(p.Stdout, comparison, o); err != nil {
		return err
	}
	if n := regressions(comparison, limit); limit >= 0 && n > 0 {
		return fmt.Errorf("%w: %d blocks, by %s or more", errRegression, n, f.failOn)
	}
	return nil
}

// regressions counts the blocks that regressed by at least the limit, a part of 1. More errors always count.
func regressions(c *core.Comparison, limit float64) int {
	n := 0
	for _, change := range c.Blocks {
		slower := change.Durations.Verdict == core.Regression && max(change.Mean.Relative(), change.P50.Relative()) >= limit
		if slower || change.Errors.Verdict == core.Regression {
			n++
		}
	}
	return n
}

// parseShare reads a part of 1: 10%, or 0.1.
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(v >= 0 && v < 1e6) {
		return 0, errors.New(strconv.Quote(text) + " is not a share: write 10% or 0.1")
	}
	if percent {
		v /= 100
	}
	return v, nil
}
