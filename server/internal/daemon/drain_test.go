package daemon

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/store/pebblestore"
)

// TestStopEndsWhatIsUnderWay stops the server in the middle of a request, as SIGTERM does.
func TestStopEndsWhatIsUnderWay(t *testing.T) {
	c := testConfig()
	c.Store, c.Data = StorePebble, t.TempDir()
	d, err := Start(t.Context(), c)
	require.NoError(t, err)
	body := spans(t, "shop", "GET /")
	connection, err := net.Dial("tcp", strings.TrimPrefix(d.url(t, "otlp_http"), "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return d.receiver.Counters.InFlightBytes.Load() > 0 }, time.Minute, time.Millisecond)

	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop() }()
	require.Eventually(t, func() bool {
		w := httptest.NewRecorder()
		d.metrics.Ready().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code == http.StatusServiceUnavailable
	}, time.Minute, time.Millisecond)
	_, err = connection.Write(body[10:])
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, <-stopped)

	s, err := pebblestore.Open(pebblestore.Options{Dir: c.Data, Logger: c.Log})
	require.NoError(t, err)
	size, err := s.Size(t.Context())
	require.NoError(t, err)
	require.Equal(t, [2]int64{1, 0}, [2]int64{size.Spans, size.LogEntries}, "it is in a segment")
	require.NoError(t, s.Close())
}
