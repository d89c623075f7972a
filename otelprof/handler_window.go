package otelprof

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

const (
	// maxWindow bounds the seconds of a request. The difference of two saved snapshots covers any time.
	maxWindow = time.Hour
	// maxWindows bounds how many requests may wait for their seconds. Each holds a connection and a snapshot.
	maxWindows = 16
)

// snapshot returns the profile, or if seconds is not 0, waits that long and returns what happened meanwhile.
func (h *handler) snapshot(w http.ResponseWriter, r *http.Request, seconds time.Duration) (*core.Snapshot, error) {
	if seconds == 0 {
		return h.profiler.Snapshot(), nil
	}
	select {
	case h.windows <- struct{}{}:
		defer func() { <-h.windows }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds/time.Second)))
		text := fmt.Sprintf("%d requests with seconds are waiting already, try again later", maxWindows)
		return nil, &httpError{http.StatusServiceUnavailable, text}
	}
	if err := extendWriteDeadline(w, r, seconds); err != nil {
		return nil, err
	}
	older := h.profiler.Snapshot()
	timer := time.NewTimer(seconds)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		text := fmt.Sprintf("the request ended before its %v had passed: %v", seconds, r.Context().Err())
		return nil, &httpError{http.StatusServiceUnavailable, text}
	}
	s, err := h.profiler.Snapshot().Sub(older)
	if err != nil {
		return nil, &httpError{http.StatusConflict, "the profile was reset meanwhile, try again: " + err.Error()}
	}
	return s, nil
}

// extendWriteDeadline makes a server with a WriteTimeout wait for the window, too.
func extendWriteDeadline(w http.ResponseWriter, r *http.Request, window time.Duration) error {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || server.WriteTimeout <= 0 {
		return nil
	}
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(window + server.WriteTimeout))
	if err == nil || window < server.WriteTimeout {
		return nil
	}
	return badRequest(fmt.Sprintf("parameter seconds is %d, want less than the server's WriteTimeout of %v, which cannot be extended: %v",
		int(window/time.Second), server.WriteTimeout, err))
}
