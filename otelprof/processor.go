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
	var c core.Closing // filled field by field: see endedSpan
	c.Trace, c.Span, c.Exemplar = e.trace, e.span, e.span
	c.Start, c.Duration = p.agg.Moment(e.start), int64(e.duration)
	c.Failed, c.Sampled, c.Discard = e.failed, e.sampled, discard
	c.Label = p.label(s, e)
	c.Unstarted = p.sawStart(c.Start)
	if a := p.adoption(&c.Trace); a != nil {
		p.closeAdopted(a, &c)
		return
	}
	p.agg.Close(&c)
}

// count counts a span of which the start was not looked at. Its ids are read only where they are needed.
func (p *Profiler) count(s sdktrace.ReadOnlySpan, e *endedSpan) {
	start := p.agg.Moment(e.start)
	if !p.sawStart(start) {
		return // it started while the profiler was off
	}
	label, guarded := p.label(s, e), rtrace.IsEnabled()
	var o core.Observation
	o.Start, o.Duration, o.Failed = start, int64(e.duration), e.failed
	if !guarded && p.agg.RecordPlain(label, &o) {
		return
	}
	e.identify(s)
	if !guarded {
		o.Trace, o.Span, o.Sampled = e.trace, e.span, e.sampled
		p.agg.Record(label, &o)
		return
	}
	// The SDK may end a span twice while the execution tracer is on: let the aggregator look.
	p.agg.Close(&core.Closing{
		Trace: e.trace, Span: e.span, Label: label, Start: start, Duration: o.Duration, Exemplar: e.span,
		Failed: e.failed, Sampled: e.sampled, Unstarted: true,
	})
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
