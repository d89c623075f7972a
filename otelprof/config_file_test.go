package otelprof

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadValuesInTheFile(t *testing.T) {
	for _, s := range everySetting {
		found, _ := findSetting(s.key)
		text := s.key + ": " + quote(s.not)
		if found.setList != nil {
			text = s.key + ": [" + quote(strings.ReplaceAll(s.not, ",", `", "`)) + "]"
			text = strings.ReplaceAll(text, `\"`, `"`)
		}
		c := defaultConfig()
		err := applyYAML(&c, "f.yaml", []byte("# comment\n"+text))
		require.EqualError(t, err, "f.yaml:2: "+s.key+" is "+quote(s.not)+", want "+found.allowed)
		require.Equal(t, defaultConfig(), c, "a bad value changes nothing")
	}
}

func TestBadFiles(t *testing.T) {
	lists := ", want a list of track names, in which * stands for any characters, none of them empty"
	for text, want := range map[string]string{
		"[a, b]":                             "f.yaml:1: want lines of the form key: value",
		"just text":                          "f.yaml:1: want lines of the form key: value",
		"name: a\nname: b":                   "f.yaml:2: name was already set in line 1",
		"name: [a]":                          "f.yaml:1: name is a list, want 1 to 1024 bytes",
		"name: {a: b}":                       "f.yaml:1: name is a mapping, want 1 to 1024 bytes",
		"only_tracks: a,b":                   `f.yaml:1: only_tracks is "a,b"` + lists,
		"only_tracks: {a: b}":                "f.yaml:1: only_tracks is a mapping" + lists,
		"only_tracks: [a, ~]":                `f.yaml:1: only_tracks is "a,"` + lists,
		"only_tracks: [[a], b]":              `f.yaml:1: only_tracks is ",b"` + lists,
		"enabled: yes":                       `f.yaml:1: enabled is "yes", want true or false`,
		"max_sites: 1_000":                   `f.yaml:1: max_sites is "1_000", want a whole number from 1 to 16777216`,
		"limits:\n  max_sites: 1":            `f.yaml:1: unknown key "limits", want one of name, enabled,`,
		"Name: a":                            `f.yaml:1: unknown key "Name", did you mean name?`,
		"? [a]\n: b":                         `f.yaml:1: unknown key ""`,
		"<<: {name: a}":                      `f.yaml:1: unknown key "<<"`,
		"\"\\e[31m\": a":                     `f.yaml:1: unknown key "\x1b[31m"`,
		"name: a\n---\nname: b":              "f.yaml: line 2: want a single YAML document",
		"name: a\n---\nb: [":                 "f.yaml: yaml: ",
		"name: *nothing":                     "f.yaml: yaml: unknown anchor",
		"name: \"a":                          "f.yaml: yaml: ",
		"name: \xff":                         "f.yaml: yaml: ",
		"name: " + strings.Repeat("x", 2000): `f.yaml:1: name is "` + strings.Repeat("x", 100) + `"…, want`,
	} {
		c := defaultConfig()
		require.ErrorContains(t, applyYAML(&c, "f.yaml", []byte(text)), want, "%q", text)
	}
}

func TestFilesThatSayNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# comment", "---", "---\n...\n", "~", "null", "{}", "\ufeff",
		"name:\nonly_tracks:\n  # - a\nenabled: ~\n"} {
		c := defaultConfig()
		require.NoError(t, applyYAML(&c, "f.yaml", []byte(text)), "%q", text)
		require.Equal(t, defaultConfig(), c, "%q", text)
	}
}

func TestAliases(t *testing.T) {
	c := defaultConfig()
	text := "only_tracks: &tracks [&a a/b, c]\ncall_site_skip: *tracks\ndisabled_tracks: [*a]\nname: *a\n"
	require.NoError(t, applyYAML(&c, "f.yaml", []byte(text)))
	require.Equal(t, []string{"a/b", "c"}, c.onlyTracks)
	require.Equal(t, c.onlyTracks, c.callSiteSkip)
	require.Equal(t, []string{"a/b"}, c.disabledTracks)
	require.Equal(t, "a/b", c.name)
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := resolveText([]Option{WithConfigFile(dir + "/missing.yaml")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "reading the configuration file: open "+dir+"/missing.yaml")

	_, err = resolveText([]Option{WithConfigFile(dir)})
	require.ErrorContains(t, err, "reading the configuration file: read "+dir)

	large := writeFile(t, string(bytes.Repeat([]byte("#\n"), largestFile/2+1)))
	_, err = resolveText([]Option{WithConfigFile(large)})
	require.ErrorContains(t, err, large+" is larger than 1048576 bytes")
}

func FuzzConfigFile(f *testing.F) {
	for _, s := range everySetting {
		f.Add([]byte(s.key + ": " + s.yaml))
	}
	f.Add([]byte("only_tracks: &a [*a]"))
	f.Add([]byte("{{}: [}"))
	f.Add([]byte("a: &a [b]\nname: *a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := defaultConfig()
		err := applyYAML(&c, "f.yaml", text)
		if err != nil && strings.ContainsAny(err.Error(), "\x00\x1b\u202e") {
			t.Errorf("the error has control characters: %q", err)
		}
		if c.name == "" {
			c.name = "x" // no name in the text
		}
		if !validName(c.name) || !validList(c.onlyTracks) || !validList(c.disabledTracks) ||
			!validList(c.callSiteSkip) || !c.callSite.valid() || c.limits.Validate() != nil {
			t.Errorf("%q made a bad config: %+v", text, c)
		}
	})
}
