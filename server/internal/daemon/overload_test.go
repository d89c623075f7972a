package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// sender sends requests by both protocols.
type sender struct {
	http *http.Client
	url  string
	grpc coltracepb.TraceServiceClient
}

func (d *Daemon) sender(t *testing.T) *sender {
	t.Helper()
	connection, err := grpc.NewClient(strings.TrimPrefix(d.url(t, "otlp_grpc"), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, connection.Close())
	})
	return &sender{&http.Client{Transport: transport, Timeout: time.Minute}, d.url(t, "otlp_http") + "/v1/traces", coltracepb.NewTraceServiceClient(connection)}
}

// send sends a request, and reports whether it was acknowledged. Any other answer must be one that says when to come back.
func (s *sender) send(ctx context.Context, body []byte, byGRPC bool) (bool, error) {
	if byGRPC {
		var m coltracepb.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			return false, err
		}
		_, err := s.grpc.Export(ctx, &m)
		if status.Code(err) != codes.Unavailable {
			return err == nil, err
		}
		for _, detail := range status.Convert(err).Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok && info.RetryDelay.AsDuration() > 0 {
				return false, nil
			}
		}
		return false, fmt.Errorf("UNAVAILABLE without RetryInfo: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", protobuf)
	response, err := s.http.Do(r)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusOK:
		return true, nil
	case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") != "":
		return false, nil
	}
	return false, fmt.Errorf("status %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
}

// TestEverySpanIsStoredOnceUnderOverload makes 1000 calls at once to a server that has room for some of them.
func TestEverySpanIsStoredOnceUnderOverload(t *testing.T) {
	d := durable(t, func(c *Config) {
		c.Pipeline.Memory, c.Receiver.RequestBytes, c.Receiver.InFlightBytes = 2<<20, 1<<20, 4<<20
	})
	to := d.sender(t)
	const each = 10
	var mu sync.Mutex
	acknowledged := map[core.TraceID]bool{}
	var group sync.WaitGroup
	for i := range 1000 {
		o := newTrace(t, each)
		o.spans[3].Attributes = []*commonpb.KeyValue{textAttribute("ballast", strings.Repeat("x", 20_000))}
		body := o.request(0, each)
		group.Go(func() {
			ok, err := to.send(t.Context(), body, i%2 == 0)
			if err != nil {
				t.Error(err)
			}
			if ok {
				mu.Lock()
				acknowledged[core.TraceID(o.id)] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	refused := 1000 - len(acknowledged)
	require.NotEmpty(t, acknowledged)
	require.NotZero(t, refused, "there was room for all, so that nothing was tested")
	require.EqualValues(t, refused, d.receiver.Counters.Overloaded.Load())
	t.Logf("%d of 1000 were refused", refused)
	check := func(d *Daemon) {
		require.Equal(t, map[string]uint64{"odd: work": uint64(each * len(acknowledged))}, d.counts(t))
		ids := make([]core.TraceID, 0, len(acknowledged))
		for id := range acknowledged {
			ids = append(ids, id)
		}
		found, err := d.pipeline.Live().Traces(t.Context(), ids, store.Range{})
		require.NoError(t, err)
		require.Len(t, found.Traces, len(acknowledged))
		for _, trace := range found.Traces {
			require.Len(t, trace.Spans, each)
		}
	}
	check(d)
	d.awaitFiled(t)
	check(d)
	// Who comes back is taken.
	require.Eventually(t, func() bool { return d.send(t, spans(t, "later", "GET /")) == http.StatusOK }, time.Minute, 10*time.Millisecond)
}

// TestCallsThatAreCancelledAndRepeatedCountOnce breaks calls off at any moment, and sends the same again until it is taken.
func TestCallsThatAreCancelledAndRepeatedCountOnce(t *testing.T) {
	d := durable(t, nil)
	to := d.sender(t)
	const calls, each = 200, 5
	var group sync.WaitGroup
	for i := range calls {
		body := newTrace(t, each).request(0, each)
		patience := time.Duration(rand.IntN(3000)) * time.Microsecond
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, _ = to.send(ctx, body, i%2 == 0) // taken or not
			cancel()
			if ok, err := to.send(t.Context(), body, i%2 == 1); !ok || err != nil {
				t.Errorf("taken %v, %v", ok, err)
			}
		})
	}
	group.Wait()
	d.awaitFiled(t)
	require.Equal(t, map[string]uint64{"odd: work": calls * each}, d.counts(t))
	require.Zero(t, d.receiver.Counters.Failed.Load(), "who goes away is no failure of the server")
}

// TestMoreNamesThanThereIsRoomFor sends names, services and keys without an end: counts stay exact, and memory bounded.
func TestMoreNamesThanThereIsRoomFor(t *testing.T) {
	const sites, services = 1000, 5000
	names := 100_000
	if raceDetector {
		names = 20_000
	}
	for _, kept := range []string{StorePebble, StoreNone} {
		d := durable(t, func(c *Config) { c.Store, c.Pipeline.MaxSites = kept, sites })
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		now := uint64(time.Now().UnixNano())
		for service := range services {
			scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "lib"}}
			for i := range names / services {
				n := service*(names/services) + i
				scope.Spans = append(scope.Spans, &tracepb.Span{
					TraceId: binary.BigEndian.AppendUint64([]byte("12345678"), uint64(n+1)), SpanId: oddID(n), Name: fmt.Sprint("GET /orders/", n),
					StartTimeUnixNano: now - 10, EndTimeUnixNano: now, Attributes: []*commonpb.KeyValue{textAttribute(fmt.Sprint("key", n), "v")},
				})
			}
			body, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
				Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{textAttribute("service.name", fmt.Sprint("service ", service))}},
				ScopeSpans: []*tracepb.ScopeSpans{scope},
			}}})
			require.NoError(t, err)
			_, err = d.pipeline.Ingest(t.Context(), body)
			require.NoError(t, err)
		}
		d.awaitFiled(t)
		counts := d.counts(t)
		sum := uint64(0)
		for _, n := range counts {
			sum += n
		}
		require.EqualValues(t, names, sum, kept)
		require.LessOrEqual(t, len(counts), sites+1)
		require.EqualValues(t, names-sites, counts[": "+core.OverflowName])
		require.EqualValues(t, names-sites, d.pipeline.Counters().OverflowSites)
		grown := int64(heap()) - int64(before)
		t.Logf("%s: the heap grew by %d MiB", kept, grown>>20)
		require.Less(t, grown, int64(192<<20))
	}
}
