// Command bench measures what the server costs, and writes server/BENCHMARKS.md. It builds the real binary, starts it as a
// process of its own on loopback, and sends it the traffic of otelprof demo, encoded in advance. Run it from the root of the
// repository, on a machine that does nothing else:
//
//	go run ./server/bench
//
// The Collector and Jaeger get the same load in the same run, where make collector jaeger has built them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	spans, large int
	senders      int
	out          string
	binary       string
	collector    string
	jaeger       string
	only         *regexp.Regexp
	profile      time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.spans, "spans", 1_000_000, "how many `spans` to send for each row")
	flag.IntVar(&o.large, "large", 10_000_000, "how many `spans` the large store has; 0 leaves it out")
	flag.IntVar(&o.senders, "senders", 4, "how many requests are under way at once")
	flag.StringVar(&o.out, "o", "server/BENCHMARKS.md", "write to this `file`, - for standard output")
	flag.StringVar(&o.binary, "binary", "", "measure this `binary` instead of building one")
	flag.StringVar(&o.collector, "collector", "bin/collector", "measure this `binary` of the OpenTelemetry Collector too, if it is there")
	flag.StringVar(&o.jaeger, "jaeger", "bin/jaeger", "measure this `binary` of Jaeger too, if it is there")
	only := flag.String("only", "", "measure only the rows, such as \"pebble over gRPC\", \"Jaeger\", \"steady\" and \"large\", that this `regexp` matches")
	flag.DurationVar(&o.profile, "profile", 0, "write what the server's CPU did in the first `duration` of receiving to ROW.pprof, which costs a little itself")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	scratch, err := os.MkdirTemp("", "otelprof-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := &bench{options: o, scratch: scratch, report: newReport(os.Args[1:])}
	if b.binary == "" {
		if b.binary, err = build(ctx, scratch); err != nil {
			return err
		}
	}
	if err := b.ingest(ctx); err != nil {
		return err
	}
	if o.only.MatchString("steady") {
		if err := b.steady(ctx); err != nil {
			return err
		}
	}
	if o.large > 0 && o.only.MatchString("large") {
		if err := b.largeStore(ctx); err != nil {
			return err
		}
	}
	text := b.report.markdown()
	if o.out == "-" {
		_, err := fmt.Print(text)
		return err
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// bench is a run of all measurements.
type bench struct {
	options
	scratch string
	report  *report
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
