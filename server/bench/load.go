package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/demo"
)

// load is encoded requests.
type load struct {
	requests [][]byte
	counts   []int // spans of each
	spans    int
	traces   int // that were begun
	bytes    int // of the spans, without what is common to a request
}

// perRequest is how many spans the exporters of the demo put into a request.
const perRequest = 510

// generator makes loads that do not repeat.
type generator struct {
	demo *demo.Generator
	// start is when the next trace starts.
	start   time.Time
	waiting map[string][]demo.Span
}

func newGenerator() *generator {
	return &generator{demo: demo.New(1), start: time.Now().Add(-time.Minute), waiting: map[string][]demo.Span{}}
}

// next returns at least so many spans, as requests of one service each.
func (g *generator) next(spans int) (load, error) {
	var l load
	for l.spans < spans {
		l.traces++
		for _, s := range g.demo.Trace(g.start) {
			list := append(g.waiting[s.Service], s)
			if len(list) == perRequest {
				request, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{
					ResourceSpans: []*tracepb.ResourceSpans{demo.Resource(s.Service, list)},
				})
				if err != nil {
					return l, err
				}
				l.requests, l.counts = append(l.requests, request), append(l.counts, len(list))
				l.spans += len(list)
				for _, s := range list {
					l.bytes += proto.Size(s.Span)
				}
				list = nil
			}
			g.waiting[s.Service] = list
		}
		g.start = g.start.Add(20 * time.Microsecond)
	}
	return l, nil
}

// send sends the load by several senders, at a rate of spans a second or, for 0, as fast as it is taken. It returns how
// long that took; an overloaded server is asked again.
func (l load) send(ctx context.Context, senders int, rate float64, send func(context.Context, []byte) error) (time.Duration, error) {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make(chan error, senders)
	began := time.Now()
	for range senders {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.requests) || ctx.Err() != nil {
					return
				}
				if rate > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(i*perRequest) / rate * float64(time.Second)))))
				}
				if err := patiently(ctx, func() error { return send(ctx, l.requests[i]) }); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return time.Since(began), <-errs
}

// patiently repeats what the server has no room for now.
func patiently(ctx context.Context, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil || attempt == 200 || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// rawCodec passes encoded messages on.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = rawCodec{}

// overGRPC returns a function that sends a request, and one that closes the connection.
func overGRPC(address string) (send func(context.Context, []byte) error, stop func() error, err error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, request []byte) error {
		var response []byte
		err := conn.Invoke(ctx, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", request, &response)
		if err != nil {
			return err
		}
		return accepted(response)
	}, conn.Close, nil
}

// overHTTP does the same by HTTP.
func overHTTP(address string) (send func(context.Context, []byte) error, stop func() error, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return func(ctx context.Context, request []byte) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/traces", bytes.NewReader(request))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-protobuf")
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %x", response.Status, body)
		}
		if err != nil {
			return err
		}
		return accepted(body)
	}, func() error { client.CloseIdleConnections(); return nil }, nil
}

// accepted fails if a response says that not everything was taken. A Collector answers with a partial success that is empty.
func accepted(response []byte) error {
	var r collectorpb.ExportTraceServiceResponse
	if err := proto.Unmarshal(response, &r); err != nil {
		return fmt.Errorf("the response: %w", err)
	}
	if p := r.GetPartialSuccess(); p.GetRejectedSpans() != 0 || p.GetErrorMessage() != "" {
		return fmt.Errorf("%d spans were not taken: %s", p.GetRejectedSpans(), p.GetErrorMessage())
	}
	return nil
}
