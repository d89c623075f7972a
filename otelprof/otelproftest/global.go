package otelproftest

import (
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// globalProvider is the provider of all tests that use WithGlobal and bring none. It has to be the same for all: tracers
// in package variables belong for good to the first provider that became the global one. Recorders come and go as its
// span processors.
var globalProvider = sync.OnceValue(func() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.AlwaysSample())))
})

// globalTaken is locked while a test has the global provider.
var globalTaken sync.Mutex

// takeGlobal makes a provider, nil for globalProvider, the global one until the test ends.
func takeGlobal(tb testing.TB, provider *sdktrace.TracerProvider) *sdktrace.TracerProvider {
	tb.Helper()
	if !globalTaken.TryLock() {
		tb.Fatalf("otelproftest: another test has the global TracerProvider: tests that use WithGlobal cannot run in parallel")
	}
	if provider == nil {
		provider = globalProvider()
	}
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	tb.Cleanup(func() {
		otel.SetTracerProvider(before)
		globalTaken.Unlock()
	})
	return provider
}
