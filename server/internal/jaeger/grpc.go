package jaeger

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// failed turns an error into gRPC's.
func (h *Handler) failed(ctx context.Context, err error) error {
	var asked *query.Error
	if _, ok := status.FromError(err); ok {
		return err // nil too
	}
	switch {
	case errors.As(err, &asked) && asked.Kind == query.NotFound:
		return status.Error(codes.NotFound, err.Error())
	case errors.As(err, &asked):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	case errors.Is(err, store.ErrAway):
		return status.Error(codes.Unavailable, messages[http.StatusServiceUnavailable])
	}
	h.Logger.ErrorContext(ctx, "query failed", "error", err)
	return status.Error(codes.Internal, messages[http.StatusInternalServerError])
}

// send sends traces, each in chunks of its own.
func (h *Handler) send(stream grpc.ServerStream, ids []core.TraceID, within store.Range, raw bool) error {
	return h.Engine.Traces(stream.Context(), ids, within, func(origins []store.Origin, t store.Trace) error {
		spans := t.Spans
		if !raw {
			spans = query.Deduplicate(spans)
		}
		origins = named(origins, spans)
		for chunk := range chunks(origins, spans, chunkBytes) {
			if err := stream.SendMsg(encoded(otlp.Readable(query.AppendTraces(nil, origins, chunk)))); err != nil {
				return err
			}
		}
		return nil
	})
}

// search is a query that came over gRPC.
type search struct {
	service, operation       string
	from, to                 *timestamppb.Timestamp
	minDuration, maxDuration *durationpb.Duration
	attributes               map[string]string
	depth                    int32
	pageSize                 uint32
	pageToken                string
	structured               bool
}

func (s *search) query() (q *store.Query, possible bool, err error) {
	if s.structured {
		return nil, false, query.Invalidf("use the attributes", "structured filters are not supported")
	}
	if s.pageToken != "" {
		return nil, false, query.Invalidf("raise the search depth", "pages are not supported, and no page token was given out")
	}
	if s.pageSize > 0 && s.depth > 0 {
		return nil, false, query.Invalidf("leave one of them out", "there is both a search depth and a page size")
	}
	if s.pageSize > 0 {
		s.depth = int32(min(s.pageSize, maxTraces))
	}
	q = &store.Query{Service: s.service, Operation: s.operation}
	if q.Limit, err = limit(int(s.depth)); err != nil {
		return nil, false, err
	}
	if q.Start, err = period(s.from, s.to); err != nil {
		return nil, false, err
	}
	if q.MinDuration, err = duration(s.minDuration); err != nil {
		return nil, false, err
	}
	if q.MaxDuration, err = duration(s.maxDuration); err != nil {
		return nil, false, err
	}
	return q, constrain(q, s.attributes), nil
}

// period returns the range between two times; what is missing, or the zero time of Go, is open.
func period(from, to *timestamppb.Timestamp) (r store.Range, err error) {
	if r.From, err = moment(from); err == nil {
		r.To, err = moment(to)
	}
	return r, err
}

// moment takes years before 1970 for no time: Go's zero time is one.
func moment(t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil || t.Seconds < 0 || t.Seconds == 0 && t.Nanos == 0 {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil || t.AsTime().Year() > 2261 {
		return time.Time{}, query.Invalidf("give a time before the year 2262", "the time %v is out of range", t)
	}
	return t.AsTime(), nil
}

func duration(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil || d.AsDuration() < 0 {
		return 0, query.Invalidf("give a duration of 0 or more", "the duration %v is out of range", d)
	}
	return d.AsDuration(), nil
}
