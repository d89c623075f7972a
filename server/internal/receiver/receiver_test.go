package receiver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink keeps the requests, and answers with what it is told to.
type sink struct {
	mu       sync.Mutex
	requests [][]byte
	answer   func(request []byte) (otlp.Result, error)
}

func (s *sink) Ingest(_ context.Context, request []byte) (otlp.Result, error) {
	s.mu.Lock()
	s.requests = append(s.requests, request)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		return answer(request)
	}
	return otlp.Result{}, nil
}

// received returns the requests so far.
func (s *sink) received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// server is a receiver that listens.
type server struct {
	*Receiver
	traces, metrics *sink
	address         string
}

func serve(t *testing.T, limits Limits) *server {
	t.Helper()
	s := &server{traces: &sink{}, metrics: &sink{}}
	s.Receiver = New(s.traces, s.metrics, limits, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = l.Addr().String()
	h := s.Server(s.Receiver)
	done := make(chan error)
	go func() { done <- h.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, h.Shutdown(ctx))
		require.ErrorIs(t, <-done, http.ErrServerClosed)
		require.Zero(t, s.Counters.InFlightBytes.Load(), "a request did not return what it held")
	})
	return s
}

func spans(n, valueBytes int) []*traces.ResourceSpans {
	scope := &traces.ScopeSpans{Scope: &common.InstrumentationScope{}}
	for i := range n {
		scope.Spans = append(scope.Spans, &traces.Span{
			TraceId: []byte("0123456789abcdef"), SpanId: fmt.Appendf(nil, "%08d", i), Name: "work", Status: &traces.Status{},
			Attributes: []*common.KeyValue{{Key: "text", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.Repeat("x", valueBytes)}}}},
		})
	}
	return []*traces.ResourceSpans{{Resource: &resource.Resource{}, ScopeSpans: []*traces.ScopeSpans{scope}}}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

func TestRealClients(t *testing.T) {
	s := serve(t, DefaultLimits())
	for _, c := range []struct {
		name   string
		client otlptrace.Client
	}{
		{"gRPC", otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(s.address))},
		{"gRPC with gzip", otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(s.address), otlptracegrpc.WithCompressor("gzip"))},
		{"HTTP", otlptracehttp.NewClient(otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(s.address))},
		{"HTTP with gzip", otlptracehttp.NewClient(otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(s.address), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, sent := range []*traces.TracesData{{ResourceSpans: spans(1, 1)}, {ResourceSpans: spans(5000, 100)}} {
				before := len(s.traces.received())
				require.NoError(t, c.client.Start(t.Context()))
				require.NoError(t, c.client.UploadTraces(t.Context(), sent.ResourceSpans))
				require.Len(t, s.traces.received(), before+1)
				var got traces.TracesData
				require.NoError(t, proto.Unmarshal(s.traces.received()[before], &got))
				require.True(t, proto.Equal(sent, &got))
			}
			require.NoError(t, c.client.Stop(t.Context()))
		})
	}
	require.Equal(t, int64(8), s.Counters.Accepted.Load())
}

// Clients try again when they are told to, and then their data arrive once.
func TestRealClientsTryAgain(t *testing.T) {
	limits := DefaultLimits()
	limits.RetryAfter = time.Millisecond
	soon := otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Millisecond, MaxInterval: time.Millisecond, MaxElapsedTime: time.Minute}
	for name, client := range map[string]func(address string) otlptrace.Client{
		"gRPC": func(address string) otlptrace.Client {
			return otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig(soon)))
		},
		"HTTP": func(address string) otlptrace.Client {
			return otlptracehttp.NewClient(otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(address), otlptracehttp.WithRetry(soon))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, limits)
			full, calls := fmt.Errorf("%w: the disk is full", otlp.ErrOverloaded), 0
			s.traces.answer = func([]byte) (otlp.Result, error) {
				if calls++; calls < 3 {
					return otlp.Result{}, full
				}
				return otlp.Result{}, nil
			}
			c := client(s.address)
			require.NoError(t, c.Start(t.Context()))
			require.NoError(t, c.UploadTraces(t.Context(), spans(1, 1)))
			require.Len(t, s.traces.received(), 3)
			require.Equal(t, int64(2), s.Counters.Overloaded.Load())
			require.Equal(t, int64(1), s.Counters.Accepted.Load())
			require.NoError(t, c.Stop(t.Context()))
		})
	}
}

// Clients learn what was rejected, and do not send it again.
func TestRealClientsLearnOfPartialSuccess(t *testing.T) {
	s := serve(t, DefaultLimits())
	s.traces.answer = func([]byte) (otlp.Result, error) { return otlp.Result{Rejected: 2, Message: "two were bad"}, nil }
	for _, c := range []otlptrace.Client{
		otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(s.address)),
		otlptracehttp.NewClient(otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(s.address)),
	} {
		require.NoError(t, c.Start(t.Context()))
		require.ErrorContains(t, c.UploadTraces(t.Context(), spans(3, 1)), "two were bad")
		require.NoError(t, c.Stop(t.Context()))
	}
	require.Len(t, s.traces.received(), 2)
	require.Equal(t, int64(4), s.Counters.Rejected.Load())
	require.Equal(t, int64(2), s.Counters.Partial.Load())
}
