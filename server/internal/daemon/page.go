package daemon

import (
	"io"
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
	mux.HandleFunc("GET /healthz", answerOK)
	mux.HandleFunc("GET /readyz", answerOK) // nothing listens before everything is ready
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") || strings.Contains(r.URL.Path, "/../") {
			http.NotFound(w, r) // the mux would redirect, which no client of an API expects
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answerOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}
