package daemon

import (
	"net/http"
	"sync/atomic"

	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
)

// answers counts the answers to HTTP requests by the first digit of their status, and those that a limit cut short.
type answers struct {
	classes           [6]atomic.Int64
	tooLate, tooLarge atomic.Int64
}

// count counts the answers of next.
func (a *answers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w}
		defer func() { a.add(s.code()) }()
		next.ServeHTTP(s, r)
	})
}

func (a *answers) add(status int) {
	if class := status / 100; class < len(a.classes) {
		a.classes[class].Add(1)
	}
	switch status {
	case http.StatusGatewayTimeout:
		a.tooLate.Add(1)
	case http.StatusUnprocessableEntity:
		a.tooLarge.Add(1)
	}
}

func (a *answers) figures() (all []metrics.Value) {
	for class := 1; class < len(a.classes); class++ {
		all = append(all, counter("responses", "Answers of the page, the API and Jaeger's HTTP API, by status.", a.classes[class].Load(),
			"status", string(rune('0'+class))+"xx"))
	}
	const help = "Questions over HTTP whose answer took too long or was too large."
	return append(all, counter("limited", help, a.tooLate.Load(), "limit", "time"), counter("limited", help, a.tooLarge.Load(), "limit", "bytes"))
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
