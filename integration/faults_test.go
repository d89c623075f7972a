package integration

import (
	"context"
	"fmt"
	"io"
	"log"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/exporter"
)

var silentLog = log.New(io.Discard, "", 0)

// noLeak fails the test if goroutines are left that it did not find. Partial successes, which the clients tell the global
// handler too, are kept out of the log.
func noLeak(t *testing.T) {
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
}

// panicking panics with the first upload.
type panicking struct {
	otlptrace.Client
	done atomic.Bool
}

func (p *panicking) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	if p.done.CompareAndSwap(false, true) {
		panic("client bug")
	}
	return p.Client.UploadTraces(ctx, spans)
}

// TestRawSpanFaults sends four spans into every fault through the clients that users have, and four more after it. What is
// lost is counted to the span, by its reason.
func TestRawSpanFaults(t *testing.T) {
	const timeout = 500 * time.Millisecond
	for _, c := range []struct {
		name          string
		answers       []answer
		retry, secure bool
		panics        bool
		timeout       time.Duration
		lost          exporter.SpanLoss
		// after is how many of the second four are lost too.
		after uint64
	}{
		{name: "all is well"},
		{name: "hang", answers: []answer{{hang: true}}, timeout: timeout, lost: exporter.SpanLoss{TimedOut: 4}},
		{name: "panic", panics: true, lost: exporter.SpanLoss{Panicked: 4}},
		{name: "partial success", answers: []answer{{rejected: 3, message: "three are bad"}}, lost: exporter.SpanLoss{Rejected: 3}},
		{name: "partial success without a message", answers: []answer{{rejected: 1}}, lost: exporter.SpanLoss{Rejected: 1}},
		{name: "warning", answers: []answer{{message: "be careful"}}},
		{name: "refused", answers: []answer{{refuse: true}}, retry: true, lost: exporter.SpanLoss{Failed: 4}},
		{name: "busy, with Retry-After", answers: []answer{{busy: true}}, retry: true},
		{name: "busy, and nobody retries", answers: []answer{{busy: true}}, lost: exporter.SpanLoss{Failed: 4}},
		{name: "busy for longer than there is time", answers: []answer{{busy: true}}, retry: true, timeout: timeout, lost: exporter.SpanLoss{TimedOut: 4}},
		{name: "wrong TLS", secure: true, lost: exporter.SpanLoss{Failed: 4}, after: 4},
	} {
		for _, via := range spanTransports {
			t.Run(c.name+"/"+via.name, func(t *testing.T) {
				noLeak(t)
				b := newFaultyBackend(t, c.answers...)
				l := listen(t, "127.0.0.1:0")
				stop := via.serve(t, b, l, c.secure)
				defer stop()
				client := via.client(l.Addr().String(), c.retry, c.secure)
				if c.panics {
					client = &panicking{Client: client}
				}
				exp, err := otlptrace.New(t.Context(), client)
				require.NoError(t, err)
				options := []exporter.SpanOption{exporter.WithLossHandler(func(exporter.SpanLoss, error) {})}
				if c.timeout > 0 {
					options = append(options, exporter.WithExportTimeout(c.timeout))
				}
				p := exporter.NewSpanProcessor(exp, options...)
				provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
				four := func() {
					for i := range 4 {
						_, span := provider.Tracer("test").Start(context.Background(), fmt.Sprint("span ", i))
						span.End()
					}
					// Longer than the export timeout. Whether it went well is in the counts.
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					_ = p.ForceFlush(ctx)
				}
				four()
				got := p.Stats()
				require.Equal(t, c.lost, got.Lost)
				require.Equal(t, 4-c.lost.Total(), got.Exported)
				four()
				want := c.lost
				want.Failed += c.after
				got = p.Stats()
				require.Equal(t, want, got.Lost)
				require.Equal(t, 8-want.Total(), got.Exported)
				require.NoError(t, provider.Shutdown(context.Background()))
				require.Equal(t, uint64(8), p.Stats().Received)
				if c.name == "busy, with Retry-After" {
					require.GreaterOrEqual(t, b.requests[1].Sub(b.requests[0]), retryAfter, "the client came back too early")
				}
			})
		}
	}
}

// TestBackendGoesAndComes: while nobody listens raw spans are lost and counted, afterwards they arrive.
func TestBackendGoesAndComes(t *testing.T) {
	for _, via := range spanTransports {
		t.Run(via.name, func(t *testing.T) {
			noLeak(t)
			b := newFaultyBackend(t)
			l := listen(t, "127.0.0.1:0")
			address := l.Addr().String()
			require.NoError(t, l.Close())
			exp, err := otlptrace.New(t.Context(), via.client(address, false, false))
			require.NoError(t, err)
			p := exporter.NewSpanProcessor(exp, exporter.WithLossHandler(func(exporter.SpanLoss, error) {}))
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
			tracer := provider.Tracer("test")
			one := func() error {
				_, span := tracer.Start(context.Background(), "span")
				span.End()
				return p.ForceFlush(context.Background())
			}
			for range 3 {
				require.Error(t, one())
			}
			require.Equal(t, exporter.SpanLoss{Failed: 3}, p.Stats().Lost)
			stop := via.serve(t, b, listen(t, address), false)
			defer stop()
			require.Eventually(t, func() bool { return one() == nil }, time.Minute, 10*time.Millisecond)
			require.NoError(t, provider.Shutdown(context.Background()))
			s := p.Stats()
			require.Equal(t, uint64(1), s.Exported)
			require.Equal(t, s.Received-1, s.Lost.Failed, "a client that waits before it connects again fails some more")
		})
	}
}

// TestTracksOutage: a profile is reported through everything that can go wrong. No aggregate is lost, and the window after
// the outage says that it is longer.
func TestTracksOutage(t *testing.T) {
	for _, via := range spanTransports {
		t.Run(via.name, func(t *testing.T) {
			noLeak(t)
			a, err := core.New(core.Config{Name: "shop"})
			require.NoError(t, err)
			label := a.Label(core.Site{Track: "http", Name: "GET"})
			work := func(n int) {
				for i := range n {
					a.Record(label, &core.Observation{Start: time.Now().UnixNano(), Duration: int64(1 + i)})
				}
			}
			b := newFaultyBackend(t)
			l := listen(t, "127.0.0.1:0")
			address := l.Addr().String()
			stop := via.serve(t, b, l, false)
			client := &panicking{Client: via.client(address, false, false)}
			client.done.Store(true)
			tracks, err := exporter.NewTracks(a, client, exporter.WithTracksInterval(time.Hour), exporter.WithTracksTimeout(500*time.Millisecond))
			require.NoError(t, err)
			require.NoError(t, tracks.Start(context.Background()))
			work(1)
			require.NoError(t, tracks.ForceFlush(context.Background()))

			failures := 0
			fails := func(why string) {
				t.Helper()
				work(10)
				require.Error(t, tracks.ForceFlush(context.Background()), why)
				failures++
			}
			for _, x := range []answer{{hang: true}, {busy: true}, {refuse: true}, {rejected: 1, message: "too many"}} {
				b.mu.Lock()
				b.answers = []answer{x}
				b.mu.Unlock()
				fails(fmt.Sprintf("%+v", x))
			}
			client.done.Store(false)
			fails("panic")
			stop()
			for range 3 {
				fails("nobody listens")
			}
			require.Equal(t, uint64(failures), tracks.Stats().Failures)

			stop = via.serve(t, b, listen(t, address), false)
			defer stop()
			work(100)
			require.Eventually(t, func() bool {
				if tracks.ForceFlush(context.Background()) == nil {
					return true
				}
				failures++ // gRPC waits before it connects again
				return false
			}, time.Minute, 10*time.Millisecond)
			work(1)
			require.NoError(t, tracks.Shutdown(context.Background()))

			got, err := exporter.ReadSpans(b.received())
			require.NoError(t, err)
			require.Len(t, got, 3)
			for i, want := range []uint64{1, 180, 1} {
				require.Equal(t, want, got[i].Total().Count)
			}
			require.Equal(t, got[0].End, got[1].Start, "the window begins where the last delivered one ended")
			require.Equal(t, got[1].End, got[2].Start)
			all, want := core.Merge(got...), a.Snapshot()
			require.Len(t, all.Blocks, len(want.Blocks))
			for i, b := range want.Blocks {
				b.Stats, all.Blocks[i].Stats = plain(b.Stats), plain(all.Blocks[i].Stats)
				require.Equal(t, b, all.Blocks[i], "no aggregate is lost")
			}
			require.Equal(t, []int64{0, int64(failures), 0}, undelivered(b.received()))
		})
	}
}

// undelivered returns what the windows say about the reports before them that failed.
func undelivered(resources []*tracepb.ResourceSpans) []int64 {
	var out []int64
	for _, r := range resources {
		for _, scope := range r.ScopeSpans {
			for _, span := range scope.Spans {
				window, n := false, int64(0)
				for _, kv := range span.Attributes {
					window = window || kv.Key == "otelprof.role" && kv.Value.GetStringValue() == "window"
					if kv.Key == "otelprof.undelivered" {
						n = kv.Value.GetIntValue()
					}
				}
				if window {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

// TestTracksShutdownWhileTheBackendHangs: the deadline is kept, and nothing is left behind.
func TestTracksShutdownWhileTheBackendHangs(t *testing.T) {
	for _, via := range spanTransports {
		t.Run(via.name, func(t *testing.T) {
			noLeak(t)
			b := newFaultyBackend(t, answer{hang: true}, answer{hang: true})
			l := listen(t, "127.0.0.1:0")
			stop := via.serve(t, b, l, false)
			defer stop()
			a, err := core.New(core.Config{})
			require.NoError(t, err)
			a.Record(a.Label(core.Site{Name: "x"}), &core.Observation{Duration: 1})
			handled := make(chan error, 9)
			tracks, err := exporter.NewTracks(a, via.client(l.Addr().String(), true, false), exporter.WithTracksErrorHandler(func(err error) { handled <- err }))
			require.NoError(t, err)
			require.NoError(t, tracks.Start(context.Background()))
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, tracks.Shutdown(ctx), context.DeadlineExceeded)
			require.Eventually(t, func() bool { return tracks.Stats().Failures == 1 }, time.Minute, time.Millisecond)
			require.Empty(t, handled, "Shutdown returned it")
		})
	}
}
