package daemon

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func TestDebugIsOffUnlessAskedFor(t *testing.T) {
	d := startTest(t, testConfig())
	for _, path := range []string{"/debug/otelprof/", "/debug/pprof/", "/debug/pprof/cmdline"} {
		status, _ := ask(t, request(t, http.MethodGet, d.url(t, "http")+path, nil))
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

func TestDebugProfilesTheServerAndSendsNothing(t *testing.T) {
	t.Setenv("OTELPROF_DATA", "/var/lib/otelprof") // one of the server's, not of the library's
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	c := testConfig()
	c.Debug = true
	d := startTest(t, c)
	require.Equal(t, http.StatusOK, d.send(t, spans(t, "shop", "GET /")))
	require.Equal(t, http.StatusBadRequest, d.send(t, []byte("\xff")))
	for range 3 {
		status, _ := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/api/v1/services", nil))
		require.Equal(t, http.StatusOK, status)
	}
	status, text := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/debug/otelprof/csv", nil))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(text), "ingest")
	counts, failed := map[string]uint64{}, map[string]uint64{}
	for _, b := range d.debug.profiler.Snapshot().Blocks {
		counts[b.Site.Name] += b.Stats.Count
		failed[b.Site.Name] += b.Stats.Errors
	}
	require.EqualValues(t, 2, counts["ingest"])
	require.EqualValues(t, 1, failed["ingest"])
	require.EqualValues(t, 3, counts["GET /api/v1/services"], "%v", counts)
	status, text = ask(t, request(t, http.MethodGet, d.url(t, "http")+"/debug/pprof/cmdline", nil))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, os.Args[0], string(text), "what follows may be secret")
	p, err := d.pipeline.Live().Profile(t.Context(), store.Range{})
	require.NoError(t, err)
	require.Len(t, p.Blocks, 1, "only what was sent")
	require.EqualValues(t, 1, d.pipeline.Counters().Received)
}
