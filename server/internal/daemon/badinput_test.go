package daemon

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp/otlptest"
)

// durable is a server with everything as users have it, but that traces wait shortly.
func durable(t *testing.T, change func(*Config)) *Daemon {
	t.Helper()
	c := testConfig()
	c.Store, c.Data = StorePebble, t.TempDir()
	c.Pipeline.Retention, c.Pipeline.TraceGrace, c.Pipeline.TraceIdle = 7*24*time.Hour, 200*time.Millisecond, 200*time.Millisecond
	if change != nil {
		change(&c)
	}
	return startTest(t, c)
}

// traceCall sends a message by gRPC as no library would, and returns the status and what is in a successful answer.
func (d *Daemon) traceCall(t *testing.T, message []byte) (codes.Code, []byte, *rpc.Status) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	r := request(t, http.MethodPost, d.url(t, "otlp_grpc")+coltracepb.TraceService_Export_FullMethodName, frame)
	r.Header.Set("Content-Type", "application/grpc")
	response, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	text := response.Header.Get("Grpc-Status") + response.Trailer.Get("Grpc-Status")
	code, err := strconv.Atoi(text)
	require.NoError(t, err)
	if len(body) >= 5 {
		body = body[5:]
	}
	return codes.Code(code), body, &rpc.Status{Message: response.Header.Get("Grpc-Message")}
}

// post sends something to /v1/traces and returns the answer.
func (d *Daemon) post(t *testing.T, content, encoding string, body []byte) (*http.Response, []byte) {
	t.Helper()
	r := request(t, http.MethodPost, d.url(t, "otlp_http")+"/v1/traces", body)
	r.Header.Set("Content-Type", content)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	response, err := client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, answer
}

const protobuf = "application/x-protobuf"

// counts returns how many spans there are by /api/v1/blocks, by service and name.
func (d *Daemon) counts(t *testing.T) map[string]uint64 {
	t.Helper()
	status, body := ask(t, request(t, http.MethodGet, d.url(t, "http")+"/api/v1/blocks?since=all&limit=10000", nil))
	require.Equal(t, http.StatusOK, status, "%.300s", body)
	var answer struct {
		Blocks []struct {
			Service, Name string
			Stats         struct{ Count uint64 }
		}
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	all := map[string]uint64{}
	for _, b := range answer.Blocks {
		if b.Stats.Count > 0 { // others only lead to something
			all[b.Service+": "+b.Name] += b.Stats.Count
		}
	}
	return all
}

// awaitFiled returns when no span waits for its trace.
func (d *Daemon) awaitFiled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return d.pipeline.Counters().Pending == 0 }, time.Minute, 5*time.Millisecond)
}

func gzipped(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestMalformedRequestsAreRefusedByEveryProtocol sends what nobody can read to a whole server, in each way.
func TestMalformedRequestsAreRefusedByEveryProtocol(t *testing.T) {
	for _, kept := range []string{StorePebble, StoreNone} {
		d := durable(t, func(c *Config) { c.Store = kept })
		sent := 0
		for name, body := range otlptest.Malformed(spans(t, "shop", "GET /")) {
			for encoding, packed := range map[string][]byte{"": body, "gzip": gzipped(t, body)} {
				response, answer := d.post(t, protobuf, encoding, packed)
				require.Equal(t, http.StatusBadRequest, response.StatusCode, "%s: %s", name, answer)
				require.Equal(t, protobuf, response.Header.Get("Content-Type"))
				require.Empty(t, response.Header.Get("Retry-After"), "%s: it would not help to try again", name)
				var status rpc.Status
				require.NoError(t, proto.Unmarshal(answer, &status))
				require.Equal(t, int32(codes.InvalidArgument), status.Code)
				require.NotEmpty(t, status.Message)
				require.True(t, utf8.ValidString(status.Message))
				require.Empty(t, status.Details)
			}
			code, _, status := d.traceCall(t, body)
			require.Equal(t, codes.InvalidArgument, code, name)
			require.NotEmpty(t, status.Message)
			sent += 3
		}
		require.EqualValues(t, sent, d.receiver.Counters.Malformed.Load())
		require.Zero(t, d.receiver.Counters.Failed.Load())
		require.Empty(t, d.counts(t), "nothing of them is kept")
		require.Equal(t, http.StatusOK, d.send(t, spans(t, "shop", "GET /")))
		require.Equal(t, map[string]uint64{"shop: GET /": 1}, d.counts(t))
	}
}

// TestBadSpansAreRejectedAndTheirSiblingsKept spoils one span of three in every way.
func TestBadSpansAreRejectedAndTheirSiblingsKept(t *testing.T) {
	spoil := map[string]func(*tracepb.Span){
		otlp.BadTraceID + ", none":   func(s *tracepb.Span) { s.TraceId = nil },
		otlp.BadTraceID + ", zero":   func(s *tracepb.Span) { s.TraceId = make([]byte, 16) },
		otlp.BadTraceID + ", short":  func(s *tracepb.Span) { s.TraceId = s.TraceId[:15] },
		otlp.BadTraceID + ", long":   func(s *tracepb.Span) { s.TraceId = append(s.TraceId, 1) },
		otlp.BadSpanID + ", none":    func(s *tracepb.Span) { s.SpanId = nil },
		otlp.BadSpanID + ", zero":    func(s *tracepb.Span) { s.SpanId = make([]byte, 8) },
		otlp.BadSpanID + ", short":   func(s *tracepb.Span) { s.SpanId = s.SpanId[:7] },
		otlp.BadSpanID + ", long":    func(s *tracepb.Span) { s.SpanId = append(s.SpanId, 1) },
		otlp.BadParentID + ", short": func(s *tracepb.Span) { s.ParentSpanId = []byte("1") },
		otlp.BadParentID + ", long":  func(s *tracepb.Span) { s.ParentSpanId = []byte("123456789") },
	}
	for _, kept := range []string{StorePebble, StoreNone} {
		d := durable(t, func(c *Config) { c.Store = kept })
		good := uint64(0)
		for name, f := range spoil {
			three := newTrace(t, 3)
			f(three.spans[1])
			three.spans[1].Name = "bad"
			body := three.request(0, 3)
			good += 2
			response, answer := d.post(t, protobuf, "", body)
			require.Equal(t, http.StatusOK, response.StatusCode)
			requirePartial(t, name, answer)
			require.Equal(t, map[string]uint64{"odd: work": good}, d.counts(t), name)
			again := newTrace(t, 3)
			f(again.spans[1])
			code, answer, _ := d.traceCall(t, again.request(0, 3))
			require.Equal(t, codes.OK, code)
			requirePartial(t, name, answer)
			good += 2
		}
		require.Equal(t, map[string]uint64{"odd: work": good}, d.counts(t))
		n := d.pipeline.Counters()
		require.EqualValues(t, 2*len(spoil), n.Rejected)
		require.Equal(t, []uint64{8, 8, 4}, []uint64{n.Faults["trace_id"], n.Faults["span_id"], n.Faults["parent_span_id"]})
	}
}

// requirePartial demands that one span was rejected for the reason that the name begins with.
func requirePartial(t *testing.T, name string, answer []byte) {
	t.Helper()
	var partial coltracepb.ExportTraceServiceResponse
	require.NoError(t, proto.Unmarshal(answer, &partial))
	require.EqualValues(t, 1, partial.GetPartialSuccess().GetRejectedSpans(), name)
	reason, _, _ := bytes.Cut([]byte(partial.GetPartialSuccess().GetErrorMessage()), []byte(" (1)"))
	require.Contains(t, name, string(reason))
	require.NotEmpty(t, reason)
}

// TestTimesThatCannotBe sends spans of all times there are.
func TestTimesThatCannotBe(t *testing.T) {
	now := uint64(time.Now().UnixNano())
	const year = uint64(365 * 24 * time.Hour)
	for name, c := range map[string]struct {
		start, end uint64
		reason     string // why it is rejected
	}{
		"now":                     {now - 10, now, ""},
		"a start after the end":   {now, now - 10, ""},
		"no end":                  {now, 0, ""},
		"no start":                {0, now, ""},
		"no times":                {0, 0, "before the retention period"},
		"1970":                    {uint64(time.Second), 2 * uint64(time.Second), "before the retention period"},
		"a year ago":              {now - year - 10, now - year, "before the retention period"},
		"in a year":               {now + year, now + year + 10, "in the future"},
		"in ten years":            {now, now + 10*year, "in the future"},
		"the end of all":          {now, 1<<64 - 1, "in the future"},
		"only the end of all":     {1<<64 - 1, 1<<64 - 1, "in the future"},
		"the end of all, at once": {1<<64 - 1, 0, "in the future"},
	} {
		t.Run(name, func(t *testing.T) {
			d := durable(t, nil)
			one := newTrace(t, 1)
			one.spans[0].StartTimeUnixNano, one.spans[0].EndTimeUnixNano = c.start, c.end
			response, answer := d.post(t, protobuf, "", one.request(0, 1))
			require.Equal(t, http.StatusOK, response.StatusCode)
			var partial coltracepb.ExportTraceServiceResponse
			require.NoError(t, proto.Unmarshal(answer, &partial))
			if c.reason != "" {
				require.EqualValues(t, 1, partial.GetPartialSuccess().GetRejectedSpans())
				require.Contains(t, partial.GetPartialSuccess().GetErrorMessage(), c.reason)
				require.Empty(t, d.counts(t))
				require.EqualValues(t, 1, d.pipeline.Counters().Faults["too_old"]+d.pipeline.Counters().Faults["in_future"])
				return
			}
			require.Nil(t, partial.GetPartialSuccess())
			require.Equal(t, map[string]uint64{"odd: work": 1}, d.counts(t))
			d.awaitFiled(t)
			shown := d.requireShown(t, one)
			backward := c.end < c.start
			require.Equal(t, backward, shown[0].Backward)
			require.Equal(t, max(c.end, c.start)-c.start, shown[0].Duration)
			require.Equal(t, backward, d.pipeline.Counters().Backward == 1)
		})
	}
}
