package otelproftest

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// Recorder profiles the spans and blocks of one test. Get one from [Start]. It is safe for concurrent use.
type Recorder struct {
	tb       testing.TB
	profiler *otelprof.Profiler
	provider *sdktrace.TracerProvider
	log      *callLog
}

// Option configures [Start].
type Option interface {
	apply(*settings)
}

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

type settings struct {
	profiler []otelprof.Option
	provider *sdktrace.TracerProvider
	global   bool
}

// WithProfiler configures the profiler, for example its limits or its tracks. OTELPROF_* variables apply to it as to
// any other.
func WithProfiler(opts ...otelprof.Option) Option {
	return optionFunc(func(s *settings) { s.profiler = append(s.profiler, opts...) })
}

// WithProvider attaches the recorder to a provider that exists, until the test ends. The recorder then sees the spans
// that the provider's sampler records; a provider made with [sdktrace.AlwaysRecord] records all.
func WithProvider(provider *sdktrace.TracerProvider) Option {
	return optionFunc(func(s *settings) { s.provider = provider })
}

// WithGlobal makes the recorder's provider the global one until the test ends, for code that calls otel.Tracer. Only
// one test at a time can have it: Start fails in a second one that runs in parallel.
//
// Tracers that were taken from otel.Tracer before any provider was set, such as those in package variables, work in all
// tests that use WithGlobal. Those taken from another provider keep to it: see [WithProvider].
func WithGlobal() Option {
	return optionFunc(func(s *settings) { s.global = true })
}

// Start starts recording for a test, and ends it when the test ends. It fails the test at once if an option is wrong.
func Start(tb testing.TB, opts ...Option) *Recorder {
	tb.Helper()
	var s settings
	for _, o := range opts {
		if o != nil {
			o.apply(&s)
		}
	}
	profiler, err := otelprof.New(append([]otelprof.Option{otelprof.WithName("test"), otelprof.WithEnabled(true)}, s.profiler...)...)
	if err != nil {
		tb.Fatalf("otelproftest: %v", err)
	}
	r := &Recorder{tb: tb, profiler: profiler, provider: s.provider, log: newCallLog(profiler)}
	if s.global {
		r.provider = takeGlobal(tb, s.provider)
	}
	if r.provider != nil {
		r.attach()
		return r
	}
	options := append(profiler.TracerProviderOptions(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(r.log))
	r.provider = sdktrace.NewTracerProvider(options...)
	tb.Cleanup(func() { _ = r.provider.Shutdown(context.Background()) }) // neither processor can fail
	return r
}

// attach registers the recorder with a provider that others use, too.
func (r *Recorder) attach() {
	r.provider.RegisterSpanProcessor(r.profiler)
	r.provider.RegisterSpanProcessor(r.log)
	r.tb.Cleanup(func() {
		r.provider.UnregisterSpanProcessor(r.log)
		r.provider.UnregisterSpanProcessor(r.profiler)
	})
}

// TracerProvider returns the provider to give to the code under test.
func (r *Recorder) TracerProvider() *sdktrace.TracerProvider { return r.provider }

// Profiler returns the profiler, for blocks and switches.
func (r *Recorder) Profiler() *otelprof.Profiler { return r.profiler }

// Snapshot returns what was recorded up to now, for checks of your own.
func (r *Recorder) Snapshot() *core.Snapshot { return r.profiler.Snapshot() }

// Reset forgets what has ended, for example after setting up or between two phases of a test.
func (r *Recorder) Reset() {
	r.log.reset()
	r.profiler.Reset()
}
