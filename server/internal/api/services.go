package api

import (
	"context"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
)

type statusAnswer struct {
	Version    string  `json:"version"`
	Now        *string `json:"now"`
	Spans      int64   `json:"spans"`
	Traces     int64   `json:"traces"`
	Bytes      int64   `json:"bytes"`
	LogEntries int64   `json:"log_entries"`
	Oldest     *string `json:"oldest"`
	Newest     *string `json:"newest"`
	Completed  *string `json:"completed"`
	// Endpoints are the addresses to which programs send, and others.
	Endpoints map[string]string `json:"endpoints"`
}

func (h *Handler) status(ctx context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	size, err := h.Engine.Size(ctx)
	if err != nil {
		return nil, err
	}
	endpoints := h.Endpoints
	if endpoints == nil {
		endpoints = map[string]string{}
	}
	return statusAnswer{
		Version: h.Version, Now: moment(r.now), Spans: size.Spans, Traces: size.Traces, Bytes: size.Bytes,
		LogEntries: size.LogEntries, Oldest: moment(size.Oldest), Newest: moment(size.Newest), Completed: moment(size.Completed), Endpoints: endpoints,
	}, nil
}

func (h *Handler) specification(_ context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	return &document{contentType: "application/yaml", write: func(w *limited) error {
		_, err := w.Write(Specification)
		return err
	}}, nil
}

type formatsAnswer struct {
	Formats []format `json:"formats"`
}

type format struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	ContentType string `json:"content_type"`
	Extension   string `json:"extension"`
}

func (h *Handler) formats(_ context.Context, r *request) (any, error) {
	a := formatsAnswer{}
	for _, f := range allFormats() {
		a.Formats = append(a.Formats, format{f.Name, f.Description, f.ContentType, f.Extension})
	}
	return a, r.done()
}

type servicesAnswer struct {
	Services []string `json:"services"`
}

func (h *Handler) services(ctx context.Context, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	names, err := h.Engine.Services(ctx)
	return servicesAnswer{list(names)}, err
}

type operationsAnswer struct {
	Operations []operation `json:"operations"`
}

type operation struct {
	Service string    `json:"service"`
	Name    string    `json:"name"`
	Kind    core.Kind `json:"kind"`
}

func (h *Handler) operations(ctx context.Context, r *request) (any, error) {
	service := r.text("service")
	if err := r.done(); err != nil {
		return nil, err
	}
	all, err := h.Engine.Operations(ctx, service)
	a := operationsAnswer{Operations: make([]operation, len(all))}
	for i, o := range all {
		a.Operations[i] = operation{o.Service, o.Name, o.Kind}
	}
	return a, err
}

type tracksAnswer struct {
	Period period  `json:"period"`
	Tracks []track `json:"tracks"`
}

type track struct {
	Service string `json:"service"`
	Name    string `json:"name"`
	Blocks  int    `json:"blocks"`
	Stats   stats  `json:"stats"`
}

func (h *Handler) tracks(ctx context.Context, r *request) (any, error) {
	within, service := r.period(""), r.text("service")
	if err := r.done(); err != nil {
		return nil, err
	}
	p, err := h.Engine.Profile(ctx, within, query.Service(service))
	if err != nil {
		return nil, err
	}
	a := tracksAnswer{newPeriod(p), []track{}}
	for _, t := range p.Tracks() {
		a.Tracks = append(a.Tracks, track{t.Service, t.Name, len(t.Blocks), newStats(&t.Stats, p.Window().Seconds())})
	}
	return a, nil
}

type serviceMapAnswer struct {
	Period   period         `json:"period"`
	Services []serviceStats `json:"services"`
	Calls    []callStats    `json:"calls"`
}

// serviceStats has in requests the spans by which the service was entered; the others are sums over all of its spans.
type serviceStats struct {
	Name       string `json:"name"`
	Requests   stats  `json:"requests"`
	Spans      uint64 `json:"spans"`
	Errors     uint64 `json:"errors"`
	SelfNS     uint64 `json:"self_ns"`
	CriticalNS uint64 `json:"critical_ns"`
	Operations int    `json:"operations"`
}

type callStats struct {
	Caller string `json:"caller"`
	Callee string `json:"callee"`
	Stats  stats  `json:"stats"`
}

func (h *Handler) serviceMap(ctx context.Context, r *request) (any, error) {
	within := r.period("")
	if err := r.done(); err != nil {
		return nil, err
	}
	m, err := h.Engine.ServiceMap(ctx, within)
	if err != nil {
		return nil, err
	}
	seconds := m.Profile.Window().Seconds()
	a := serviceMapAnswer{newPeriod(m.Profile), []serviceStats{}, []callStats{}}
	for _, s := range m.Services {
		a.Services = append(a.Services, serviceStats{
			s.Name, newStats(&s.Requests, seconds), s.Spans, s.Errors, s.Self, s.Critical, s.Operations})
	}
	for _, c := range m.Calls {
		a.Calls = append(a.Calls, callStats{c.Caller, c.Callee, newStats(&c.Stats, seconds)})
	}
	return a, nil
}

// allFormats are those of reports, and the two forms of the profile itself.
func allFormats() []report.Format {
	return append(report.Formats(),
		report.Format{Name: "snapshot", Description: "the profile in full, to be merged and compared", ContentType: "application/octet-stream",
			Extension: ".otelprof", Write: writeBinary},
		report.Format{Name: "snapshot-json", Description: "the profile in full, as JSON", ContentType: "application/json",
			Extension: ".otelprof.json", Write: writeJSON})
}
