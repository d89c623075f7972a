// Package cli is the command line of otelprof: one file for each command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stichotrope/stichotrope-go/server/internal/config"
)

// Process is what a command takes from the process around it.
type Process struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environment has the form of os.Environ.
	Environment []string
}

// variable returns the value of an environment variable; empty if it is not set.
func (p Process) variable(name string) string {
	for _, entry := range p.Environment {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value
		}
	}
	return ""
}

// Main runs a command and returns the exit code: 0 when all went well, 1 when it failed or found a regression, 2 when it
// was called wrongly.
func Main(ctx context.Context, args []string, p Process) int {
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(p.Stderr, "otelprof: %v\nSee \"%s --help\".\n", err, usage.command)
		return 2
	}
	fmt.Fprintf(p.Stderr, "otelprof: %v\n", err)
	return 1
}

// usageError says that a command was called wrongly.
type usageError struct {
	command string
	err     error
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func newRoot(p Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "otelprof",
		Short: "Turn OpenTelemetry spans into an exact profile",
		Long: `otelprof turns OpenTelemetry spans of any language into an exact profile: per call site the count, errors, total and
self time and quantiles, and the call tree over all traces. It keeps the traces too, and answers Jaeger's APIs.

Try it:
  otelprof serve          # takes OTLP on 4317 and 4318, shows the profile on http://127.0.0.1:4319
  otelprof demo           # in a second terminal: the traffic of a shop
  otelprof report http://127.0.0.1:4319`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.AddCommand(newServe(p), newReport(p), newDiff(p), newDemo(p), newClickHouse(p), newReady(p), newVersion())
	for _, c := range append(root.Commands(), root) {
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{c.CommandPath(), err} })
		if args := c.Args; args != nil {
			c.Args = func(c *cobra.Command, list []string) error {
				if err := args(c, list); err != nil {
					return usageError{c.CommandPath(), err}
				}
				return nil
			}
		}
	}
	return root
}

// withConfig makes the command take its flags from the environment and from a file too.
func withConfig(c *cobra.Command, p Process) *cobra.Command {
	config.AddFileFlag(c.Flags())
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := config.Resolve(c.Flags(), p.Environment, flagsOf(c.Root())...); err != nil {
			return usageError{c.CommandPath(), err}
		}
		return nil
	}
	return c
}

// flagsOf returns the flags of a command and of all below it.
func flagsOf(c *cobra.Command) []*pflag.FlagSet {
	all := []*pflag.FlagSet{c.Flags()}
	for _, below := range c.Commands() {
		all = append(all, flagsOf(below)...)
	}
	return all
}

// errRegression is the result of a diff that found what --fail-on asks for.
var errRegression = errors.New("regression")
