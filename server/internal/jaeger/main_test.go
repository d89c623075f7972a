package jaeger_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests ask: the spans are from the last ten minutes.
var now = querytest.Epoch.Add(10 * time.Minute)

func handler(s *querytest.Store, o jaeger.Options) *jaeger.Handler {
	o.Engine = query.New(s, query.Options{Now: func() time.Time { return now }})
	return jaeger.New(o)
}

func newHandler() *jaeger.Handler { return handler(querytest.New(querytest.Spans()), jaeger.Options{}) }

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/api/"+target, nil))
	return w
}

func get[T any](t *testing.T, h http.Handler, target string) T {
	t.Helper()
	w := ask(h, http.MethodGet, target)
	require.Equal(t, http.StatusOK, w.Code, "%s: %s", target, w.Body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var answer T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer
}

// dial connects to a server in memory, which ends with the test.
func dial(t *testing.T, s *grpc.Server) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(listener)
	}()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		s.Stop()
		<-done
	})
	return conn
}

// matching returns the ids of the traces with a span that matches, the latest first.
func matching(q store.Query) []string {
	out := []string{}
	for _, spans := range querytest.Traces(querytest.Spans()) {
		if slices.ContainsFunc(spans, func(s querytest.Span) bool { return querytest.Matches(&s, &q) }) {
			out = append(out, spans[0].Trace.String())
		}
	}
	slices.Reverse(out)
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out
}

// searches are queries in the terms of Jaeger with what they mean.
var searches = []struct {
	service, operation       string
	minDuration, maxDuration time.Duration
	limit                    int
	tags                     map[string]string
	want                     store.Query
}{
	{service: querytest.Cart, limit: 7, want: store.Query{Service: querytest.Cart, Limit: 7}},
	{service: querytest.Frontend, operation: querytest.Hostile, minDuration: 7 * time.Millisecond, limit: 1000,
		want: store.Query{Service: querytest.Frontend, Operation: querytest.Hostile, MinDuration: 7 * time.Millisecond}},
	{service: querytest.Payment, maxDuration: 25 * time.Millisecond, limit: 1000,
		want: store.Query{Service: querytest.Payment, MaxDuration: 25 * time.Millisecond}},
	{service: querytest.Cart, limit: 1000, tags: map[string]string{"error": "true"},
		want: store.Query{Service: querytest.Cart, Attributes: []store.Attribute{{Key: "error", Value: "true"}}}},
	{service: querytest.Cart, limit: 1000, tags: map[string]string{"otel.status_code": "ERROR", "span.kind": "server"},
		want: store.Query{Service: querytest.Cart, Kind: core.KindServer, Attributes: []store.Attribute{{Key: "error", Value: "true"}}}},
	{service: querytest.Frontend, limit: 1000, tags: map[string]string{"http.response.status_code": "500", "region": "us"},
		want: store.Query{Service: querytest.Frontend, Attributes: []store.Attribute{{Key: "http.response.status_code", Value: "500"}, {Key: "region", Value: "us"}}}},
	{service: querytest.Cart, limit: 1000, tags: map[string]string{"scope.key": "scope value"},
		want: store.Query{Service: querytest.Cart, Attributes: []store.Attribute{{Key: "scope.key", Value: "scope value"}}}},
	{service: querytest.Cart, limit: 1000, tags: map[string]string{"otel.scope.name": "sql", "otel.scope.version": "v1"},
		want: store.Query{Service: querytest.Cart, Attributes: []store.Attribute{{Key: "otel.scope.name", Value: "sql"}, {Key: "otel.scope.version", Value: "v1"}}}},
	{service: querytest.Cart, limit: 1000, tags: map[string]string{"event.key": "e2"},
		want: store.Query{Service: querytest.Cart, Attributes: []store.Attribute{{Key: "event.key", Value: "e2"}}}},
	{service: querytest.Payment, limit: 1000, tags: map[string]string{"link.key": "linked"},
		want: store.Query{Service: querytest.Payment, Attributes: []store.Attribute{{Key: "link.key", Value: "linked"}}}},
	{service: querytest.Frontend, limit: 1000, tags: map[string]string{"user.id": "user-42"},
		want: store.Query{Service: querytest.Frontend, Attributes: []store.Attribute{{Key: "user.id", Value: "user-42"}}}},
}
