package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/server/internal/api"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests ask: the spans are from the last ten minutes.
var now = querytest.Epoch.Add(10 * time.Minute)

// contract asks a handler and checks that request and answer are as the specification says.
type contract struct {
	handler  *api.Handler
	document *openapi3.T
	router   routers.Router
	// seen are the operations with the statuses that were answered.
	seen map[string]bool
}

func newContract(t *testing.T, s *querytest.Store, o api.Options) *contract {
	o.Engine = query.New(s, query.Options{Now: func() time.Time { return now }, MaxSkew: time.Second})
	c := &contract{handler: api.New(o), seen: map[string]bool{}}
	t.Cleanup(c.handler.Close)
	var err error
	c.document, err = openapi3.NewLoader().LoadFromData(api.Specification)
	require.NoError(t, err)
	require.NoError(t, c.document.Validate(t.Context()))
	c.router, err = legacy.NewRouter(c.document)
	require.NoError(t, err)
	return c
}

// ask sends a request. valid says whether the specification allows it; the answer must be allowed in any case.
func (c *contract) ask(t *testing.T, valid bool, method, target, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	r.Body = io.NopCloser(strings.NewReader(body))
	route, parameters, err := c.router.FindRoute(r)
	require.NoError(t, err, target)
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route}
	if valid {
		require.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), target)
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true}
	text := w.Body.Bytes()
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") || route.Operation.OperationID == "getProfile" || route.Operation.OperationID == "getSnapshot" && w.Code == 200 {
		options.ExcludeResponseBody = true // only JSON has a schema
	}
	require.NoError(t, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(text)), Options: options,
	}), "%s: %s", target, text)
	c.seen[route.Operation.OperationID] = true
	return w
}

// get asks for something that must be there, and reads it.
func get[T any](t *testing.T, c *contract, target string) T {
	t.Helper()
	w := c.ask(t, true, http.MethodGet, "/api/v1/"+target, "", "")
	require.Equal(t, http.StatusOK, w.Code, "%s: %s", target, w.Body)
	var answer T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	noNullArrays(t, w.Body.Bytes())
	return answer
}

// nullable are the members that may be null, none of which is an array.
var nullable = []string{"since", "until", "first", "last", "slowest", "last_error", "oldest", "newest", "completed", "rank", "site", "start", "end"}

func noNullArrays(t *testing.T, text []byte) {
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case nil:
			require.Contains(t, nullable, key)
		case map[string]any:
			for k, x := range v {
				walk(k, x)
			}
		case []any:
			for _, x := range v {
				walk("element", x)
			}
		}
	}
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	walk("", v)
}

// TestEveryOperationIsAsItsSpecificationSays asks everything that there is, of a store with spans and of an empty one.
func TestEveryOperationIsAsItsSpecificationSays(t *testing.T) {
	block := query.BlockID(querytest.Select)
	for _, spans := range [][]querytest.Span{querytest.Spans(), nil} {
		c := newContract(t, querytest.New(spans), api.Options{Version: "v1", Endpoints: map[string]string{"otlp_grpc": "127.0.0.1:4317"}})
		for _, target := range []string{
			"status", "openapi.yaml", "formats", "services", "operations", "operations?service=cart", "tracks?since=10m&service=cart",
			"blocks", "blocks?since=10m&until=5m&service=cart&track=sql&filter=p99%3E1ms&sort=p99&reverse=true&limit=5&offset=0&spark=true&trend=true&points=3",
			"timeline?step=2m&service=cart", "timeline?since=all", "tree?limit=2", "tree?service=cart&since=all", "critical-path?limit=2&service=cart",
			"service-map", "traces?service=cart&name=AddItem&kind=server&min_duration=1ms&max_duration=1s&attribute=region%3Deu&attribute=scope.key%3Dscope%20value&errors=true&limit=3",
			"traces?since=all", "diff?before_since=10m&before_until=7m&after_since=7m&service=cart&alpha=0.05&min_change=0.1&min_count=10&limit=1&histograms=true&nodes=true",
			"snapshots", "profile",
		} {
			w := c.ask(t, true, http.MethodGet, "/api/v1/"+target, "", "")
			require.Equal(t, http.StatusOK, w.Code, "%s: %s", target, w.Body)
			if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !strings.HasPrefix(target, "profile") {
				noNullArrays(t, w.Body.Bytes())
			}
		}
		want := http.StatusOK
		if spans == nil {
			want = http.StatusNotFound
		}
		for _, target := range []string{"blocks/" + block, "blocks/" + block + "/heatmap?step=1m&buckets=20", "traces/" + querytest.TraceID(30).String() + "?since=10m&until=5m"} {
			require.Equal(t, want, c.ask(t, true, http.MethodGet, "/api/v1/"+target, "", "").Code, target)
		}
		w := c.ask(t, true, http.MethodPost, "/api/v1/snapshots", "application/json", `{"name":"a","since":"10m","until":"1m","service":"cart"}`)
		require.Equal(t, http.StatusCreated, w.Code, w.Body)
		snapshot := c.ask(t, true, http.MethodGet, "/api/v1/snapshots/a", "", "")
		require.Equal(t, http.StatusOK, snapshot.Code)
		// The validator has no decoder for octet streams: they are checked in TestSnapshots.
		text := c.ask(t, true, http.MethodGet, "/api/v1/snapshots/a?format=snapshot-json", "", "").Body.String()
		require.Equal(t, http.StatusOK, c.ask(t, true, http.MethodPut, "/api/v1/snapshots/b", "application/json", text).Code)
		require.Equal(t, http.StatusNoContent, c.ask(t, true, http.MethodDelete, "/api/v1/snapshots/a", "", "").Code)
		for path, item := range c.document.Paths.Map() {
			for method, operation := range item.Operations() {
				require.True(t, c.seen[operation.OperationID] || operation.OperationID == "getEvents", "%s %s was not asked", method, path)
			}
		}
	}
}

// TestEveryParameterIsInTheSpecification asks with a parameter that does not exist; the hint lists those that do.
func TestEveryParameterIsInTheSpecification(t *testing.T) {
	c := newContract(t, querytest.New(nil), api.Options{})
	for path, item := range c.document.Paths.Map() {
		for method, operation := range item.Operations() {
			want := []string{}
			for _, p := range operation.Parameters {
				if p.Value.In == "query" {
					want = append(want, p.Value.Name)
				}
			}
			slices.Sort(want)
			target := strings.NewReplacer("{id}", "0123456789abcdef", "{name}", "n").Replace(path) + "?nonsense=1"
			w := c.ask(t, false, method, target, "application/json", "{}")
			require.Equal(t, http.StatusBadRequest, w.Code, target)
			var answer failure
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			list := strings.Join(want, ", ")
			if list == "" {
				list = "none"
			}
			require.Equal(t, "parameters here: "+list, answer.Error.Hint, "%s %s", method, path)
		}
	}
}

type failure struct {
	Error struct{ Code, Message, Hint string }
}
