package metrics

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// checkTimeout is how long all checks together may take.
const checkTimeout = 5 * time.Second

// health are the checks of whether the server is ready.
type health struct {
	mu       sync.Mutex
	checks   []check
	stopping bool
}

type check struct {
	name string
	f    func(context.Context) error
}

// Check makes a condition known without which the server is not ready: f returns what is wrong, nil if nothing is.
func (h *health) Check(name string, f func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, f})
}

// Stopping makes the server not ready from now on, so that nobody is sent to it any more.
func (h *health) Stopping() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
}

// Live answers 200 as long as the process can answer.
func (h *health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write([]byte("ok\n"))
	})
}

// readiness is the answer of Ready.
type readiness struct {
	Ready  bool          `json:"ready"`
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

// Ready answers 200 if all checks pass, else 503, in both cases with a list of them in JSON.
func (h *health) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		answer := h.ask(ctx)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !answer.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(answer)
	})
}

func (h *health) ask(ctx context.Context) readiness {
	h.mu.Lock()
	checks, stopping := h.checks[:len(h.checks):len(h.checks)], h.stopping
	h.mu.Unlock()
	answer := readiness{Ready: !stopping, Checks: []checkResult{}}
	if stopping {
		answer.Checks = append(answer.Checks, checkResult{"server", "it is stopping"})
	}
	for _, c := range checks {
		result := checkResult{Name: c.name}
		if err := c.f(ctx); err != nil {
			result.Error = err.Error()
			answer.Ready = false
		}
		answer.Checks = append(answer.Checks, result)
	}
	return answer
}
