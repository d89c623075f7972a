package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Sink takes requests. It is called by many goroutines at once, and the request is its own from then on.
//
// When it returns without an error, the client is told that its data are safe. An error that wraps one of otlp's ErrMalformed,
// ErrTooLarge and ErrOverloaded is told to the client with its text; any other is logged, and the client is told of an
// internal error.
type Sink interface {
	Ingest(ctx context.Context, request []byte) (otlp.Result, error)
}

// Receiver is an http.Handler that takes OTLP/HTTP and OTLP/gRPC.
type Receiver struct {
	Counters Counters

	limits  Limits
	signals []*signal
	units   chan *unpacker
	log     *slog.Logger
}

// signal is a kind of data.
type signal struct {
	// path is that of OTLP/HTTP, method that of OTLP/gRPC.
	path, method string
	// rejected is the name in JSON of what counts the rejected.
	rejected string
	fromJSON func(data []byte, limit int) ([]byte, error)
	sink     Sink
}

// New returns a receiver. Metrics are refused if their sink is nil.
func New(traces, metrics Sink, limits Limits, log *slog.Logger) *Receiver {
	r := &Receiver{limits: limits, units: newUnpackers(limits), log: log}
	r.signals = append(r.signals, &signal{
		path: "/v1/traces", method: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
		rejected: "rejectedSpans", fromJSON: otlp.TracesFromJSON, sink: traces,
	})
	if metrics != nil {
		r.signals = append(r.signals, &signal{
			path: "/v1/metrics", method: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
			rejected: "rejectedDataPoints", fromJSON: otlp.MetricsFromJSON, sink: metrics,
		})
	}
	return r
}

// Server returns a server for the receiver, or for a handler around it, with the limits set. Call its Serve.
func (r *Receiver) Server(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           r.boundHeaders(handler),
		Protocols:         &protocols,
		ReadHeaderTimeout: r.limits.HeaderTime,
		ReadTimeout:       r.limits.RequestTime,
		// From the end of the header on: a client that does not take its answer.
		WriteTimeout: 2 * r.limits.RequestTime,
		IdleTimeout:  r.limits.IdleTime,
		// Beyond, net/http answers by itself, and nobody learns of it.
		MaxHeaderBytes: 2 * r.limits.HeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: r.limits.Streams,
			// What a client may send ahead: enough that it seldom waits, little enough for thousands of them.
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     512 << 10,
		},
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
}

// boundHeaders refuses requests whose header is too large.
func (r *Receiver) boundHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		size := len(req.Method) + len(req.RequestURI) + len(req.Host)
		for name, values := range req.Header {
			for _, value := range values {
				size += len(name) + len(value)
			}
		}
		if size <= r.limits.HeaderBytes {
			next.ServeHTTP(w, req)
			return
		}
		r.Counters.LargeHeaders.Add(1)
		f := &failure{http.StatusRequestHeaderFieldsTooLarge, codes.ResourceExhausted, fmt.Sprintf("the header has more than %d bytes", r.limits.HeaderBytes), false}
		if isGRPC(req) {
			w.Header().Set("Content-Type", "application/grpc")
			r.failCall(w, f)
			return
		}
		content, _ := contentType(req)
		r.refuse(w, content, f, 0)
	})
}

// ServeHTTP answers a request. It is safe for concurrent use.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if isGRPC(req) {
		r.serveGRPC(w, req)
		return
	}
	r.serveHTTP(w, req)
}

func isGRPC(req *http.Request) bool {
	return strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc")
}

// ingest hands a request to the sink.
func (r *Receiver) ingest(ctx context.Context, s *signal, request []byte) (otlp.Result, *failure) {
	r.Counters.Bytes.Add(int64(len(request)))
	result, err := s.sink.Ingest(ctx, request)
	if err != nil {
		return otlp.Result{}, r.failure(err)
	}
	r.Counters.Rejected.Add(int64(result.Rejected))
	if result == (otlp.Result{}) {
		r.Counters.Accepted.Add(1)
	} else {
		r.Counters.Partial.Add(1)
	}
	return result, nil
}

// failure is what a client is told when its request was not taken.
type failure struct {
	http    int
	grpc    codes.Code
	message string
	retry   bool
}

// failure says how clients are told of an error, and counts it.
func (r *Receiver) failure(err error) *failure {
	f := &failure{message: text(err.Error())}
	switch {
	case errors.Is(err, otlp.ErrTooLarge):
		r.Counters.TooLarge.Add(1)
		f.http, f.grpc = http.StatusRequestEntityTooLarge, codes.ResourceExhausted
	case errors.Is(err, otlp.ErrMalformed):
		r.Counters.Malformed.Add(1)
		f.http, f.grpc = http.StatusBadRequest, codes.InvalidArgument
	case errors.Is(err, errUnsupported):
		r.Counters.Unsupported.Add(1)
		f.http, f.grpc = http.StatusUnsupportedMediaType, codes.Unimplemented
	case errors.Is(err, otlp.ErrOverloaded):
		r.Counters.Overloaded.Add(1)
		f.http, f.grpc, f.retry = http.StatusServiceUnavailable, codes.Unavailable, true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		r.Counters.TimedOut.Add(1)
		f.http, f.grpc, f.message = http.StatusRequestTimeout, codes.DeadlineExceeded, "the request took too long"
	case errors.Is(err, errCutOff), errors.Is(err, context.Canceled):
		// Most likely nobody is there to read it.
		r.Counters.CutOff.Add(1)
		f.http, f.grpc, f.message = http.StatusBadRequest, codes.Canceled, "the request was cut off"
	default:
		r.Counters.Failed.Add(1)
		r.log.Error("a request failed", "error", err)
		f.http, f.grpc, f.message = http.StatusInternalServerError, codes.Internal, "internal error"
	}
	return f
}

// text makes a message fit for clients: valid UTF-8 of bounded length.
func text(message string) string {
	const most = 1024
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= most {
		return message
	}
	end := most
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end]
}
