package exporter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// partialSuccess has the fields of the error that the OTLP clients return for a partial success.
type partialSuccess struct {
	ErrorMessage  string
	RejectedItems int64
	RejectedKind  string
}

func (e partialSuccess) Error() string { return e.ErrorMessage }

// TestExporterFaults gives every fault a batch of four spans, and the exporter four more that go well.
func TestExporterFaults(t *testing.T) {
	const timeout = time.Second
	boom := errors.New("boom")
	slow := func(ctx context.Context) error { // takes too long, but listens
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Hour):
			return nil
		}
	}
	deaf := func(context.Context) error { // takes too long, and does not listen
		time.Sleep(2 * timeout)
		return nil
	}
	punctual := func(ctx context.Context) error { // fails at the very moment, as a backend does that knows the deadline
		deadline, _ := ctx.Deadline()
		for time.Now().Before(deadline) {
			time.Sleep(time.Until(deadline))
		}
		return boom
	}
	partial := func(n int64, kind string) func(context.Context) error {
		return func(context.Context) error {
			return fmt.Errorf("traces export: %w", errors.Join(partialSuccess{"some", n, kind}))
		}
	}
	for _, c := range []struct {
		name  string
		fault func(context.Context) error
		lost  SpanLoss
		late  uint64
		err   string
	}{
		{"error", func(context.Context) error { return boom }, SpanLoss{Failed: 4}, 0, "exporting spans: boom"},
		{"panic", func(context.Context) error { panic(boom) }, SpanLoss{Panicked: 4}, 0, "exporting spans: the exporter panicked: boom"},
		{"exit", func(context.Context) error { runtime.Goexit(); return nil }, SpanLoss{Panicked: 4}, 0, "the exporter ended its goroutine"},
		{"slow", slow, SpanLoss{TimedOut: 4}, 0, "the export timeout is over"},
		{"hang", deaf, SpanLoss{TimedOut: 4}, 4, "the export ended after it had been given up"},
		{"on time", punctual, SpanLoss{TimedOut: 4}, 0, "the export timeout is over"},
		{"client's own timeout", func(context.Context) error { return context.DeadlineExceeded }, SpanLoss{Failed: 4}, 0, "deadline exceeded"},
		{"partial success", partial(3, "spans"), SpanLoss{Rejected: 3}, 0, "some"},
		{"warning", partial(0, "spans"), SpanLoss{}, 0, ""},
		{"nonsense", partial(99, "spans"), SpanLoss{Rejected: 4}, 0, "some"},
		{"negative", partial(-1, "spans"), SpanLoss{}, 0, ""},
		{"partial success and error", func(ctx context.Context) error { return errors.Join(boom, partial(1, "spans")(ctx)) }, SpanLoss{Failed: 4}, 0, "boom"},
		{"something else partial", partial(1, "logs"), SpanLoss{Failed: 4}, 0, "some"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				exp := &fakeExporter{export: func(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
					if first {
						first = false
						return c.fault(ctx)
					}
					return nil
				}}
				p := NewSpanProcessor(exp, WithExportTimeout(timeout), silent())
				endSpans(p, 0, 4)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := p.ForceFlush(ctx); c.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.err)
				}
				endSpans(p, 4, 4)
				require.NoError(t, p.ForceFlush(ctx))
				require.NoError(t, p.Shutdown(ctx))
				require.Equal(t, SpanStats{Received: 8, Exported: 8 - c.lost.Total(), Lost: c.lost, Late: c.late, Capacity: 2048}, p.Stats())
				require.Zero(t, exp.overlaps)
			})
		})
	}
}

func TestFullQueueLosesTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
		p := NewSpanProcessor(exp, WithQueueSize(4), WithBatchSize(2), silent())
		endSpans(p, 0, 2)
		synctest.Wait()
		endSpans(p, 2, 6)
		require.Equal(t, SpanStats{Received: 8, Lost: SpanLoss{QueueFull: 2}, Queued: 4, Exporting: 2, Capacity: 4}, p.Stats())
		close(release)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, exp.names())
	})
}

// TestExportsNeverOverlap hangs an export beyond its timeout: its spans are counted then, but nothing more is
// exported before the call returns.
func TestExportsNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
		p := NewSpanProcessor(exp, WithBatchSize(2), WithExportTimeout(time.Second), silent())
		endSpans(p, 0, 6)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, SpanStats{Received: 6, Lost: SpanLoss{TimedOut: 2}, Queued: 4, Capacity: 2048}, p.Stats())
		time.Sleep(time.Hour)
		require.Equal(t, 1, exp.calls())
		close(release)
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, SpanStats{Received: 6, Exported: 4, Lost: SpanLoss{TimedOut: 2}, Late: 2, Capacity: 2048}, p.Stats())
		require.Zero(t, exp.overlaps)
	})
}

// TestForceFlushKeepsItsDeadline also shows that a flush that was too late loses nothing.
func TestForceFlushKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
		p := NewSpanProcessor(exp, WithExportTimeout(20*time.Second))
		endSpans(p, 0, 3)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, p.ForceFlush(ctx), context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorIs(t, p.ForceFlush(ctx), context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(start), "a context that has ended is not waited for")
		close(release)
		require.NoError(t, p.Shutdown(t.Context()))
		require.EqualValues(t, 3, p.Stats().Exported)
	})
}

func TestShutdownKeepsItsDeadline(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration
		want     time.Duration
	}{
		{"of the context", 3 * time.Second, 3 * time.Second},
		{"of a context that has ended", -1, 0},
		{"none", 0, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
				p := NewSpanProcessor(exp, WithBatchSize(2), WithExportTimeout(10*time.Second), silent())
				endSpans(p, 0, 2)
				synctest.Wait()
				endSpans(p, 2, 3)
				ctx := t.Context()
				if c.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				require.Error(t, p.Shutdown(ctx))
				require.Equal(t, c.want, time.Since(start))
				require.NoError(t, p.Shutdown(t.Context()), "nobody waits twice")
				require.Equal(t, c.want, time.Since(start))
				s := p.Stats()
				requireBalance(t, s)
				require.EqualValues(t, 5, s.Lost.ShutDown+s.Lost.TimedOut)

				close(release) // now the goroutine closes the exporter and ends: the bubble proves it
				<-p.ended
				require.EqualValues(t, 2, p.Stats().Late)
				require.Equal(t, 1, exp.shutdowns)
				require.Zero(t, exp.overlaps)
			})
		})
	}
}

func TestShutdownCancelsTheExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{export: func(ctx context.Context, _ []sdktrace.ReadOnlySpan) error { <-ctx.Done(); return ctx.Err() }}
		p := NewSpanProcessor(exp, silent())
		endSpans(p, 0, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "3 spans lost")
		<-p.ended // long before the export timeout
		require.Equal(t, SpanStats{Received: 3, Lost: SpanLoss{ShutDown: 3}, Capacity: 2048}, p.Stats())
	})
}

func TestWaitingForAnotherShutdownKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		exp := &fakeExporter{shutdown: func(context.Context) error { <-release; return nil }}
		p := NewSpanProcessor(exp)
		go func() { _ = p.Shutdown(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Shutdown(ctx), context.DeadlineExceeded)
		close(release)
		<-p.ended
	})
}

func TestExporterShutdownFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(context.Context) error
		err   string
	}{
		{"panic", func(context.Context) error { panic("boom") }, "shutting down the exporter: it panicked: boom"},
		{"exit", func(context.Context) error { runtime.Goexit(); return nil }, ""},
		{"slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "export timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exp := &fakeExporter{shutdown: c.fault}
				p := NewSpanProcessor(exp)
				endSpans(p, 0, 3)
				if err := p.Shutdown(t.Context()); c.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.err)
				}
				<-p.ended
				require.Equal(t, 1, exp.shutdowns)
				require.EqualValues(t, 3, p.Stats().Exported)
			})
		})
	}
}

// TestExporterThatExitsDuringShutdown takes the worker away while it does its last pass.
func TestExporterThatExitsDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { runtime.Goexit(); return nil }}
		p := NewSpanProcessor(exp, WithQueueSize(3), WithBatchSize(2), silent())
		endSpans(p, 0, 3)
		start := time.Now()
		_ = p.Shutdown(t.Context())
		require.Zero(t, time.Since(start))
		require.Equal(t, SpanLoss{Panicked: 3}, p.Stats().Lost)
		require.Equal(t, 1, exp.shutdowns)
	})
}

// TestExporterThatEndsSpans is what an instrumented client does: a span per export, from within the export.
func TestExporterThatEndsSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *SpanProcessor
		exp := &fakeExporter{}
		exp.export = func(context.Context, []sdktrace.ReadOnlySpan) error {
			if exp.calls() <= 3 {
				p.OnEnd(stub("export"))
			}
			return nil
		}
		p = NewSpanProcessor(exp, WithQueueSize(2), WithBlockOnFull(time.Second), silent())
		endSpans(p, 0, 2)
		require.NoError(t, p.ForceFlush(t.Context()))
		require.Equal(t, []string{"0", "1"}, exp.names(), "a flush has an end")
		require.NoError(t, p.ForceFlush(t.Context()))
		require.NoError(t, p.Shutdown(t.Context()))
		requireBalance(t, p.Stats())
	})
}

func TestNilExporterLosesAloud(t *testing.T) {
	p := NewSpanProcessor(nil, silent())
	endSpans(p, 0, 2)
	require.ErrorIs(t, p.ForceFlush(t.Context()), errNoExporter)
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, SpanLoss{Failed: 2}, p.Stats().Lost)

	var typed *fakeExporter
	p = NewSpanProcessor(typed, silent())
	endSpans(p, 0, 2)
	require.ErrorContains(t, p.Shutdown(t.Context()), "panicked")
	require.Equal(t, SpanLoss{Panicked: 2}, p.Stats().Lost)
}
