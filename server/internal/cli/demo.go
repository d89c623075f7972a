package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"github.com/stichotrope/stichotrope-go/server/internal/demo"
)

// demoFlags are the settings of otelprof demo.
type demoFlags struct {
	endpoint, protocol, truth string
	seed                      uint64
	spans                     int
	rate                      float64
	batch                     int
	ago                       time.Duration
}

func newDemo(p Process) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Send the traffic of a shop of several services, and tell the exact truth about it",
		Long: `Send the traffic of a shop of several services to an OTLP endpoint: concurrent children, an N+1 query, a slow tail,
errors, and messages that nobody waits for. The same seed gives the same traffic. At the end the exact truth about
it, per operation, goes to the standard output as JSON, or to the file of --truth.

  otelprof demo                              # 500 spans a second until Ctrl-C
  otelprof demo --spans 100000 --rate 0      # as many as fast as they are taken
  otelprof demo --protocol http --endpoint http://127.0.0.1:4318`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, p) },
	}
	flags := c.Flags()
	flags.StringVar(&f.endpoint, "endpoint", "", "the `URL` of the OTLP receiver (default http://127.0.0.1:4317, or :4318 with --protocol http)")
	flags.StringVar(&f.protocol, "protocol", "grpc", "grpc or http")
	flags.Uint64Var(&f.seed, "seed", 1, "what the traffic is made of")
	flags.IntVar(&f.spans, "spans", 0, "how many spans to send; 0 goes on until Ctrl-C")
	flags.Float64Var(&f.rate, "rate", 500, "spans a second; 0 is as fast as they are taken")
	flags.IntVar(&f.batch, "batch", 512, "spans in a request at most")
	flags.DurationVar(&f.ago, "ago", 0, "let the traffic start this long ago")
	flags.StringVar(&f.truth, "truth", "-", "write the truth to this `file`; - is the standard output, empty is nowhere")
	return withConfig(c, p)
}

func (f *demoFlags) run(c *cobra.Command, p Process) error {
	if f.spans < 0 || f.rate < 0 || f.batch < 1 {
		return usageError{c.CommandPath(), errors.New("--spans and --rate must be 0 or more, --batch 1 or more")}
	}
	client, err := f.client()
	if err != nil {
		return usageError{c.CommandPath(), err}
	}
	ctx := c.Context()
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("connect to %s: %w", f.endpoint, err)
	}
	defer func() { _ = client.Stop(context.WithoutCancel(ctx)) }()

	generator, began := demo.New(f.seed), time.Now()
	plan := demo.Plan{Spans: f.spans, Rate: f.rate, Batch: f.batch, Start: began.Add(-f.ago)}
	if f.rate == 0 && f.ago == 0 {
		// As if they had come at demo.Pace up to now: nothing should end in the future.
		plan.Start = began.Add(-time.Duration(float64(f.spans) / demo.Pace * float64(time.Second)))
	}
	line := newProgress(p.Stderr, f.spans, "spans")
	err = demo.Send(ctx, generator, client, plan, line.set)
	line.done()
	if err != nil {
		return err
	}
	sum := generator.Truth().Summary()
	fmt.Fprintf(p.Stderr, "sent %d spans of %d traces to %s in %v\n", sum.Spans, sum.Traces, f.endpoint, time.Since(began).Round(time.Millisecond))
	return writeTo(p.Stdout, f.truth, generator.Truth().WriteJSON)
}

func (f *demoFlags) client() (otlptrace.Client, error) {
	switch f.protocol {
	case "grpc":
		if f.endpoint == "" {
			f.endpoint = "http://127.0.0.1:4317"
		}
		return otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(f.endpoint)), nil
	case "http":
		if f.endpoint == "" {
			f.endpoint = "http://127.0.0.1:4318"
		}
		return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(strings.TrimSuffix(f.endpoint, "/") + "/v1/traces")), nil
	}
	return nil, fmt.Errorf("--protocol is %q, want grpc or http", f.protocol)
}

// writeTo writes to a file, to the standard output for "-", or nowhere for "".
func writeTo(stdout io.Writer, path string, write func(io.Writer) error) error {
	switch path {
	case "":
		return nil
	case "-":
		return write(stdout)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
