package otelprof

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

const mount = "/debug/otelprof/"

// newProfiler returns a profiler that reads no environment of the test's own.
func newProfiler(t *testing.T, opts ...Option) *Profiler {
	t.Helper()
	p, err := New(append([]Option{WithName("shop")}, opts...)...)
	require.NoError(t, err)
	return p
}

// recordShop records a request with two queries, one of them below a block of another track.
func recordShop(p *Profiler) {
	ctx, request := sdktrace.NewTracerProvider(p.TracerProviderOptions(sdktrace.NeverSample())...).Tracer("shop").Start(context.Background(), "GET /cart")
	query := p.Block(ctx, "sql", "SELECT item")
	query.End()
	render := p.Block(ctx, "view", "render")
	query = p.Block(render.Context(), "sql", "SELECT item")
	query.EndErr(io.ErrUnexpectedEOF)
	render.End()
	request.End()
}

// get answers a request without a network, so that it works inside of a synctest bubble.
func get(h http.Handler, target string) *httptest.ResponseRecorder {
	return request(h, http.MethodGet, target, nil)
}

func request(h http.Handler, method, target string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, body))
	return w
}

// TestHandlerServesEveryFormat compares each page, under several ways to mount the handler, with what the format
// itself writes. Time stands still, so that both see the same snapshot.
func TestHandlerServesEveryFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProfiler(t)
		recordShop(p)
		muxes := map[string]http.Handler{}
		for pattern, h := range map[string]http.Handler{
			mount:        Handler(p),
			"/p/":        http.StripPrefix("/p", Handler(p)),
			"/q/r/":      http.StripPrefix("/q/r/", Handler(p)),
			"/{page...}": Handler(p),
		} {
			mux := http.NewServeMux()
			mux.Handle(pattern, h)
			muxes[strings.TrimSuffix(pattern, "{page...}")] = mux
		}
		for prefix, mux := range muxes {
			for _, f := range report.Formats() {
				if f.Name == "html" {
					continue // it has links, see TestHandlerIndex
				}
				var want bytes.Buffer
				require.NoError(t, f.Write(&want, p.Snapshot()))
				w := get(mux, prefix+f.Name)
				require.Equal(t, http.StatusOK, w.Code, "%s%s: %s", prefix, f.Name, w.Body)
				require.Equal(t, want.String(), w.Body.String(), "%s%s", prefix, f.Name)
				require.Equal(t, f.ContentType, w.Header().Get("Content-Type"))
			}
			require.Equal(t, http.StatusOK, get(mux, prefix).Code, prefix)
		}
	})
}

func TestHandlerSnapshotCanBeDecoded(t *testing.T) {
	p := newProfiler(t)
	recordShop(p)
	w := get(Handler(p), mount+"snapshot")
	require.Equal(t, `attachment; filename="otelprof.otelprof"`, w.Header().Get("Content-Disposition"))
	s, err := core.Decode(w.Body, core.DecodeLimits{})
	require.NoError(t, err)
	binary := func(s *core.Snapshot) []byte {
		data, err := (&core.Snapshot{Blocks: s.Blocks, Nodes: s.Nodes}).MarshalBinary()
		require.NoError(t, err)
		return data
	}
	require.Equal(t, binary(p.Snapshot()), binary(s))
}

func TestHandlerIndex(t *testing.T) {
	p := newProfiler(t)
	w := get(Handler(p, nil, WithControls(true)), mount+"?track=a%26b&track=sql")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, report.HTMLContentSecurityPolicy(), w.Header().Get("Content-Security-Policy"))
	for _, f := range servedFormats() {
		require.Contains(t, w.Body.String(), `href="`+f.Name+`?track=a%26b&amp;track=sql"`)
	}
	require.Contains(t, w.Body.String(), `href="html?refresh=5&amp;track=a%26b&amp;track=sql"`)
	require.Contains(t, w.Body.String(), `href="html?seconds=10&amp;track=a%26b&amp;track=sql"`)
	require.Contains(t, w.Body.String(), `href="controls"`)

	w = get(Handler(p), mount+"html?refresh=7")
	require.Contains(t, w.Body.String(), `<meta http-equiv="refresh" content="7">`)
	require.NotContains(t, w.Body.String(), `href="controls"`)
}

func TestHandlerSecurityHeaders(t *testing.T) {
	h := Handler(newProfiler(t), WithControls(true))
	for _, target := range []string{"", "table", "json", "pprof", "nothing", "controls", "table?top=x", "reset"} {
		header := get(h, mount+target).Header()
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), target)
		require.Equal(t, "no-store", header.Get("Cache-Control"), target)
		require.Equal(t, "same-origin", header.Get("Referrer-Policy"), target)
		require.Equal(t, "same-origin", header.Get("Cross-Origin-Resource-Policy"), target)
		policy := header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", target)
		require.Contains(t, policy, "frame-ancestors 'none'", target)
		require.NotContains(t, policy, "unsafe", target)
	}
}

func TestHandlerMethods(t *testing.T) {
	h := Handler(newProfiler(t), WithControls(true))
	for _, page := range []string{"", "table", "pprof", "controls"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "\x7f"} {
			r := httptest.NewRequest("GET", mount+page, nil)
			r.Method = method
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, page)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		}
	}
	w := request(h, "HEAD", mount+"csv?seconds=3000", nil) // answers at once
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/csv; charset=utf-8; header=present", w.Header().Get("Content-Type"))
	require.Empty(t, w.Body.String())
	require.Equal(t, http.StatusBadRequest, request(h, "HEAD", mount+"csv?seconds=no", nil).Code)
}

func TestHandlerRedirectsToTheFolder(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/debug/prof", http.StripPrefix("/debug/prof", Handler(newProfiler(t))))
	w := get(mux, "/debug/prof?track=a")
	require.Equal(t, http.StatusTemporaryRedirect, w.Code)
	require.Equal(t, "./prof/?track=a", w.Header().Get("Location"))
	require.Equal(t, "./prof/", get(mux, "/debug/prof").Header().Get("Location"))
}

func TestHandlerBadRequests(t *testing.T) {
	h := Handler(newProfiler(t))
	for target, want := range map[string]string{
		"table?sort=size":       `parameter sort is "size", want one of total, self, count, p99, errors, mean, max, name`,
		"table?sort=":           `parameter sort is "", want one of total, self, count, p99, errors, mean, max, name`,
		"table?top=0":           `parameter top is "0", want a whole number from 1 to 16777216`,
		"tree?depth=-1":         `parameter depth is "-1", want a whole number from 1 to 16777216`,
		"csv?sort=total":        `unknown parameter "sort", page csv has seconds, track`,
		"table?Sort=total":      `unknown parameter "Sort", page table has seconds, track, sort, top`,
		"?a=1&%00=2":            `unknown parameter "\x00", page html has seconds, track, refresh`,
		"pprof?seconds=0":       `parameter seconds is "0", want a whole number from 1 to 3600`,
		"pprof?seconds=3601":    `parameter seconds is "3601", want a whole number from 1 to 3600`,
		"pprof?seconds=1.5":     `parameter seconds is "1.5", want a whole number from 1 to 3600`,
		"html?refresh=1e3":      `parameter refresh is "1e3", want a whole number from 1 to 3600`,
		"tree?sort=self&sort=a": `parameter sort is given 2 times, want it once`,
		"table?top=%zz":         `cannot read the query: invalid URL escape "%zz"`,
	} {
		w := get(h, mount+target)
		require.Equal(t, http.StatusBadRequest, w.Code, target)
		require.Equal(t, "otelprof: "+want+"\n", w.Body.String(), target)
		require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	}
	w := get(h, mount+"tabel%0a")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), `there is no page "tabel\n", only the index and table, tree, html`)
	require.Contains(t, w.Body.String(), "snapshot")

	require.Equal(t, http.StatusServiceUnavailable, get(Handler(nil), mount).Code)
}

func TestHandlerOptionsOfFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProfiler(t)
		recordShop(p)
		h := Handler(p)
		var want bytes.Buffer
		require.NoError(t, report.Table(&want, p.Snapshot(), report.TableOptions{Sort: report.SortName, Top: 2}))
		require.Equal(t, want.String(), get(h, mount+"table?sort=name&top=2").Body.String())
		want.Reset()
		require.NoError(t, report.Tree(&want, p.Snapshot(), report.TreeOptions{Sort: report.SortCount, MaxDepth: 1}))
		require.Equal(t, want.String(), get(h, mount+"tree?depth=1&sort=count").Body.String())
	})
}

// jsonCounts returns the calls of each block of a JSON report, by name.
func jsonCounts(t *testing.T, w *httptest.ResponseRecorder) map[string]uint64 {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var document struct {
		Tracks []struct {
			Blocks []struct {
				Name  string
				Stats struct{ Count uint64 }
			}
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	counts := map[string]uint64{}
	for _, track := range document.Tracks {
		for _, b := range track.Blocks {
			counts[b.Name] += b.Stats.Count
		}
	}
	return counts
}

func TestHandlerTracks(t *testing.T) {
	p := newProfiler(t)
	recordShop(p)
	h := Handler(p)
	require.Equal(t, map[string]uint64{"GET /cart": 1, "render": 1, "SELECT item": 2}, jsonCounts(t, get(h, mount+"json")))
	require.Equal(t, map[string]uint64{"GET /cart": 1, "SELECT item": 2}, jsonCounts(t, get(h, mount+"json?track=s*")))
	require.Equal(t, map[string]uint64{"render": 1, "SELECT item": 2}, jsonCounts(t, get(h, mount+"json?track=view&track=sql")))
	require.Empty(t, jsonCounts(t, get(h, mount+"json?track=")))
}

// TestHandlerIsReadByPprof lets the real tool fetch a profile from a real server.
func TestHandlerIsReadByPprof(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command in the path: ", err)
	}
	p := newProfiler(t)
	recordShop(p)
	server := httptest.NewServer(Handler(p))
	defer server.Close()
	command := exec.Command(tool, "tool", "pprof", "-top", "-sample_index=count", server.URL+mount+"pprof")
	command.Env = append(command.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `(?m)^\s+2 50\.00% .* SELECT item`, string(out))
	require.Regexp(t, `(?m)^\s+1 25\.00% .*100% .* GET /cart`, string(out))
}

// stuckWriter is the connection of a client that does not read.
type stuckWriter struct {
	*httptest.ResponseRecorder
	writing, release chan struct{}
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	close(w.writing)
	<-w.release
	return w.ResponseRecorder.Write(b)
}

func TestHandlerHoldsNothingForSlowClients(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := newProfiler(t)
	h := Handler(p, WithControls(true))
	w := &stuckWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, httptest.NewRequest("GET", mount+"json", nil))
	}()
	<-w.writing
	recordShop(p)
	require.Equal(t, uint64(4), p.Snapshot().Counters.Spans)
	require.Equal(t, http.StatusOK, get(h, mount).Code)
	require.Equal(t, http.StatusSeeOther, request(h, "POST", mount+"clear", nil).Code)
	close(w.release)
	<-done
}

// TestHandlerSurvivesHostileNames serves names that mean something in the formats they end up in.
func TestHandlerSurvivesHostileNames(t *testing.T) {
	p := newProfiler(t)
	for _, name := range hostileNames {
		p.Block(context.Background(), name, name).End()
	}
	h := Handler(p, WithControls(true))
	for _, f := range servedFormats() {
		w := get(h, mount+f.Name)
		require.Equal(t, http.StatusOK, w.Code, f.Name)
	}
	for _, page := range []string{"", "controls"} {
		body := get(h, mount+page).Body.String()
		require.NotContains(t, body, "<script>alert")
		require.NotContains(t, body, "\x1b")
		require.NotContains(t, body, "\u202e")
	}
	require.True(t, json.Valid(get(h, mount+"json").Body.Bytes()))
}

var hostileNames = []string{
	"", " ", "</script><script>alert(1)</script>", `"><script>alert(1)</script>`, "a\x1b[31mb\u202ec", "a;b\nc\r\nd", "=1+1",
	"\xff\xfe", strings.Repeat("x", 5000), "a?b&c=d#e%41", "{{.}}", "..", "/", "javascript:alert(1)",
}

func TestConcurrentSafeHandler(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := newProfiler(t)
	h := Handler(p, WithControls(true))
	done := make(chan struct{})
	pages := []string{"", "table?top=1", "json?track=sql", "snapshot", "controls"}
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 10 {
				recordShop(p)
				if w := get(h, mount+pages[i%len(pages)]); w.Code != http.StatusOK {
					t.Errorf("%s: %d %s", pages[i%len(pages)], w.Code, w.Body)
				}
				request(h, "POST", mount+[]string{"reset", "clear", "disable", "enable", "disable?track=sql"}[i%5], nil)
			}
		}()
	}
	for range 4 {
		<-done
	}
	require.Equal(t, http.StatusSeeOther, request(h, "POST", mount+"enable", nil).Code)
}

func TestHandlerReportsFailures(t *testing.T) {
	w := httptest.NewRecorder()
	serveError(w, context.DeadlineExceeded)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "otelprof: context deadline exceeded\n", w.Body.String())

	require.ErrorContains(t, writeSnapshot(brokenWriter{}, &core.Snapshot{}), "write snapshot: broken")
	require.Error(t, writeSnapshot(io.Discard, &core.Snapshot{Nodes: []core.Node{{Parent: 5}}}))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = &httpError{text: "broken"}
