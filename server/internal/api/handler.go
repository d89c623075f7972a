package api

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

// Options are what a Handler needs.
type Options struct {
	// Engine answers the questions.
	Engine *query.Engine
	// Version is that of the program.
	Version string
	// Endpoints are the addresses to show to users who have no data yet, by what is served there, such as "otlp_grpc".
	Endpoints map[string]string
	// Timeout bounds a question: 30 s by default. MaxBytes bounds an answer: 64 MiB by default.
	Timeout  time.Duration
	MaxBytes int
	// MaxStreams bounds how many clients may follow changes at once: 256 by default.
	MaxStreams int
	// Logger gets failures of the server; slog.Default() when nil.
	Logger *slog.Logger
}

// Handler serves /api/v1/. Its methods may be called concurrently.
type Handler struct {
	Options
	served  http.Handler
	streams chan struct{}
	stop    context.CancelFunc
	stopped context.Context
}

// Specification is the description of the API in OpenAPI 3, in YAML.
//
//go:embed openapi.yaml
var Specification []byte

// New returns a Handler.
func New(o Options) *Handler {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = 256
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &Handler{Options: o, streams: make(chan struct{}, o.MaxStreams)}
	h.stopped, h.stop = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	for pattern, f := range h.routes() {
		mux.HandleFunc(pattern, h.answering(f))
	}
	mux.HandleFunc("GET /api/v1/events", h.events)
	mux.HandleFunc("/api/v1/", h.unknown)
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(2048), gzhttp.ExceptContentTypes([]string{"text/event-stream"}))
	if err != nil {
		panic(err) // the options are constants
	}
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(h.foreign))
	h.served = secured(origin.Handler(compress(mux)))
	return h
}

// routes are the questions, by the patterns of http.ServeMux.
func (h *Handler) routes() map[string]question {
	return map[string]question{
		"GET /api/v1/status":              h.status,
		"GET /api/v1/openapi.yaml":        h.specification,
		"GET /api/v1/formats":             h.formats,
		"GET /api/v1/services":            h.services,
		"GET /api/v1/operations":          h.operations,
		"GET /api/v1/tracks":              h.tracks,
		"GET /api/v1/blocks":              h.blocks,
		"GET /api/v1/blocks/{id}":         h.block,
		"GET /api/v1/blocks/{id}/heatmap": h.heatMap,
		"GET /api/v1/timeline":            h.timeline,
		"GET /api/v1/tree":                h.tree,
		"GET /api/v1/critical-path":       h.criticalPath,
		"GET /api/v1/service-map":         h.serviceMap,
		"GET /api/v1/traces":              h.search,
		"GET /api/v1/traces/{id}":         h.trace,
		"GET /api/v1/diff":                h.diff,
		"GET /api/v1/profile":             h.profile,
		"GET /api/v1/snapshots":           h.snapshots,
		"POST /api/v1/snapshots":          h.saveSnapshot,
		"GET /api/v1/snapshots/{name}":    h.snapshot,
		"PUT /api/v1/snapshots/{name}":    h.putSnapshot,
		"DELETE /api/v1/snapshots/{name}": h.deleteSnapshot,
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.served.ServeHTTP(w, r) }

// Close ends the streams of those who follow changes. Everything else goes on.
func (h *Handler) Close() { h.stop() }

// secured sets the headers that keep browsers from doing anything with an answer but what it is for.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
