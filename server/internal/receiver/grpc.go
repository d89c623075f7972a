package receiver

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// prefix is what stands before a message: whether it is packed, and its length.
const prefix = 5

// serveGRPC answers a unary call: github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
func (r *Receiver) serveGRPC(w http.ResponseWriter, req *http.Request) {
	if req.ProtoMajor < 2 || req.Method != http.MethodPost {
		http.Error(w, "gRPC needs HTTP/2 and POST", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Grpc-Accept-Encoding", "gzip, zstd")
	result, failed := r.call(req)
	if failed != nil {
		r.failCall(w, failed)
		return
	}
	body := otlp.AppendResponse(make([]byte, prefix), result)
	binary.BigEndian.PutUint32(body[1:], uint32(len(body)-prefix))
	// What goes wrong now is the client's connection, and net/http closes it.
	_, _ = w.Write(body)
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(codes.OK)))
}

func (r *Receiver) call(req *http.Request) (otlp.Result, *failure) {
	var s *signal
	for _, known := range r.signals {
		if known.method == req.URL.Path {
			s = known
		}
	}
	if s == nil {
		return otlp.Result{}, r.failure(fmt.Errorf("%w: the method %q; traces are received by %s", errUnsupported, req.URL.Path, r.signals[0].method))
	}
	ctx := req.Context()
	if timeout, ok := parseTimeout(req.Header.Get("Grpc-Timeout")); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	l := r.lease()
	defer l.free()
	request, err := r.message(ctx, l, req)
	if err != nil {
		return otlp.Result{}, r.failure(err)
	}
	return r.ingest(ctx, s, request)
}

// message returns the only message of the call.
func (r *Receiver) message(ctx context.Context, l *lease, req *http.Request) ([]byte, error) {
	var head [prefix]byte
	if _, err := io.ReadFull(req.Body, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: the call has no message", otlp.ErrMalformed)
		}
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	encoding := req.Header.Get("Grpc-Encoding")
	packed := head[0] == 1
	if head[0] > 1 || packed && (encoding == "" || encoding == "identity") {
		return nil, fmt.Errorf("%w: the message is marked as packed, but not how", otlp.ErrMalformed)
	}
	size := int64(binary.BigEndian.Uint32(head[1:]))
	data, err := l.receive(req.Body, size, r.limits.RequestBytes)
	if err != nil {
		return nil, err
	}
	if n, err := io.ReadFull(req.Body, head[:1]); n > 0 {
		return nil, fmt.Errorf("%w: the call has more than one message", otlp.ErrMalformed)
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	if packed {
		return r.unpack(ctx, l, data, encoding)
	}
	return data, nil
}

// failCall tells the client that its request was not taken.
func (r *Receiver) failCall(w http.ResponseWriter, f *failure) {
	details, err := proto.Marshal(r.status(f))
	if err != nil {
		r.log.Error("cannot write a status", "error", err)
	}
	h := w.Header()
	h.Set("Grpc-Status", strconv.Itoa(int(f.grpc)))
	h.Set("Grpc-Message", percentEncode(f.message))
	h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	w.WriteHeader(http.StatusOK)
}

// status returns what stands in the body of a failure over HTTP, and in the details of one over gRPC.
func (r *Receiver) status(f *failure) *rpc.Status {
	s := &rpc.Status{Code: int32(f.grpc), Message: f.message}
	if f.retry {
		if info, err := anypb.New(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.limits.RetryAfter)}); err == nil {
			s.Details = append(s.Details, info)
		}
	}
	return s
}

// seconds returns d in seconds, rounded up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// parseTimeout reads a grpc-timeout: at most 8 digits and a unit.
func parseTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	unit := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[s[len(s)-1]]
	if err != nil || unit == 0 {
		return 0, false
	}
	// More than that is as good as none, and does not overflow.
	return time.Duration(min(n, uint64(24*time.Hour/unit))) * unit, true
}

// percentEncode writes a message as gRPC wants it in a header: printable ASCII but for %.
func percentEncode(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
