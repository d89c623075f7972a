package daemon

import (
	"net/http"
	"strings"

	"github.com/stichotrope/stichotrope-go/server/internal/web"
)

// page is what people and their browsers talk to: the page, the API, Jaeger's API, and what tells whether all is well.
func (d *Daemon) page() http.Handler {
	pages := web.New()
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("/api/", d.jaeger)
	mux.Handle("/api/v1/", d.api)
	mux.Handle("GET /metrics", d.metrics.Handler())
	mux.Handle("GET /healthz", d.metrics.Live())
	mux.Handle("GET /readyz", d.metrics.Ready())
	d.debug.routes(mux)
	return d.answers.count(d.debug.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Handlers that need more set their own.
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if strings.Contains(r.URL.Path, "//") || strings.Contains(r.URL.Path, "/../") {
			http.NotFound(w, r) // the mux would redirect, which no client of an API expects
			return
		}
		mux.ServeHTTP(w, r)
	})))
}
