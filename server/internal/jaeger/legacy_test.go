package jaeger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// The older JSON as a client would declare it.
type (
	envelope[T any] struct {
		Data   T
		Total  int
		Errors []struct {
			Code    int
			Msg     string
			TraceID string
		}
	}
	uiTrace struct {
		TraceID   string
		Spans     []uiSpan
		Processes map[string]struct {
			ServiceName string
			Tags        []uiTag
		}
	}
	uiSpan struct {
		TraceID, SpanID, OperationName, ProcessID string
		References                                []struct{ RefType, TraceID, SpanID string }
		StartTime, Duration                       uint64
		Tags                                      []uiTag
		Logs                                      []struct {
			Timestamp uint64
			Fields    []uiTag
		}
	}
	uiTag struct {
		Key, Type string
		Value     any
	}
)

func TestLegacyNames(t *testing.T) {
	h := newHandler()
	services := get[envelope[[]string]](t, h, "services")
	require.Equal(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, services.Data)
	require.Equal(t, 3, services.Total)
	names := get[envelope[[]string]](t, h, "services/"+url.PathEscape(querytest.Payment)+"/operations")
	require.Equal(t, []string{"Charge"}, names.Data)
	type operation struct{ Name, SpanKind string }
	all := get[envelope[[]operation]](t, h, "operations?service=frontend")
	require.Equal(t, []operation{{querytest.Hostile, "internal"}, {"GET /checkout", "server"}, {"POST", "client"}}, all.Data)
	clients := get[envelope[[]operation]](t, h, "operations?service=frontend&spanKind=client")
	require.Equal(t, []operation{{"POST", "client"}}, clients.Data)
	require.Empty(t, get[envelope[[]operation]](t, h, "operations?service=frontend&spanKind=nonsense").Data)
	for _, target := range []string{"services", "services/x/operations", "operations?service=x", "traces?service=x", "dependencies"} {
		require.Contains(t, ask(handler(querytest.New(nil), jaeger.Options{}), http.MethodGet, target).Body.String(), `"data":[]`)
	}
}

func TestLegacyTraceAgainstTheSpans(t *testing.T) {
	h := newHandler()
	for _, n := range []uint64{1, 7, 30, 90, querytest.Duplicated} {
		got := get[envelope[[]uiTrace]](t, h, "traces/"+querytest.TraceID(n).String()).Data[0]
		want := querytest.Spans()
		want = slices.DeleteFunc(want, func(s querytest.Span) bool { return s.Trace != querytest.TraceID(n) })
		require.Len(t, got.Spans, len(want), "a span that was sent twice is there once")
		for _, s := range got.Spans {
			w := want[slices.IndexFunc(want, func(w querytest.Span) bool { return w.ID.String() == s.SpanID })]
			require.Equal(t, w.Trace.String(), s.TraceID)
			require.Equal(t, w.Site.Name, s.OperationName)
			require.EqualValues(t, querytest.Epoch.Add(w.Start).UnixMicro(), s.StartTime)
			require.EqualValues(t, w.Duration()/1000, s.Duration)
			process := got.Processes[s.ProcessID]
			require.Equal(t, w.Site.Service, process.ServiceName)
			for _, kv := range w.Resource {
				require.Contains(t, process.Tags, uiTag{kv.Key, "string", kv.Value.GetStringValue()})
			}
			require.Contains(t, s.Tags, uiTag{"span.kind", "string", w.Site.Kind.String()})
			require.Contains(t, s.Tags, uiTag{"otel.scope.name", "string", w.Site.Track})
			require.Equal(t, w.Failed, slices.Contains(s.Tags, uiTag{"error", "bool", true}))
			require.Equal(t, w.Failed, slices.Contains(s.Tags, uiTag{"otel.status_description", "string", "it failed"}))
			if w.Event != nil {
				require.Equal(t, []uiTag{{"event", "string", "event"}, {"event.key", "string", w.Event[0].Value.GetStringValue()}}, s.Logs[0].Fields)
			}
			var refs []string
			for _, r := range s.References {
				refs = append(refs, r.RefType+" "+r.TraceID+" "+r.SpanID)
			}
			var wantRefs []string
			if w.Parent != (core.SpanID{}) {
				wantRefs = append(wantRefs, "CHILD_OF "+w.Trace.String()+" "+w.Parent.String())
			}
			if w.Link != nil {
				wantRefs = append(wantRefs, "FOLLOWS_FROM "+querytest.TraceID(999).String()+" "+querytest.SpanID(999).String())
			}
			require.Equal(t, wantRefs, refs)
		}
		require.LessOrEqual(t, len(got.Processes), 3, "one for each service")
	}
	raw := get[envelope[[]uiTrace]](t, h, "traces/"+querytest.TraceID(querytest.Duplicated).String()+"?raw=true").Data[0]
	require.Len(t, raw.Spans, 6)
}

func TestLegacySearchAgainstTheSpans(t *testing.T) {
	h := newHandler()
	for _, c := range searches {
		q := url.Values{"service": {c.service}, "operation": {c.operation}, "limit": {fmt.Sprint(c.limit)}}
		if c.minDuration > 0 {
			q.Set("minDuration", c.minDuration.String())
		}
		if c.maxDuration > 0 {
			q.Set("maxDuration", c.maxDuration.String())
		}
		if c.tags != nil {
			text, err := json.Marshal(c.tags)
			require.NoError(t, err)
			q.Set("tags", string(text))
		}
		ids := []string{}
		for _, trace := range get[envelope[[]uiTrace]](t, h, "traces?"+q.Encode()).Data {
			ids = append(ids, trace.TraceID)
		}
		require.NotEmpty(t, ids)
		require.Equal(t, matching(c.want), ids, q)
	}
	require.Len(t, get[envelope[[]uiTrace]](t, h, "traces?service=cart").Data, 100, "the default")
	require.Len(t, get[envelope[[]uiTrace]](t, h, "traces?service=cart&tag=region:eu&tag=event.key:e0&limit=9").Data, 9)
	micros := func(d time.Duration) string { return fmt.Sprint(querytest.Epoch.Add(d).UnixMicro()) }
	inTime := get[envelope[[]uiTrace]](t, h, "traces?service=cart&limit=1000&start="+micros(time.Minute)+"&end="+micros(2*time.Minute)).Data
	require.Len(t, inTime, querytest.PerMinute)
	require.Empty(t, get[envelope[[]uiTrace]](t, h, "traces?service=cart&tag=span.kind:nonsense").Data)
	require.Empty(t, get[envelope[[]uiTrace]](t, h, "traces?service=cart&tags=%7B%22span.kind%22:%22unspecified%22%7D").Data)

	some := get[envelope[[]uiTrace]](t, h, "traces?traceID="+querytest.TraceID(3).String()+"&traceID=77&traceID="+querytest.TraceID(5).String())
	require.Len(t, some.Data, 2)
	require.Len(t, some.Errors, 1)
	require.Equal(t, "0000000000000077", some.Errors[0].TraceID, "an id of 64 bits has 16 digits")
}

func TestLegacyDependenciesAgainstTheSpans(t *testing.T) {
	type link struct {
		Parent, Child string
		CallCount     uint64
	}
	h := newHandler()
	want := []link{{querytest.Frontend, querytest.Cart, 200}, {querytest.Frontend, querytest.Payment, 66}}
	require.Equal(t, want, get[envelope[[]link]](t, h, "dependencies").Data)
	require.Equal(t, want[1:], get[envelope[[]link]](t, h, "dependencies?service="+url.QueryEscape(querytest.Payment)).Data)
	end := fmt.Sprint(querytest.Epoch.Add(2 * time.Minute).UnixMilli())
	got := get[envelope[[]link]](t, h, "dependencies?lookback=60000&endTs="+end).Data
	require.Equal(t, link{querytest.Frontend, querytest.Cart, querytest.PerMinute}, got[0])
}

func TestTransform(t *testing.T) {
	h := newHandler()
	traces := get[struct{ Result json.RawMessage }](t, h, "v3/traces?query.startTimeMin=2026-03-01T12:00:00Z&query.startTimeMax=2026-03-01T12:00:03Z")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/transform", strings.NewReader(string(traces.Result))))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var got envelope[[]uiTrace]
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	want := get[envelope[[]uiTrace]](t, h, "traces?service=frontend&start="+fmt.Sprint(querytest.Epoch.UnixMicro())+"&end="+fmt.Sprint(querytest.Epoch.Add(3*time.Second).UnixMicro()))
	require.Len(t, want.Data, 3)
	require.Equal(t, want.Data, got.Data)
}

func TestBadRequestsAreRefusedAloud(t *testing.T) {
	h := newHandler()
	for target, message := range map[string]string{
		"operations":                                          "parameter 'service' is required",
		"traces?service=a&start=x":                            "unable to parse param 'start'",
		"traces?service=a&end=-1":                             "unable to parse param 'end'",
		"traces?service=a&end=99999999999999999999":           "unable to parse param 'end'",
		"traces?service=a&limit=x":                            "unable to parse param 'limit'",
		"traces?service=a&limit=-1":                           "not possible",
		"traces?service=a&limit=10001":                        "the limit is 10000",
		"traces?service=a&minDuration=5":                      "unable to parse param 'minDuration'",
		"traces?service=a&minDuration=2s&maxDuration=1s":      "is below the shortest",
		"traces?service=a&maxDuration=-5s":                    "unable to parse param 'maxDuration'",
		"traces?service=a&tag=x":                              "malformed 'tag' parameter",
		"traces?service=a&tags=%7B":                           "malformed 'tags' parameter",
		"traces?service=a&tags=%7B%22a%22:1%7D":               "malformed 'tags' parameter",
		"traces?service=a&raw=maybe":                          "unable to parse param 'raw'",
		"traces?traceID=xyz":                                  "is not a trace id",
		"traces/xyz":                                          "is not a trace id",
		"traces/0":                                            "the trace id is zero",
		"traces/1?raw=maybe":                                  "unable to parse param 'raw'",
		"traces/12345":                                        "trace not found",
		"dependencies?endTs=x":                                "unable to parse param 'endTs'",
		"dependencies?lookback=0":                             "unable to parse param 'lookback'",
		"metrics/calls":                                       "please provide at least one service name",
		"metrics/calls?service=a&spanKind=x":                  "unable to parse param 'spanKind'",
		"metrics/calls?service=a&step=0":                      "unable to parse param 'step'",
		"metrics/calls?service=a&step=1":                      "points are too many",
		"metrics/calls?service=a&groupByOperation=2":          "unable to parse param 'groupByOperation'",
		"metrics/latencies?service=a":                         "unable to parse param 'quantile'",
		"metrics/latencies?service=a&quantile=95":             "unable to parse param 'quantile'",
		"v3/operations":                                       "service is required",
		"v3/traces":                                           "query.startTimeMin and query.startTimeMax are required",
		"v3/traces?query.startTimeMin=yesterday":              "unable to parse param 'query.startTimeMin'",
		"v3/traces?query.start_time_min=1815-01-01T00:00:00Z": "unable to parse param",
		"v3/traces?query.num_traces=x":                        "unable to parse param 'query.searchDepth'",
		"v3/traces?query.filter=%7B%7D&query.startTimeMin=2026-03-01T12:00:00Z&query.startTimeMax=2026-03-01T12:00:03Z": "structured filters are not supported",
		"v3/traces?query.attributes=x&query.startTimeMin=2026-03-01T12:00:00Z&query.startTimeMax=2026-03-01T12:00:03Z":  "malformed 'tags'",
		"v3/traces?query.startTimeMin=2020-03-01T12:00:00Z&query.startTimeMax=2020-03-01T12:00:03Z":                     "No traces found",
		"v3/traces/xyz":      "is not a trace id",
		"v3/traces/12345":    "No traces found",
		"v3/trace-summaries": "are required",
	} {
		w := ask(h, http.MethodGet, target)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, w.Code, target)
		if strings.HasPrefix(target, "v3/") {
			var f struct {
				Error struct {
					GRPCCode, HTTPCode  int
					Message, HTTPStatus string
				}
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &f))
			require.Contains(t, f.Error.Message, message, target)
			require.Equal(t, w.Code, f.Error.HTTPCode)
			require.Equal(t, http.StatusText(w.Code), f.Error.HTTPStatus)
			require.Equal(t, map[int]int{400: 3, 404: 5}[w.Code], f.Error.GRPCCode)
			continue
		}
		var f envelope[any]
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &f))
		require.Len(t, f.Errors, 1, target)
		require.Contains(t, f.Errors[0].Msg, message, target)
		require.Equal(t, w.Code, f.Errors[0].Code)
		require.Nil(t, f.Data)
	}
	require.Equal(t, http.StatusNotImplemented, ask(h, http.MethodPost, "archive/1").Code)
	require.Equal(t, http.StatusBadRequest, ask(h, http.MethodPost, "archive/x").Code)
	require.Equal(t, http.StatusBadRequest, ask(h, http.MethodPost, "transform").Code)
	require.Equal(t, http.StatusMethodNotAllowed, ask(h, http.MethodPost, "traces").Code)
}

func TestFailuresAndLimits(t *testing.T) {
	s := querytest.New(querytest.Spans())
	small := handler(s, jaeger.Options{MaxBytes: 5000})
	for _, target := range []string{"traces?service=cart", "v3/traces?query.startTimeMin=2026-03-01T12:00:00Z&query.startTimeMax=2026-03-01T12:10:00Z"} {
		w := ask(small, http.MethodGet, target)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code)
		require.Contains(t, w.Body.String(), "too large")
	}
	w := httptest.NewRecorder()
	small.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/transform", strings.NewReader(strings.Repeat(" ", 6000))))
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	slow := handler(s, jaeger.Options{Timeout: 1})
	require.Equal(t, http.StatusGatewayTimeout, ask(slow, http.MethodGet, "traces?service=cart").Code)
	require.Equal(t, http.StatusGatewayTimeout, ask(slow, http.MethodGet, "v3/dependencies").Code)
	for err, code := range map[error]int{
		errors.New("secret path"): http.StatusInternalServerError, fmt.Errorf("secret address %w", store.ErrAway): http.StatusServiceUnavailable,
	} {
		s.Err = err
		for _, target := range []string{"services", "v3/services", "metrics/calls?service=a", "dependencies", "v3/traces/1"} {
			w := ask(handler(s, jaeger.Options{}), http.MethodGet, target)
			require.Equal(t, code, w.Code)
			require.NotContains(t, w.Body.String(), "secret")
		}
	}
}

// FuzzRequests sends any query to any path: there is an answer in JSON, and never a failure of the server.
func FuzzRequests(f *testing.F) {
	h := handler(querytest.New(querytest.Spans()[:50]), jaeger.Options{})
	paths := []string{"traces", "traces/1", "operations", "dependencies", "metrics/calls", "metrics/latencies", "v3/traces", "v3/traces/1", "v3/trace-summaries", "v3/operations", "v3/dependencies"}
	for i := range paths {
		f.Add(uint8(i), "service=cart&start=1&end=99999999999&limit=2&tag=a:b&tags={}&minDuration=1s&quantile=.5&step=60000&lookback=600000&spanKind=server")
		f.Add(uint8(i), "query.startTimeMin=2026-03-01T12:00:00Z&query.start_time_max=2026-03-01T12:10:00Z&query.attributes={}&startTime=2026-03-01T12:00:00Z")
	}
	f.Fuzz(func(t *testing.T, path uint8, text string) {
		r := httptest.NewRequest(http.MethodGet, "/api/"+paths[int(path)%len(paths)], nil)
		r.URL.RawQuery = text
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 404}, w.Code, "%q: %s", text, w.Body)
		require.True(t, json.Valid(w.Body.Bytes()))
	})
}
