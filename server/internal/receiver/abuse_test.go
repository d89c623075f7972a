package receiver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// zeros is a body of so many zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// bomb packs zeros.
func bomb(t *testing.T, size int64, w io.WriteCloser, b *bytes.Buffer) []byte {
	_, err := io.Copy(w, zeros(size))
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	limits := DefaultLimits()
	// What is slow here is not what is tested.
	limits.RequestBytes, limits.RequestTime = 8<<20, time.Hour
	s := serve(t, limits)
	const tooMuch = 10 << 20
	var b, c bytes.Buffer
	gz := bomb(t, tooMuch, gzip.NewWriter(&b), &b)
	zw, err := zstd.NewWriter(&c)
	require.NoError(t, err)
	zst := bomb(t, tooMuch, zw, &c)
	// Its frame says that it needs the window, but not how much comes out of it.
	wide := zstandard(t, bytes.Repeat([]byte("wide"), 1<<20), zstd.WithWindowSize(16<<20))
	for name, p := range map[string]post{
		"10 MiB":                    {content: typeProto, body: struct{ io.Reader }{zeros(tooMuch)}},
		"10 MiB of gzip":            {content: typeProto, encoding: "gzip", body: bytes.NewReader(gz)},
		"10 MiB of zstd":            {content: typeProto, encoding: "zstd", body: bytes.NewReader(zst)},
		"10 MiB of gzip, JSON":      {content: typeJSON, encoding: "gzip", body: bytes.NewReader(gz)},
		"zstd with a window of 16M": {content: typeProto, encoding: "zstd", body: bytes.NewReader(wide)},
	} {
		t.Run(name, func(t *testing.T) {
			resp, _ := s.send(t, p)
			require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			require.Empty(t, resp.Header.Get("Retry-After"))
		})
	}
	t.Run("a length of 10 GB", func(t *testing.T) {
		conn := s.raw(t)
		_, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 10000000000\r\n\r\n", typeProto)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	})
	t.Run("gRPC", func(t *testing.T) {
		_, err := collector.NewTraceServiceClient(s.dial(t)).Export(t.Context(), &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, tooMuch)})
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		require.Empty(t, status.Convert(err).Details())
	})
	t.Run("gRPC with gzip", func(t *testing.T) {
		_, err := collector.NewTraceServiceClient(s.dial(t)).Export(t.Context(), &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, tooMuch)}, grpc.UseCompressor("gzip"))
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
	})
	require.Empty(t, s.traces.received())
	require.Equal(t, int64(8), s.Counters.TooLarge.Load())
}

// raw is a connection to send anything over.
func (s *server) raw(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

// Bombs that become 70 MiB, 20 at once, and as much that is not packed: the process must not grow by more than 256 MiB. What many
// send at once that is not packed is bounded by Limits.InFlightBytes, beside what the collector has not collected yet.
func TestBombsStayInBounds(t *testing.T) {
	const size = 70 << 20
	var b, c bytes.Buffer
	gz := bomb(t, size, gzip.NewWriter(&b), &b)
	zw, err := zstd.NewWriter(&c)
	require.NoError(t, err)
	zst := bomb(t, size, zw, &c)
	packed := func(encoding string, body []byte) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Content-Encoding", encoding)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
	for name, c := range map[string]struct {
		atOnce int64
		send   func(*http.Request)
	}{
		"gzip":        {20, packed("gzip", gz)},
		"zstd":        {20, packed("zstd", zst)},
		"not packed":  {1, func(r *http.Request) { r.Body = io.NopCloser(zeros(size)) }},
		"with length": {20, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(zeros(size)), size }},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, DefaultLimits())
			resetPeak(t)
			before := peak(t)
			var wg sync.WaitGroup
			for range c.atOnce {
				wg.Go(func() {
					req, err := http.NewRequest(http.MethodPost, "http://"+s.address+"/v1/traces", nil)
					if err != nil {
						panic(err)
					}
					req.Header.Set("Content-Type", typeProto)
					c.send(req)
					if resp, err := http.DefaultClient.Do(req); err == nil {
						_ = resp.Body.Close()
					}
				})
			}
			wg.Wait()
			require.Equal(t, c.atOnce, s.Counters.TooLarge.Load()+s.Counters.Overloaded.Load())
			grown := peak(t) - before
			t.Logf("the process grew by %d MiB", grown>>20)
			if !raceDetector {
				require.Less(t, grown, int64(256<<20))
			}
		})
	}
}

// peak returns the largest resident size of the process since resetPeak, in bytes.
func peak(t *testing.T) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells the peak of the memory")
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}

func resetPeak(t *testing.T) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the peak of the memory cannot be reset: ", err)
	}
}

// Who fills the memory is told to come back, and so are others, until there is room again.
func TestBackPressureOfBytesInFlight(t *testing.T) {
	limits := DefaultLimits()
	limits.InFlightBytes = 1<<20 + 300<<10 // while it is read, there are two buffers
	s := serve(t, limits)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.traces.answer = func(request []byte) (otlp.Result, error) {
		if len(request) > 100_000 {
			entered <- struct{}{}
			<-leave
		}
		return otlp.Result{}, nil
	}
	large := marshal(t, &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, 1<<20-100)})
	answers := make(chan int)
	go func() {
		resp, err := http.Post("http://"+s.address+"/v1/traces", typeProto, bytes.NewReader(large))
		if err != nil {
			panic(err)
		}
		_ = resp.Body.Close()
		answers <- resp.StatusCode
	}()
	<-entered
	require.EqualValues(t, 1<<20, s.Counters.InFlightBytes.Load(), "the size of its buffer")
	other := s.lease()
	require.NoError(t, other.take(300<<10), "what is left")
	defer other.free()
	resp, _ := s.send(t, post{content: typeProto, body: bytes.NewReader(marshal(t, &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, 1000)}))})
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	_, err := collector.NewTraceServiceClient(s.dial(t)).Export(t.Context(), &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, 1000)})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.Len(t, status.Convert(err).Details(), 1)
	close(leave)
	require.Equal(t, http.StatusOK, <-answers)
	other.free()
	resp, _ = s.send(t, post{content: typeProto, body: bytes.NewReader(marshal(t, &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, 1000)}))})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, int64(2), s.Counters.Overloaded.Load())
}

// Of 1000 calls at once, each is taken exactly once or told to come back.
func TestManyCallsAtOnceConcurrentSafe(t *testing.T) {
	limits := DefaultLimits()
	limits.InFlightBytes, limits.RequestTime = 4<<20, time.Hour
	s := serve(t, limits)
	client := collector.NewTraceServiceClient(s.dial(t))
	var mu sync.Mutex
	accepted := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			request := &collector.ExportTraceServiceRequest{ResourceSpans: spans(1, 60_000)}
			id := fmt.Sprintf("%08d", i)
			request.ResourceSpans[0].ScopeSpans[0].Spans[0].SpanId = []byte(id)
			var code codes.Code
			if i%2 == 0 {
				_, err := client.Export(t.Context(), request)
				code = status.Code(err)
			} else {
				code = overHTTP(s.address, request)
			}
			mu.Lock()
			defer mu.Unlock()
			if code == codes.OK {
				accepted[id] = true
			} else if code != codes.Unavailable {
				t.Errorf("call %d: %v", i, code)
			}
		})
	}
	wg.Wait()
	stored := map[string]bool{}
	for _, request := range s.traces.received() {
		var m collector.ExportTraceServiceRequest
		require.NoError(t, proto.Unmarshal(request, &m))
		id := string(m.ResourceSpans[0].ScopeSpans[0].Spans[0].SpanId)
		require.False(t, stored[id], "%s was stored twice", id)
		stored[id] = true
	}
	require.Equal(t, accepted, stored)
	require.NotEmpty(t, stored)
	require.Equal(t, int64(1000), s.Counters.Accepted.Load()+s.Counters.Overloaded.Load())
}

func overHTTP(address string, request proto.Message) codes.Code {
	data, err := proto.Marshal(request)
	if err != nil {
		return codes.Internal
	}
	resp, err := http.Post("http://"+address+"/v1/traces", typeProto, bytes.NewReader(data))
	if err != nil {
		return codes.Unknown
	}
	_ = resp.Body.Close()
	return map[int]codes.Code{200: codes.OK, 503: codes.Unavailable}[resp.StatusCode]
}

// Slow clients are cut, each within its time, while others are answered.
func TestSlowClientsAreCut(t *testing.T) {
	limits := DefaultLimits()
	limits.HeaderTime, limits.RequestTime, limits.IdleTime = time.Second, 2*time.Second, time.Second
	s := serve(t, limits)
	begin := map[string]string{
		"nothing at all":  "",
		"half a header":   "POST /v1/traces HTTP/1.1\r\nHost: local",
		"half a body":     "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\nabc",
		"half a chunk":    "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc",
		"a whole request": "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
		"half a preface":  "PRI * HTTP/2.0\r\n\r\nSM",
		"an HTTP/2 idler": http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	}
	conns := map[string]net.Conn{}
	for name, text := range begin {
		conns[name] = s.raw(t)
		_, err := io.WriteString(conns[name], text)
		require.NoError(t, err)
	}
	conns["a call that stalls"] = stalledCall(t, s)
	resp, _ := s.send(t, post{content: typeProto})
	require.Equal(t, http.StatusOK, resp.StatusCode, "others are answered meanwhile")
	for name, conn := range conns {
		// The deadline of the connection is a minute: whoever is not cut fails here.
		_, err := io.ReadAll(conn)
		require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "%s: the connection was not closed", name)
	}
	require.Equal(t, int64(3), s.Counters.TimedOut.Load(), "two bodies and a call")
}

// stalledCall begins a call of gRPC whose message does not come.
func stalledCall(t *testing.T, s *server) net.Conn {
	conn := s.raw(t)
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	f := http2.NewFramer(conn, conn)
	require.NoError(t, f.WriteSettings())
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: callHeader(s), EndHeaders: true}))
	require.NoError(t, f.WriteData(1, false, binary.BigEndian.AppendUint32([]byte{0}, 1000)))
	return conn
}

func callHeader(s *server) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", s.signals[0].method}, {":authority", "localhost"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		if err := e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func TestUploadsThatAreCutOff(t *testing.T) {
	s := serve(t, DefaultLimits())
	soon := func(what func() bool) { require.Eventually(t, what, time.Minute, time.Millisecond) }
	for i := range int64(20) {
		conn := s.raw(t)
		if i%2 == 0 {
			_, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\nabc", typeProto)
			require.NoError(t, err)
		} else {
			conn = stalledCall(t, s)
		}
		soon(func() bool { return s.Counters.InFlightBytes.Load() > 0 })
		require.NoError(t, conn.Close())
		soon(func() bool { return s.Counters.InFlightBytes.Load() == 0 && s.Counters.CutOff.Load() == i+1 })
	}
	require.Empty(t, s.traces.received())
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	limits := DefaultLimits()
	s := serve(t, limits)
	for size, counted := range map[int]int64{limits.HeaderBytes: 1, 4 * limits.HeaderBytes: 0, 16 << 20: 0} {
		before := s.Counters.LargeHeaders.Load()
		req, err := http.NewRequest(http.MethodPost, "http://"+s.address+"/v1/traces", nil)
		require.NoError(t, err)
		req.Header.Set("Content-Type", typeProto)
		req.Header.Set("X-Large", strings.Repeat("x", size))
		// The connection may be closed while the client still writes.
		if resp, err := http.DefaultClient.Do(req); err == nil {
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
		}
		require.Equal(t, before+counted, s.Counters.LargeHeaders.Load())
	}
	resp, _ := s.rawCall(t, map[string]string{"X-Large": strings.Repeat("x", limits.HeaderBytes)}, frame(0, nil))
	require.Equal(t, strconv.Itoa(int(codes.ResourceExhausted)), resp.Header.Get("Grpc-Status"))
	require.Empty(t, s.traces.received())
	resp, _ = s.rawCall(t, map[string]string{"X-Large": strings.Repeat("x", limits.HeaderBytes/2)}, frame(0, nil))
	require.Equal(t, "0", resp.Trailer.Get("Grpc-Status"))
}
