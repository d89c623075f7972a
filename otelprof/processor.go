package otelprof

import (
	"context"
	rtrace "runtime/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

var _ sdktrace.SpanProcessor = (*Profiler)(nil)

// OnStart notes that a span started. It is called by the SDK.
//
// It reads only what cannot be had at the end: the parent and the place on the stack. Names, times and attributes are
// read from the snapshot of the span at its end, where they are final and cost no lock.
func (p *Profiler) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	if !p.recording() {
		return
	}
	if p.direct {
		return
	}
	defer p.recovered()
	o := core.Opening{Ref: s}
	if p.finder != nil {
		o.Place = p.finder.Span()
	}
	p.identify(s, &o)
	if p.contexts.Load() {
		p.adopt(ctx, s, &o)
	}
	p.agg.Open(&o)
}

// identify reads the ids of a span and of its local parent.
func (p *Profiler) identify(s sdktrace.ReadWriteSpan, o *core.Opening) {
	var sc, parent *trace.SpanContext
	if p.fast != nil {
		sc, parent = p.fast.spanContexts(s)
	}
	if sc == nil {
		span, above := s.SpanContext(), s.Parent()
		sc, parent = &span, &above
	}
	o.Trace, o.Span = core.TraceID(sc.TraceID()), core.SpanID(sc.SpanID())
	if parent.HasSpanID() && !parent.IsRemote() {
		o.Parent = core.SpanID(parent.SpanID())
	}
}

// OnEnd records a span. It is called by the SDK.
func (p *Profiler) OnEnd(s sdktrace.ReadOnlySpan) {
	recording := p.recording()
	if !recording && p.direct {
		return
	}
	defer p.recovered()
	var v spanView
	if p.fast == nil || !p.fast.read(s, &v) {
		v.read(s)
	}
	var c core.Closing // filled field by field: see spanView
	c.Trace, c.Span, c.Exemplar = core.TraceID(v.traceID), core.SpanID(v.spanID), core.SpanID(v.spanID)
	c.Start, c.Duration = p.agg.Moment(v.start), int64(v.end.Sub(v.start))
	c.Failed, c.Sampled, c.Discard = v.failed, v.sampled, !recording
	c.Label = p.label(s, &v)
	c.Unstarted = p.sawStart(c.Start)
	if p.direct {
		p.record(&c)
		return
	}
	if a := p.adoption(c.Trace); a != nil {
		p.closeAdopted(a, &c)
		return
	}
	p.agg.Close(&c)
}

// record counts a span of which the start was not looked at.
func (p *Profiler) record(c *core.Closing) {
	if !c.Unstarted {
		return // it started while the profiler was off
	}
	if rtrace.IsEnabled() {
		// The SDK may end a span twice while the execution tracer is on: let the aggregator look.
		p.agg.Close(c)
		return
	}
	p.agg.Record(c.Label, &core.Observation{
		Start: c.Start, Duration: c.Duration, Trace: c.Trace, Span: c.Span, Failed: c.Failed, Sampled: c.Sampled,
	})
}

// describe names an open span for a snapshot, see core.Config.
func (p *Profiler) describe(ref any) (*core.Label, int64) {
	switch r := ref.(type) {
	case sdktrace.ReadWriteSpan:
		defer p.recovered()
		// Not the attributes: on an open span that would force a copy.
		v := spanView{name: r.Name(), scope: r.InstrumentationScope().Name, kind: r.SpanKind()}
		return p.label(r, &v), p.agg.Moment(r.StartTime())
	case *core.Label:
		return r, unknownStart
	}
	return nil, unknownStart
}

// recovered keeps a panic, which could only come from a function that the user gave us, out of the user's code.
func (p *Profiler) recovered() {
	if r := recover(); r != nil {
		p.agg.Recovered()
	}
}
