package otelprof

import (
	"math"
	"sync/atomic"
	"time"
)

// The switches have three levels: global, profiler, track. A span or block is recorded if the global switch and the
// profiler's are on when it starts and when it ends, and its track's is on when it ends: never half. Where starts are not
// looked at, for statistics alone, a span is left out too if a switch was off in between.

var (
	globalOff atomic.Bool
	// globalSince is when the global switch was last switched on; nil if never. It carries the monotonic clock, by which
	// each profiler compares it.
	globalSince atomic.Pointer[time.Time]
)

// SetGlobalEnabled switches all profilers of the process on or off (level 1). They are on at first. While off, a span
// costs a few nanoseconds.
func SetGlobalEnabled(on bool) {
	if on && globalOff.Load() {
		never := time.Unix(math.MaxInt32, 0).AddDate(100, 0, 0)
		globalSince.Store(&never) // in between, no span whose start was not seen counts
		globalOff.Store(false)
		now := time.Now()
		globalSince.Store(&now)
		return
	}
	globalOff.Store(!on)
}

// GlobalEnabled reports whether the profilers of the process are on.
func GlobalEnabled() bool { return !globalOff.Load() }

// SetEnabled switches the profiler on or off (level 2), at any time, also while spans are open.
func (p *Profiler) SetEnabled(on bool) {
	if on && !p.on.Load() {
		p.onSince.Store(math.MaxInt64) // see SetGlobalEnabled
		p.on.Store(true)
		p.onSince.Store(p.agg.Now())
		return
	}
	p.on.Store(on)
}

// Enabled reports whether the profiler's own switch is on.
func (p *Profiler) Enabled() bool { return p.on.Load() }

// SetTrackEnabled switches a track on or off (level 3). While it is off its spans are left out of the profile, and their
// time and their children count for the span around them.
func (p *Profiler) SetTrackEnabled(track string, on bool) { p.agg.SetTrackEnabled(track, on) }

// TrackEnabled reports whether a track is on.
func (p *Profiler) TrackEnabled(track string) bool { return p.agg.TrackEnabled(track) }

func (p *Profiler) recording() bool {
	return p.on.Load() && !globalOff.Load() && !p.stopped.Load()
}

// sawStart reports whether the profiler was on at a moment, so that it has seen a span that started then, or would
// have if it had been registered.
func (p *Profiler) sawStart(moment int64) bool {
	since := p.onSince.Load()
	if global := globalSince.Load(); global != nil {
		since = max(since, p.agg.Moment(*global))
	}
	return since == 0 || moment >= since
}
