package otelprof

import sdktrace "go.opentelemetry.io/otel/sdk/trace"

// TrackAndName returns the track and the name under which the profiler counts an ended span, before limits cut them. It is
// for span processors that stand next to the profiler and have to agree with it.
func (p *Profiler) TrackAndName(s sdktrace.ReadOnlySpan) (track, name string) {
	track, name = s.InstrumentationScope().Name, s.Name()
	if p.config.track != nil {
		p.customTrack(s, &track)
	}
	if normalize := p.config.normalizer(); normalize != nil {
		p.normalize(normalize, &name)
	}
	return track, name
}
