package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// How often a client is told that there is something new, and at least that the stream lives.
const (
	defaultInterval = 2 * time.Second
	minInterval     = time.Second
	maxInterval     = time.Minute
	keepAlive       = 15 * time.Second
	writeTimeout    = 10 * time.Second
)

type changeEvent struct {
	Now    *string `json:"now"`
	Spans  int64   `json:"spans"`
	Traces int64   `json:"traces"`
	Newest *string `json:"newest"`
}

// events streams server-sent events: one named change at the beginning and whenever there are other spans than before.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	q, err := newRequest(w, r, h.Engine.Now())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	interval := q.duration("interval")
	if interval == 0 {
		interval = defaultInterval
	}
	if interval < minInterval || interval > maxInterval {
		q.keep(query.Invalidf("give 1s to 1m", "interval: %v is not possible", interval))
	}
	if err := q.done(); err != nil {
		h.fail(w, r, err)
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(failure{failureDetails{"busy", "too many clients follow changes", "close some of them, or ask again later"}})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	h.follow(r.Context(), http.NewResponseController(w), w, interval)
}

// follow writes events until the client is gone or the handler is closed.
func (h *Handler) follow(ctx context.Context, control *http.ResponseController, w http.ResponseWriter, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last store.Size
	var written time.Time
	for first := true; ; first = false {
		text := ""
		if size, err := h.Engine.Size(ctx); err != nil {
			h.Logger.WarnContext(ctx, "cannot tell what is new", "error", err)
		} else if first || size.Spans != last.Spans || !size.Newest.Equal(last.Newest) {
			last = size
			data, _ := json.Marshal(changeEvent{moment(h.Engine.Now()), size.Spans, size.Traces, moment(size.Newest)})
			text = fmt.Sprintf("event: change\ndata: %s\n\n", data)
		}
		if text == "" && time.Since(written) >= keepAlive {
			text = ": alive\n\n"
		}
		if text != "" {
			written = time.Now()
			// Where deadlines are not supported there is none.
			control.SetWriteDeadline(written.Add(writeTimeout))
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		case <-h.stopped.Done():
			return
		}
	}
}
