package exporter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestSpansAreExportedInOrder(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithBatchSize(7), WithQueueSize(1000))
	var want []string
	for len(want) < 900 {
		want = append(want, endSpans(p, len(want), 1+rand.IntN(20))...)
		if rand.IntN(10) == 0 {
			require.NoError(t, p.ForceFlush(t.Context()))
			require.Equal(t, want, exp.names())
		}
	}
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, want, exp.names())
	for _, b := range exp.batches {
		require.LessOrEqual(t, len(b), 7)
	}
	require.Equal(t, SpanStats{Received: uint64(len(want)), Exported: uint64(len(want)), Capacity: 1000}, p.Stats())
}

func TestRealSpansArriveWhole(t *testing.T) {
	var got []string
	exp := &fakeExporter{export: func(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
		for _, s := range spans {
			got = append(got, fmt.Sprint(s.Name(), s.Attributes()))
		}
		return nil
	}}
	p := NewSpanProcessor(exp)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p))
	_, span := tp.Tracer("test").Start(t.Context(), "old")
	span.SetName("new")
	span.SetAttributes(attribute.Int("n", 1))
	span.End()
	require.NoError(t, tp.ForceFlush(t.Context()))
	require.NoError(t, tp.Shutdown(t.Context()))
	require.Equal(t, []string{fmt.Sprint("new", []attribute.KeyValue{attribute.Int("n", 1)})}, got)
}

func TestBatchIsExportedWhenFullOrDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exp := &fakeExporter{}
		p := NewSpanProcessor(exp, WithBatchSize(4), WithBatchDelay(time.Minute))
		endSpans(p, 0, 3)
		synctest.Wait()
		require.Zero(t, exp.calls(), "the batch is neither full nor due")
		endSpans(p, 3, 3)
		synctest.Wait()
		require.Equal(t, []string{"0", "1", "2", "3"}, exp.names(), "a full batch does not wait")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, exp.names(), 6, "the rest was due")
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

func TestUnsampledSpansAreNoLoss(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp)
	p.OnEnd(stub("a", unsampled))
	require.NoError(t, p.Shutdown(t.Context()))
	require.Zero(t, exp.calls())
	require.Equal(t, SpanStats{Capacity: defaultQueueSize}, p.Stats())
}

func TestSpansAfterShutdownAreCounted(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp)
	endSpans(p, 0, 1)
	require.NoError(t, p.Shutdown(t.Context()))
	endSpans(p, 1, 2)
	require.NoError(t, p.ForceFlush(t.Context()), "ignored")
	require.Equal(t, []string{"0"}, exp.names())
	require.Equal(t, SpanLoss{ShutDown: 2}, p.Stats().Lost)
	requireBalance(t, p.Stats())
}

func TestShutdownTwice(t *testing.T) {
	boom := errors.New("boom")
	exp := &fakeExporter{shutdown: func(context.Context) error { return boom }}
	p := NewSpanProcessor(exp)
	require.ErrorIs(t, p.Shutdown(t.Context()), boom)
	require.NoError(t, p.Shutdown(t.Context()))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, p.Shutdown(cancelled), "it has ended, so there is nothing to wait for")
	require.Equal(t, 1, exp.shutdowns)
}

func TestShutdownConcurrentSafe(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithBatchSize(10))
	endSpans(p, 0, 95)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := p.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if n := len(exp.names()); n != 95 {
				t.Errorf("Shutdown returned after %d spans", n)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, exp.shutdowns)
}

func TestForceFlushConcurrentSafe(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp, WithBatchSize(3))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				name := strconv.Itoa(g*100 + i)
				p.OnEnd(stub(name))
				if err := p.ForceFlush(context.Background()); err != nil {
					t.Error(err)
				}
				if !contains(exp.names(), name) {
					t.Errorf("span %s was not flushed", name)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, p.Shutdown(t.Context()))
	require.EqualValues(t, 80, p.Stats().Exported)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// TestAccountingConcurrentSafe lets everything happen at once with an exporter that does all it should not.
func TestAccountingConcurrentSafe(t *testing.T) {
	const writers, each = 8, 500
	exp := &fakeExporter{}
	exp.export = func(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
		switch rand.IntN(8) {
		case 0:
			return errors.New("no")
		case 1:
			panic("no")
		case 2:
			<-ctx.Done()
			return ctx.Err()
		case 3:
			<-ctx.Done() // late, and yet it says that it delivered
		}
		return nil
	}
	p := NewSpanProcessor(exp, WithQueueSize(64), WithBatchSize(16), WithExportTimeout(50*time.Microsecond), silent())
	stop := make(chan struct{})
	var readers, all sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s := p.Stats()
				if s.Received != s.Exported+s.Lost.Total()+s.Queued+s.Exporting {
					t.Errorf("out of balance: %+v", s)
				}
			}
		}
	})
	for g := range writers {
		all.Go(func() {
			for i := range each {
				p.OnEnd(stub("x"))
				if i%100 == g {
					_ = p.ForceFlush(context.Background())
				}
			}
		})
	}
	all.Wait()
	_ = p.Shutdown(context.Background()) // fails when the last export does
	<-p.ended
	close(stop)
	readers.Wait()
	s := p.Stats()
	requireBalance(t, s)
	require.EqualValues(t, writers*each, s.Received)
	require.Zero(t, s.Queued+s.Exporting)
	require.EqualValues(t, exp.delivered, s.Exported+s.Late)
	require.Zero(t, exp.overlaps)
}

func TestOnEndDoesNotAllocate(t *testing.T) {
	release := make(chan struct{})
	exp := &fakeExporter{export: func(context.Context, []sdktrace.ReadOnlySpan) error { <-release; return nil }}
	p := NewSpanProcessor(exp, WithQueueSize(4096), WithBatchSize(4096), silent())
	sampled, not := stub("a"), stub("b", unsampled)
	require.Zero(t, testing.AllocsPerRun(1000, func() { p.OnEnd(sampled) }), "with room")
	require.Zero(t, testing.AllocsPerRun(1000, func() { p.OnEnd(not) }), "not sampled")
	endSpans(p, 0, 2*4096) // one batch under way, then a full queue
	require.Zero(t, testing.AllocsPerRun(1000, func() { p.OnEnd(sampled) }), "without room")
	close(release)
	require.NoError(t, p.Shutdown(t.Context()))
	requireBalance(t, p.Stats())
}

func TestNilContextHasADeadlineToo(t *testing.T) {
	exp := &fakeExporter{}
	p := NewSpanProcessor(exp)
	endSpans(p, 0, 1)
	var none context.Context
	require.NoError(t, p.ForceFlush(none))
	require.Equal(t, []string{"0"}, exp.names())
	require.NoError(t, p.Shutdown(none))
}
