package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

func gzipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte, options ...zstd.EOption) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

// post sends a request over HTTP/1.1.
type post struct {
	method, path, content, encoding string
	body                            io.Reader
}

func (s *server) send(t *testing.T, p post) (*http.Response, []byte) {
	t.Helper()
	if p.method == "" {
		p.method = http.MethodPost
	}
	if p.path == "" {
		p.path = "/v1/traces"
	}
	req, err := http.NewRequestWithContext(t.Context(), p.method, "http://"+s.address+p.path, p.body)
	require.NoError(t, err)
	if p.content != "" {
		req.Header.Set("Content-Type", p.content)
	}
	if p.encoding != "" {
		req.Header.Set("Content-Encoding", p.encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	return resp, body
}

func TestHTTPTakesEveryForm(t *testing.T) {
	s := serve(t, DefaultLimits())
	sent := &traces.TracesData{ResourceSpans: spans(3, 10)}
	binary := marshal(t, sent)
	text, err := otlp.TracesToJSON(binary)
	require.NoError(t, err)
	chunked := func(data []byte) io.Reader { return io.MultiReader(bytes.NewReader(data)) }
	for name, p := range map[string]post{
		"protobuf":                 {content: typeProto, body: bytes.NewReader(binary)},
		"protobuf with parameters": {content: "Application/X-Protobuf; messageType=x", body: bytes.NewReader(binary)},
		"protobuf, identity":       {content: typeProto, encoding: "identity", body: bytes.NewReader(binary)},
		"protobuf in chunks":       {content: typeProto, body: chunked(binary)},
		"protobuf, gzip":           {content: typeProto, encoding: "gzip", body: bytes.NewReader(gzipped(t, binary))},
		"protobuf, gzip in chunks": {content: typeProto, encoding: "GZIP", body: chunked(gzipped(t, binary))},
		"protobuf, gzip in members": {content: typeProto, encoding: "gzip",
			body: bytes.NewReader(append(gzipped(t, binary[:10]), gzipped(t, binary[10:])...))},
		"protobuf, zstd":       {content: typeProto, encoding: "zstd", body: bytes.NewReader(zstandard(t, binary))},
		"JSON":                 {content: typeJSON, body: bytes.NewReader(text)},
		"JSON with a charset":  {content: "application/json; charset=UTF-8", body: bytes.NewReader(text)},
		"JSON, gzip in chunks": {content: typeJSON, encoding: "gzip", body: chunked(gzipped(t, text))},
		"JSON, zstd":           {content: typeJSON, encoding: "zstd", body: bytes.NewReader(zstandard(t, text))},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.traces.received())
			resp, body := s.send(t, p)
			require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
			if strings.Contains(p.content, "json") {
				require.Equal(t, typeJSON, resp.Header.Get("Content-Type"))
				require.Equal(t, "{}", string(body))
			} else {
				require.Equal(t, typeProto, resp.Header.Get("Content-Type"))
				require.Empty(t, body)
			}
			require.Len(t, s.traces.received(), before+1)
			var got traces.TracesData
			require.NoError(t, proto.Unmarshal(s.traces.received()[before], &got))
			require.True(t, proto.Equal(sent, &got))
		})
	}
	resp, body := s.send(t, post{content: typeProto})
	require.Equal(t, http.StatusOK, resp.StatusCode, "an empty request is one as well")
	require.Empty(t, body)
	resp, _ = s.send(t, post{path: "/v1/metrics", content: typeJSON, body: strings.NewReader(`{"resourceMetrics":[{}]}`)})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, [][]byte{{0x0a, 0x00}}, s.metrics.received())
}

func TestHTTPRefuses(t *testing.T) {
	s := serve(t, DefaultLimits())
	checker := otlp.Checker{Limits: otlp.DefaultLimits()}
	s.traces.answer = func(request []byte) (otlp.Result, error) {
		_, err := checker.Check(request, nil)
		return otlp.Result{}, err
	}
	binary := marshal(t, &traces.TracesData{ResourceSpans: spans(3, 10)})
	for name, c := range map[string]struct {
		post   post
		status int
		code   codes.Code
		want   string
	}{
		"no content type":        {post{body: bytes.NewReader(binary)}, 415, codes.Unimplemented, "content type"},
		"text":                   {post{content: "text/plain", body: bytes.NewReader(binary)}, 415, codes.Unimplemented, "content type"},
		"JSON in Latin-1":        {post{content: "application/json; charset=latin1", body: strings.NewReader("{}")}, 415, codes.Unimplemented, "content type"},
		"an unknown encoding":    {post{content: typeProto, encoding: "br", body: bytes.NewReader(binary)}, 415, codes.Unimplemented, "gzip and zstd"},
		"two encodings":          {post{content: typeProto, encoding: "gzip, gzip", body: bytes.NewReader(binary)}, 415, codes.Unimplemented, "gzip and zstd"},
		"no gzip":                {post{content: typeProto, encoding: "gzip", body: bytes.NewReader(binary)}, 400, codes.InvalidArgument, "not gzip"},
		"gzip cut off":           {post{content: typeProto, encoding: "gzip", body: bytes.NewReader(gzipped(t, binary)[:30])}, 400, codes.InvalidArgument, "not gzip"},
		"no zstd":                {post{content: typeProto, encoding: "zstd", body: bytes.NewReader(binary)}, 400, codes.InvalidArgument, "not zstd"},
		"zstd cut off":           {post{content: typeProto, encoding: "zstd", body: bytes.NewReader(zstandard(t, binary)[:20])}, 400, codes.InvalidArgument, "not zstd"},
		"protobuf as JSON":       {post{content: typeJSON, body: bytes.NewReader(binary)}, 400, codes.InvalidArgument, "JSON at byte 0"},
		"JSON as protobuf":       {post{content: typeProto, body: strings.NewReader(`{"resourceSpans":[]}`)}, 400, codes.InvalidArgument, "malformed protobuf"},
		"a byte order mark":      {post{content: typeJSON, body: strings.NewReader("\uFEFF{}")}, 400, codes.InvalidArgument, "byte order mark"},
		"bad hex with bad UTF-8": {post{content: typeJSON, body: strings.NewReader("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"\xff\"}]}]}]}")}, 400, codes.InvalidArgument, "trace_id"},
		"snake_case":             {post{content: typeJSON, body: strings.NewReader(`{"resource_spans":[]}`)}, 400, codes.InvalidArgument, "lowerCamelCase"},
		"random bytes":           {post{content: typeProto, body: strings.NewReader("\xde\xad\xbe\xef")}, 400, codes.InvalidArgument, "malformed protobuf"},
		"GET":                    {post{method: http.MethodGet, content: typeProto}, 405, codes.Unimplemented, "POST"},
		"logs":                   {post{path: "/v1/logs", content: typeProto, body: bytes.NewReader(binary)}, 404, codes.Unimplemented, "/v1/traces"},
		"profiles":               {post{path: "/v1development/profiles", content: typeJSON, body: bytes.NewReader(binary)}, 404, codes.Unimplemented, "/v1/traces"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := s.send(t, c.post)
			require.Equal(t, c.status, resp.StatusCode, "%s", body)
			var status rpc.Status
			if c.post.content == typeProto {
				require.Equal(t, typeProto, resp.Header.Get("Content-Type"))
				require.NoError(t, proto.Unmarshal(body, &status))
			} else {
				require.Equal(t, typeJSON, resp.Header.Get("Content-Type"))
				require.NoError(t, protojson.Unmarshal(body, &status))
			}
			require.Equal(t, int32(c.code), status.Code)
			require.Contains(t, status.Message, c.want)
			require.True(t, utf8.ValidString(status.Message))
			require.Empty(t, status.Details)
			require.Empty(t, resp.Header.Get("Retry-After"))
		})
	}
	require.Zero(t, s.Counters.Failed.Load(), "bad input is not an error of ours")
}

func TestHTTPTellsWhatTheSinkSays(t *testing.T) {
	s := serve(t, DefaultLimits())
	for _, c := range []struct {
		err    error
		status int
		code   codes.Code
		retry  string
		want   string
	}{
		{fmt.Errorf("a bad\xffspan: %w", otlp.ErrMalformed), 400, codes.InvalidArgument, "", "a bad\uFFFDspan: malformed request"},
		{fmt.Errorf("%w: %s", otlp.ErrMalformed, strings.Repeat("ä", 1000)), 400, codes.InvalidArgument, "", "malformed request: " + strings.Repeat("ä", 502)},
		{fmt.Errorf("%w: disk full", otlp.ErrOverloaded), 503, codes.Unavailable, "1", "overloaded: disk full"},
		{fmt.Errorf("%w: 65 MiB", otlp.ErrTooLarge), 413, codes.ResourceExhausted, "", "request too large: 65 MiB"},
		{errors.New("a secret path"), 500, codes.Internal, "", "internal error"},
		{context.DeadlineExceeded, 408, codes.DeadlineExceeded, "", "the request took too long"},
	} {
		s.traces.answer = func([]byte) (otlp.Result, error) { return otlp.Result{}, c.err }
		resp, body := s.send(t, post{content: typeProto})
		require.Equal(t, c.status, resp.StatusCode)
		require.Equal(t, c.retry, resp.Header.Get("Retry-After"))
		var status rpc.Status
		require.NoError(t, proto.Unmarshal(body, &status))
		require.Equal(t, int32(c.code), status.Code)
		require.Equal(t, c.want, status.Message)
	}
	s.traces.answer = func([]byte) (otlp.Result, error) { return otlp.Result{Rejected: 3, Message: "three"}, nil }
	_, body := s.send(t, post{content: typeProto})
	require.Equal(t, otlp.AppendResponse(nil, otlp.Result{Rejected: 3, Message: "three"}), body)
	_, body = s.send(t, post{content: typeJSON, body: strings.NewReader("{}")})
	require.JSONEq(t, `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"three"}}`, string(body))
	s.metrics.answer = s.traces.answer
	_, body = s.send(t, post{path: "/v1/metrics", content: typeJSON, body: strings.NewReader("{}")})
	require.JSONEq(t, `{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"three"}}`, string(body))
}

func TestMetricsAreRefusedWithoutASink(t *testing.T) {
	s := serve(t, DefaultLimits())
	s.signals = s.signals[:1]
	resp, _ := s.send(t, post{path: "/v1/metrics", content: typeProto})
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
