package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
	"github.com/stichotrope/stichotrope-go/server/internal/api"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestBadRequestsAreRefusedAloud(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	for target, message := range map[string]string{
		"GET blocks?since=yesterday":                               `since: "yesterday" is neither a time nor a duration`,
		"GET blocks?since=1m&until=2m":                             "is empty",
		"GET blocks?since=1m&since=2m":                             "given 2 times",
		"GET blocks?sinse=1m":                                      `the parameter "sinse" is unknown`,
		"GET blocks?limit=-1":                                      `limit: "-1" is not possible`,
		"GET blocks?limit=1e3":                                     "is not possible",
		"GET blocks?limit=99999999999999999999":                    "is not possible",
		"GET blocks?spark=yes":                                     "neither true nor false",
		"GET blocks?sort=beauty":                                   `cannot sort by "beauty"`,
		"GET blocks?filter=p99%3E1":                                "not a duration with a unit",
		"GET blocks?filter=%":                                      "malformed",
		"GET blocks/0123456789abcdef":                              "there is no block",
		"GET blocks/0123456789abcdef/heatmap?step=90s":             "step: 1m30s is not possible",
		"GET blocks/0123456789abcdef/heatmap?step=0.5m":            "step: 30s is not possible",
		"GET blocks/0123456789abcdef/heatmap?buckets=1000":         "is not possible",
		"GET timeline?since=100d&step=1m":                          "steps are too many",
		"GET tree?limit=x":                                         "is not possible",
		"GET traces?kind=serwer":                                   "kind",
		"GET traces?min_duration=2s&max_duration=1s":               "is below the shortest",
		"GET traces?min_duration=-2s":                              "negative",
		"GET traces?attribute=x":                                   "has no key or no value",
		"GET traces?attribute=%3Dx":                                "has no key or no value",
		"GET traces?limit=9999":                                    "is not possible",
		"GET traces/xyz":                                           "is not a trace id",
		"GET traces/" + strings.Repeat("a", 33):                    "is not a trace id",
		"GET traces/00000000000000000000000000000001":              "there is no trace",
		"GET traces/" + querytest.TraceID(90).String() + "?span=1": "there is no span",
		"GET diff?before_snapshot=a&before_since=1m":               "both before_snapshot and a period",
		"GET diff?after_snapshot=nothing":                          `snapshot "nothing"`,
		"GET diff?alpha=2":                                         "is not possible",
		"GET diff?alpha=NaN":                                       "is not possible",
		"GET profile?format=word":                                  `there is no format "word"`,
		"GET snapshots/nothing":                                    `snapshot "nothing"`,
		"DELETE snapshots/nothing":                                 `snapshot "nothing"`,
		"PUT snapshots/-x application/json {}":                     "is no snapshot",
		"PUT snapshots/x text/plain x":                             "content type",
		"PUT snapshots/x application/octet-stream x":               "is no snapshot",
		"POST snapshots text/plain {}":                             "content type",
		"POST snapshots application/json {":                        "the body is not what is expected",
		`POST snapshots application/json {"nam":"x"}`:              "unknown field",
		`POST snapshots application/json {"name":"../x"}`:          "cannot be the name of a snapshot",
		`POST snapshots application/json {"name":"x","since":"?"}`: "neither a time nor a duration",
		"GET events?interval=1ms":                                  "interval: 1ms is not possible",
		"GET nothing":                                              "there is no GET",
		"DELETE blocks":                                            "there is no DELETE",
	} {
		parts := append(strings.SplitN(target, " ", 4), "", "")
		r := httptest.NewRequest(parts[0], "/api/v1/"+strings.ReplaceAll(parts[1], " ", "%20"), strings.NewReader(parts[3]))
		r.Header.Set("Content-Type", parts[2])
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, w.Code, target)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var f failure
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &f), w.Body)
		require.Contains(t, f.Error.Message, message, target)
		require.NotEmpty(t, f.Error.Hint, target)
		require.Equal(t, w.Code == http.StatusNotFound, f.Error.Code == "not_found")
	}
}

func TestFailuresAndLimits(t *testing.T) {
	var log bytes.Buffer
	for _, x := range []struct {
		err    error
		most   int
		status int
		code   string
	}{
		{errors.New("secret path /var/x"), 0, http.StatusInternalServerError, "internal"},
		{store.ErrFull, 0, http.StatusServiceUnavailable, "busy"},
		{fmt.Errorf("ClickHouse %w: refused", store.ErrAway), 0, http.StatusServiceUnavailable, "busy"},
		{nil, 200, http.StatusUnprocessableEntity, "too_large"},
	} {
		s := querytest.New(querytest.Spans())
		s.Err = x.err
		c := newContract(t, s, api.Options{MaxBytes: x.most, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, target := range []string{"blocks", "profile?format=html"} {
			w := c.ask(t, true, http.MethodGet, "/api/v1/"+target, "", "")
			require.Equal(t, x.status, w.Code)
			var f failure
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &f))
			require.Equal(t, x.code, f.Error.Code)
			require.NotContains(t, w.Body.String(), "secret")
		}
	}
	require.Contains(t, log.String(), "secret path")
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{Timeout: time.Nanosecond})
	require.Equal(t, http.StatusGatewayTimeout, c.ask(t, true, http.MethodGet, "/api/v1/blocks", "", "").Code)
}

func TestHeadersKeepBrowsersSafe(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	for _, target := range []string{"status", "nothing", "profile?format=html"} {
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/"+target, nil))
		h := w.Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Empty(t, h.Get("Access-Control-Allow-Origin"))
		policy := "default-src 'none'; frame-ancestors 'none'"
		if strings.Contains(target, "html") {
			policy = report.HTMLContentSecurityPolicy()
		}
		require.Equal(t, policy, h.Get("Content-Security-Policy"))
	}
}

func TestChangesFromOtherOriginsAreRefused(t *testing.T) {
	s := querytest.New(querytest.Spans())
	c := newContract(t, s, api.Options{})
	require.NoError(t, s.SaveSnapshot(t.Context(), "kept", &core.Snapshot{}))
	for _, header := range []http.Header{
		{"Origin": {"https://evil.test"}}, {"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"null"}},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			target := "/api/v1/snapshots/kept"
			if method == http.MethodPost {
				target = "/api/v1/snapshots"
			}
			r := httptest.NewRequest(method, target, strings.NewReader(`{"name":"new"}`))
			r.Header = header.Clone()
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			c.handler.ServeHTTP(w, r)
			require.Equal(t, http.StatusForbidden, w.Code, "%s %v", method, header)
			require.Contains(t, w.Body.String(), `"forbidden"`)
		}
	}
	list, err := s.ListSnapshots(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	for _, header := range []http.Header{{}, {"Sec-Fetch-Site": {"same-origin"}}, {"Origin": {"http://example.com"}}} { // the host of httptest
		r := httptest.NewRequest(http.MethodPost, "/api/v1/snapshots", strings.NewReader(`{"name":"new"}`))
		r.Header = header.Clone()
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusCreated, w.Code, header)
	}
}

func TestAnswersAreCompressedForThoseWhoAsk(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	r := httptest.NewRequest(http.MethodGet, "/api/v1/blocks?spark=true", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
	zr, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(zr)
	require.NoError(t, err)
	require.True(t, json.Valid(text))
	require.Equal(t, c.ask(t, true, http.MethodGet, "/api/v1/blocks?spark=true", "", "").Body.Bytes(), text)
}

type blocksAnswer struct {
	Period struct{ Seconds float64 }
	Blocks []struct {
		ID, Service, Name string
		Stats             struct {
			Count, Errors uint64
			Total         uint64 `json:"total_ns"`
			Self          uint64 `json:"self_ns"`
			Critical      uint64 `json:"critical_ns"`
			Rate, P50NS   float64
			AdjustedCount float64 `json:"adjusted_count"`
			Slowest       *struct {
				Trace string `json:"trace_id"`
			}
		}
		SelfShare     float64 `json:"self_share"`
		CriticalShare float64 `json:"critical_share"`
		Spark         struct{ Counts []uint64 }
		Trend         struct{ Count []uint64 }
	}
}

// TestBlocksThroughJSON compares what a client reads with the spans.
func TestBlocksThroughJSON(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	got := get[blocksAnswer](t, c, "blocks?since=10m&spark=true&trend=true")
	require.Len(t, got.Blocks, 6)
	var self, critical float64
	names := map[string]bool{}
	for _, b := range got.Blocks {
		names[b.Name] = true
		var count, total, selfNS, criticalNS, weight uint64
		for _, s := range querytest.Spans() {
			if query.BlockID(s.Site) == b.ID {
				count, total, selfNS, criticalNS = count+1, total+uint64(s.Duration()), selfNS+uint64(s.Self), criticalNS+uint64(s.Critical)
				weight += max(s.Weight, 1)
			}
		}
		require.Equal(t, []uint64{count, total, selfNS, criticalNS}, []uint64{b.Stats.Count, b.Stats.Total, b.Stats.Self, b.Stats.Critical})
		require.EqualValues(t, weight, b.Stats.AdjustedCount)
		require.InDelta(t, float64(count)/got.Period.Seconds, b.Stats.Rate, 1e-12)
		var inSpark, inTrend uint64
		for _, n := range b.Spark.Counts {
			inSpark += n
		}
		for _, n := range b.Trend.Count {
			inTrend += n
		}
		require.Equal(t, []uint64{count, count}, []uint64{inSpark, inTrend})
		require.LessOrEqual(t, len(b.Spark.Counts), 32)
		self, critical = self+b.SelfShare, critical+b.CriticalShare
		require.Len(t, b.Stats.Slowest.Trace, 32)
	}
	require.InDelta(t, 1, self, 1e-9)
	require.InDelta(t, 1, critical, 1e-9)
	require.True(t, names[querytest.Hostile], "a hostile name comes back as it was")
}

func TestIntegersHaveAllTheirDigits(t *testing.T) {
	s := querytest.New(nil)
	a, err := core.New(core.Config{Name: "n"})
	require.NoError(t, err)
	a.RecordTrace(core.TraceID{1}, []core.TraceSpan{
		{Label: a.Label(core.Site{Name: "x"}), Duration: 1<<60 + 1, Parent: -1},
		{Label: a.Label(core.Site{Name: "x"}), Duration: 1<<59 + 1, Parent: -1},
	})
	require.NoError(t, s.SaveSnapshot(t.Context(), "big", a.Snapshot()))
	c := newContract(t, s, api.Options{})
	w := c.ask(t, true, http.MethodGet, "/api/v1/diff?before_snapshot=big&after_snapshot=big", "", "")
	require.Contains(t, w.Body.String(), `"total_ns":`+fmt.Sprint(uint64(1<<60+1<<59+2)))
}

// same compares what two profiles hold.
func same(t *testing.T, a, b *core.Snapshot) {
	t.Helper()
	x, err := a.MarshalBinary()
	require.NoError(t, err)
	y, err := b.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, x, y)
}

func TestSnapshots(t *testing.T) {
	s := querytest.New(querytest.Spans())
	c := newContract(t, s, api.Options{})
	require.Equal(t, http.StatusCreated, c.ask(t, true, http.MethodPost, "/api/v1/snapshots", "application/json", `{"name":"a","since":"10m","service":"cart"}`).Code)
	binary := c.ask(t, true, http.MethodGet, "/api/v1/snapshots/a", "", "")
	require.Equal(t, `attachment; filename="a.otelprof"`, binary.Header().Get("Content-Disposition"))
	saved, err := s.LoadSnapshot(t.Context(), "a")
	require.NoError(t, err)
	decoded, err := core.Decode(bytes.NewReader(binary.Body.Bytes()), core.DecodeLimits{})
	require.NoError(t, err)
	require.Len(t, decoded.Blocks, 2)
	same(t, saved, decoded)

	r := httptest.NewRequest(http.MethodPut, "/api/v1/snapshots/b", bytes.NewReader(binary.Body.Bytes()))
	r.Header.Set("Content-Type", "application/octet-stream")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	again, err := s.LoadSnapshot(t.Context(), "b")
	require.NoError(t, err)
	same(t, saved, again)

	list := get[struct {
		Snapshots []struct {
			Name  string
			Spans uint64
		}
	}](t, c, "snapshots")
	require.Len(t, list.Snapshots, 2)
	require.EqualValues(t, 400, list.Snapshots[1].Spans)
	require.Equal(t, http.StatusNoContent, c.ask(t, true, http.MethodDelete, "/api/v1/snapshots/b", "", "").Code)
	require.Equal(t, http.StatusNotFound, c.ask(t, true, http.MethodDelete, "/api/v1/snapshots/b", "", "").Code)
}

// TestProfileInEveryFormat compares with what the format writes for the same profile.
func TestProfileInEveryFormat(t *testing.T) {
	s := querytest.New(querytest.Spans())
	c := newContract(t, s, api.Options{})
	p, err := query.New(s, query.Options{}).Profile(t.Context(), store.Range{From: now.Add(-10 * time.Minute), To: now}, query.Service(querytest.Cart))
	require.NoError(t, err)
	formats := get[struct{ Formats []struct{ Name string } }](t, c, "formats")
	require.Len(t, formats.Formats, len(report.Formats())+2)
	for _, f := range report.Formats() {
		var want bytes.Buffer
		require.NoError(t, f.Write(&want, p))
		w := c.ask(t, true, http.MethodGet, "/api/v1/profile?since=10m&service=cart&format="+f.Name, "", "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, f.ContentType, w.Header().Get("Content-Type"))
		require.Equal(t, want.Bytes(), w.Body.Bytes(), f.Name)
	}
}

// TestTraceThroughJSON checks what only JSON shows: offsets, attributes as text, and references.
func TestTraceThroughJSON(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	type attribute struct{ Key, Type, Value string }
	type answer struct {
		Duplicates int
		Bare       bool
		DurationNS int64 `json:"duration_ns"`
		Origins    []struct {
			Service    string
			Attributes []attribute
		}
		Spans []struct {
			SpanID     string `json:"span_id"`
			Parent     int
			Origin     int
			Block      string
			StartNS    int64 `json:"start_ns"`
			Status     string
			Message    string `json:"status_message"`
			Rank       *struct{ Fraction float64 }
			Attributes []attribute
			Events     []struct {
				Name       string
				StartNS    int64 `json:"start_ns"`
				Attributes []attribute
			}
			Links []struct {
				TraceID    string `json:"trace_id"`
				Attributes []attribute
			}
		}
	}
	got := get[answer](t, c, "traces/"+querytest.TraceID(90).String())
	require.Len(t, got.Spans, 6)
	require.Contains(t, got.Spans[0].Attributes, attribute{"http.response.status_code", "int", "200"})
	require.Contains(t, got.Spans[0].Attributes, attribute{"user.id", "string", "user-90"})
	require.Contains(t, got.Origins[got.Spans[0].Origin].Attributes, attribute{"service.version", "string", "1.2"})
	at := slices.IndexFunc(querytest.Spans(), func(s querytest.Span) bool { return s.Trace == querytest.TraceID(90) })
	want := querytest.Spans()[at : at+6]
	require.EqualValues(t, want[0].Duration(), got.DurationNS)
	for _, s := range got.Spans {
		i := slices.IndexFunc(want, func(w querytest.Span) bool { return w.ID.String() == s.SpanID })
		require.EqualValues(t, want[i].Start-want[0].Start, s.StartNS)
		require.Equal(t, query.BlockID(want[i].Site), s.Block)
		require.Equal(t, map[bool]string{true: "error", false: "unset"}[want[i].Failed], s.Status)
		require.NotNil(t, s.Rank)
		if want[i].Event != nil {
			require.Equal(t, []attribute{{"event.key", "string", "e0"}}, s.Events[0].Attributes)
			require.Equal(t, s.StartNS+1, s.Events[0].StartNS)
		}
		if want[i].Link != nil {
			require.Equal(t, querytest.TraceID(999).String(), s.Links[0].TraceID)
		}
	}
	require.Equal(t, 1, get[answer](t, c, "traces/"+querytest.TraceID(querytest.Duplicated).String()).Duplicates)

	require.False(t, got.Bare)
	require.Equal(t, got, get[answer](t, c, "traces/"+querytest.TraceID(90).String()+"?bare=auto"))
	bare := get[answer](t, c, "traces/"+querytest.TraceID(90).String()+"?bare=true")
	require.Len(t, bare.Spans, 6)
	require.True(t, bare.Bare)
	small := newContract(t, querytest.New(querytest.Spans()), api.Options{MaxBytes: 5400})
	require.Equal(t, bare, get[answer](t, small, "traces/"+querytest.TraceID(90).String()+"?bare=auto"))
	for i, s := range bare.Spans {
		require.Empty(t, s.Attributes)
		require.Empty(t, s.Events)
		require.Empty(t, s.Links)
		one := get[answer](t, c, "traces/"+querytest.TraceID(90).String()+"?span="+s.SpanID)
		require.Len(t, one.Spans, 1)
		want := got.Spans[i]
		want.Parent = -1
		require.Equal(t, want, one.Spans[0])
	}
}

// TestSearchAgainstTheSpans finds the traces that have a span which matches, the latest first.
func TestSearchAgainstTheSpans(t *testing.T) {
	c := newContract(t, querytest.New(querytest.Spans()), api.Options{})
	for target, q := range map[string]store.Query{
		"service=cart&errors=true": {Service: querytest.Cart, Attributes: []store.Attribute{{Key: "error", Value: "true"}}},
		"name=" + url.QueryEscape(querytest.Hostile) + "&kind=internal&min_duration=7ms": {Operation: querytest.Hostile, Kind: core.KindInternal, MinDuration: 7 * time.Millisecond},
		"max_duration=3.2ms":                             {MaxDuration: 3200 * time.Microsecond},
		"attribute=region%3Deu&attribute=event.key%3De3": {Attributes: []store.Attribute{{Key: "region", Value: "eu"}, {Key: "event.key", Value: "e3"}}},
		"attribute=link.key%3Dlinked&since=8m&until=6m": {Attributes: []store.Attribute{{Key: "link.key", Value: "linked"}},
			Start: store.Range{From: now.Add(-8 * time.Minute), To: now.Add(-6 * time.Minute)}},
		"attribute=http.response.status_code%3D500": {Attributes: []store.Attribute{{Key: "http.response.status_code", Value: "500"}}},
	} {
		got := get[struct {
			Traces []struct {
				TraceID string `json:"trace_id"`
			}
		}](t, c, "traces?limit=1000&"+target)
		want := []string{}
		for _, spans := range querytest.Traces(querytest.Spans()) {
			if slices.ContainsFunc(spans, func(s querytest.Span) bool { return querytest.Matches(&s, &q) }) {
				want = append(want, spans[0].Trace.String())
			}
		}
		slices.Reverse(want)
		ids := []string{}
		for _, x := range got.Traces {
			ids = append(ids, x.TraceID)
		}
		require.NotEmpty(t, want, target)
		require.Equal(t, want, ids, target)
	}
}

// FuzzRequests sends any query to any path: there is an answer in JSON or a report, and never a failure of the server.
func FuzzRequests(f *testing.F) {
	h := api.New(api.Options{Engine: query.New(querytest.New(querytest.Spans()[:100]), query.Options{Now: func() time.Time { return now }})})
	paths := []string{"blocks", "blocks/1", "blocks/1/heatmap", "timeline", "tree", "critical-path", "service-map", "traces", "traces/1", "diff", "snapshots", "profile", "tracks", "operations"}
	for i := range paths {
		f.Add(uint8(i), "since=10m&until=1m&limit=1&step=1m&format=csv&filter=a&sort=p99&kind=server")
		f.Add(uint8(i), "since=2026-03-01T12:00:00Z&service=cart&attribute=a%3Db&min_duration=1s&before_since=5m&alpha=.1&nodes=true")
	}
	f.Fuzz(func(t *testing.T, path uint8, text string) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/"+paths[int(path)%len(paths)], nil)
		r.URL.RawQuery = text
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 404}, w.Code, "%q: %s", text, w.Body)
		if w.Header().Get("Content-Type") == "application/json" {
			require.True(t, json.Valid(w.Body.Bytes()))
		}
	})
}
