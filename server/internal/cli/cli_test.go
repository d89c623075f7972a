package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// run runs a command and returns its exit code and what it printed.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, Process{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

// saved writes a profile in which SELECT takes so many ns, and returns its file.
func saved(t *testing.T, name string, nanos int64) string {
	a, err := core.New(core.Config{Name: name})
	require.NoError(t, err)
	label := a.Label(core.Site{Service: "cart", Track: "sql", Name: "SELECT"})
	for i := range int64(200) {
		a.Record(label, &core.Observation{Start: time.Now().UnixNano(), Duration: nanos + i})
	}
	b, err := a.Snapshot().MarshalBinary()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

const trace = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"scope":{"name":"http"},"spans":[
{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"GET /","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000010000000"},
{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203332","parentSpanId":"b7ad6b7169203331","name":"render","kind":1,"startTimeUnixNano":"1700000000002000000","endTimeUnixNano":"1700000000006000000"}]}]}]}`

func TestReportOfAFileAndOfTheStandardInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traces.json")
	require.NoError(t, os.WriteFile(path, []byte(trace), 0o600))
	for _, source := range []string{path, "-"} {
		code, out, errs := run(t, trace, "report", "--format", "csv", source)
		require.Zero(t, code, errs)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		require.Len(t, lines, 3)
		require.Contains(t, out, "10000000,6000000", "total and self of the request")
		require.Contains(t, out, "4000000,4000000", "and of what it calls")
	}
}

func TestDiffFailsOnlyWhenAsked(t *testing.T) {
	before, after := saved(t, "before", 1_000_000), saved(t, "after", 2_000_000)
	for _, c := range []struct {
		failOn string
		code   int
	}{{"", 0}, {"50%", 1}, {"0", 1}, {"500%", 0}} {
		code, out, errs := run(t, "", "diff", "--fail-on", c.failOn, before, after)
		require.Equal(t, c.code, code, "%s%s", out, errs)
		require.Contains(t, out, "1 regressions")
	}
	code, _, _ := run(t, "", "diff", "--fail-on", "0", before, before)
	require.Zero(t, code)
}

func TestWrongCallsSaySo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"diff", "one"}, "accepts 2 arg(s)"},
		{[]string{"diff", "--min-change", "much", "a", "b"}, "--min-change"},
		{[]string{"report"}, "requires at least 1 arg(s)"},
		{[]string{"report", "--format", "xml", "-"}, `unknown format "xml"`},
		{[]string{"report", "--sort", "luck", "-"}, "--sort"},
		{[]string{"serve", "--retention", "soon"}, "--retention"},
		{[]string{"serve", "--log-level", "loud"}, "--log-level"},
		{[]string{"serve", "--clickhouse", "clickhouse://u:hush@h:9000/x"}, "--store is pebble"},
		{[]string{"serve", "--store", "clickhouse", "--clickhouse-timeout", "0s"}, "--clickhouse-timeout must be positive"},
		{[]string{"serve", "--store", "clickhouse", "--clickhouse-complete-grace", "-1s"}, "must not be negative"},
		{[]string{"serve", "--bogus"}, "unknown flag: --bogus"},
		{[]string{"demo", "--protocol", "pigeon"}, "--protocol"},
		{[]string{"demo", "--spans", "-1"}, "--spans"},
	} {
		code, _, errs := run(t, "", c.args...)
		require.Equal(t, 2, code, c.args)
		require.Contains(t, errs, c.want)
		require.NotContains(t, errs, "hush")
	}
	code, _, errs := run(t, "", "report", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "none")
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "1.5 KiB": 1536, "50GiB": 50 << 30, "2MB": 2_000_000, "7b": 7} {
		got, err := parseBytes(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "much", "-1", "1e30TiB", "NaN", "5 parsec"} {
		_, err := parseBytes(text)
		require.Error(t, err, text)
	}
}

func TestVersionAndHelp(t *testing.T) {
	code, out, _ := run(t, "", "version")
	require.Zero(t, code)
	require.Contains(t, out, "otelprof ")
	for _, command := range []string{"serve", "report", "diff", "demo", "ready"} {
		code, out, _ = run(t, "", command, "--help")
		require.Zero(t, code)
		require.Contains(t, out, "  otelprof "+command, "an example")
	}
}

func TestForwardedSecretsComeFromTheEnvironmentAndFiles(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("# ours\nfrom-file\n"), 0o600))
	for _, c := range []struct{ file, token, want, err string }{
		{token, "", "from-file", ""}, {"", "given", "given", ""}, {"", "", "", ""},
		{token, "given", "given", "more than one token"}, {token + ".missing", "", "", "reading the tokens"},
	} {
		f := serveFlags{
			retention: "1d", retentionBytes: "0", memory: "1MiB", forwardQueue: "1MiB", requestBytes: "1MiB", inFlight: "1MiB",
			headerBytes: "1KiB", nameBytes: "1KiB", valueBytes: "1KiB", answerBytes: "1MiB",
			logLevel: "info", logFormat: "text", forwardTokenFile: c.file, clickHouseQueue: "1MiB",
		}
		f.Forward.Access.Token = c.token
		err := f.complete(Process{Stderr: io.Discard})
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
		} else {
			require.NoError(t, err)
			require.Equal(t, c.want, f.Forward.Access.Token)
		}
	}
}

// What may take long is as long as --query-time says, in ClickHouse too.
func TestQuestionsToClickHouseMayTakeLong(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{30 * time.Second: time.Minute, time.Hour: time.Hour} {
		f := serveFlags{}
		f.QueryTime, f.ClickHouse.Timeout = given, time.Minute
		require.NoError(t, f.completeClickHouse())
		require.Equal(t, want, f.ClickHouse.QueryTime)
	}
}

// A variable for one command is no mistake for another in the same shell; one that is for none is, and its value is not shown.
func TestVariablesOfOtherCommands(t *testing.T) {
	call := func(more ...string) (code int, errs string) {
		var stderr bytes.Buffer
		code = Main(t.Context(), []string{"clickhouse", "schema"}, Process{
			Stdout: io.Discard, Stderr: &stderr, Environment: append([]string{"OTELPROF_STORE=clickhouse", "OTELPROF_SPANS=7"}, more...),
		})
		return code, stderr.String()
	}
	code, errs := call()
	require.Zero(t, code, errs)
	code, errs = call("OTELPROF_CLICKHOSE=hush")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "unknown environment variable OTELPROF_CLICKHOSE")
	require.NotContains(t, errs, "hush")
}
