package otelprof

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// start answers a request in the background of a bubble; the channel delivers the answer.
func start(ctx context.Context, h http.Handler, target string) <-chan *httptest.ResponseRecorder {
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil).WithContext(ctx))
		answered <- w
	}()
	synctest.Wait()
	return answered
}

func TestHandlerWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProfiler(t)
		h := Handler(p)
		recordShop(p) // before the window
		answered := start(t.Context(), h, mount+"json?seconds=30")
		time.Sleep(10 * time.Second)
		recordShop(p)
		p.Block(t.Context(), "sql", "DELETE").End()
		time.Sleep(19 * time.Second)
		synctest.Wait()
		require.Empty(t, answered, "answered before the 30 s had passed")
		time.Sleep(time.Second)
		synctest.Wait()
		recordShop(p) // after the window
		require.Equal(t, map[string]uint64{"GET /cart": 1, "render": 1, "SELECT item": 2, "DELETE": 1}, jsonCounts(t, <-answered))
	})
}

func TestHandlerWindowEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Handler(newProfiler(t))
		ctx, cancel := context.WithCancel(t.Context())
		answered := start(ctx, h, mount+"json?seconds=30")
		cancel()
		synctest.Wait()
		w := <-answered // at once: time has not moved
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "otelprof: the request ended before its 30s had passed: context canceled\n", w.Body.String())
	})
}

func TestHandlerWindowsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Handler(newProfiler(t))
		ctx, cancel := context.WithCancel(t.Context())
		var waiting []<-chan *httptest.ResponseRecorder
		for range maxWindows {
			waiting = append(waiting, start(ctx, h, mount+"table?seconds=60"))
		}
		w := get(h, mount+"table?seconds=20")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "20", w.Header().Get("Retry-After"))
		require.Equal(t, "otelprof: 16 requests with seconds are waiting already, try again later\n", w.Body.String())
		require.Equal(t, http.StatusOK, get(h, mount+"table").Code, "requests that do not wait are not bounded")
		cancel()
		for _, answered := range waiting {
			<-answered
		}
		require.Equal(t, http.StatusOK, get(h, mount+"table?seconds=20").Code, "the places are free again")
	})
}

func TestHandlerWindowNoticesAReset(t *testing.T) {
	for _, action := range []func(*Profiler){(*Profiler).Reset, (*Profiler).Clear} {
		synctest.Test(t, func(t *testing.T) {
			p := newProfiler(t)
			recordShop(p)
			answered := start(t.Context(), Handler(p), mount+"pprof?seconds=5")
			time.Sleep(time.Second)
			action(p)
			w := <-answered
			require.Equal(t, http.StatusConflict, w.Code)
			require.Contains(t, w.Body.String(), "the profile was reset meanwhile, try again: not a later snapshot")
			require.Empty(t, w.Header().Get("Content-Disposition"))
		})
	}
}

// deadlineWriter is a connection whose deadline can be set.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func TestHandlerWindowAndWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Handler(newProfiler(t))
		server := &http.Server{WriteTimeout: 10 * time.Second}
		ctx := context.WithValue(t.Context(), http.ServerContextKey, server)
		ask := func(w http.ResponseWriter, target string) {
			h.ServeHTTP(w, httptest.NewRequest("GET", target, nil).WithContext(ctx))
		}

		began := time.Now()
		extended := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		ask(extended, mount+"table?seconds=30")
		require.Equal(t, http.StatusOK, extended.Code)
		require.Equal(t, began.Add(40*time.Second), extended.deadline)

		began = time.Now()
		fixed := httptest.NewRecorder()
		ask(fixed, mount+"table?seconds=10")
		require.Equal(t, http.StatusBadRequest, fixed.Code)
		require.Contains(t, fixed.Body.String(),
			"parameter seconds is 10, want less than the server's WriteTimeout of 10s, which cannot be extended")
		require.Zero(t, time.Since(began), "it does not wait in vain")

		short := httptest.NewRecorder()
		ask(short, mount+"table?seconds=9")
		require.Equal(t, http.StatusOK, short.Code)
	})
}
