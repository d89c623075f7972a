package forward

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcgzip "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func newPeer(text string, access *Access) (peer, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the URL: %w", withoutURL(err))
	}
	if u.Host == "" {
		return nil, fmt.Errorf("the URL %q has no host: give one such as https://collector:4318 or grpc://collector:4317", u.Redacted())
	}
	secrets, err := access.load(u)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces"
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = secrets.tls
		// A redirection would take the headers elsewhere.
		stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return &httpPeer{url: u.String(), header: secrets.header, client: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
	case "grpc", "grpcs":
		secure := credentials.NewTLS(secrets.tls)
		if u.Scheme == "grpc" {
			secure = insecure.NewCredentials()
		}
		connection, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(secure))
		if err != nil {
			return nil, err
		}
		return &grpcPeer{connection, secrets.metadata()}, nil
	}
	return nil, fmt.Errorf("the URL %q: its scheme is none of http, https, grpc and grpcs", u.Redacted())
}

// httpPeer speaks OTLP/HTTP.
type httpPeer struct {
	url    string
	header http.Header
	client *http.Client
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

func (p *httpPeer) send(ctx context.Context, request []byte) (int64, error) {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is a valid one
	w.Write(request)                                     // a buffer takes everything
	w.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, &packed)
	if err != nil {
		return 0, err
	}
	maps.Copy(r.Header, p.header)
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "gzip")
	response, err := p.client.Do(r)
	if err != nil {
		return 0, &retryable{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // none is 0
		return 0, &retryable{fmt.Errorf("status %s", response.Status), time.Duration(seconds) * time.Second}
	}
	if response.StatusCode/100 != 2 {
		return 0, fmt.Errorf("status %s", response.Status)
	}
	if err != nil {
		return 0, nil // it was taken
	}
	var answer coltracepb.ExportTraceServiceResponse
	_ = proto.Unmarshal(body, &answer) // what cannot be read says nothing of rejected spans
	return answer.GetPartialSuccess().GetRejectedSpans(), nil
}

func (p *httpPeer) close() error {
	p.client.CloseIdleConnections()
	return nil
}

// grpcPeer speaks OTLP/gRPC.
type grpcPeer struct {
	connection *grpc.ClientConn
	header     metadata.MD
}

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

func (p *grpcPeer) send(ctx context.Context, request []byte) (int64, error) {
	var answer coltracepb.ExportTraceServiceResponse
	ctx = metadata.NewOutgoingContext(ctx, p.header)
	err := p.connection.Invoke(ctx, exportMethod, request, &answer, grpc.ForceCodec(codec{}), grpc.UseCompressor(grpcgzip.Name))
	if err == nil {
		return answer.GetPartialSuccess().GetRejectedSpans(), nil
	}
	s, after, asked := status.Convert(err), time.Duration(0), false
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			after, asked = info.GetRetryDelay().AsDuration(), true
		}
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return 0, &retryable{err, after}
	case codes.ResourceExhausted:
		if asked {
			return 0, &retryable{err, after}
		}
	}
	return 0, err
}

func (p *grpcPeer) close() error { return p.connection.Close() }

// codec sends requests as they are.
type codec struct{}

// Name implements encoding.Codec.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.Codec.
func (codec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

// Unmarshal implements encoding.Codec.
func (codec) Unmarshal(data []byte, v any) error { return proto.Unmarshal(data, v.(proto.Message)) }
