package jaeger

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// How far back questions go that do not say.
const (
	tracesLookback       = 48 * time.Hour
	dependenciesLookback = 24 * time.Hour
)

// legacyError is the envelope of an error.
func legacyError(status int, message string) any {
	return envelope{Errors: []envelopeError{{Code: status, Msg: message}}}
}

func (h *Handler) legacyServices(ctx context.Context, _ *request) (any, error) {
	names, err := h.Engine.Services(ctx)
	return envelope{Data: list(names), Total: len(names)}, err
}

type uiOperation struct {
	Name     string `json:"name"`
	SpanKind string `json:"spanKind"`
}

func (h *Handler) legacyOperations(ctx context.Context, r *request) (any, error) {
	service := r.text("service")
	if service == "" {
		return nil, query.Invalidf("name a service", "parameter 'service' is required")
	}
	all, err := h.operationsOf(ctx, service, r.text("spanKind"))
	return envelope{Data: all, Total: len(all)}, err
}

// operationsOf returns the operations of a service with a kind, or of any kind for "".
func (h *Handler) operationsOf(ctx context.Context, service, kind string) ([]uiOperation, error) {
	all, err := h.Engine.Operations(ctx, service)
	out := []uiOperation{}
	for _, o := range all {
		if k, ok := kinds[strings.ToLower(kind)]; kind == "" || ok && o.Kind == k {
			out = append(out, uiOperation{o.Name, kindName(o.Kind)})
		}
	}
	return out, err
}

func (h *Handler) legacyOperationNames(ctx context.Context, r *request) (any, error) {
	all, err := h.Engine.Operations(ctx, r.PathValue("service"))
	names := map[string]bool{}
	for _, o := range all {
		names[o.Name] = true
	}
	return envelope{Data: list(slices.Sorted(maps.Keys(names))), Total: len(names)}, err
}

func (h *Handler) legacySearch(ctx context.Context, r *request) (any, error) {
	q := &store.Query{
		Service: r.text("service"), Operation: r.text("operation"), Limit: r.limit("limit"),
		Start: store.Range{
			From: r.since1970("start", time.Microsecond, r.now.Add(-tracesLookback)),
			To:   r.since1970("end", time.Microsecond, r.now),
		},
		MinDuration: r.duration("minDuration"), MaxDuration: r.duration("maxDuration"),
	}
	possible := constrain(q, r.legacyTags())
	raw := r.flag("raw")
	var ids []core.TraceID
	for _, text := range r.values["traceID"] {
		id, err := traceID(text)
		r.keep(err)
		ids = append(ids, id)
	}
	if r.err != nil {
		return nil, r.err
	}
	if ids != nil {
		return h.legacyByID(ctx, ids, raw)
	}
	ids, err := h.search(ctx, q, possible)
	if err != nil {
		return nil, err
	}
	all, err := h.read(ctx, ids, store.Range{}, raw)
	return envelope{Data: uiTraces(all)}, err
}

// legacyTags reads tag=key:value and tags={"key":"value"}, both any number of times.
func (r *request) legacyTags() map[string]string {
	all := map[string]string{}
	for _, text := range r.values["tag"] {
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			r.keep(query.Invalidf("write key:value", "malformed 'tag' parameter, expecting key:value, received: %s", strconv.Quote(text)))
		}
		all[key] = value
	}
	for _, text := range r.values["tags"] {
		some, err := tags(text)
		r.keep(err)
		maps.Copy(all, some)
	}
	return all
}

func (h *Handler) legacyByID(ctx context.Context, ids []core.TraceID, raw bool) (any, error) {
	all, err := h.read(ctx, ids, store.Range{}, raw)
	if err != nil {
		return nil, err
	}
	e := envelope{Data: uiTraces(all)}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(d decoded) bool { return d.id == id }) {
			e.Errors = append(e.Errors, envelopeError{Msg: "trace not found", TraceID: traceText([16]byte(id))})
		}
	}
	return e, nil
}

func uiTraces(all []decoded) []uiTrace {
	out := make([]uiTrace, len(all))
	for i := range all {
		out[i] = uiTraceOf(all[i].data)
	}
	return out
}

func (h *Handler) legacyTrace(ctx context.Context, r *request) (any, error) {
	id, err := traceID(r.PathValue("id"))
	r.keep(err)
	within := store.Range{From: r.since1970("start", time.Microsecond, time.Time{}), To: r.since1970("end", time.Microsecond, time.Time{})}
	raw := r.flag("raw")
	if r.err != nil {
		return nil, r.err
	}
	all, err := h.read(ctx, []core.TraceID{id}, within, raw)
	if err == nil && len(all) == 0 {
		err = query.NotFoundf("", "trace not found")
	}
	return envelope{Data: uiTraces(all)}, err
}

type uiDependency struct {
	Parent    string `json:"parent"`
	Child     string `json:"child"`
	CallCount uint64 `json:"callCount"`
}

func (h *Handler) legacyDependencies(ctx context.Context, r *request) (any, error) {
	end := r.since1970("endTs", time.Millisecond, r.now)
	lookback := r.millis("lookback", dependenciesLookback)
	if r.err != nil {
		return nil, r.err
	}
	all, err := h.dependenciesOf(ctx, store.Range{From: end.Add(-lookback), To: end})
	if service := r.text("service"); service != "" {
		all = slices.DeleteFunc(all, func(d uiDependency) bool { return d.Parent != service && d.Child != service })
	}
	return envelope{Data: all}, err
}

// dependenciesOf returns the calls between services.
func (h *Handler) dependenciesOf(ctx context.Context, within store.Range) ([]uiDependency, error) {
	m, err := h.Engine.ServiceMap(ctx, within)
	if err != nil {
		return nil, err
	}
	out := make([]uiDependency, len(m.Calls))
	for i, c := range m.Calls {
		out[i] = uiDependency{c.Caller, c.Callee, c.Stats.Count}
	}
	return out, nil
}

// transform converts traces in OTLP's JSON, which a user wants to look at, into the older form.
func (h *Handler) transform(_ context.Context, r *request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(h.MaxBytes)+1))
	if err != nil {
		return nil, query.Invalidf("send it again", "the body could not be read: %v", err)
	}
	if len(body) > h.MaxBytes {
		return nil, errTooLarge
	}
	data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(body)
	if err != nil {
		return nil, query.Invalidf("send traces in OTLP's JSON", "the body is malformed: %v", err)
	}
	return envelope{Data: uiTraces(split(data))}, nil
}

// split returns the traces in the order in which they come first.
func split(data ptrace.Traces) []decoded {
	var all []decoded
	index := map[core.TraceID]int{}
	for _, rs := range data.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				id := core.TraceID(s.TraceID())
				at, ok := index[id]
				if !ok {
					at = len(all)
					index[id] = at
					all = append(all, decoded{id, ptrace.NewTraces()})
				}
				own := all[at].data.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(own.Resource())
				scope := own.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(scope.Scope())
				s.CopyTo(scope.Spans().AppendEmpty())
			}
		}
	}
	return all
}

// archive is asked to keep a trace for ever.
func (h *Handler) archive(_ context.Context, r *request) (any, error) {
	if _, err := traceID(r.PathValue("id")); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("there is no archive storage: %w", errUnimplemented)
}

// list returns the slice, never nil: it would be null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
