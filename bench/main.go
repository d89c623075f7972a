// Command bench measures what otelprof costs, beside what other ways to count spans cost, and writes BENCHMARKS.md.
// Run it from the root of the repository, on a machine that does nothing else:
//
//	go run ./bench
//
// What is compared is measured in one process, in turns of some ten milliseconds, and only differences within one
// round of turns count: they are much the same from run to run, where absolute figures are not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := run(o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	out    string // "-" is standard output
	only   []string
	rounds int
	quick  bool
	args   []string
}

// parse reads the command line and says on stderr what is wrong with it.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{args: args}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var only string
	flags.StringVar(&o.out, "o", "", "write to this `file`, - for standard output, which is the default with -quick or -only (default BENCHMARKS.md)")
	flags.StringVar(&only, "only", "", "run only these chapters, separated by commas: "+strings.Join(chapterNames(), ", "))
	flags.IntVar(&o.rounds, "rounds", 61, "how many `rounds` of turns to measure")
	flags.BoolVar(&o.quick, "quick", false, "measure next to nothing, to see that everything runs")
	err := flags.Parse(args)
	if err == nil {
		err = o.check(only, flags.Args())
		if err != nil {
			fmt.Fprintln(stderr, "bench:", err)
		}
	}
	return o, err
}

func (o *options) check(only string, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds is %d, want at least 1", o.rounds)
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(chapterNames(), name) {
			return fmt.Errorf("-only names %q, want some of %s", name, strings.Join(chapterNames(), ", "))
		}
	}
	if o.out == "" {
		o.out = "BENCHMARKS.md"
		if o.quick || o.only != nil {
			o.out = "-"
		}
	}
	return nil
}

// chapters are what is measured, in the order of the report.
var chapters = []struct {
	name  string
	write func(*bench) (chapter, error)
}{
	{"spans", spans},
	{"scaling", scaling},
	{"blocks", blocks},
	{"snapshot", snapshots},
	{"memory", memory},
	{"export", export},
}

func chapterNames() []string {
	var names []string
	for _, c := range chapters {
		names = append(names, c.name)
	}
	return names
}

func run(o options, stdout, stderr io.Writer) error {
	rep := report{environment: thisEnvironment(o.args), quick: o.quick}
	b := &bench{rounds: o.rounds, quick: o.quick, progress: stderr}
	for _, c := range chapters {
		if o.only != nil && !slices.Contains(o.only, c.name) {
			continue
		}
		b.chapter = c.name
		written, err := c.write(b)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", c.name, err)
		}
		rep.chapters = append(rep.chapters, written)
	}
	text := rep.markdown()
	if o.out == "-" {
		_, err := io.WriteString(stdout, text)
		return err
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}
