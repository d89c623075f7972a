package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

type settings struct {
	flags     *pflag.FlagSet
	address   *string
	retention *time.Duration
	tokens    *[]string
	force     *bool
}

func newSettings() settings {
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFileFlag(flags)
	return settings{
		flags: flags, address: flags.String("otlp-grpc", "default", ""), retention: flags.Duration("retention", time.Hour, ""),
		tokens: flags.StringSlice("token", nil, ""), force: flags.Bool("force", false, ""),
	}
}

func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "otelprof.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPrecedence(t *testing.T) {
	path := file(t, "otlp_grpc: from file\nretention: 3h\ntoken: [a, b]\nforce: true\n")
	for name, test := range map[string]struct {
		args, environment []string
		address           string
		retention         time.Duration
		tokens            []string
	}{
		"defaults":          {nil, nil, "default", time.Hour, nil},
		"file":              {[]string{"--config", path}, nil, "from file", 3 * time.Hour, []string{"a", "b"}},
		"file by variable":  {nil, []string{"OTELPROF_CONFIG=" + path}, "from file", 3 * time.Hour, []string{"a", "b"}},
		"environment wins":  {[]string{"--config", path}, []string{"OTELPROF_OTLP_GRPC=env", "OTELPROF_TOKEN="}, "env", 3 * time.Hour, []string{"a", "b"}},
		"command line wins": {[]string{"--config", path, "--otlp-grpc", ""}, []string{"OTELPROF_OTLP_GRPC=env"}, "", 3 * time.Hour, []string{"a", "b"}},
		"the library's variables are left alone": {
			nil, []string{"OTELPROF_MAX_SITES=7", "OTELPROF_TEST_X=1", "OTHER=2"}, "default", time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSettings()
			require.NoError(t, s.flags.Parse(test.args))
			require.NoError(t, Resolve(s.flags, test.environment))
			require.Equal(t, test.address, *s.address)
			require.Equal(t, test.retention, *s.retention)
			require.Equal(t, test.tokens, *s.tokens)
		})
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		file, variable string
		want           []string
	}{
		"unknown variable": {"", "OTELPROF_RETENTON=1", []string{"OTELPROF_RETENTON", "--help"}},
		"bad variable":     {"", "OTELPROF_RETENTION=soon", []string{"OTELPROF_RETENTION", "soon", "--retention"}},
		"unknown key":      {"retention: 1h\nretenton: 2h\n", "", []string{"line 2", "retenton"}},
		"bad value":        {"retention: soon\n", "", []string{"line 1", "soon"}},
		"both":             {"a: 1\nb: 2\n", "", []string{`"a"`, `"b"`}},
		"nested":           {"retention: {a: 1}\n", "", []string{"line 1"}},
		"no YAML":          {"\t:", "", []string{"otelprof.yaml"}},
		"config in config": {"config: x\n", "", []string{"config"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSettings()
			var args []string
			if test.file != "" {
				args = []string{"--config", file(t, test.file)}
			}
			require.NoError(t, s.flags.Parse(args))
			err := Resolve(s.flags, []string{test.variable})
			require.Error(t, err)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestMissingAndHugeFiles(t *testing.T) {
	s := newSettings()
	require.NoError(t, s.flags.Parse([]string{"--config", filepath.Join(t.TempDir(), "none")}))
	require.ErrorIs(t, Resolve(s.flags, nil), os.ErrNotExist)
	s = newSettings()
	require.NoError(t, s.flags.Parse([]string{"--config", file(t, string(make([]byte, maxFile+1)))}))
	require.ErrorContains(t, Resolve(s.flags, nil), "larger than")
}
