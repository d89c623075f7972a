package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// question answers a request: with something to be written as JSON, with a document, or with nil for nothing to say.
type question func(ctx context.Context, r *request) (any, error)

// document is an answer that is not JSON.
type document struct {
	contentType, fileName string
	policy                string
	write                 func(*limited) error
}

// failure is the answer when there is none.
type failure struct {
	Error failureDetails `json:"error"`
}

type failureDetails struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// errTooLarge: the answer exceeds Options.MaxBytes.
var errTooLarge = errors.New("the answer is too large")

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

// answering serves a question, bounded in time and size.
func (h *Handler) answering(f question) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		defer cancel()
		answer, err := h.ask(ctx, w, r, f)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		body := &limited{most: h.MaxBytes}
		switch a := answer.(type) {
		case nil:
			w.WriteHeader(http.StatusNoContent)
			return
		case *document:
			if err = a.write(body); err == nil {
				a.header(w.Header())
			}
		default:
			w.Header().Set("Content-Type", "application/json")
			err = json.NewEncoder(body).Encode(a)
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		w.Write(body.Bytes()) // who is gone needs no answer
	}
}

func (h *Handler) ask(ctx context.Context, w http.ResponseWriter, r *http.Request, f question) (any, error) {
	q, err := newRequest(w, r, h.Engine.Now())
	if err != nil {
		return nil, err
	}
	return f(ctx, q)
}

func (d *document) header(header http.Header) {
	header.Set("Content-Type", d.contentType)
	if d.policy != "" {
		header.Set("Content-Security-Policy", d.policy)
	}
	if d.fileName != "" {
		header.Set("Content-Disposition", "attachment; filename="+strconv.Quote(d.fileName))
	}
}

// fail writes what went wrong.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, f := h.explain(r, err)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Del("Content-Disposition")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(failure{f})
}

func (h *Handler) explain(r *http.Request, err error) (status int, f failureDetails) {
	var asked *query.Error
	switch {
	case errors.As(err, &asked) && asked.Kind == query.NotFound:
		return http.StatusNotFound, failureDetails{"not_found", asked.Message, asked.Hint}
	case errors.As(err, &asked):
		return http.StatusBadRequest, failureDetails{"invalid", asked.Message, asked.Hint}
	case errors.Is(err, errTooLarge):
		return http.StatusUnprocessableEntity, failureDetails{"too_large", fmt.Sprintf("the answer exceeds %d bytes", h.MaxBytes),
			"ask about a shorter period or one service, or set a smaller limit"}
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, failureDetails{"timeout", fmt.Sprintf("there was no answer within %v", h.Timeout),
			"ask about a shorter period or one service, or set a smaller limit"}
	case errors.Is(err, context.Canceled):
		return 499, failureDetails{"canceled", "the request was cancelled", ""}
	case errors.Is(err, store.ErrFull):
		return http.StatusServiceUnavailable, failureDetails{"busy", "the store is full", "free some room on the disk, or raise the limit"}
	case errors.Is(err, store.ErrAway):
		return http.StatusServiceUnavailable, failureDetails{"busy", "the database of the store does not answer", "try again when it does: what is sent meanwhile is kept"}
	}
	h.Logger.ErrorContext(r.Context(), "query failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError, failureDetails{"internal", "the query failed", "see the log of the server"}
}

func (h *Handler) unknown(w http.ResponseWriter, r *http.Request) {
	h.fail(w, r, query.NotFoundf("see /api/v1/openapi.yaml", "there is no %s %s", r.Method, strconv.Quote(r.URL.Path)))
}

// foreign answers a change that another site wants a user's browser to make.
func (h *Handler) foreign(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	json.NewEncoder(w).Encode(failure{failureDetails{"forbidden", "the request comes from another origin",
		"make changes from the page that this server serves, or from outside of a browser"}})
}
