package jaeger

import (
	"context"
	"encoding/base64"
	"strconv"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/storage"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// StorageServer returns a server of the reading half of Jaeger's remote storage, and of gRPC's health service.
func (h *Handler) StorageServer(options ...grpc.ServerOption) *grpc.Server {
	s := newServer(options)
	storage.RegisterTraceReaderServer(s, &traceReader{h: h})
	storage.RegisterDependencyReaderServer(s, &dependencyReader{h: h})
	storage.RegisterCapabilitiesServer(s, &storageCapabilities{})
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s
}

// traceReader implements all but FindSpans, which the capabilities say, and FindTraceSummaries, which Jaeger then does itself.
type traceReader struct {
	storage.UnimplementedTraceReaderServer
	h *Handler
}

type dependencyReader struct {
	storage.UnimplementedDependencyReaderServer
	h *Handler
}

type storageCapabilities struct {
	storage.UnimplementedCapabilitiesServer
}

func (*storageCapabilities) GetCapabilities(context.Context, *storage.GetCapabilitiesRequest) (*storage.GetCapabilitiesResponse, error) {
	return &storage.GetCapabilitiesResponse{Search: &storage.SearchCapabilities{WithoutServiceName: true, SameSpanConjunction: true}}, nil
}

func (t *traceReader) GetServices(ctx context.Context, _ *storage.GetServicesRequest) (*storage.GetServicesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, t.h.Timeout)
	defer cancel()
	names, err := t.h.Engine.Services(ctx)
	if err != nil {
		return nil, t.h.failed(ctx, err)
	}
	return &storage.GetServicesResponse{Services: names}, nil
}

func (t *traceReader) GetOperations(ctx context.Context, r *storage.GetOperationsRequest) (*storage.GetOperationsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, t.h.Timeout)
	defer cancel()
	if r.Service == "" {
		return nil, t.h.failed(ctx, query.Invalidf("name a service", "the service is required"))
	}
	all, err := t.h.operationsOf(ctx, r.Service, r.SpanKind)
	if err != nil {
		return nil, t.h.failed(ctx, err)
	}
	out := &storage.GetOperationsResponse{}
	for _, o := range all {
		out.Operations = append(out.Operations, &storage.Operation{Name: o.Name, SpanKind: o.SpanKind})
	}
	return out, nil
}

func (t *traceReader) GetTraces(r *storage.GetTracesRequest, stream grpc.ServerStreamingServer[tracepb.TracesData]) error {
	for _, p := range r.Query {
		if len(p.GetTraceId()) != 16 {
			return t.h.failed(stream.Context(), query.Invalidf("send 16 bytes", "a trace id has %d bytes", len(p.GetTraceId())))
		}
		within, err := period(p.StartTime, p.EndTime)
		if err == nil {
			err = t.h.send(stream, []core.TraceID{core.TraceID(p.TraceId)}, within, true)
		}
		if err != nil {
			return t.h.failed(stream.Context(), err)
		}
	}
	return nil
}

func (t *traceReader) FindTraces(r *storage.FindTracesRequest, stream grpc.ServerStreamingServer[tracepb.TracesData]) error {
	if r.GetQuery().GetPagination() != nil {
		return t.h.failed(stream.Context(), query.Invalidf("use the search depth", "FindTraces has no pages"))
	}
	ids, err := t.find(stream.Context(), r.Query)
	if err == nil {
		err = t.h.send(stream, ids, store.Range{}, true)
	}
	return t.h.failed(stream.Context(), err)
}

func (t *traceReader) FindTraceIDs(ctx context.Context, r *storage.FindTraceIDsRequest) (*storage.FindTraceIDsResponse, error) {
	ids, err := t.find(ctx, r.Query)
	if err != nil {
		return nil, t.h.failed(ctx, err)
	}
	out := &storage.FindTraceIDsResponse{}
	for _, id := range ids {
		out.TraceIds = append(out.TraceIds, &storage.FoundTraceID{TraceId: id[:]})
	}
	return out, nil
}

func (t *traceReader) find(ctx context.Context, p *storage.TraceQueryParameters) ([]core.TraceID, error) {
	if p == nil {
		return nil, query.Invalidf("give a query", "the query is missing")
	}
	ctx, cancel := context.WithTimeout(ctx, t.h.Timeout)
	defer cancel()
	attributes := map[string]string{}
	for _, kv := range p.Attributes {
		value, err := attributeText(kv.GetValue())
		if err != nil {
			return nil, err
		}
		attributes[kv.GetKey()] = value
	}
	q, possible, err := (&search{
		service: p.ServiceName, operation: p.OperationName, from: p.StartTimeMin, to: p.StartTimeMax, minDuration: p.DurationMin,
		maxDuration: p.DurationMax, attributes: attributes, depth: p.SearchDepth, pageSize: p.GetPagination().GetPageSize(),
		pageToken: p.GetPagination().GetPageToken(), structured: p.Filter != nil,
	}).query()
	if err != nil {
		return nil, err
	}
	return t.h.search(ctx, q, possible)
}

// attributeText returns a value as store.Attribute has it.
func attributeText(v *storage.AnyValue) (string, error) {
	switch v := v.GetValue().(type) {
	case *storage.AnyValue_StringValue:
		return v.StringValue, nil
	case *storage.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue), nil
	case *storage.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10), nil
	case *storage.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64), nil
	case *storage.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue), nil
	}
	return "", query.Invalidf("search for texts, numbers and booleans", "an attribute to search for has no plain value")
}

func (d *dependencyReader) GetDependencies(ctx context.Context, r *storage.GetDependenciesRequest) (*storage.GetDependenciesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, d.h.Timeout)
	defer cancel()
	within, err := period(r.StartTime, r.EndTime)
	if err != nil {
		return nil, d.h.failed(ctx, err)
	}
	all, err := d.h.dependenciesOf(ctx, within)
	if err != nil {
		return nil, d.h.failed(ctx, err)
	}
	out := &storage.GetDependenciesResponse{}
	for _, x := range all {
		out.Dependencies = append(out.Dependencies, &storage.Dependency{Parent: x.Parent, Child: x.Child, CallCount: x.CallCount, Source: "otelprof"})
	}
	return out, nil
}
