package integration

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // the receiver takes compressed requests
	"google.golang.org/protobuf/proto"
)

// metricsReceiver is an OTLP receiver on loopback. It hands out what it got, request by request.
type metricsReceiver struct {
	collectorpb.UnimplementedMetricsServiceServer
	requests chan []*metricspb.ResourceMetrics
}

func newMetricsReceiver() *metricsReceiver {
	return &metricsReceiver{requests: make(chan []*metricspb.ResourceMetrics, 16)}
}

// Export is the gRPC method.
func (r *metricsReceiver) Export(_ context.Context, in *collectorpb.ExportMetricsServiceRequest) (*collectorpb.ExportMetricsServiceResponse, error) {
	r.requests <- in.ResourceMetrics
	return &collectorpb.ExportMetricsServiceResponse{}, nil
}

// serveGRPC returns the address of the receiver for OTLP/gRPC.
func (r *metricsReceiver) serveGRPC(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	collectorpb.RegisterMetricsServiceServer(server, r)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-done)
	})
	return listener.Addr().String()
}

// serveHTTP returns the URL of the receiver for OTLP/HTTP.
func (r *metricsReceiver) serveHTTP(t testing.TB) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var body io.Reader = q.Body
		if q.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(q.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = unzipped
		}
		data, err := io.ReadAll(body)
		var in collectorpb.ExportMetricsServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &in)
		}
		if err != nil || q.URL.Path != "/v1/metrics" {
			http.Error(w, "not an OTLP metrics request", http.StatusBadRequest)
			return
		}
		r.requests <- in.ResourceMetrics
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL
}
