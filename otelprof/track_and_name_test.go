package otelprof

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// nameLog notes what TrackAndName says of every span.
type nameLog struct {
	noProcessor
	p     *Profiler
	names map[[2]string]uint64
}

func (l *nameLog) OnEnd(s sdktrace.ReadOnlySpan) {
	track, name := l.p.TrackAndName(s)
	l.names[[2]string{track, name}]++
}

func TestTrackAndNameAgreesWithTheProfile(t *testing.T) {
	for name, opts := range map[string][]Option{
		"default":    nil,
		"normalized": {WithNormalizeNames(true)},
		"own": {WithNameNormalizer(func(n string) string { return n[:3] }),
			WithTrack(func(s sdktrace.ReadOnlySpan) string { return "t/" + s.InstrumentationScope().Name })},
		"panics": {WithNameNormalizer(func(string) string { panic("name") }), WithTrack(func(sdktrace.ReadOnlySpan) string { panic("track") })},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProfiler(t, opts...)
			log := &nameLog{p: p, names: map[[2]string]uint64{}}
			options := append(p.TracerProviderOptions(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(log))
			tp := sdktrace.NewTracerProvider(options...)
			for _, name := range []string{"GET /users/17", "GET /users/18", "GET /", "DELETE /users/9d2c1f0e-11f0-4a5c-9c3e-0242ac120002"} {
				for _, scope := range []string{"a", "b"} {
					_, span := tp.Tracer(scope).Start(context.Background(), name)
					span.End()
				}
			}
			counted := map[[2]string]uint64{}
			for _, b := range p.Snapshot().Blocks {
				counted[[2]string{b.Site.Track, b.Site.Name}] += b.Stats.Count
			}
			require.Equal(t, counted, log.names)
		})
	}
}
