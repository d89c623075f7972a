package daemon

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stichotrope/stichotrope-go/server/internal/metrics"
)

// grpcCalls counts the answers to gRPC queries by service, method and status. There are as many as there are methods: calls of
// others do not get here.
type grpcCalls struct {
	mu  sync.Mutex
	all map[grpcCall]int64
}

type grpcCall struct {
	service, method string
	code            codes.Code
}

func (c grpcCall) compare(o grpcCall) int {
	return cmp.Or(cmp.Compare(c.service, o.service), cmp.Compare(c.method, o.method), cmp.Compare(c.code, o.code))
}

func (c *grpcCalls) count(fullMethod string, err error) {
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[grpcCall]int64{}
	}
	c.all[grpcCall{service, method, s.Code()}]++
}

// unary and stream count the calls of a server of grpc.
func (c *grpcCalls) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, request)
	c.count(info.FullMethod, err)
	return answer, err
}

func (c *grpcCalls) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	err := next(server, stream)
	c.count(info.FullMethod, err)
	return err
}

func (c *grpcCalls) figures() (all []metrics.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(c.all), grpcCall.compare) {
		all = append(all, counter("calls", "Answers of Jaeger's gRPC APIs, by status.", c.all[k],
			"rpc_service", k.service, "rpc_method", k.method, "code", k.code.String()))
	}
	return all
}
