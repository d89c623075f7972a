package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, method, address string, header http.Header) *http.Response {
	r := httptest.NewRequestWithContext(t.Context(), method, address, nil)
	r.Header = header
	w := httptest.NewRecorder()
	New().ServeHTTP(w, r)
	return w.Result()
}

func TestServesThePageForEveryView(t *testing.T) {
	index, err := bundle.ReadFile("dist/index.html")
	require.NoError(t, err)
	for _, address := range []string{"/", "/blocks", "/block/abc", "/trace/0af7?since=1h", "/flame?zoom=a.b"} {
		response := get(t, http.MethodGet, address, nil)
		require.Equal(t, http.StatusOK, response.StatusCode, address)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, index, body)
		require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
		require.Equal(t, policy, response.Header.Get("Content-Security-Policy"))
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	}
}

func TestServesAssetsOnceAndForAll(t *testing.T) {
	response := get(t, http.MethodGet, "/assets/app.js", nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/javascript; charset=utf-8", response.Header.Get("Content-Type"))
	again := get(t, http.MethodGet, "/assets/app.js", http.Header{"If-None-Match": {response.Header.Get("ETag")}})
	require.Equal(t, http.StatusNotModified, again.StatusCode)
}

func TestRefusesWhatIsNotThere(t *testing.T) {
	for _, address := range []string{"/nothing", "/assets/none.js", "/assets/", "/assets/../web.go", "/api/v2/x"} {
		require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, address, nil).StatusCode, address)
	}
	require.Equal(t, http.StatusMethodNotAllowed, get(t, http.MethodPost, "/blocks", nil).StatusCode)
}

// TestThePageNeedsNothingElse proves that the bundle holds what the page refers to, nothing inline, and is small.
func TestThePageNeedsNothingElse(t *testing.T) {
	h := New()
	index := string(h.assets["index.html"].body)
	require.NotContains(t, index, "<style")
	require.NotContains(t, index, "<script>")
	for part := range strings.SplitSeq(index, `"/assets/`) {
		if name, _, found := strings.Cut(part, `"`); found && !strings.HasPrefix(part, "<!doctype") {
			require.Contains(t, h.assets, name)
		}
	}
	const most = 100 << 10
	size := 0
	for _, a := range h.assets {
		var counted counter
		w := gzip.NewWriter(&counted)
		_, err := w.Write(a.body)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		size += int(counted)
	}
	require.LessOrEqual(t, size, most, "the bundle, compressed")
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
