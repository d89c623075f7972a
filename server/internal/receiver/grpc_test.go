package receiver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

func (s *server) dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func TestGRPCTellsWhatTheSinkSays(t *testing.T) {
	s := serve(t, DefaultLimits())
	client := collector.NewTraceServiceClient(s.dial(t))
	for _, c := range []struct {
		err  error
		code codes.Code
		want string
	}{
		{fmt.Errorf("a bad\xffspan, 100 %%: %w", otlp.ErrMalformed), codes.InvalidArgument, "a bad\uFFFDspan, 100 %: malformed request"},
		{fmt.Errorf("%w: 65 MiB", otlp.ErrTooLarge), codes.ResourceExhausted, "request too large: 65 MiB"},
		{fmt.Errorf("%w: disk full", otlp.ErrOverloaded), codes.Unavailable, "overloaded: disk full"},
		{errors.New("a secret path"), codes.Internal, "internal error"},
	} {
		s.traces.answer = func([]byte) (otlp.Result, error) { return otlp.Result{}, c.err }
		_, err := client.Export(t.Context(), &collector.ExportTraceServiceRequest{})
		got := status.Convert(err)
		require.Equal(t, c.code, got.Code())
		require.Equal(t, c.want, got.Message())
		if c.code != codes.Unavailable {
			require.Empty(t, got.Details(), "only what shall be sent again says when")
			continue
		}
		require.Len(t, got.Details(), 1)
		require.Equal(t, time.Second, got.Details()[0].(*errdetails.RetryInfo).RetryDelay.AsDuration())
	}
	s.traces.answer = func([]byte) (otlp.Result, error) { return otlp.Result{Rejected: 3, Message: "three"}, nil }
	resp, err := client.Export(t.Context(), &collector.ExportTraceServiceRequest{})
	require.NoError(t, err)
	require.Equal(t, int64(3), resp.PartialSuccess.RejectedSpans)
	require.Equal(t, "three", resp.PartialSuccess.ErrorMessage)
	s.traces.answer = nil
	resp, err = client.Export(t.Context(), &collector.ExportTraceServiceRequest{})
	require.NoError(t, err)
	require.Nil(t, resp.PartialSuccess)
}

func TestGRPCOfOtherSignals(t *testing.T) {
	s := serve(t, DefaultLimits())
	_, err := logs.NewLogsServiceClient(s.dial(t)).Export(t.Context(), &logs.ExportLogsServiceRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
	require.ErrorContains(t, err, "TraceService/Export")

	exporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithEndpoint(s.address))
	require.NoError(t, err)
	require.NoError(t, exporter.Export(t.Context(), &metricdata.ResourceMetrics{ScopeMetrics: []metricdata.ScopeMetrics{{}}}))
	require.NoError(t, exporter.Shutdown(t.Context()))
	require.Len(t, s.metrics.received(), 1)
}

func TestGRPCDeadline(t *testing.T) {
	s := serve(t, DefaultLimits())
	s.signals[0].sink = ctxSink(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	resp, _ := s.rawCall(t, map[string]string{"Grpc-Timeout": "1m"}, frame(0, nil))
	require.Equal(t, fmt.Sprint(int(codes.DeadlineExceeded)), resp.Header.Get("Grpc-Status"), "after a millisecond")
}

// rawCall sends a call over HTTP/2 as no client of grpc's does it.
func (s *server) rawCall(t *testing.T, header map[string]string, body []byte) (*http.Response, []byte) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+s.signals[0].method, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/grpc+proto")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	return resp, answer
}

// ctxSink is a sink that looks at the context.
type ctxSink func(ctx context.Context) error

func (s ctxSink) Ingest(ctx context.Context, _ []byte) (otlp.Result, error) {
	return otlp.Result{}, s(ctx)
}

// frame is a message of gRPC.
func frame(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

// What no client of grpc's sends.
func TestGRPCRefuses(t *testing.T) {
	s := serve(t, DefaultLimits())
	message := marshal(t, &traces.TracesData{ResourceSpans: spans(3, 10)})
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		code     codes.Code
		want     string
	}{
		"nothing":                         {"", nil, codes.InvalidArgument, "no message"},
		"a prefix cut off":                {"", []byte{0, 0}, codes.Canceled, "cut off"},
		"a message cut off":               {"", frame(0, message)[:40], codes.Canceled, "cut off"},
		"two messages":                    {"", append(frame(0, message), frame(0, message)...), codes.InvalidArgument, "more than one message"},
		"a length of 4 GiB":               {"", []byte{0, 0xff, 0xff, 0xff, 0xff}, codes.ResourceExhausted, "too large"},
		"a length of 64 MiB with nothing": {"", []byte{0, 0x04, 0, 0, 0}, codes.Canceled, "cut off"},
		"an unknown flag":                 {"gzip", frame(2, message), codes.InvalidArgument, "marked as packed"},
		"packed, but not how":             {"", frame(1, message), codes.InvalidArgument, "marked as packed"},
		"packed with identity":            {"identity", frame(1, message), codes.InvalidArgument, "marked as packed"},
		"an unknown encoding":             {"snappy", frame(1, message), codes.Unimplemented, "gzip and zstd"},
		"no gzip":                         {"gzip", frame(1, message), codes.InvalidArgument, "not gzip"},
		"no zstd":                         {"zstd", frame(1, message), codes.InvalidArgument, "not zstd"},
		"gzip":                            {"gzip", frame(1, gzipped(t, message)), codes.OK, ""},
		"zstd":                            {"zstd", frame(1, zstandard(t, message)), codes.OK, ""},
		"not packed although it might be": {"gzip", frame(0, message), codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{}
			if c.encoding != "" {
				header["Grpc-Encoding"] = c.encoding
			}
			resp, body := s.rawCall(t, header, c.body)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "application/grpc", resp.Header.Get("Content-Type"))
			if c.code == codes.OK {
				require.Equal(t, "0", resp.Trailer.Get("Grpc-Status"))
				require.Equal(t, frame(0, nil), body)
				got := s.traces.received()
				require.Equal(t, message, got[len(got)-1])
				return
			}
			require.Equal(t, fmt.Sprint(int(c.code)), resp.Header.Get("Grpc-Status"))
			require.Contains(t, resp.Header.Get("Grpc-Message"), c.want)
			require.Empty(t, body)
		})
	}
	resp, err := http.Post("http://"+s.address+s.signals[0].method, "application/grpc", strings.NewReader(""))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnsupportedMediaType, resp.StatusCode, "over HTTP/1.1")
	require.Zero(t, s.Counters.Failed.Load(), "bad input is not an error of ours")
}

func TestGRPCOf5000Spans(t *testing.T) {
	s := serve(t, DefaultLimits())
	sent := &traces.TracesData{ResourceSpans: spans(5000, 2000)}
	_, err := collector.NewTraceServiceClient(s.dial(t)).Export(t.Context(), &collector.ExportTraceServiceRequest{ResourceSpans: sent.ResourceSpans})
	require.NoError(t, err)
	var got traces.TracesData
	require.NoError(t, proto.Unmarshal(s.traces.received()[0], &got))
	require.True(t, proto.Equal(sent, &got))
}

func TestTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "30S": 30 * time.Second, "5m": 5 * time.Millisecond, "7u": 7 * time.Microsecond, "99999999n": 99999999,
		"99999999H": 24 * time.Hour, "": 0, "S": 0, "1": 0, "1x": 0, "-1S": 0, "123456789S": 0,
	} {
		got, ok := parseTimeout(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want != 0, ok, text)
	}
}
