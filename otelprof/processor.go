package otelprof

import (
	"context"
	rtrace "runtime/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

var _ sdktrace.SpanProcessor = (*Profiler)(nil)

// OnStart notes that a span started. It is called by the SDK.
//
// It reads only what cannot be had at the end: the parent and the place on the stack. Names, times and attributes are
// read from the snapshot of the span at its end, where they are final and cost no lock.
func (p *Profiler) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	if p.direct || !p.recording() {
		return
	}
	done := false
	defer func() { // asks whether there is a panic only if there is one: that takes longer
		if !done {
			p.recovered(recover())
		}
	}()
	o := core.Opening{Ref: s}
	if p.finder != nil {
		o.Place = p.finder.Span()
	}
	if p.fast == nil || !p.fast.start(s, &o) {
		readStart(s, &o)
	}
	if p.contexts.Load() {
		p.adopt(ctx, s, &o)
	}
	p.agg.Open(&o)
	done = true
}

// readStart reads the ids of a span and of its local parent by the public accessors.
func readStart(s sdktrace.ReadWriteSpan, o *core.Opening) {
	sc, parent := s.SpanContext(), s.Parent()
	o.Trace, o.Span = core.TraceID(sc.TraceID()), core.SpanID(sc.SpanID())
	if !parent.IsRemote() {
		o.Parent = core.SpanID(parent.SpanID())
	}
}

// OnEnd records a span. It is called by the SDK.
func (p *Profiler) OnEnd(s sdktrace.ReadOnlySpan) {
	recording := p.recording()
	if !recording && p.direct {
		return
	}
	done := false
	defer func() {
		if !done {
			p.recovered(recover())
		}
	}()
	if p.atOnce && p.countAtOnce(s) {
		done = true
		return
	}
	var e endedSpan
	if p.fast == nil || !p.fast.end(s, &e) {
		e.read(s, p.config.callSite != CallSiteOff)
	}
	if p.direct {
		p.count(s, &e)
	} else {
		p.end(s, &e, !recording)
	}
	done = true
}

// end closes what OnStart opened.
func (p *Profiler) end(s sdktrace.ReadOnlySpan, e *endedSpan, discard bool) {
	e.identify(s)
	e.Exemplar, e.Start, e.Discard = e.Span, p.agg.Moment(e.start), discard
	e.Label = p.label(s, e)
	e.Unstarted = p.neverOff() || p.sawStart(e.Start)
	if a := p.adoption(&e.Trace); a != nil {
		p.closeAdopted(a, &e.Closing)
		return
	}
	p.agg.Close(&e.Closing)
}

// count counts a span of which the start was not looked at. Its ids are read only where they are needed.
func (p *Profiler) count(s sdktrace.ReadOnlySpan, e *endedSpan) {
	e.Start = p.agg.Moment(e.start)
	e.Unstarted = p.neverOff() || p.sawStart(e.Start)
	if !e.Unstarted {
		return // it started while the profiler was off
	}
	e.Label = p.label(s, e)
	guarded := rtrace.IsEnabled()
	if !guarded && !e.Failed && p.agg.RecordPlain(e.Label, e.Start, e.Duration) {
		return
	}
	e.identify(s)
	if guarded {
		// The SDK may end a span twice while the execution tracer is on: let the aggregator look.
		e.Exemplar = e.Span
		p.agg.Close(&e.Closing)
		return
	}
	p.agg.Record(e.Label, &core.Observation{
		Start: e.Start, Duration: e.Duration, Trace: e.Trace, Span: e.Span, Failed: e.Failed, Sampled: e.Sampled,
	})
}

// countAtOnce is count for nearly all spans of a profiler that wants nothing else: it does without a copy of what it
// reads. It returns false if it does not know what to do with this one.
func (p *Profiler) countAtOnce(s sdktrace.ReadOnlySpan) bool {
	f := p.fast
	span := f.snapshot(s)
	if span == nil || f.failed(span) || rtrace.IsEnabled() || !p.neverOff() {
		return false
	}
	track, name, kind := f.siteOf(span)
	label := p.labels.find(track, name, kind)
	if label == nil {
		return false
	}
	start := f.startOf(span)
	return p.agg.RecordPlain(label, p.agg.Moment(start), int64(f.endOf(span).Sub(start)))
}

// describe names an open span for a snapshot, see core.Config.
func (p *Profiler) describe(ref any) (*core.Label, int64) {
	switch r := ref.(type) {
	case sdktrace.ReadWriteSpan:
		defer func() { p.recovered(recover()) }()
		// Not the attributes: on an open span that would force a copy.
		e := endedSpan{name: r.Name(), scope: r.InstrumentationScope().Name, kind: core.Kind(r.SpanKind())}
		return p.label(r, &e), p.agg.Moment(r.StartTime())
	case *core.Label:
		return r, unknownStart
	}
	return nil, unknownStart
}

// recovered counts a panic, if there was one. Recovering keeps it out of the user's code; it could only come from a function
// that the user gave us, or from a mistake of ours.
func (p *Profiler) recovered(panicked any) {
	if panicked != nil {
		p.agg.Recovered()
	}
}
