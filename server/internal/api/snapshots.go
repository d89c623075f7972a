package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

type snapshotsAnswer struct {
	Snapshots []savedSnapshot `json:"snapshots"`
}

type savedSnapshot struct {
	Name  string  `json:"name"`
	Saved *string `json:"saved"`
	Start *string `json:"start"`
	End   *string `json:"end"`
	Spans uint64  `json:"spans"`
}

func newSavedSnapshot(s store.SavedSnapshot) savedSnapshot {
	return savedSnapshot{s.Name, moment(s.Saved), moment(s.Start), moment(s.End), s.Spans}
}

func (h *Handler) snapshots(ctx context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	all, err := h.Engine.Snapshots(ctx)
	a := snapshotsAnswer{make([]savedSnapshot, len(all))}
	for i, s := range all {
		a.Snapshots[i] = newSavedSnapshot(s)
	}
	return a, err
}

// saveRequest asks to save the profile of a period.
type saveRequest struct {
	Name    string `json:"name"`
	Since   string `json:"since"`
	Until   string `json:"until"`
	Service string `json:"service"`
}

// maxSaveRequest is the size of the body of a saveRequest in bytes.
const maxSaveRequest = 64 << 10

func (h *Handler) saveSnapshot(ctx context.Context, r *request) (any, error) {
	if err := errors.Join(r.done(), r.contentType("application/json")); err != nil {
		return nil, err
	}
	var ask saveRequest
	body := json.NewDecoder(http.MaxBytesReader(r.w, r.Body, maxSaveRequest))
	body.DisallowUnknownFields()
	if err := body.Decode(&ask); err != nil {
		return nil, query.Invalidf(`send {"name": "before", "since": "15m"}`, "the body is not what is expected: %v", err)
	}
	within, err := query.ParsePeriod(ask.Since, ask.Until, r.now)
	if err != nil {
		return nil, err
	}
	s, err := h.Engine.Profile(ctx, within, query.Service(ask.Service))
	if err != nil {
		return nil, err
	}
	return h.save(ctx, ask.Name, s)
}

// putSnapshot saves a profile that somebody has, such as that of a process.
func (h *Handler) putSnapshot(ctx context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	decode := core.Decode
	if r.contentType("application/json") == nil {
		decode = core.DecodeJSON
	} else if err := r.contentType("application/octet-stream"); err != nil {
		return nil, err
	}
	s, err := decode(http.MaxBytesReader(r.w, r.Body, int64(h.MaxBytes)), core.DecodeLimits{})
	if err != nil {
		return nil, query.Invalidf("send a snapshot as otelprof writes it, not compressed", "the body is no snapshot: %v", err)
	}
	return h.save(ctx, r.PathValue("name"), s)
}

func (h *Handler) save(ctx context.Context, name string, s *core.Snapshot) (any, error) {
	if err := h.Engine.SaveSnapshot(ctx, name, s); err != nil {
		return nil, err
	}
	all := s.Total()
	return savedSnapshot{Name: name, Saved: moment(h.Engine.Now()), Start: moment(s.Start), End: moment(s.End), Spans: all.Count}, nil
}

// contentType fails unless the body has this media type.
func (r *request) contentType(want string) error {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		return query.Invalidf("set Content-Type: "+want, "the content type is %q", r.Header.Get("Content-Type"))
	}
	return nil
}

func (h *Handler) deleteSnapshot(ctx context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	return nil, h.Engine.DeleteSnapshot(ctx, r.PathValue("name"))
}

func (h *Handler) snapshot(ctx context.Context, r *request) (any, error) {
	f := r.format("snapshot")
	if err := r.done(); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	s, err := h.Engine.Snapshot(ctx, name)
	if err != nil {
		return nil, err
	}
	return formatted(f, s, name), nil
}

// profile is the profile of a period in a format.
func (h *Handler) profile(ctx context.Context, r *request) (any, error) {
	within, service, f := r.period(""), r.text("service"), r.format("json")
	if err := r.done(); err != nil {
		return nil, err
	}
	p, err := h.Engine.Profile(ctx, within, query.Service(service))
	if err != nil {
		return nil, err
	}
	return formatted(f, p, "profile"), nil
}

func (r *request) format(fallback string) report.Format {
	name := r.text("format")
	if name == "" {
		name = fallback
	}
	names := ""
	for _, f := range allFormats() {
		if f.Name == name {
			return f
		}
		names += " " + f.Name
	}
	r.keep(query.Invalidf("formats are"+names, "there is no format %q", name))
	return report.Format{}
}

func formatted(f report.Format, s *core.Snapshot, name string) *document {
	d := &document{contentType: f.ContentType, write: func(w *limited) error { return f.Write(w, s) }}
	switch f.Name {
	case "html":
		d.policy = report.HTMLContentSecurityPolicy()
	case "pprof", "snapshot", "snapshot-json", "csv", "csv-stichotrope":
		d.fileName = name + f.Extension
	}
	return d
}

func writeBinary(w io.Writer, s *core.Snapshot) error {
	data, err := s.MarshalBinary()
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

func writeJSON(w io.Writer, s *core.Snapshot) error {
	data, err := s.MarshalJSON()
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}
