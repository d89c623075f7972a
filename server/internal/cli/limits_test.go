package cli

import (
	"os"
	"regexp"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// limitRow is a row of the table of limits: the flag and its default.
var limitRow = regexp.MustCompile("(?m)^\\| `--([a-z-]+)`: [^|]+ \\| ([^ |]+) \\|")

// TestEveryLimitIsDocumented compares the flags that bound something with the table in docs/server.md.
func TestEveryLimitIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/server.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, row := range limitRow.FindAllStringSubmatch(string(doc), -1) {
		documented[row[1]] = row[2]
	}
	serve := newServe(Process{}).Flags()
	for flag, value := range documented {
		known := serve.Lookup(flag)
		require.NotNil(t, known, "there is no --%s", flag)
		require.Equal(t, known.DefValue, value, "the default of --%s", flag)
	}
	limits := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(serveFlags).addLimits(limits)
	limits.VisitAll(func(f *pflag.Flag) { require.Contains(t, documented, f.Name, "a limit that is not in docs/server.md") })
}

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, c := range [][]string{
		{"--attribute-depth", "0"}, {"--attribute-depth", "1001"}, {"--max-attributes", "0"}, {"--max-events", "-1"}, {"--max-links", "0"},
		{"--name-bytes", "0"}, {"--value-bytes", "0"}, {"--request-bytes", "10"}, {"--in-flight-bytes", "1MiB"}, {"--header-bytes", "1"},
		{"--streams", "0"}, {"--connections", "-1"}, {"--header-time", "0s"}, {"--request-time", "-1s"}, {"--idle-time", "0s"},
		{"--trace-spans", "-1"}, {"--max-sites", "-1"}, {"--max-nodes", "-1"}, {"--max-depth", "-1"}, {"--query-time", "-1s"},
		{"--profile-states", "-1"}, {"--profile-size", "-1"}, {"--memory", "1"},
	} {
		args := append([]string{
			"serve", "--store", "memory", "--otlp-grpc", "", "--otlp-http", "", "--http", "", "--jaeger-grpc", "", "--jaeger-storage", "",
		}, c...)
		code, _, errs := run(t, "", args...)
		require.Equal(t, 1, code, "%v: %s", c, errs)
		require.NotEmpty(t, errs)
	}
}
