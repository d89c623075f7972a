package exporter

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// blocked returns a processor whose exporter hangs with one span, and whose queue of two is full.
func blocked(release chan struct{}) (*SpanProcessor, *fakeExporter) {
	exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
	p := NewSpanProcessor(exp, WithQueueSize(2), WithBatchSize(1), WithBlockOnFull(time.Second), silent())
	endSpans(p, 0, 1)
	synctest.Wait()
	endSpans(p, 1, 2)
	return p, exp
}

func TestBlockOnFullWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p, exp := blocked(release)
		start := time.Now()
		time.AfterFunc(time.Second/2, func() { close(release) })
		endSpans(p, 3, 1)
		require.Equal(t, time.Second/2, time.Since(start))
		require.NoError(t, p.Shutdown(t.Context()))
		require.Equal(t, []string{"0", "1", "2", "3"}, exp.names())
	})
}

func TestBlockOnFullHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p, _ := blocked(release)
		start := time.Now()
		endSpans(p, 3, 1)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, SpanLoss{QueueFull: 1}, p.Stats().Lost)
		close(release)
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestBlockOnFullEndsWithShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p, _ := blocked(release)
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { endSpans(p, 3, 1) })
		}
		synctest.Wait()
		requireBalance(t, p.Stats())
		wg.Go(func() { _ = p.Shutdown(context.Background()) })
		synctest.Wait()
		require.Equal(t, SpanLoss{ShutDown: 3}, p.Stats().Lost)
		require.Zero(t, time.Since(start))
		close(release)
		wg.Wait()
		require.EqualValues(t, 3, p.Stats().Exported)
	})
}

// TestBlockOnFullConcurrentSafe loses nothing, however small the queue.
func TestBlockOnFullConcurrentSafe(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithQueueSize(3), WithBatchSize(2), WithBlockOnFull(time.Minute))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { endSpans(p, 0, 200) })
	}
	wg.Wait()
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, SpanStats{Received: 1600, Exported: 1600, Capacity: 3}, p.Stats())
}
