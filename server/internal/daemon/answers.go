package daemon

import (
	"net/http"
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
)

// answers counts the answers to HTTP requests by the first digit of their status.
type answers [6]atomic.Int64

// count counts the answers of next.
func (a *answers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w}
		defer func() {
			if class := s.code() / 100; class < len(a) {
				a[class].Add(1)
			}
		}()
		next.ServeHTTP(s, r)
	})
}

func (a *answers) figures() (all []metrics.Value) {
	for class := 1; class < len(a); class++ {
		all = append(all, counter("responses", "Answers of the page, the API and Jaeger's HTTP API, by status.", a[class].Load(),
			"status", string(rune('0'+class))+"xx"))
	}
	return all
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status < http.StatusOK { // those below may be followed by another
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the rest.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// Flush sends what was written so far.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
