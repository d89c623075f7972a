package otelprof

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// spoken is one setting said in every way there is.
type spoken struct {
	key      string
	option   string // name of the Option function
	say      Option
	variable string // as text in a variable
	yaml     string // as text in the file
	not      string // a text that is not allowed
}

// everySetting says something else than the default for every setting.
var everySetting = []spoken{
	{"name", "WithName", WithName("shop"), "shop", "shop", "a\x01b"},
	{"enabled", "WithEnabled", WithEnabled(false), "FALSE", "False", "no"},
	{"only_tracks", "WithOnlyTracks", WithOnlyTracks("a/*", "b"), " a/* , b", `["a/*", b]`, "a,,b"},
	{"disabled_tracks", "WithDisabledTracks", WithDisabledTracks("*", "b"), "*,b", "\n- '*'\n- b", ","},
	{"call_site", "WithCallSite", WithCallSite(CallSiteOff), "off", "off", "OFF"},
	{"call_site_skip", "WithCallSiteSkip", WithCallSiteSkip("a.B"), "a.B", "[a.B]", "a.B,"},
	{"self_time", "WithSelfTime", WithSelfTime(false), "false", "false", "0"},
	{"self_histograms", "WithSelfHistograms", WithSelfHistograms(true), "true", "True", "yes"},
	{"call_tree", "WithCallTree", WithCallTree(false), "false", "false", "off"},
	{"fast_access", "WithFastAccess", WithFastAccess(false), "False", "false", "yes"},
	{"normalize_names", "WithNormalizeNames", WithNormalizeNames(true), "true", "TRUE", "1"},
	{"max_sites", "WithLimits", WithLimits(core.Limits{MaxSites: 1}), "1", "1", "0"},
	{"max_nodes", "WithLimits", WithLimits(core.Limits{MaxNodes: 2}), "2", "2", "-1"},
	{"max_depth", "WithLimits", WithLimits(core.Limits{MaxDepth: 3}), "3", "3", "1e3"},
	{"max_active", "WithLimits", WithLimits(core.Limits{MaxActive: 4}), "4", "'4'", "16777217"},
	{"max_pending", "WithLimits", WithLimits(core.Limits{MaxPending: 5}), "5", "5", "0x10"},
	{"max_name", "WithLimits", WithLimits(core.Limits{MaxName: 16}), "16", "16", "15"},
}

// resolveText resolves options with nothing but the given variables around them.
func resolveText(opts []Option, vars ...string) (config, error) {
	return resolveIn(environment{vars: vars, program: "/usr/bin/program"}, opts)
}

// writeFile writes a configuration file and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "otelprof.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestEverySettingIsSpoken(t *testing.T) {
	var keys, known []string
	for _, s := range everySetting {
		keys = append(keys, s.key)
	}
	for _, s := range settings {
		known = append(known, s.key)
		require.NotEqual(t, s.set == nil, s.setList == nil, "%s must have one parser", s.key)
	}
	require.Equal(t, known, keys)
}

func TestDefaults(t *testing.T) {
	got, err := resolveText(nil)
	require.NoError(t, err)
	want := defaultConfig()
	want.name = "program"
	require.Equal(t, want, got)
	require.NoError(t, got.limits.Validate())
	require.True(t, got.trackEnabled("any"))
	require.Nil(t, got.normalizer())
}

func TestOptionVariableAndKeyMeanTheSame(t *testing.T) {
	defaults, err := resolveText(nil)
	require.NoError(t, err)
	for _, s := range everySetting {
		t.Run(s.key, func(t *testing.T) {
			byOption, err := resolveText([]Option{s.say})
			require.NoError(t, err)
			byVariable, err := resolveText(nil, "OTELPROF_"+strings.ToUpper(s.key)+"="+s.variable)
			require.NoError(t, err)
			path := writeFile(t, s.key+": "+s.yaml)
			byFile, err := resolveText(nil, "OTELPROF_CONFIG="+path)
			require.NoError(t, err)

			require.NotEqual(t, defaults, byOption)
			require.Equal(t, byOption, byVariable)
			require.Equal(t, byOption, byFile)
		})
	}
}

func TestPrecedence(t *testing.T) {
	path := writeFile(t, "name: file\nmax_sites: 100\nmax_nodes: 100\nmax_depth: 100\nonly_tracks: [file]\n")
	c, err := resolveText(
		[]Option{WithConfigFile(path), WithName("first"), WithName("option"), WithLimits(core.Limits{MaxSites: 300})},
		"OTELPROF_NAME=variable", "OTELPROF_MAX_SITES=200", "OTELPROF_MAX_NODES=200", "OTELPROF_ONLY_TRACKS=variable",
		"OTEL_SERVICE_NAME=service")
	require.NoError(t, err)
	require.Equal(t, "option", c.name)
	require.Equal(t, []string{"variable"}, c.onlyTracks, "a list replaces a list")
	want := core.DefaultLimits()
	want.MaxSites, want.MaxNodes, want.MaxDepth = 300, 200, 100
	require.Equal(t, want, c.limits)
}

func TestFileOfTheOptionReplacesThatOfTheVariable(t *testing.T) {
	byOption, byVariable := writeFile(t, "max_sites: 1"), writeFile(t, "max_nodes: 1")
	c, err := resolveText([]Option{WithConfigFile(byOption)}, "OTELPROF_CONFIG="+byVariable)
	require.NoError(t, err)
	require.Equal(t, 1, c.limits.MaxSites)
	require.Equal(t, core.DefaultLimits().MaxNodes, c.limits.MaxNodes, "the other file must not be read")

	c, err = resolveText([]Option{WithConfigFile("")}, "OTELPROF_CONFIG="+byVariable)
	require.NoError(t, err)
	require.Equal(t, 1, c.limits.MaxNodes, "an empty path counts as not given")
}

func TestAllMistakesAreReported(t *testing.T) {
	path := writeFile(t, "max_site: 1\ncall_tree: no\n")
	_, err := resolveText(
		[]Option{WithName(""), WithCallSite(9), WithOnlyTracks("a", ""), WithDisabledTracks(""), WithCallSiteSkip(""),
			WithLimits(core.Limits{MaxSites: -1, MaxName: 15}), WithConfigFile(path)},
		"OTELPROF_MAX_NODES=many", "OTELPROF_SELFTIME=true", "OTELPROF_ENABLED=yes")
	require.EqualError(t, err, strings.ReplaceAll(`configuring otelprof: FILE:1: unknown key "max_site", did you mean max_sites?
FILE:2: call_tree is "no", want true or false
unknown environment variable "OTELPROF_SELFTIME", did you mean OTELPROF_SELF_TIME?
OTELPROF_ENABLED is "yes", want true or false
OTELPROF_MAX_NODES is "many", want a whole number from 1 to 16777216
WithName: name is "", want 1 to 1024 bytes of valid UTF-8 without control characters
WithCallSite: call_site is "CallSiteMode(9)", want one of auto, attributes, callers, off
WithOnlyTracks: only_tracks is "a,", want a list of track names, in which * stands for any characters, none of them empty
WithDisabledTracks: disabled_tracks is "", want a list of track names, in which * stands for any characters, none of them empty
WithCallSiteSkip: call_site_skip is "", want a list of prefixes of function names, none of them empty
WithLimits: limit MaxSites is -1, want 1 to 16777216
limit MaxName is 15, want 16 to 16777216`, "FILE", path))
}

func TestNilOptionsDoNothing(t *testing.T) {
	c, err := resolveText([]Option{nil, WithTrack(nil), WithNameNormalizer(nil), WithOnlyTracks()})
	require.NoError(t, err)
	want, err := resolveText(nil)
	require.NoError(t, err)
	require.Equal(t, want, c)
}

func TestOptionsKeepNoReferenceToTheCallersList(t *testing.T) {
	list := []string{"a"}
	opts := []Option{WithOnlyTracks(list...), WithDisabledTracks(list...), WithCallSiteSkip(list...)}
	list[0] = "changed"
	c, err := resolveText(opts)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a"}, {"a"}, {"a"}}, [][]string{c.onlyTracks, c.disabledTracks, c.callSiteSkip})
}

func TestWithLimitsTakesEveryField(t *testing.T) {
	limits := core.Limits{}
	v := reflect.ValueOf(&limits).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(1000 + i))
	}
	c, err := resolveText([]Option{WithLimits(limits)})
	require.NoError(t, err)
	require.Equal(t, limits, c.limits)
}

func TestLimitsAllowWhatCoreAllows(t *testing.T) {
	// Probes both ends of what the message promises.
	for _, s := range settings {
		if !strings.HasPrefix(s.key, "max_") {
			continue
		}
		least, most := "1", "16777216"
		if s.key == "max_name" {
			least = "16"
		}
		require.Equal(t, "a whole number from "+least+" to "+most, s.allowed)
		c := defaultConfig()
		require.True(t, s.set(&c, least), s.key)
		require.True(t, s.set(&c, most), s.key)
		require.NoError(t, c.limits.Validate())
	}
}

func TestFunctionOptions(t *testing.T) {
	upper := WithNameNormalizer(strings.ToUpper)
	c, err := resolveText([]Option{
		WithTrack(func(sdktrace.ReadOnlySpan) string { return "mine" }), upper, WithNormalizeNames(true),
	})
	require.NoError(t, err)
	require.Equal(t, "mine", c.track(nil))
	require.Equal(t, "GET /7", c.normalizer()("get /7"), "a function of one's own replaces the built-in one")

	c, err = resolveText([]Option{upper}, "OTELPROF_NORMALIZE_NAMES=false")
	require.NoError(t, err)
	require.NotNil(t, c.normalizer(), "options win over variables")

	c, err = resolveText(nil, "OTELPROF_NORMALIZE_NAMES=true")
	require.NoError(t, err)
	require.Equal(t, "get /{id}", c.normalizer()("get /7"))
}

func TestTrackEnabled(t *testing.T) {
	for _, test := range []struct {
		only, disabled []string
		on, off        []string
	}{
		{nil, nil, []string{"", "a", "a/b"}, nil},
		{[]string{"a/*", "b"}, nil, []string{"a/", "a/b/c", "b"}, []string{"", "a", "b/c", "xa/b"}},
		{nil, []string{"a/*"}, []string{"", "a"}, []string{"a/b"}},
		{[]string{"a/*"}, []string{"*/test", "a/x"}, []string{"a/b"}, []string{"a/test", "a/b/test", "a/x", "b"}},
	} {
		c, err := resolveText([]Option{WithOnlyTracks(test.only...), WithDisabledTracks(test.disabled...)})
		require.NoError(t, err)
		for _, track := range test.on {
			require.True(t, c.trackEnabled(track), "%q with %v", track, test)
		}
		for _, track := range test.off {
			require.False(t, c.trackEnabled(track), "%q with %v", track, test)
		}
	}
}

func TestCallSiteModeString(t *testing.T) {
	for i, text := range []string{"auto", "attributes", "callers", "off", "CallSiteMode(4)"} {
		require.Equal(t, text, CallSiteMode(i).String())
		mode, ok := parseCallSiteMode(text)
		require.Equal(t, i < 4, ok)
		if ok {
			require.Equal(t, CallSiteMode(i), mode)
		}
	}
}

func TestResolveReadsTheProcess(t *testing.T) {
	t.Setenv("OTELPROF_MAX_SITES", "77")
	c, err := resolve(nil)
	require.NoError(t, err)
	require.Equal(t, 77, c.limits.MaxSites)
	require.Equal(t, strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), c.name)
}
