package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/server/internal/api"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
)

// stream is a client that follows.
type stream struct {
	mu   sync.Mutex
	w    *httptest.ResponseRecorder
	done chan struct{}
	stop context.CancelFunc
}

func follow(t *testing.T, h http.Handler, target string) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{w: httptest.NewRecorder(), done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(s.done)
		h.ServeHTTP(s, httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx))
	}()
	synctest.Wait()
	return s
}

func (s *stream) Header() http.Header { return s.w.Header() }
func (s *stream) WriteHeader(n int)   { s.w.WriteHeader(n) }
func (s *stream) Flush()              { s.w.Flush() }

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// take returns what came since the last take.
func (s *stream) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.w.Body.String()
	s.w.Body.Reset()
	return text
}

func TestEventsTellOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := querytest.New(querytest.Spans())
		h := api.New(api.Options{Engine: query.New(data, query.Options{})})
		defer h.Close()
		s := follow(t, h, "/api/v1/events?interval=3s")
		require.Equal(t, "text/event-stream", s.Header().Get("Content-Type"))
		require.Regexp(t, `^event: change\ndata: \{"now":"[^"]+","spans":1067,"traces":200,"newest":"[^"]+"\}\n\n$`, s.take())
		time.Sleep(12 * time.Second)
		synctest.Wait()
		require.Empty(t, s.take(), "nothing changed")
		data.Grow(5)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Contains(t, s.take(), `"spans":1072`)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		require.Equal(t, ": alive\n\n", s.take())
		s.stop()
		<-s.done
	})
}

func TestEventsEndWithTheHandlerAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := api.New(api.Options{Engine: query.New(querytest.New(nil), query.Options{}), MaxStreams: 2})
		a, b := follow(t, h, "/api/v1/events"), follow(t, h, "/api/v1/events")
		defer a.stop()
		c := follow(t, h, "/api/v1/events")
		<-c.done
		c.stop()
		require.Equal(t, http.StatusServiceUnavailable, c.w.Code)
		require.True(t, strings.Contains(c.take(), "too many clients"))
		b.stop()
		<-b.done
		d := follow(t, h, "/api/v1/events")
		require.Contains(t, d.take(), "event: change", "there is room again")
		defer d.stop()
		h.Close()
		<-a.done
		<-d.done
	})
}
