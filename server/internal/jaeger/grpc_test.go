package jaeger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/apiv3"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/expression"
	"github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/storage"
	"github.com/stichotrope/stichotrope-go/server/internal/query/querytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// receive reads a stream of traces and checks the rules of chunks: each has spans, those of one trace, and the chunks of a
// trace are consecutive. It returns the spans by trace in the order of arrival.
func receive(t *testing.T, stream grpc.ServerStreamingClient[tracepb.TracesData], err error) (order []core.TraceID, traces map[core.TraceID][]*tracepb.Span, chunks int) {
	t.Helper()
	require.NoError(t, err)
	traces = map[core.TraceID][]*tracepb.Span{}
	for {
		data, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return order, traces, chunks
		}
		require.NoError(t, err)
		chunks++
		var own []*tracepb.Span
		for _, rs := range data.ResourceSpans {
			require.NotNil(t, rs.Resource)
			for _, ss := range rs.ScopeSpans {
				require.Equal(t, "v1", ss.Scope.Version)
				own = append(own, ss.Spans...)
			}
		}
		require.NotEmpty(t, own)
		id := core.TraceID(own[0].TraceId)
		for _, s := range own {
			require.Equal(t, id, core.TraceID(s.TraceId))
		}
		if len(order) == 0 || order[len(order)-1] != id {
			require.NotContains(t, traces, id, "the chunks of a trace are consecutive")
			order = append(order, id)
		}
		traces[id] = append(traces[id], own...)
	}
}

func texts(ids []core.TraceID) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}

func TestQueryServiceAgainstTheSpans(t *testing.T) {
	client := apiv3.NewQueryServiceClient(dial(t, newHandler().QueryServer()))
	services, err := client.GetServices(t.Context(), &apiv3.GetServicesRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, services.Services)
	operations, err := client.GetOperations(t.Context(), &apiv3.GetOperationsRequest{Service: querytest.Frontend, SpanKind: "internal"})
	require.NoError(t, err)
	require.Len(t, operations.Operations, 1)
	require.Equal(t, querytest.Hostile, operations.Operations[0].Name)
	dependencies, err := client.GetDependencies(t.Context(), &apiv3.GetDependenciesRequest{StartTime: timestamppb.New(querytest.Epoch), EndTime: timestamppb.New(now)})
	require.NoError(t, err)
	require.Len(t, dependencies.Dependencies, 2)
	require.EqualValues(t, 200, dependencies.Dependencies[0].CallCount)

	for _, spans := range querytest.Traces(querytest.Spans())[:20] {
		id := spans[0].Trace
		stream, err := client.GetTrace(t.Context(), &apiv3.GetTraceRequest{TraceId: id.String()})
		_, got, _ := receive(t, stream, err)
		requireSameSpans(t, spans, got[id])
	}
	stream, err := client.GetTrace(t.Context(), &apiv3.GetTraceRequest{TraceId: querytest.TraceID(querytest.Duplicated).String(), RawTraces: true})
	_, got, _ := receive(t, stream, err)
	require.Len(t, got[querytest.TraceID(querytest.Duplicated)], 6)

	for _, c := range searches {
		q := &apiv3.TraceQueryParameters{
			ServiceName: c.service, OperationName: c.operation, Attributes: c.tags, SearchDepth: int32(c.limit),
			StartTimeMin: timestamppb.New(querytest.Epoch), StartTimeMax: timestamppb.New(now),
			DurationMin: durationpb.New(c.minDuration), DurationMax: durationpb.New(c.maxDuration),
		}
		stream, err := client.FindTraces(t.Context(), &apiv3.FindTracesRequest{Query: q})
		order, _, _ := receive(t, stream, err)
		require.Equal(t, matching(c.want), texts(order))
		summaries, err := client.FindTraceSummaries(t.Context(), &apiv3.FindTraceSummariesRequest{Query: q})
		require.NoError(t, err)
		var ids []string
		for {
			chunk, err := summaries.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			for _, s := range chunk.Summaries {
				ids = append(ids, s.TraceId)
			}
		}
		require.Equal(t, matching(c.want), ids)
	}
}

func TestRemoteStorageAgainstTheSpans(t *testing.T) {
	conn := dial(t, newHandler().StorageServer())
	client := storage.NewTraceReaderClient(conn)
	services, err := client.GetServices(t.Context(), &storage.GetServicesRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{querytest.Cart, querytest.Frontend, querytest.Payment}, services.Services)
	operations, err := client.GetOperations(t.Context(), &storage.GetOperationsRequest{Service: querytest.Cart})
	require.NoError(t, err)
	require.Len(t, operations.Operations, 2)
	require.Equal(t, []string{"AddItem", "server"}, []string{operations.Operations[0].Name, operations.Operations[0].SpanKind})

	request := &storage.GetTracesRequest{}
	traces := querytest.Traces(querytest.Spans())[:30]
	for _, spans := range traces {
		request.Query = append(request.Query, &storage.GetTraceParams{TraceId: spans[0].Trace[:]})
	}
	missing := core.TraceID{7}
	request.Query = append(request.Query, &storage.GetTraceParams{TraceId: missing[:]})
	stream, err := client.GetTraces(t.Context(), request)
	order, got, _ := receive(t, stream, err)
	require.Len(t, order, len(traces))
	for i, spans := range traces {
		require.Equal(t, spans[0].Trace, order[i])
		if order[i] == querytest.TraceID(querytest.Duplicated) {
			require.Len(t, got[order[i]], len(spans)+1, "duplicates are kept")
			continue
		}
		requireSameSpans(t, spans, got[order[i]])
	}

	for _, c := range searches {
		q := &storage.TraceQueryParameters{
			ServiceName: c.service, OperationName: c.operation, SearchDepth: int32(c.limit),
			StartTimeMin: timestamppb.New(querytest.Epoch), StartTimeMax: timestamppb.New(now),
			DurationMin: durationpb.New(c.minDuration), DurationMax: durationpb.New(c.maxDuration),
		}
		for k, v := range c.tags {
			value := &storage.AnyValue{Value: &storage.AnyValue_StringValue{StringValue: v}}
			if k == "http.response.status_code" {
				value = &storage.AnyValue{Value: &storage.AnyValue_IntValue{IntValue: 500}}
			} else if k == "error" {
				value = &storage.AnyValue{Value: &storage.AnyValue_BoolValue{BoolValue: true}}
			}
			q.Attributes = append(q.Attributes, &storage.KeyValue{Key: k, Value: value})
		}
		stream, err := client.FindTraces(t.Context(), &storage.FindTracesRequest{Query: q})
		order, _, _ := receive(t, stream, err)
		require.Equal(t, matching(c.want), texts(order))
		ids, err := client.FindTraceIDs(t.Context(), &storage.FindTraceIDsRequest{Query: q})
		require.NoError(t, err)
		var found []core.TraceID
		for _, id := range ids.TraceIds {
			found = append(found, core.TraceID(id.TraceId))
		}
		require.Equal(t, order, found)
	}
	dependencies, err := storage.NewDependencyReaderClient(conn).GetDependencies(t.Context(), &storage.GetDependenciesRequest{
		StartTime: timestamppb.New(querytest.Epoch), EndTime: timestamppb.New(querytest.Epoch.Add(time.Minute))})
	require.NoError(t, err)
	require.Len(t, dependencies.Dependencies, 2)
	require.EqualValues(t, querytest.PerMinute, dependencies.Dependencies[0].CallCount)
	capabilities, err := storage.NewCapabilitiesClient(conn).GetCapabilities(t.Context(), &storage.GetCapabilitiesRequest{})
	require.NoError(t, err)
	require.True(t, capabilities.Search.WithoutServiceName && capabilities.Search.SameSpanConjunction)
	require.False(t, capabilities.Search.Paginated || capabilities.Search.SpanSearch || capabilities.Search.Filter != nil)
	alive, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, alive.Status)
}

// TestLargeTracesComeInChunks sends a trace of 12 MB to a client that takes messages of 4 MiB.
func TestLargeTracesComeInChunks(t *testing.T) {
	var spans []querytest.Span
	for i := range uint64(3000) {
		s := querytest.Span{Trace: querytest.TraceID(1), ID: querytest.SpanID(i + 1), Parent: querytest.SpanID(i / 2), Site: querytest.Select, End: time.Duration(i)}
		s.Site.Name = string(slices.Repeat([]byte("n"), 4096))
		if i%3 == 0 {
			s.Site.Service = querytest.Cart + "2"
		}
		spans = append(spans, s)
	}
	h := handler(querytest.New(spans), jaeger.Options{})
	stream, err := storage.NewTraceReaderClient(dial(t, h.StorageServer())).FindTraces(t.Context(), &storage.FindTracesRequest{Query: &storage.TraceQueryParameters{}})
	order, got, chunks := receive(t, stream, err)
	require.Len(t, order, 1)
	require.Greater(t, chunks, 10)
	require.Less(t, chunks, 20)
	requireSameSpans(t, spans, got[order[0]])
}

func TestGRPCRefusesBadRequests(t *testing.T) {
	h := newHandler()
	query := apiv3.NewQueryServiceClient(dial(t, h.QueryServer()))
	reader := storage.NewTraceReaderClient(dial(t, h.StorageServer()))
	valid := func(change func(q *apiv3.TraceQueryParameters)) *apiv3.FindTracesRequest {
		q := &apiv3.TraceQueryParameters{StartTimeMin: timestamppb.New(querytest.Epoch), StartTimeMax: timestamppb.New(now)}
		change(q)
		return &apiv3.FindTracesRequest{Query: q}
	}
	find := func(r *apiv3.FindTracesRequest) error {
		stream, err := query.FindTraces(t.Context(), r)
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	trace := func(id string) error {
		stream, err := query.GetTrace(t.Context(), &apiv3.GetTraceRequest{TraceId: id})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	stored := func(q *storage.TraceQueryParameters) error {
		_, err := reader.FindTraceIDs(t.Context(), &storage.FindTraceIDsRequest{Query: q})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		code codes.Code
	}{
		"trace id":   {trace("xyz"), codes.InvalidArgument},
		"not there":  {trace("123"), codes.NotFound},
		"no query":   {find(&apiv3.FindTracesRequest{}), codes.InvalidArgument},
		"no times":   {find(&apiv3.FindTracesRequest{Query: &apiv3.TraceQueryParameters{}}), codes.InvalidArgument},
		"depth":      {find(valid(func(q *apiv3.TraceQueryParameters) { q.SearchDepth = -1 })), codes.InvalidArgument},
		"filter":     {find(valid(func(q *apiv3.TraceQueryParameters) { q.Filter = &expression.Call{} })), codes.InvalidArgument},
		"pagination": {find(valid(func(q *apiv3.TraceQueryParameters) { q.Pagination = &apiv3.Pagination{PageSize: 3} })), codes.InvalidArgument},
		"durations": {find(valid(func(q *apiv3.TraceQueryParameters) {
			q.DurationMin, q.DurationMax = durationpb.New(2), durationpb.New(1)
		})), codes.InvalidArgument},
		"negative": {find(valid(func(q *apiv3.TraceQueryParameters) { q.DurationMin = durationpb.New(-2) })), codes.InvalidArgument},
		"far away": {find(valid(func(q *apiv3.TraceQueryParameters) { q.StartTimeMax = &timestamppb.Timestamp{Seconds: 1 << 36} })), codes.InvalidArgument},
		"operations": {func() error {
			_, err := query.GetOperations(t.Context(), &apiv3.GetOperationsRequest{})
			return err
		}(), codes.InvalidArgument},
		"spans": {func() error {
			stream, err := query.FindSpans(t.Context(), &apiv3.FindSpansRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}(), codes.Unimplemented},
		"storage: no query":  {stored(nil), codes.InvalidArgument},
		"storage: filter":    {stored(&storage.TraceQueryParameters{Filter: &expression.Call{}}), codes.InvalidArgument},
		"storage: token":     {stored(&storage.TraceQueryParameters{Pagination: &storage.Pagination{PageSize: 1, PageToken: "x"}}), codes.InvalidArgument},
		"storage: both":      {stored(&storage.TraceQueryParameters{SearchDepth: 1, Pagination: &storage.Pagination{PageSize: 1}}), codes.InvalidArgument},
		"storage: attribute": {stored(&storage.TraceQueryParameters{Attributes: []*storage.KeyValue{{Key: "a"}}}), codes.InvalidArgument},
		"storage: summaries": {func() error {
			stream, err := reader.FindTraceSummaries(t.Context(), &storage.FindTraceSummariesRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}(), codes.Unimplemented},
		"storage: id": {func() error {
			stream, err := reader.GetTraces(t.Context(), &storage.GetTracesRequest{Query: []*storage.GetTraceParams{{TraceId: []byte{1}}}})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}(), codes.InvalidArgument},
	} {
		require.Equal(t, c.code, status.Code(c.err), "%s: %v", name, c.err)
	}
	ids, err := reader.FindTraceIDs(t.Context(), &storage.FindTraceIDsRequest{Query: &storage.TraceQueryParameters{Pagination: &storage.Pagination{PageSize: 5}}})
	require.NoError(t, err)
	require.Len(t, ids.TraceIds, 5)
	require.Empty(t, ids.NextPageToken)
}

func TestGRPCFailures(t *testing.T) {
	for err, code := range map[error]codes.Code{
		errors.New("secret path"): codes.Internal, context.DeadlineExceeded: codes.DeadlineExceeded, context.Canceled: codes.Canceled,
		fmt.Errorf("a secret address %w", store.ErrAway): codes.Unavailable,
	} {
		s := querytest.New(nil)
		s.Err = err
		h := handler(s, jaeger.Options{})
		_, got := apiv3.NewQueryServiceClient(dial(t, h.QueryServer())).GetServices(t.Context(), &apiv3.GetServicesRequest{})
		require.Equal(t, code, status.Code(got))
		require.NotContains(t, got.Error(), "secret")
		conn := dial(t, h.StorageServer())
		_, got = storage.NewTraceReaderClient(conn).GetOperations(t.Context(), &storage.GetOperationsRequest{Service: "a"})
		require.Equal(t, code, status.Code(got))
		_, got = storage.NewDependencyReaderClient(conn).GetDependencies(t.Context(), &storage.GetDependenciesRequest{})
		require.Equal(t, code, status.Code(got))
	}
}
