package otelproftest_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stichotrope/stichotrope-go/otelprof"
	"github.com/stichotrope/stichotrope-go/otelprof/otelproftest"
)

// tracer stands for one in a package variable of the code under test, taken before any provider is set.
var tracer = otel.Tracer("package")

func TestStartGivesEachTestItsOwn(t *testing.T) {
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			fake := newFake(t)
			rec := otelproftest.Start(fake, nil)
			s := &shop{provider: rec.TracerProvider(), profiler: rec.Profiler()}
			s.category(context.Background(), n)
			rec.Site("shop", "load product").Calls(n)
			if text := fake.take(); text != "" {
				t.Error(text)
			}
		})
	}
	group.Wait()
}

func TestWithProvider(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSyncer(exported), sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.NeverSample())),
	)
	fake := newFake(t)
	rec := otelproftest.Start(fake, otelproftest.WithProvider(provider))
	require.Same(t, provider, rec.TracerProvider())
	s := &shop{provider: provider}
	s.query(t.Context(), "SELECT")
	rec.Site("sql", "SELECT").Calls(1)
	require.Empty(t, exported.GetSpans(), "the sampler still decides on the export")
	s.category(t.Context(), 1)

	fake.end()
	s.query(t.Context(), "SELECT")
	s.category(t.Context(), 5)
	rec.Site("sql", "SELECT").Calls(1)
	rec.Site("shop", "load product").Calls(1).AtMostPerParent(1)
	require.Empty(t, fake.take(), "the recorder has left the provider")
}

func TestWithGlobal(t *testing.T) {
	before := otel.GetTracerProvider()
	for range 2 { // the second test sees the spans of the tracer in the variable, too
		fake := newFake(t)
		rec := otelproftest.Start(fake, otelproftest.WithGlobal())
		require.Same(t, rec.TracerProvider(), otel.GetTracerProvider())
		for _, tr := range []string{"late", "package"} {
			start := tracer
			if tr == "late" {
				start = otel.Tracer(tr)
			}
			_, span := start.Start(t.Context(), "work")
			span.End()
			rec.Site(tr, "work").Calls(1)
		}

		second := newFake(t)
		done := make(chan struct{})
		go func() { // Fatalf ends its goroutine
			defer close(done)
			otelproftest.Start(second, otelproftest.WithGlobal())
		}()
		<-done
		require.True(t, second.fatal)
		require.Equal(t, "otelproftest: another test has the global TracerProvider: tests that use WithGlobal cannot run in parallel", second.take())

		require.Empty(t, fake.take())
		fake.end()
		require.Equal(t, before, otel.GetTracerProvider())
	}

	own := sdktrace.NewTracerProvider()
	fake := newFake(t)
	rec := otelproftest.Start(fake, otelproftest.WithGlobal(), otelproftest.WithProvider(own))
	require.Same(t, own, otel.GetTracerProvider())
	_, span := otel.Tracer("x").Start(t.Context(), "y")
	span.End()
	rec.Site("x", "y").Calls(1)
	require.Empty(t, fake.take())
}

func TestStartFailsOnABadOption(t *testing.T) {
	fake := newFake(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		otelproftest.Start(fake, otelproftest.WithProfiler(otelprof.WithName("")))
	}()
	<-done
	require.True(t, fake.fatal)
	require.Contains(t, fake.take(), "otelproftest: configuring otelprof: WithName: name is \"\"")
}

func TestReset(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	s := &shop{provider: rec.TracerProvider(), profiler: rec.Profiler(), fail: 3}
	s.category(t.Context(), 5)
	rec.Reset()
	s.fail = 0
	s.category(t.Context(), 1)
	rec.Site("sql", "*").Calls(2).NoErrors().AtMostPerCallOf(rec.Site("http", "*"), 2)
	require.Empty(t, fake.take())
}

// TestSwitchedOff: what the profiler leaves out is left out of single calls, too.
func TestSwitchedOff(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	s := &shop{provider: rec.TracerProvider(), profiler: rec.Profiler()}
	ctx, span := rec.TracerProvider().Tracer("http").Start(t.Context(), "GET")
	s.query(ctx, "SELECT")
	rec.Profiler().SetEnabled(false)
	s.query(ctx, "SELECT")
	rec.Profiler().SetEnabled(true)
	rec.Profiler().SetTrackEnabled("sql", false)
	s.query(ctx, "SELECT")
	rec.Profiler().SetTrackEnabled("sql", true)
	span.End()
	rec.Site("sql", "SELECT").Calls(1).AtMostPerParent(1)
	require.Empty(t, fake.take())
}

func TestConcurrentSafeRecorder(t *testing.T) {
	fake := newFake(t)
	rec := otelproftest.Start(fake)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s := &shop{provider: rec.TracerProvider(), profiler: rec.Profiler()}
			for range 10 {
				s.category(context.Background(), 3)
				s.render(context.Background(), 3)
			}
		})
		group.Go(func() {
			for range 10 {
				rec.Site("sql", "*").MaxCalls(1000)
				rec.NoErrors()
			}
		})
	}
	group.Wait()
	rec.Site("sql", "*").Calls(160).AtMostPerParent(1)
	rec.Site("view", "part").Calls(120).AtMostPerParent(3)
	rec.AllEnded()
	require.Empty(t, fake.take())
}
