package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanIsRepeatable(t *testing.T) {
	a, b, c := NewPlan(1), NewPlan(1), NewPlan(2)
	routes, different := map[string]int{}, false
	for range 1000 {
		r := a.Next()
		require.Equal(t, r, b.Next())
		different = different || r.Path != c.Next().Path
		routes[r.Route]++
	}
	require.True(t, different)
	require.Len(t, routes, 6, "%v", routes)
}

// planned answers every request of a plan as planned, if its requests come one at a time.
func planned(seed uint64, wrong func(n int) bool) http.Handler {
	plan, n := NewPlan(seed), 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := plan.Next()
		n++
		body, _ := io.ReadAll(r.Body)
		if r.Method != want.Method || r.URL.RequestURI() != want.Path || string(body) != want.Form.Encode() || wrong(n) {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(want.Status)
	})
}

func never(int) bool { return false }

func TestDriverSendsThePlan(t *testing.T) {
	server := httptest.NewServer(planned(3, never))
	defer server.Close()
	d := Driver{BaseURL: server.URL, Plan: NewPlan(3), Requests: 200, Clients: 1, Rate: 1e6}
	tally, err := d.Run(t.Context())
	require.NoError(t, err)
	want := Tally{Routes: map[string]int{}, Sent: 200}
	for plan := NewPlan(3); want.Sent > 0; want.Sent-- {
		want.Routes[plan.Next().Route]++
	}
	want.Sent = 200
	require.Equal(t, want, tally)
}

func TestDriverStopsAtAnUnplannedAnswer(t *testing.T) {
	server := httptest.NewServer(planned(3, func(n int) bool { return n == 5 }))
	defer server.Close()
	d := Driver{BaseURL: server.URL, Plan: NewPlan(3), Clients: 1}
	tally, err := d.Run(t.Context())
	require.ErrorContains(t, err, "answered 418 I'm a teapot, want ")
	require.GreaterOrEqual(t, tally.Sent, 5)

	d.BaseURL = "http://127.0.0.1:1"
	_, err = d.Run(t.Context())
	require.ErrorContains(t, err, "connection refused")
}

// TestDriverFinishesWhatItBegan cancels while requests are under way, and finds all that arrived in the tally.
func TestDriverFinishesWhatItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var arrived atomic.Int64
	plan := NewPlan(3)
	statuses := map[string]int{}
	for range 10_000 {
		r := plan.Next()
		statuses[r.Method+r.Path+r.Form.Encode()] = r.Status
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) == 20 {
			cancel()
		}
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(statuses[r.Method+r.URL.RequestURI()+string(body)])
	}))
	defer server.Close()
	d := Driver{BaseURL: server.URL, Plan: NewPlan(3), Clients: 8}
	tally, err := d.Run(ctx)
	require.NoError(t, err)
	require.EqualValues(t, arrived.Load(), tally.Sent)
}
