package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
)

// addClickHouse adds the flags of serve for ClickHouse.
func (f *serveFlags) addClickHouse(flags *pflag.FlagSet) {
	flags.StringVar(&f.ClickHouse.URL, "clickhouse", "", "`URL` of ClickHouse for --store clickhouse, clickhouse://user:password@host:9000/database; better given by OTELPROF_CLICKHOUSE than on a command line")
	flags.StringVar(&f.clickHouseQueue, "clickhouse-queue-bytes", "16GiB", "how much may wait on the disk for ClickHouse; then requests are refused")
	flags.BoolVar(&f.ClickHouse.KeepSchema, "clickhouse-keep-schema", false, "do not make tables; otelprof clickhouse schema prints what is needed")
	flags.DurationVar(&f.ClickHouse.Timeout, "clickhouse-timeout", time.Minute, "how long ClickHouse may take for a batch; then it is sent again")
	flags.DurationVar(&f.ClickHouse.CompleteEvery, "clickhouse-complete-every", 10*time.Second, "how often traces are completed whose spans reached several nodes; 0 is never, which must be so on all nodes")
	flags.DurationVar(&f.ClickHouse.CompleteGrace, "clickhouse-complete-grace", 30*time.Second, "how long the spans of such a trace have to reach ClickHouse")
	addSchema(flags, &f.ClickHouse.Schema, "clickhouse-")
}

// completeClickHouse turns flags into settings, of a server with --store clickhouse.
func (f *serveFlags) completeClickHouse() error {
	// Other nodes see what is sent: no segment waits for more spans for long. ClickHouse gains little from more than ten
	// thousand in a batch, and a batch is in memory several times.
	f.Pipeline.SegmentAge, f.Pipeline.SegmentSpans = time.Second, 16<<10
	c := &f.ClickHouse
	if f.LeaveScattered = c.CompleteEvery == 0; c.CompleteEvery < 0 || c.CompleteGrace < 0 {
		return errors.New("--clickhouse-complete-every and --clickhouse-complete-grace must not be negative")
	}
	if c.CompleteGrace == 0 {
		c.CompleteGrace = -1 // none; 0 is the default there
	}
	if c.Timeout <= 0 {
		return errors.New("--clickhouse-timeout must be positive")
	}
	// A question may take as long as --query-time says, even if it delays what is sent.
	c.QueryTime = max(f.QueryTime, time.Minute)
	return nil
}

// addSchema adds the flags that say how the tables are.
func addSchema(flags *pflag.FlagSet, s *clickhouse.Schema, prefix string) {
	flags.StringVar(&s.Cluster, prefix+"cluster", "", "`name` of a cluster of ClickHouse: tables on all its servers, sharded by trace")
	flags.BoolVar(&s.Replicated, prefix+"replicated", false, "replicated tables")
}

func newClickHouse(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "clickhouse", Short: "Prepare a ClickHouse to be the store of several nodes", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSchema(p))
	return c
}

func newSchema(p Process) *cobra.Command {
	var schema clickhouse.Schema
	var url, ttl string
	var apply bool
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the statements that make the tables, or apply them",
		Long: `Print the statements that make the tables in ClickHouse. With --apply, make them, or what is new of them: what is there stays,
but for the --ttl, which tables that are there are given too; without --ttl they keep theirs. A node with --retention deletes as well.
The table of spans is otel_traces of the OpenTelemetry Collector's exporter, with columns more; one that a Collector made is used.

  otelprof clickhouse schema --ttl 30d
  otelprof clickhouse schema --cluster main --replicated --ttl 30d | clickhouse-client --multiquery
  OTELPROF_CLICKHOUSE=clickhouse://user:password@host:9000/otel otelprof clickhouse schema --apply`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			age, err := parseAge(ttl)
			if err == nil {
				schema.TTL = age
				err = schema.Validate()
			}
			if err == nil && apply {
				err = clickhouse.CheckURL(url)
			}
			if err != nil {
				return usageError{c.CommandPath(), err}
			}
			if apply {
				return clickhouse.Migrate(c.Context(), url, schema)
			}
			script, err := schema.Script()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.Stdout, script)
			return err
		},
	}
	flags := c.Flags()
	addSchema(flags, &schema, "")
	flags.StringVar(&ttl, "ttl", "0", "when ClickHouse deletes what is old, in whole days such as 30d; 0 is never, or what it was")
	flags.BoolVar(&apply, "apply", false, "make the tables in --clickhouse")
	flags.StringVar(&url, "clickhouse", "", "`URL` of ClickHouse, clickhouse://user:password@host:9000/database; better given by OTELPROF_CLICKHOUSE")
	return withConfig(c, p)
}
