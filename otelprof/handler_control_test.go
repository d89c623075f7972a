package otelprof

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlsAreOffUnlessAllowed(t *testing.T) {
	p := newProfiler(t)
	recordShop(p)
	for _, h := range []http.Handler{Handler(p), Handler(p, WithControls(true), WithControls(false))} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			for _, page := range []string{"controls", "reset", "clear", "enable", "disable", "disable?track=sql"} {
				w := request(h, method, mount+page, nil)
				require.Equal(t, http.StatusForbidden, w.Code, "%s %s", method, page)
				require.Contains(t, w.Body.String(), "otelprof.WithControls")
			}
		}
	}
	require.Equal(t, uint64(4), p.Snapshot().Counters.Spans)
	require.True(t, p.Enabled())
	require.True(t, p.TrackEnabled("sql"))
}

func TestControls(t *testing.T) {
	p := newProfiler(t)
	h := Handler(p, WithControls(true))
	post := func(target, answer string) {
		t.Helper()
		w := request(h, "POST", mount+target, nil)
		require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
		require.Equal(t, "controls", w.Header().Get("Location"))
		require.Equal(t, "otelprof: "+answer+"\n", w.Body.String())
	}
	recordShop(p)
	post("disable", "the profiler is off")
	require.False(t, p.Enabled())
	post("enable", "the profiler is on")
	require.True(t, p.Enabled())
	post("disable?track=sql", `track "sql" is off`)
	require.False(t, p.TrackEnabled("sql"))
	require.True(t, p.Enabled())
	post("reset", "all numbers are zero")
	require.Zero(t, p.Snapshot().Counters.Spans)
	post("enable?track=sql", `track "sql" is on`)
	require.True(t, p.TrackEnabled("sql"))
	recordShop(p)
	post("clear", "everything is forgotten")
	require.True(t, p.Snapshot().IsEmpty())
}

func TestControlsTakeForms(t *testing.T) {
	p := newProfiler(t)
	recordShop(p)
	h := Handler(p, WithControls(true))
	post := func(page, kind, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", mount+page, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const form = "application/x-www-form-urlencoded"
	require.Equal(t, http.StatusSeeOther, post("disable", form+"; charset=utf-8", "track=view").Code)
	require.False(t, p.TrackEnabled("view"))

	for _, bad := range []struct {
		status                   int
		page, kind, body, answer string
	}{
		{415, "disable", "application/json", `{"track":"sql"}`, `the body is "application/json", want ` + form + ` or none`},
		{415, "disable", "", "track=sql", `the body is "", want ` + form + ` or none`},
		{400, "disable", form, "track=sql2", `parameter track is "sql2", want a track of the profile`},
		{400, "disable?track=sql", form, "track=view", "parameter track is given 2 times, want it once"},
		{400, "disable", form, "trakc=sql", `unknown parameter "trakc", action disable has track`},
		{400, "reset", form, "track=sql", `unknown parameter "track", action reset has none`},
		{400, "disable", form, "track=%zz", "cannot read the form"},
		{400, "disable", form, "track=" + strings.Repeat("x", maxForm), "cannot read the form"},
	} {
		w := post(bad.page, bad.kind, bad.body)
		require.Equal(t, bad.status, w.Code, bad.body)
		require.Contains(t, w.Body.String(), bad.answer)
	}
	require.True(t, p.Enabled())
	require.True(t, p.TrackEnabled("sql"))
}

func TestControlsRefuseOtherOriginsAndMethods(t *testing.T) {
	p := newProfiler(t)
	h := Handler(p, WithControls(true))
	for _, c := range []struct {
		header, value string
		status        int
	}{
		{"Sec-Fetch-Site", "cross-site", 403},
		{"Sec-Fetch-Site", "same-site", 403},
		{"Sec-Fetch-Site", "same-origin", 303},
		{"Sec-Fetch-Site", "none", 303},
		{"Origin", "https://evil.example", 403},
		{"Origin", "null", 403},
		{"Origin", "http://example.com", 303}, // the host of httptest.NewRequest
	} {
		p.SetEnabled(true)
		r := httptest.NewRequest("POST", mount+"disable", nil)
		r.Header.Set(c.header, c.value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%s: %s", c.header, c.value)
		require.Equal(t, c.status == 403, p.Enabled())
	}
	p.SetEnabled(true)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		w := request(h, method, mount+"disable", nil)
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "POST", w.Header().Get("Allow"))
	}
	require.True(t, p.Enabled())
}

// TestControlsPageSwitchesEveryTrack presses the buttons of the page for names that mean something in HTML or in an
// address.
func TestControlsPageSwitchesEveryTrack(t *testing.T) {
	p := newProfiler(t)
	for _, name := range hostileNames {
		p.Block(context.Background(), name, "x").End()
	}
	h := Handler(p, WithControls(true))
	for _, on := range []bool{false, true} {
		body := get(h, mount+"controls").Body.String()
		forms := regexp.MustCompile(`action="((?:en|dis)able\?[^"]*)"`).FindAllStringSubmatch(body, -1)
		require.Len(t, forms, len(hostileNames))
		for _, form := range forms {
			require.Equal(t, http.StatusSeeOther, request(h, "POST", mount+html.UnescapeString(form[1]), nil).Code, form[1])
		}
		for _, track := range p.Snapshot().Tracks() {
			require.Equal(t, on, p.TrackEnabled(track.Name), "%q", track.Name)
		}
	}
}

func TestControlsPage(t *testing.T) {
	p := newProfiler(t, WithDisabledTracks("quiet"))
	recordShop(p)
	p.Block(context.Background(), "quiet", "x").End()
	h := Handler(p, WithControls(true))
	w := get(h, mount+"controls")
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "form-action 'self'")
	require.Contains(t, w.Body.String(), "&#34;quiet&#34;<td>0<td>off")
	require.Contains(t, w.Body.String(), "&#34;sql&#34;<td>2<td>on")
	require.NotContains(t, w.Body.String(), "SetGlobalEnabled")

	SetGlobalEnabled(false)
	defer SetGlobalEnabled(true)
	require.Contains(t, get(h, mount+"controls").Body.String(), "SetGlobalEnabled")
}
