package jaeger

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// v3Error is an error as the gateway of gRPC writes it.
func v3Error(status int, message string) any {
	type details struct {
		GRPCCode   codes.Code `json:"grpcCode"`
		HTTPCode   int        `json:"httpCode"`
		Message    string     `json:"message"`
		HTTPStatus string     `json:"httpStatus"`
	}
	return map[string]details{"error": {grpcCode(status), status, message, http.StatusText(status)}}
}

func grpcCode(status int) codes.Code {
	switch status {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusUnprocessableEntity:
		return codes.ResourceExhausted
	case http.StatusNotImplemented:
		return codes.Unimplemented
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.Internal
}

func (h *Handler) services(ctx context.Context, _ *request) (any, error) {
	names, err := h.Engine.Services(ctx)
	return map[string][]string{"services": list(names)}, err
}

func (h *Handler) operations(ctx context.Context, r *request) (any, error) {
	service := r.text("service")
	if service == "" {
		return nil, query.Invalidf("name a service", "the parameter service is required")
	}
	all, err := h.operationsOf(ctx, service, r.text("spanKind", "span_kind"))
	return map[string][]uiOperation{"operations": all}, err
}

// result wraps the answers of streams.
type result struct {
	Result json.RawMessage `json:"result"`
}

// otlpJSON returns traces as one TracesData in OTLP's JSON.
func otlpJSON(all []decoded) (any, error) {
	if len(all) == 0 {
		return nil, query.NotFoundf("", "No traces found")
	}
	joined := ptrace.NewTraces()
	for _, d := range all {
		d.data.ResourceSpans().MoveAndAppendTo(joined.ResourceSpans())
	}
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(joined)
	return result{bytes.ToValidUTF8(text, []byte("\uFFFD"))}, err
}

func (h *Handler) getTrace(ctx context.Context, r *request) (any, error) {
	id, err := traceID(r.PathValue("id"))
	r.keep(err)
	within := store.Range{From: r.moment("startTime", "start_time"), To: r.moment("endTime", "end_time")}
	raw := r.flag("rawTraces", "raw_traces")
	if r.err != nil {
		return nil, r.err
	}
	all, err := h.read(ctx, []core.TraceID{id}, within, raw)
	if err != nil {
		return nil, err
	}
	return otlpJSON(all)
}

// v3Query reads the parameters of a search.
func (r *request) v3Query() (q *store.Query, possible bool, err error) {
	q = &store.Query{
		Service: r.text("query.serviceName", "query.service_name"), Operation: r.text("query.operationName", "query.operation_name"),
		Start: store.Range{
			From: r.moment("query.startTimeMin", "query.start_time_min"), To: r.moment("query.startTimeMax", "query.start_time_max"),
		},
		MinDuration: r.duration("query.durationMin", "query.duration_min"),
		MaxDuration: r.duration("query.durationMax", "query.duration_max"),
		Limit:       r.limit("query.searchDepth", "query.search_depth", "query.num_traces"),
	}
	if r.err == nil && (q.Start.From.IsZero() || q.Start.To.IsZero()) {
		r.keep(query.Invalidf("give both", "query.startTimeMin and query.startTimeMax are required"))
	}
	if r.text("query.filter") != "" {
		r.keep(query.Invalidf("use query.attributes", "structured filters are not supported"))
	}
	possible = true
	if text := r.text("query.attributes"); text != "" {
		all, err := tags(text)
		r.keep(err)
		possible = constrain(q, all)
	}
	return q, possible, r.err
}

func (h *Handler) findTraces(ctx context.Context, r *request) (any, error) {
	raw := r.flag("query.rawTraces", "query.raw_traces")
	q, possible, err := r.v3Query()
	if err != nil {
		return nil, err
	}
	ids, err := h.search(ctx, q, possible)
	if err != nil {
		return nil, err
	}
	all, err := h.read(ctx, ids, store.Range{}, raw)
	if err != nil {
		return nil, err
	}
	return otlpJSON(all)
}

// v3Summary has 64-bit integers as text, as protobuf's JSON does.
type v3Summary struct {
	TraceID       string             `json:"traceId"`
	RootService   string             `json:"rootServiceName"`
	RootOperation string             `json:"rootOperationName"`
	Start         int64              `json:"minStartTimeUnixNano,string"`
	End           int64              `json:"maxEndTimeUnixNano,string"`
	Spans         int                `json:"spanCount"`
	Errors        int                `json:"errorSpanCount"`
	Orphans       int                `json:"orphanSpanCount"`
	Services      []v3ServiceSummary `json:"services"`
}

type v3ServiceSummary struct {
	Name   string `json:"name"`
	Spans  int    `json:"spanCount"`
	Errors int    `json:"errorSpanCount"`
}

func (h *Handler) summaries(ctx context.Context, r *request) (any, error) {
	q, possible, err := r.v3Query()
	if err != nil {
		return nil, err
	}
	ids, err := h.search(ctx, q, possible)
	if err != nil {
		return nil, err
	}
	all, err := h.Engine.Summaries(ctx, ids, store.Range{})
	out := make([]v3Summary, len(all))
	for i, s := range all {
		out[i] = v3Summary{s.ID.String(), s.RootService, s.RootName, s.Start.UnixNano(), s.End.UnixNano(), s.Spans, s.Errors,
			s.Orphans, []v3ServiceSummary{}}
		for _, p := range s.Services {
			out[i].Services = append(out[i].Services, v3ServiceSummary(p))
		}
	}
	return map[string][]v3Summary{"summaries": out}, err
}

func (h *Handler) dependencies(ctx context.Context, r *request) (any, error) {
	within := store.Range{From: r.moment("startTime", "start_time"), To: r.moment("endTime", "end_time")}
	if r.err != nil {
		return nil, r.err
	}
	all, err := h.dependenciesOf(ctx, within)
	type dependency struct {
		Parent    string `json:"parent"`
		Child     string `json:"child"`
		CallCount uint64 `json:"callCount,string"`
	}
	out := make([]dependency, len(all))
	for i, d := range all {
		out[i] = dependency(d)
	}
	return map[string][]dependency{"dependencies": out}, err
}

// capabilities tells that a search needs no service, and that one span matches all of it.
func (h *Handler) capabilities(context.Context, *request) (any, error) {
	return map[string]map[string]bool{"search": {"withoutServiceName": true, "sameSpanConjunction": true}}, nil
}

func kindOf(k ptrace.SpanKind) core.Kind {
	if k < 0 || k > ptrace.SpanKindConsumer {
		return core.KindUnspecified
	}
	return core.Kind(k)
}
