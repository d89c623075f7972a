package otelprof

import (
	"context"

	"github.com/stichotrope/stichotrope-go/core"
)

// Site is a block whose name and call site were looked up in advance, for the tightest loops:
//
//	site := p.Site("parser", "token")
//	for ... {
//		t := site.Start()
//		...
//		t.End()
//	}
//
// Its observations are roots of the call tree. Get one from [Profiler.Site].
type Site struct {
	p     *Profiler
	label *core.Label
}

// Site returns the handle of a block. Its call site is the caller. It stays valid for good, also over Clear.
// That of a nil Profiler is nil, and measures nothing.
func (p *Profiler) Site(track, name string) *Site {
	if p == nil {
		return nil
	}
	key := core.Site{Track: track, Name: name, Kind: core.KindBlock}
	if p.finder != nil {
		if place := p.finder.Block(); place != nil {
			key.Function, key.File, key.Line = place.Function, place.File, place.Line
		}
	}
	return &Site{p: p, label: p.agg.Label(key)}
}

// Timer is one measurement of a [Site]. The zero value measures nothing. End it once.
type Timer struct {
	site  *Site
	start int64
}

// Start starts a measurement. It does not allocate.
func (s *Site) Start() Timer {
	if s == nil || !s.p.recording() {
		return Timer{}
	}
	return Timer{s, s.p.agg.Now()}
}

// End ends the measurement.
func (t Timer) End() { t.EndBytes(0) }

// EndBytes ends the measurement and says how many bytes were processed; n below 0 counts as 0.
func (t Timer) EndBytes(n int64) {
	if t.site == nil || !t.site.p.recording() {
		return
	}
	a := t.site.p.agg
	a.Record(t.site.label, &core.Observation{Start: t.start, Duration: a.Now() - t.start, Bytes: uint64(max(n, 0))})
}

// Time measures f as a block. A panic of f passes through, and the block is counted.
func (p *Profiler) Time(ctx context.Context, track, name string, f func(context.Context)) {
	b := p.Block(ctx, track, name)
	defer b.End()
	f(b.Context())
}

// TimeErr measures f as a block and counts an error if f returns one or panics. It returns what f returns.
func (p *Profiler) TimeErr(ctx context.Context, track, name string, f func(context.Context) error) error {
	b := p.Block(ctx, track, name)
	failed := true
	defer func() { b.end(failed) }()
	err := f(b.Context())
	failed = err != nil
	return err
}

// Wrap returns a function that measures f as a block each time it is called.
//
// It must not be inlined: the function that it returns would take the name of the caller, and pass for the call site.
//
//go:noinline
func (p *Profiler) Wrap(track, name string, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return p.TimeErr(ctx, track, name, f) }
}
