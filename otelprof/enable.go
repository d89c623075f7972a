package otelprof

import (
	"sync/atomic"
	"time"
)

// The switches have three levels: global, profiler, track. A span or block is recorded if the global switch and the
// profiler's are on when it starts and when it ends, and its track's is on when it ends: never half.
//
// Whether a switch was on at the start is known of spans whose start was looked at. Of the others (see Profiler.direct)
// the time of the start tells: it is taken for off from the first time that it was switched off to the last time that it
// was switched on.

// offPeriod is that period. It ends in the far future while the switch is off.
type offPeriod struct{ from, to time.Time }

// startSlack is by how much the period begins earlier: between the moment that the SDK takes for the start of a span and
// the look at the switch, the goroutine may have to wait.
const startSlack = time.Minute

// farFuture is later than every start.
func farFuture() time.Time { return time.Now().AddDate(200, 0, 0) }

var (
	globalOff atomic.Bool
	// globalPeriod is nil if the global switch was never off. Its times carry the monotonic clock.
	globalPeriod atomic.Pointer[offPeriod]
)

// SetGlobalEnabled switches all profilers of the process on or off (level 1). They are on at first. While off, a span
// costs a few nanoseconds.
func SetGlobalEnabled(on bool) { turn(&globalOff, &globalPeriod, on) }

// turn turns a switch and notes the period in which it was off.
func turn(off *atomic.Bool, period *atomic.Pointer[offPeriod], on bool) {
	if on == !off.Load() {
		return
	}
	p := offPeriod{from: time.Now().Add(-startSlack)}
	if known := period.Load(); known != nil {
		p.from = known.from
	}
	if on {
		off.Store(false)
		p.to = time.Now()
		period.Store(&p)
		return
	}
	p.to = farFuture()
	period.Store(&p)
	off.Store(true)
}

// GlobalEnabled reports whether the profilers of the process are on.
func GlobalEnabled() bool { return !globalOff.Load() }

// SetEnabled switches the profiler on or off (level 2), at any time, also while spans are open.
func (p *Profiler) SetEnabled(on bool) { turn(&p.off, &p.offPeriod, on) }

// Enabled reports whether the profiler's own switch is on.
func (p *Profiler) Enabled() bool { return !p.off.Load() }

// SetTrackEnabled switches a track on or off (level 3). While it is off its spans are left out of the profile, and their
// time and their children count for the span around them.
func (p *Profiler) SetTrackEnabled(track string, on bool) { p.agg.SetTrackEnabled(track, on) }

// TrackEnabled reports whether a track is on.
func (p *Profiler) TrackEnabled(track string) bool { return p.agg.TrackEnabled(track) }

func (p *Profiler) recording() bool {
	return !p.off.Load() && !globalOff.Load() && !p.stopped.Load()
}

// neverOff reports whether sawStart is true of any moment, because no switch was ever off.
func (p *Profiler) neverOff() bool { return p.offPeriod.Load() == nil && globalPeriod.Load() == nil }

// sawStart reports whether the switches were on at a moment, as far as is known: so that the profiler has seen the
// start of a span then, or would have if it had been registered.
func (p *Profiler) sawStart(moment int64) bool {
	return !p.wasOff(p.offPeriod.Load(), moment) && !p.wasOff(globalPeriod.Load(), moment)
}

func (p *Profiler) wasOff(o *offPeriod, moment int64) bool {
	return o != nil && moment >= p.agg.Moment(o.from) && moment < p.agg.Moment(o.to)
}
