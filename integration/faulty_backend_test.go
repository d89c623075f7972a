package integration

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// answer is what a backend does with a request.
type answer struct {
	// hang: it never answers.
	hang bool
	// busy: it has no time, and says when to come back: 429 with Retry-After over HTTP.
	busy bool
	// refuse: the request is bad.
	refuse bool
	// rejected spans are turned down, and message says why: OTLP's partial success.
	rejected int64
	message  string
}

func (a answer) takes() bool { return !a.hang && !a.busy && !a.refuse }

const retryAfter = time.Second

// faultyBackend receives spans over OTLP, and does what it is told.
type faultyBackend struct {
	collectorpb.UnimplementedTraceServiceServer
	mu sync.Mutex
	// answers are given one after the other, then all is well.
	answers  []answer
	taken    []*tracepb.ResourceSpans
	requests []time.Time
	// gone is closed at the end, for those who hang.
	gone chan struct{}
}

func newFaultyBackend(t *testing.T, answers ...answer) *faultyBackend {
	b := &faultyBackend{answers: answers, gone: make(chan struct{})}
	t.Cleanup(func() { close(b.gone) })
	return b
}

// receive returns the answer to a request, and keeps it if it is taken.
func (b *faultyBackend) receive(ctx context.Context, in *collectorpb.ExportTraceServiceRequest) answer {
	b.mu.Lock()
	b.requests = append(b.requests, time.Now())
	a := answer{}
	if len(b.answers) > 0 {
		a, b.answers = b.answers[0], b.answers[1:]
	}
	if a.takes() && a.rejected == 0 {
		b.taken = append(b.taken, in.ResourceSpans...)
	}
	b.mu.Unlock()
	if a.hang {
		select {
		case <-ctx.Done():
		case <-b.gone:
		}
	}
	return a
}

func (b *faultyBackend) received() []*tracepb.ResourceSpans {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken
}

func (b *faultyBackend) response(a answer) *collectorpb.ExportTraceServiceResponse {
	out := &collectorpb.ExportTraceServiceResponse{}
	if a.rejected > 0 || a.message != "" {
		out.PartialSuccess = &collectorpb.ExportTracePartialSuccess{RejectedSpans: a.rejected, ErrorMessage: a.message}
	}
	return out
}

// Export is the gRPC method.
func (b *faultyBackend) Export(ctx context.Context, in *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	switch a := b.receive(ctx, in); {
	case a.hang:
		return nil, status.FromContextError(context.Canceled).Err()
	case a.busy:
		s, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
		return nil, errors.Join(err, s.Err())
	case a.refuse:
		return nil, status.Error(codes.InvalidArgument, "bad")
	default:
		return b.response(a), nil
	}
}

// ServeHTTP is OTLP/HTTP.
func (b *faultyBackend) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var body io.Reader = q.Body
	var err error
	if q.Header.Get("Content-Encoding") == "gzip" {
		body, err = gzip.NewReader(q.Body)
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(body)
	}
	var in collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(data, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch a := b.receive(q.Context(), &in); {
	case a.hang:
	case a.busy:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case a.refuse:
		w.WriteHeader(http.StatusBadRequest)
	default:
		out, _ := proto.Marshal(b.response(a))
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(out)
	}
}

// spanTransport is one of OTLP's ways to carry spans.
type spanTransport struct {
	name string
	// serve makes a backend listen until stop is called; secure with a certificate that nobody knows.
	serve func(t *testing.T, b *faultyBackend, l net.Listener, secure bool) (stop func())
	// client returns a client that retries or not, without TLS or, if secure, with the certificates of the system.
	client func(address string, retry, secure bool) otlptrace.Client
}

var spanTransports = []spanTransport{
	{"HTTP", serveSpansHTTP, func(address string, retry, secure bool) otlptrace.Client {
		options := []otlptracehttp.Option{
			otlptracehttp.WithEndpoint(address), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
			otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: retry, InitialInterval: time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Minute}),
		}
		if !secure {
			options = append(options, otlptracehttp.WithInsecure())
		}
		return otlptracehttp.NewClient(options...)
	}},
	{"gRPC", serveSpansGRPC, func(address string, retry, secure bool) otlptrace.Client {
		options := []otlptracegrpc.Option{
			otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithCompressor("gzip"),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: retry, InitialInterval: time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Minute}),
		}
		if !secure {
			options = append(options, otlptracegrpc.WithInsecure())
		}
		return otlptracegrpc.NewClient(options...)
	}},
}

func serveSpansHTTP(t *testing.T, b *faultyBackend, l net.Listener, secure bool) (stop func()) {
	server := httptest.NewUnstartedServer(b)
	require.NoError(t, server.Listener.Close())
	server.Listener = l
	server.Config.ErrorLog = silentLog
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	return func() {
		server.CloseClientConnections()
		server.Close()
	}
}

func serveSpansGRPC(t *testing.T, b *faultyBackend, l net.Listener, secure bool) (stop func()) {
	var options []grpc.ServerOption
	if secure {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{unknownCertificate(t)}})))
	}
	server := grpc.NewServer(options...)
	collectorpb.RegisterTraceServiceServer(server, b)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return func() {
		server.Stop()
		require.NoError(t, <-done)
	}
}

// unknownCertificate returns a certificate that no system trusts: that of Go's own test servers.
func unknownCertificate(t *testing.T) tls.Certificate {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	require.NotEmpty(t, server.TLS.Certificates)
	return server.TLS.Certificates[0]
}

// listen returns a listener on a free port of this machine.
func listen(t *testing.T, address string) net.Listener {
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	return l
}
