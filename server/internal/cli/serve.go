package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"

	"github.com/stichotrope/stichotrope-go/report"
	"github.com/stichotrope/stichotrope-go/server/internal/daemon"
	"github.com/stichotrope/stichotrope-go/server/internal/demo"
	"github.com/stichotrope/stichotrope-go/server/internal/listen"
	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/receiver"
)

// serveFlags are the settings of otelprof serve that are not those of the daemon as they stand.
type serveFlags struct {
	daemon.Config
	retention              string
	retentionBytes, memory string
	demo                   float64
	tokenFile, tokens      string
	logLevel, logFormat    string
	requestBytes, inFlight string
	headerBytes            string
	nameBytes, valueBytes  string
	answerBytes            string
	forwardQueue           string
	clickHouseQueue        string
	forwardTokenFile       string
	spanMetrics            []string
}

const splitHelp = "resource `attributes` by which services are split, such as service.version,deployment.environment.name"

func newServe(p Process) *cobra.Command {
	f := serveFlags{Config: daemon.Config{Receiver: receiver.DefaultLimits(), Pipeline: pipeline.DefaultConfig(), Version: version()}}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Take spans over OTLP, keep them, and show the profile",
		Long: `Take spans over OTLP from programs in any language, turn all of them into an exact profile, keep them durably, and show both:
on a page, by an API, and as Jaeger does.

What is acknowledged is on the disk. Every setting is a flag, an environment variable (--otlp-grpc is OTELPROF_OTLP_GRPC) and
a key of the file given by --config; the flag wins, then the variable, then the file. An empty address switches a listener off.

  otelprof serve
  otelprof serve --data /var/lib/otelprof --retention 14d --retention-bytes 50GiB
  otelprof serve --store none                       # statistics alone, no spans are kept
  OTELPROF_CLICKHOUSE=clickhouse://user:password@host:9000/otel otelprof serve --store clickhouse   # one of several nodes`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, p) },
	}
	flags := c.Flags()
	flags.StringVar(&f.Store, "store", daemon.StorePebble, "where spans are kept: pebble (on disk), clickhouse (for several nodes), memory, or none (statistics alone)")
	flags.StringVar(&f.Data, "data", "", "the `folder` of the store, or of the queue before ClickHouse (default otelprof in the user's state folder)")
	f.addClickHouse(flags)
	flags.StringVar(&f.OTLPGRPC, "otlp-grpc", "127.0.0.1:4317", "`address` for OTLP over gRPC")
	flags.StringVar(&f.OTLPHTTP, "otlp-http", "127.0.0.1:4318", "`address` for OTLP over HTTP")
	flags.StringVar(&f.HTTP, "http", "127.0.0.1:4319", "`address` of the page, the API, Jaeger's HTTP API and the metrics")
	flags.StringVar(&f.JaegerGRPC, "jaeger-grpc", "127.0.0.1:16685", "`address` of Jaeger's query API over gRPC")
	flags.StringVar(&f.JaegerStorage, "jaeger-storage", "127.0.0.1:17271", "`address` of the remote storage for a Jaeger, over gRPC")
	flags.StringVar(&f.JaegerUI, "jaeger-ui", "", "the `URL` of a Jaeger's page, such as http://127.0.0.1:16686: the page here links traces to it")
	flags.StringVar(&f.retention, "retention", "7d", "how old spans and profiles get, such as 36h or 7d; 0 keeps them for ever")
	flags.StringVar(&f.retentionBytes, "retention-bytes", "0", "how large the store gets, such as 50GiB; 0 is no bound")
	flags.StringVar(&f.memory, "memory", "256MiB", "how much memory spans may take that are on their way to the store")
	flags.DurationVar(&f.Pipeline.TraceGrace, "trace-grace", f.Pipeline.TraceGrace, "how long a trace with a root waits for more spans")
	flags.DurationVar(&f.Pipeline.TraceIdle, "trace-idle", f.Pipeline.TraceIdle, "how long a trace without a root waits for more spans")
	flags.StringSliceVar(&f.Pipeline.Split, "split-services", nil, splitHelp)
	flags.StringSliceVar(&f.spanMetrics, "span-metrics", []string{metrics.Spanmetrics}, "`families` of span metrics on /metrics: "+strings.Join(metrics.Families(), ", ")+", or none")
	flags.StringVar(&f.Forward.URL, "forward", "", "send every request onward by OTLP to this `URL`, as it came: http:// and https:// for OTLP/HTTP, grpc:// and grpcs:// for OTLP/gRPC")
	flags.StringVar(&f.forwardQueue, "forward-queue-bytes", "64MiB", "how much may wait to be sent onward; what is over it is dropped and counted")
	access := &f.Forward.Access
	flags.StringVar(&access.Headers, "forward-headers", "", "`name=value,…` to send with what is forwarded, percent-encoded where need be; secrets are better given by OTELPROF_FORWARD_HEADERS or the file of --config")
	flags.StringVar(&access.Token, "forward-token", "", "bearer token for what is forwarded; better given by OTELPROF_FORWARD_TOKEN")
	flags.StringVar(&f.forwardTokenFile, "forward-token-file", "", "the same in a `file`")
	flags.StringVar(&access.CAFile, "forward-tls-ca", "", "authorities for the certificate of --forward, a PEM `file`; without it those of the system")
	flags.StringVar(&access.CertFile, "forward-tls-cert", "", "client certificate for --forward, a PEM `file`")
	flags.StringVar(&access.KeyFile, "forward-tls-key", "", "its key, a PEM `file`")
	f.addLimits(flags)
	flags.StringVar(&f.Listen.CertFile, "tls-cert", "", "certificate of the server, a PEM `file`")
	flags.StringVar(&f.Listen.KeyFile, "tls-key", "", "its key, a PEM `file`")
	flags.StringVar(&f.Listen.ClientCAFile, "tls-client-ca", "", "only clients with a certificate of these authorities, a PEM `file`")
	flags.StringVar(&f.tokenFile, "token-file", "", "bearer tokens, one a line, one of which every request must have: a `file`")
	flags.StringVar(&f.tokens, "token", "", "the same, separated by commas; better given by OTELPROF_TOKEN than on a command line")
	flags.StringSliceVar(&f.Listen.Hosts, "host", nil, "`names` by which the server may be addressed, besides localhost and addresses; * is any")
	flags.BoolVar(&f.Listen.Insecure, "insecure-public", false, "allow addresses that others can reach without TLS and authentication")
	flags.Float64Var(&f.demo, "demo", 0, "send itself the traffic of otelprof demo, so many spans a second")
	flags.DurationVar(&f.StopTime, "stop-time", 20*time.Second, "how long the end may take")
	flags.BoolVar(&f.Debug, "debug", false, "profile the server itself, and show it under /debug/otelprof/ and /debug/pprof/ of --http")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	return withConfig(c, p)
}

// complete turns the texts of flags into settings.
func (f *serveFlags) complete(p Process) error {
	var errs []error
	size := func(flag, text string) int64 {
		n, err := parseBytes(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
		return n
	}
	f.Pipeline.RetentionBytes = size("retention-bytes", f.retentionBytes)
	f.Pipeline.Memory = size("memory", f.memory)
	f.Forward.QueueBytes = size("forward-queue-bytes", f.forwardQueue)
	f.ClickHouse.QueueBytes = size("clickhouse-queue-bytes", f.clickHouseQueue)
	f.Receiver.RequestBytes = size("request-bytes", f.requestBytes)
	f.Receiver.InFlightBytes = size("in-flight-bytes", f.inFlight)
	f.Receiver.HeaderBytes = int(size("header-bytes", f.headerBytes))
	f.Pipeline.Limits.NameBytes = int(size("name-bytes", f.nameBytes))
	f.Pipeline.Limits.ValueBytes = int(size("value-bytes", f.valueBytes))
	f.AnswerBytes = int(size("answer-bytes", f.answerBytes))
	var err error
	if f.Pipeline.Retention, err = parseAge(f.retention); err != nil {
		errs = append(errs, fmt.Errorf("--retention: %w", err))
	}
	if f.Listen.Tokens, err = listen.TokensFrom(f.tokenFile, f.tokens); err != nil {
		errs = append(errs, err)
	}
	tokens, err := listen.TokensFrom(f.forwardTokenFile, f.Forward.Access.Token)
	if len(tokens) > 1 {
		err = errors.New("more than one token")
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("--forward-token: %w", err))
	} else if len(tokens) == 1 {
		f.Forward.Access.Token = tokens[0]
	}
	if !slices.Equal(f.spanMetrics, []string{"none"}) {
		f.SpanMetrics = f.spanMetrics
	}
	if f.Store == daemon.StoreClickHouse {
		errs = append(errs, f.completeClickHouse())
	} else if f.ClickHouse.URL != "" {
		errs = append(errs, fmt.Errorf("--clickhouse or OTELPROF_CLICKHOUSE is given, and --store is %s: nothing would be sent there without --store clickhouse", f.Store))
	}
	if f.Data == "" {
		f.Data = p.stateFolder()
	}
	if f.Log, err = newLogger(p.Stderr, f.logLevel, f.logFormat); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (f *serveFlags) run(c *cobra.Command, p Process) error {
	if err := f.complete(p); err != nil {
		return usageError{c.CommandPath(), err}
	}
	// Without a cgroup there is no limit to derive one from.
	_, _ = memlimit.Set(memlimit.WithRatio(0.9), memlimit.WithProvider(memlimit.FromCgroup))
	if f.Listen.Insecure {
		f.Log.Warn("others may reach this server: --insecure-public allows it without TLS and authentication")
	}
	if os.Getenv("GOGC") == "" {
		// Most of the memory is buffers without pointers: a collection costs little, and what others could use comes back.
		debug.SetGCPercent(50)
	}
	defer runtime.KeepAlive(newBallast())
	adviseHugePages()
	began := time.Now()
	d, err := daemon.Start(c.Context(), f.Config)
	if err != nil {
		return err
	}
	file, _ := p.Stdout.(*os.File)
	greet(p.Stdout, d.Addresses(), f.Config, time.Since(began), report.IsColorTerminal(file))
	if f.demo > 0 {
		if err := f.sendDemo(c.Context(), d.Addresses()); err != nil {
			return errors.Join(err, d.Stop())
		}
	}
	select {
	case <-c.Context().Done():
	case err = <-d.Failed():
	}
	f.Log.Info("stopping: what was taken is put into the store")
	return errors.Join(err, d.Stop())
}

// sendDemo starts to send the traffic of the demo to the server itself.
func (f *serveFlags) sendDemo(ctx context.Context, addresses []daemon.Address) error {
	if f.Listen.CertFile != "" || len(f.Listen.Tokens) > 0 {
		return errors.New("--demo works without TLS and tokens; use otelprof demo")
	}
	for _, a := range addresses {
		if a.Name != "otlp_grpc" {
			continue
		}
		client := otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(a.URL()))
		if err := client.Start(ctx); err != nil {
			return err
		}
		go func() {
			plan := demo.Plan{Rate: f.demo, Batch: 512, Start: time.Now()}
			if err := demo.Send(ctx, demo.New(1), client, plan, func(int) {}); err != nil && ctx.Err() == nil {
				f.Log.Error("the demo ended", "error", err)
			}
		}()
		return nil
	}
	return errors.New("--demo needs --otlp-grpc")
}

// greet says what listens where, and what to paste.
func greet(w io.Writer, addresses []daemon.Address, c daemon.Config, took time.Duration, color bool) {
	strong := func(text string) string {
		if !color {
			return text
		}
		return "\x1b[1m" + text + "\x1b[0m"
	}
	where := c.Data
	switch c.Store {
	case daemon.StorePebble:
	case daemon.StoreClickHouse:
		where = "its queue is in " + c.Data
	default:
		where = "in memory, gone with this process"
	}
	fmt.Fprintf(w, "%s %s is ready after %v, store %s: %s\n\n", strong("otelprof"), c.Version, took.Round(time.Millisecond), c.Store, where)
	endpoint, page := "", ""
	for _, a := range addresses {
		fmt.Fprintf(w, "  %-36s %s\n", a.What, a.URL())
		switch a.Name {
		case "otlp_grpc":
			endpoint = a.URL()
		case "otlp_http":
			if endpoint == "" {
				endpoint = a.URL()
			}
		case "http":
			page = a.URL()
		}
	}
	if endpoint != "" {
		fmt.Fprintf(w, "\nPaste this into the shell of any program that has OpenTelemetry:\n\n  %s\n", strong("export OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint))
	}
	if page != "" {
		fmt.Fprintf(w, "\nAnd look at %s\n", strong(page))
	}
}

// stateFolder is where programs of a user keep their data (XDG Base Directory Specification).
func (p Process) stateFolder() string {
	if folder := p.variable("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "otelprof")
	}
	if home := p.variable("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "otelprof")
	}
	return ""
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var o slog.HandlerOptions
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level is %q, want debug, info, warn or error", level)
	}
	o.Level = l
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, &o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &o)), nil
	}
	return nil, fmt.Errorf("--log-format is %q, want text or json", format)
}
