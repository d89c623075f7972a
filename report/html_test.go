package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

func htmlPage(t *testing.T, s *core.Snapshot, o HTMLOptions) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, s, o))
	return b.String()
}

// htmlElement returns the text of the only element that starts with the tag.
func htmlElement(t *testing.T, page, tag string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(page, tag), "occurrences of %s", tag)
	name := regexp.MustCompile(`\w+`).FindString(tag)
	_, rest, _ := strings.Cut(page, tag)
	text, _, found := strings.Cut(rest, "</"+name+">")
	require.True(t, found)
	return text
}

func htmlData(t *testing.T, page string) (p pageProfile) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(htmlElement(t, page, `<script id="profile" type="application/json">`)))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&p))
	return p
}

// htmlHostile returns a profile whose every string attacks the page.
func htmlHostile() *core.Snapshot {
	names := []string{
		`</script><script>window.pwned=1</script>`, `<img src=x onerror=window.pwned=1>`, `<!--<script>`, `]]>`,
		"\u202Etxt.exe\u202C \u2066x", "\x1b[31mred\x1b[0m\a", "\xff\xfe broken \xc3", "line\u2028separator\u2029", "a\nb\r\nc\t;",
		`"'` + "`${window.pwned=1}" + `\`, "", " ", "__proto__", "constructor", `=cmd|' /C calc'!A0`, "&lt;b&gt;&amp;",
		strings.Repeat("A", 1<<20), strings.Repeat("é", 4<<10), "עברית and العربية", "日本語 👩‍👩‍👧",
	}
	var spans []htmlSpan
	for i, name := range names {
		site := core.Site{Track: name, Name: name, Kind: core.Kind(i), Function: name, File: name, Line: i}
		child := htmlSpan{site: core.Site{Track: "inner", Name: name}, calls: 1, share: 0.5}
		spans = append(spans, htmlSpan{site: site, calls: 3, share: 1e6, errors: 0.5, children: []htmlSpan{child}})
	}
	s := htmlSnapshot("<b>hostile\u202E\x1b[31m</title>", spans)
	s.DisabledTracks = []string{names[0], names[16]}
	s.Counters.Truncated = math.MaxUint64
	return s
}

func TestHTMLPolicyAllowsExactlyItsOwnScriptAndStyle(t *testing.T) {
	page := htmlPage(t, htmlWebshop(), HTMLOptions{})
	policy := html.UnescapeString(regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)[1])
	require.Equal(t, "default-src 'none'; script-src "+cspHash(htmlElement(t, page, "<script>"))+
		"; style-src "+cspHash(htmlElement(t, page, "<style>"))+"; img-src data:; base-uri 'none'; form-action 'none'", policy)
	require.Equal(t, policy+"; frame-ancestors 'none'", HTMLContentSecurityPolicy())
	require.Less(t, strings.Index(page, "Content-Security-Policy"), strings.Index(page, "<style>"), "a policy binds what follows it")
	require.Empty(t, regexp.MustCompile(`\son\w+=|\sstyle=`).FindString(pageSource), "inline attributes are forbidden")
	// The hash of "alert('Hello, world.');" as the CSP specification gives it.
	require.Equal(t, "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='", cspHash("alert('Hello, world.');"))
}

func TestHTMLHoldsTheNumbersOfTheSnapshot(t *testing.T) {
	s := htmlWebshop()
	p := htmlData(t, htmlPage(t, s, HTMLOptions{}))
	require.Equal(t, s.Counters.Spans, p.Spans)
	require.Equal(t, int64(s.Window()), p.WindowNs)
	require.Equal(t, "2026-05-04T12:30:00Z", p.Start)
	require.Equal(t, warnings(s), p.Warnings)
	require.Len(t, p.Blocks, len(s.Blocks))
	for i, b := range s.Blocks {
		st, got := &b.Stats, p.Blocks[i]
		require.Equal(t, [4]string{b.Site.Track, b.Site.Name, b.Site.Kind.String(), b.Site.Location()},
			[4]string{got.Track, got.Name, got.Kind, got.Location})
		require.Equal(t, [6]uint64{st.Count, st.Errors, st.Total, st.Self, st.Min, st.Max},
			[6]uint64{got.Count, got.Errors, got.Total, got.Self, got.Min, got.Max})
		require.InDelta(t, st.Quantile(0.99), got.P99, 0.5)
		require.InDelta(t, st.StdDev(), got.StdDev, 0.5)
		require.LessOrEqual(t, len(got.Histogram.Counts), maxPageBuckets)
		sum := got.Histogram.Zero
		for _, c := range got.Histogram.Counts {
			sum += c
		}
		require.Equal(t, st.Count, sum, "histogram of %s", b.Site)
		require.Equal(t, st.LastError.IsZero(), got.LastError == nil)
	}
	require.Len(t, p.Nodes.Parent, len(s.Nodes))
	for i, n := range s.Nodes {
		require.Equal(t, [6]uint64{uint64(n.Parent + 1), uint64(n.Block), n.Stats.Count, n.Stats.Errors, n.Stats.Total, n.Stats.Self},
			[6]uint64{uint64(p.Nodes.Parent[i] + 1), uint64(p.Nodes.Block[i]), p.Nodes.Count[i], p.Nodes.Errors[i], p.Nodes.Total[i], p.Nodes.Self[i]})
	}
}

func TestHTMLShowsServicesAndCriticalPaths(t *testing.T) {
	s := htmlSnapshot("p", []htmlSpan{{site: core.Site{Service: "<cart>", Track: "t", Name: "n"}, calls: 1, share: 100}})
	require.Nil(t, htmlData(t, htmlPage(t, s, HTMLOptions{})).Nodes.Critical)
	s.Blocks[0].Stats.Critical, s.Nodes[0].Stats.Critical = 7, 7
	p := htmlData(t, htmlPage(t, s, HTMLOptions{}))
	require.Equal(t, "<cart>", p.Blocks[0].Service)
	require.Equal(t, uint64(7), p.Blocks[0].Critical)
	require.Equal(t, []uint64{7}, p.Nodes.Critical)
}

func TestHTMLShowsQuantilesOfSelfTimes(t *testing.T) {
	s := htmlSnapshot("p", []htmlSpan{{site: core.Site{Track: "t", Name: "n"}, calls: 1, share: 100}})
	require.Nil(t, htmlData(t, htmlPage(t, s, HTMLOptions{})).Blocks[0].SelfP50, "they are not known")
	stats := &s.Blocks[0].Stats
	stats.SelfHistogram = &stats.Histogram
	b := htmlData(t, htmlPage(t, s, HTMLOptions{})).Blocks[0]
	require.Equal(t, []float64{b.P50, b.P99}, []float64{*b.SelfP50, *b.SelfP99})
}

func TestHTMLShowsPendingSpansUnderARootOfTheirOwn(t *testing.T) {
	s := htmlSnapshot("p", []htmlSpan{{site: core.Site{Track: "t", Name: "n"}, calls: 1, share: 100}})
	s.Blocks[0].Pending = 1
	s.Nodes = nil
	p := htmlData(t, htmlPage(t, s, HTMLOptions{}))
	require.Equal(t, []int{-1, 0}, p.Nodes.Block)
	require.Equal(t, []int{-1, 0}, p.Nodes.Parent)
	require.Equal(t, p.Blocks[0].Total, p.Nodes.Total[1])
}

func TestHTMLOfAnEmptySnapshot(t *testing.T) {
	page := htmlPage(t, &core.Snapshot{}, HTMLOptions{})
	require.Equal(t, "Profile · otelprof", htmlElement(t, page, "<title>"))
	p := htmlData(t, page)
	require.Equal(t, "", p.Start)
	require.NotContains(t, htmlElement(t, page, `<script id="profile" type="application/json">`), "null")
}

func TestHTMLEscapesHostileNames(t *testing.T) {
	s := htmlHostile()
	page := htmlPage(t, s, HTMLOptions{Links: []Link{{`<b>"x"`, `javascript:alert(1)`}, {"CSV", "csv?seconds=5&x=\"<b>\""}}})
	require.Equal(t, 2, strings.Count(page, "</script>"))
	require.Equal(t, `&lt;b&gt;hostile\u202e\x1b[31m&lt;/title&gt; · otelprof`, htmlElement(t, page, "<title>"))
	require.False(t, strings.Contains(page, "javascript:"))
	require.True(t, strings.Contains(page, `<a href="csv?seconds=5&amp;x=%22%3cb%3e%22">CSV</a>`))
	data := htmlElement(t, page, `<script id="profile" type="application/json">`)
	require.Empty(t, regexp.MustCompile(`[<>\x00-\x1f\x7f-\x9f\x{2028}\x{2029}\x{202a}-\x{202e}\x{2066}-\x{2069}]`).FindString(data))
	names := map[string]bool{}
	for _, b := range htmlData(t, page).Blocks {
		names[b.Name] = true
	}
	for _, want := range []string{`</script><script>window.pwned=1</script>`, `\x1b[31mred\x1b[0m\x07`, `\xff\xfe broken \xc3`, "(unnamed)",
		`\u202etxt.exe\u202c \u2066x`, "__proto__", strings.Repeat("A", maxPageText) + "… (1048576 bytes)", "עברית and العربية"} {
		require.True(t, names[want], "no block named %.60q", want)
	}
}

func TestHTMLSizeIsBounded(t *testing.T) {
	fixed := len(htmlPage(t, &core.Snapshot{}, HTMLOptions{}))
	require.Less(t, fixed, 100<<10, "the page without data")
	require.Less(t, len(htmlPage(t, htmlForest(10_000), HTMLOptions{}))-fixed, 10_000*100+5_000*1_000)
	require.Less(t, len(htmlPage(t, htmlHostile(), HTMLOptions{}))-fixed, 1<<20, "1 MB names must be cut")
}

func TestHTMLOptions(t *testing.T) {
	page := htmlPage(t, htmlWebshop(), HTMLOptions{Title: "Shop, live", Refresh: 1500 * time.Millisecond, Links: []Link{{"JSON", "json"}}})
	require.Equal(t, "Shop, live · otelprof", htmlElement(t, page, "<title>"))
	require.True(t, strings.Contains(page, `<meta http-equiv="refresh" content="2">`))
	require.True(t, strings.Contains(page, `<a href="json">JSON</a>`))
	page = htmlPage(t, htmlWebshop(), HTMLOptions{Refresh: -time.Second})
	require.True(t, strings.Contains(page, "<h1>webshop</h1>"))
	require.False(t, strings.Contains(page, `http-equiv="refresh"`))
	require.False(t, strings.Contains(page, "<nav"))
}

func TestHTMLRejectsMalformedTrees(t *testing.T) {
	for _, node := range []core.Node{{Parent: 0}, {Parent: -2}, {Parent: 7}, {Parent: -1, Block: -1}, {Parent: -1, Block: 1}} {
		s := &core.Snapshot{Blocks: make([]core.Block, 1), Nodes: []core.Node{node}}
		var b bytes.Buffer
		require.ErrorContains(t, HTML(&b, s, HTMLOptions{}), "node 0 has")
		require.Zero(t, b.Len(), "nothing may be written")
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestHTMLReportsTheWritersError(t *testing.T) {
	full := errors.New("disk full")
	require.ErrorIs(t, HTML(brokenWriter{full}, htmlWebshop(), HTMLOptions{}), full)
}

func TestJoinModules(t *testing.T) {
	script, err := joinModules([]scriptModule{
		{"a.js", "const x = 1;\n\nexport { x };\n"},
		{"b.js", "import { x } from \"./a.js\";\nimport {\n  x as y,\n} from \"./a.js\";\n"},
	})
	require.ErrorContains(t, err, "b.js: cannot join", "renaming is not the same in a destructuring")
	require.Empty(t, script)

	script, err = joinModules([]scriptModule{
		{"a.js", "const x = 1;\n\nexport { x };\n"},
		{"b.js", "import { x } from \"./a.js\";\nconsole.log(x);\n"},
	})
	require.NoError(t, err)
	require.Equal(t, "\"use strict\";\nconst modules = {};\n"+
		"modules[\"a.js\"] = (() => {\nconst x = 1;\n\nreturn { x };\n})();\n"+
		"modules[\"b.js\"] = (() => {\nconst { x } = modules[\"a.js\"];\nconsole.log(x);\n})();\n", script)

	for name, source := range map[string]string{
		"not joined before it": "import { x } from \"./later.js\";\n",
		"cannot join":          "import x from \"./a.js\";\n",
		"cannot join \"export": "export const x = 1;\n",
		"end or confuse":       "const x = \"</SCRIPT>\";\n",
	} {
		_, err := joinModules([]scriptModule{{"bad.js", source}})
		require.ErrorContains(t, err, name)
	}
}

func TestEveryModuleIsJoined(t *testing.T) {
	entries, err := assetFiles.ReadDir("html")
	require.NoError(t, err)
	var modules []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".js") {
			modules = append(modules, e.Name())
		}
	}
	require.ElementsMatch(t, modules, scriptModules)
}

func TestCutTextNeverSplitsACharacter(t *testing.T) {
	for pad := range 5 {
		text := strings.Repeat("a", pad) + strings.Repeat("€", maxPageText)
		cut := cutText(text)
		require.True(t, strings.HasSuffix(cut, " bytes)"))
		require.Equal(t, cut, validUTF8(cut))
		require.LessOrEqual(t, len(cut), maxPageText+24)
	}
	require.Equal(t, "short", cutText("short"))
	require.NotPanics(t, func() { cutText(strings.Repeat("\x80", 2*maxPageText)) })
}
