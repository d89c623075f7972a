package jaeger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Options are what a Handler needs.
type Options struct {
	// Engine answers the questions.
	Engine *query.Engine
	// Timeout bounds a question: 30 s by default. MaxBytes bounds an answer over HTTP: 64 MiB by default.
	Timeout  time.Duration
	MaxBytes int
	// Logger gets failures of the server; slog.Default() when nil.
	Logger *slog.Logger
}

// Handler serves Jaeger's HTTP APIs. It may be used by any number of goroutines.
type Handler struct {
	Options
	mux *http.ServeMux
}

// The errors that differ from those of a query.
var (
	errTooLarge      = errors.New("the answer is too large: ask about a shorter period, or for fewer traces")
	errUnimplemented = errors.New("this is not implemented")
)

// New returns a Handler.
func New(o Options) *Handler {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &Handler{Options: o, mux: http.NewServeMux()}
	for pattern, f := range map[string]question{
		"GET /api/services":                      h.legacyServices,
		"GET /api/operations":                    h.legacyOperations,
		"GET /api/services/{service}/operations": h.legacyOperationNames,
		"GET /api/traces":                        h.legacySearch,
		"GET /api/traces/{id}":                   h.legacyTrace,
		"GET /api/dependencies":                  h.legacyDependencies,
		"GET /api/metrics/latencies":             h.latencies,
		"GET /api/metrics/calls":                 h.calls,
		"GET /api/metrics/errors":                h.errorRates,
		"GET /api/metrics/minstep":               h.minStep,
		"POST /api/transform":                    h.transform,
		"POST /api/archive/{id}":                 h.archive,
	} {
		h.mux.HandleFunc(pattern, h.answering(f, legacyError))
	}
	for pattern, f := range map[string]question{
		"GET /api/v3/services":        h.services,
		"GET /api/v3/operations":      h.operations,
		"GET /api/v3/traces":          h.findTraces,
		"GET /api/v3/traces/{id}":     h.getTrace,
		"GET /api/v3/trace-summaries": h.summaries,
		"GET /api/v3/dependencies":    h.dependencies,
		"GET /api/v3/capabilities":    h.capabilities,
	} {
		h.mux.HandleFunc(pattern, h.answering(f, v3Error))
	}
	return h
}

// ServeHTTP implements http.Handler. It serves everything below /api/ but /api/v1/, which is not Jaeger's.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// question answers a request with something to be written as JSON.
type question func(ctx context.Context, r *request) (any, error)

// answering serves a question, bounded in time and size; explain gives errors the form of the API.
func (h *Handler) answering(f question, explain func(status int, message string) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		defer cancel()
		q := &request{Request: r, values: r.URL.Query(), now: h.Engine.Now()}
		answer, err := f(ctx, q)
		body := &limited{most: h.MaxBytes}
		if err == nil {
			err = writeJSON(body, answer, q.pretty())
		}
		status := http.StatusOK
		if err != nil {
			body = &limited{most: h.MaxBytes}
			status = h.status(r, err)
			message, ok := messages[status]
			if !ok {
				message = err.Error()
			}
			writeJSON(body, explain(status, message), false)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(body.Bytes()) // who is gone needs no answer
	}
}

// messages are those of the failures whose errors may tell too much of the server.
var messages = map[int]string{
	http.StatusInternalServerError: "the query failed, see the log of the server",
	http.StatusServiceUnavailable:  "the database of the store does not answer, try again later",
}

func (h *Handler) status(r *http.Request, err error) int {
	var asked *query.Error
	switch {
	case errors.As(err, &asked) && asked.Kind == query.NotFound:
		return http.StatusNotFound
	case errors.As(err, &asked):
		return http.StatusBadRequest
	case errors.Is(err, errTooLarge):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errUnimplemented):
		return http.StatusNotImplemented
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, context.Canceled):
		return 499
	case errors.Is(err, store.ErrAway):
		return http.StatusServiceUnavailable
	}
	h.Logger.ErrorContext(r.Context(), "query failed", "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError
}

// limited collects an answer up to a number of bytes.
type limited struct {
	bytes.Buffer
	most int
}

// Write fails with errTooLarge when there is no more room.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.most {
		return 0, errTooLarge
	}
	return l.Buffer.Write(p)
}

func writeJSON(w *limited, answer any, pretty bool) error {
	e := json.NewEncoder(w)
	if pretty {
		e.SetIndent("", "    ")
	}
	if err := e.Encode(answer); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
