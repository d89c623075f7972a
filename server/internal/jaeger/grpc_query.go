package jaeger

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/apiv3"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// QueryServer returns a server of jaeger.api_v3.QueryService and Capabilities, and of gRPC's health service.
func (h *Handler) QueryServer(options ...grpc.ServerOption) *grpc.Server {
	s := newServer(options)
	apiv3.RegisterQueryServiceServer(s, &queryService{h: h})
	apiv3.RegisterCapabilitiesServer(s, &queryCapabilities{})
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s
}

// queryService implements all but FindSpans, which the capabilities say.
type queryService struct {
	apiv3.UnimplementedQueryServiceServer
	h *Handler
}

type queryCapabilities struct {
	apiv3.UnimplementedCapabilitiesServer
}

func (*queryCapabilities) GetCapabilities(context.Context, *apiv3.GetCapabilitiesRequest) (*apiv3.GetCapabilitiesResponse, error) {
	return &apiv3.GetCapabilitiesResponse{Search: &apiv3.SearchCapabilities{WithoutServiceName: true, SameSpanConjunction: true}}, nil
}

func (s *queryService) GetServices(ctx context.Context, _ *apiv3.GetServicesRequest) (*apiv3.GetServicesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.h.Timeout)
	defer cancel()
	names, err := s.h.Engine.Services(ctx)
	if err != nil {
		return nil, s.h.failed(ctx, err)
	}
	return &apiv3.GetServicesResponse{Services: names}, nil
}

func (s *queryService) GetOperations(ctx context.Context, r *apiv3.GetOperationsRequest) (*apiv3.GetOperationsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.h.Timeout)
	defer cancel()
	if r.Service == "" {
		return nil, s.h.failed(ctx, query.Invalidf("name a service", "the service is required"))
	}
	all, err := s.h.operationsOf(ctx, r.Service, r.SpanKind)
	if err != nil {
		return nil, s.h.failed(ctx, err)
	}
	out := &apiv3.GetOperationsResponse{}
	for _, o := range all {
		out.Operations = append(out.Operations, &apiv3.Operation{Name: o.Name, SpanKind: o.SpanKind})
	}
	return out, nil
}

func (s *queryService) GetDependencies(ctx context.Context, r *apiv3.GetDependenciesRequest) (*apiv3.DependenciesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.h.Timeout)
	defer cancel()
	within, err := period(r.StartTime, r.EndTime)
	if err != nil {
		return nil, s.h.failed(ctx, err)
	}
	all, err := s.h.dependenciesOf(ctx, within)
	if err != nil {
		return nil, s.h.failed(ctx, err)
	}
	out := &apiv3.DependenciesResponse{}
	for _, d := range all {
		out.Dependencies = append(out.Dependencies, &apiv3.Dependency{Parent: d.Parent, Child: d.Child, CallCount: d.CallCount})
	}
	return out, nil
}

func (s *queryService) GetTrace(r *apiv3.GetTraceRequest, stream grpc.ServerStreamingServer[tracepb.TracesData]) error {
	id, err := traceID(r.TraceId)
	if err != nil {
		return s.h.failed(stream.Context(), err)
	}
	within, err := period(r.StartTime, r.EndTime)
	if err != nil {
		return s.h.failed(stream.Context(), err)
	}
	sent := counting{ServerStream: stream}
	err = s.h.send(&sent, []core.TraceID{id}, within, r.RawTraces)
	if err == nil && sent.messages == 0 {
		err = query.NotFoundf("", "trace not found")
	}
	return s.h.failed(stream.Context(), err)
}

// counting counts the messages sent.
type counting struct {
	grpc.ServerStream
	messages int
}

// SendMsg implements grpc.ServerStream.
func (c *counting) SendMsg(m any) error {
	c.messages++
	return c.ServerStream.SendMsg(m)
}

func (s *queryService) FindTraces(r *apiv3.FindTracesRequest, stream grpc.ServerStreamingServer[tracepb.TracesData]) error {
	if r.GetQuery().GetPagination() != nil {
		return s.h.failed(stream.Context(), query.Invalidf("use the search depth", "FindTraces has no pages"))
	}
	ids, err := s.find(stream.Context(), r.Query)
	if err == nil {
		err = s.h.send(stream, ids, store.Range{}, r.Query.RawTraces)
	}
	return s.h.failed(stream.Context(), err)
}

func (s *queryService) find(ctx context.Context, p *apiv3.TraceQueryParameters) ([]core.TraceID, error) {
	if p == nil {
		return nil, query.Invalidf("give a query", "the query is missing")
	}
	if p.StartTimeMin == nil || p.StartTimeMax == nil {
		return nil, query.Invalidf("give both", "start_time_min and start_time_max are required")
	}
	ctx, cancel := context.WithTimeout(ctx, s.h.Timeout)
	defer cancel()
	q, possible, err := (&search{
		service: p.ServiceName, operation: p.OperationName, from: p.StartTimeMin, to: p.StartTimeMax, minDuration: p.DurationMin,
		maxDuration: p.DurationMax, attributes: p.Attributes, depth: p.SearchDepth, pageSize: p.GetPagination().GetPageSize(),
		pageToken: p.GetPagination().GetPageToken(), structured: p.Filter != nil,
	}).query()
	if err != nil {
		return nil, err
	}
	return s.h.search(ctx, q, possible)
}

func (s *queryService) FindTraceSummaries(r *apiv3.FindTraceSummariesRequest, stream grpc.ServerStreamingServer[apiv3.FindTraceSummariesResponse]) error {
	ctx := stream.Context()
	ids, err := s.find(ctx, r.Query)
	if err != nil {
		return s.h.failed(ctx, err)
	}
	all, err := s.h.Engine.Summaries(ctx, ids, store.Range{})
	if err != nil {
		return s.h.failed(ctx, err)
	}
	out := &apiv3.FindTraceSummariesResponse{}
	for _, t := range all {
		one := &apiv3.TraceSummary{
			TraceId: t.ID.String(), RootServiceName: t.RootService, RootOperationName: t.RootName,
			MinStartTimeUnixNano: uint64(t.Start.UnixNano()), MaxEndTimeUnixNano: uint64(t.End.UnixNano()),
			SpanCount: int32(t.Spans), ErrorSpanCount: int32(t.Errors), OrphanSpanCount: int32(t.Orphans),
		}
		for _, p := range t.Services {
			one.Services = append(one.Services, &apiv3.ServiceSummary{Name: p.Name, SpanCount: int32(p.Spans), ErrorSpanCount: int32(p.Errors)})
		}
		out.Summaries = append(out.Summaries, one)
		if proto.Size(out) > chunkBytes {
			if err := stream.Send(out); err != nil {
				return err
			}
			out = &apiv3.FindTraceSummariesResponse{}
		}
	}
	return stream.Send(out)
}
