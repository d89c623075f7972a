package otelprof

import (
	"context"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// fastAccess reads the private fields of the SDK's spans in place of the accessors, which copy the whole span each time
// (at the end) or take its lock (at the start). It is used only for spans of exactly the types that were checked:
// each field was found by name and type through reflection, and what it holds compared with the accessor, on
// spans made for that purpose. With any other SDK or any other span the accessors are used.
//
// Only fields that never change are read: the span at its end is a snapshot of its own, and of the live span
// at its start the ids and the parent, which are set before anyone else sees it.
type fastAccess struct {
	ended, started unsafe.Pointer // the itabs of the checked types

	// Of the ended span, the live one and trace.SpanContext:
	name, context, kind, begin, finish, attributes, status, scope uintptr
	startedContext, startedParent                                 uintptr
	traceID, spanID, flags, remote                                uintptr
}

// sdkAccess returns the fast access to the SDK that is linked in, nil if it is not as expected.
var sdkAccess = sync.OnceValue(func() *fastAccess { return (&probe{}).run() })

// run shows the probe some spans and returns the access that read all of them right, or nil.
func (p *probe) run() *fastAccess {
	tp := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(p), sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(resource.Empty()),
	)
	ctx, parent := tp.Tracer("otelprof/probe").Start(context.Background(), "parent", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tp.Tracer("otelprof/probe/child").Start(ctx, "child", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("key", "value"), attribute.Int("other", 2)))
	child.SetStatus(codes.Error, "probe")
	child.End()
	elsewhere := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	_, remote := tp.Tracer("otelprof/probe").Start(trace.ContextWithSpanContext(context.Background(), elsewhere), "remote parent")
	remote.End()
	parent.End(trace.WithTimestamp(time.Now().Add(time.Second)))
	return p.access
}

// probe is a processor that derives the layout from the first span and drops it again if any span disagrees.
type probe struct {
	access *fastAccess
	failed bool
}

func (p *probe) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	if p.access == nil && !p.failed {
		p.access = &fastAccess{}
		p.check(p.access.learnStarted(s))
	}
	if p.access != nil {
		var got, want core.Opening
		ok := p.access.start(s, &got)
		readStart(s, &want)
		p.check(ok && got == want)
	}
}

func (p *probe) OnEnd(s sdktrace.ReadOnlySpan) {
	if p.access == nil {
		return
	}
	if p.access.ended == nil {
		p.check(p.access.learnEnded(s))
	}
	if p.access != nil {
		var got, want endedSpan
		ok := p.access.end(s, &got)
		want.read(s, true)
		want.identify(s)
		p.check(ok && reflect.DeepEqual(got, want))
	}
}

func (p *probe) check(ok bool) {
	if !ok {
		p.access, p.failed = nil, true
	}
}

func (*probe) Shutdown(context.Context) error   { return nil }
func (*probe) ForceFlush(context.Context) error { return nil }

func (f *fastAccess) learnStarted(s sdktrace.ReadWriteSpan) bool {
	t := structBehind(s)
	f.started, _ = words(unsafe.Pointer(&s))
	sc := reflect.TypeFor[trace.SpanContext]()
	return field[trace.SpanContext](t, "spanContext", &f.startedContext) &&
		field[trace.SpanContext](t, "parent", &f.startedParent) &&
		field[trace.TraceID](sc, "traceID", &f.traceID) &&
		field[trace.SpanID](sc, "spanID", &f.spanID) &&
		field[trace.TraceFlags](sc, "traceFlags", &f.flags) &&
		field[bool](sc, "remote", &f.remote)
}

func (f *fastAccess) learnEnded(s sdktrace.ReadOnlySpan) bool {
	t := structBehind(s)
	f.ended, _ = words(unsafe.Pointer(&s))
	return field[string](t, "name", &f.name) &&
		field[trace.SpanContext](t, "spanContext", &f.context) &&
		field[trace.SpanKind](t, "spanKind", &f.kind) &&
		field[time.Time](t, "startTime", &f.begin) &&
		field[time.Time](t, "endTime", &f.finish) &&
		field[[]attribute.KeyValue](t, "attributes", &f.attributes) &&
		field[sdktrace.Status](t, "status", &f.status) &&
		field[instrumentation.Scope](t, "instrumentationScope", &f.scope)
}

// structBehind returns the type of the struct that an interface points at, nil if it holds no such pointer.
func structBehind(v any) reflect.Type {
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		return t.Elem()
	}
	return nil
}

// field finds the offset of a field with a name and the type T.
func field[T any](t reflect.Type, name string, offset *uintptr) bool {
	if t == nil {
		return false
	}
	f, ok := t.FieldByName(name)
	*offset = f.Offset
	return ok && len(f.Index) == 1 && f.Type == reflect.TypeFor[T]()
}

// words returns the two words of an interface with methods: its itab, which is one for each type, and its pointer.
func words(iface unsafe.Pointer) (itab, data unsafe.Pointer) {
	w := (*[2]unsafe.Pointer)(iface)
	return w[0], w[1]
}

// start reads the ids of a live span and of its local parent. It returns false if the span is of another type.
func (f *fastAccess) start(s sdktrace.ReadWriteSpan, o *core.Opening) bool {
	itab, data := words(unsafe.Pointer(&s))
	if itab != f.started || data == nil {
		return false
	}
	span, parent := unsafe.Add(data, f.startedContext), unsafe.Add(data, f.startedParent)
	o.Trace, o.Span = *(*core.TraceID)(unsafe.Add(span, f.traceID)), *(*core.SpanID)(unsafe.Add(span, f.spanID))
	if !*(*bool)(unsafe.Add(parent, f.remote)) {
		o.Parent = *(*core.SpanID)(unsafe.Add(parent, f.spanID))
	}
	return true
}

// snapshot returns where an ended span lies, nil if it is of another type.
func (f *fastAccess) snapshot(s sdktrace.ReadOnlySpan) unsafe.Pointer {
	if itab, data := words(unsafe.Pointer(&s)); itab == f.ended {
		return data
	}
	return nil
}

func (f *fastAccess) siteOf(span unsafe.Pointer) (track, name string, kind core.Kind) {
	return (*instrumentation.Scope)(unsafe.Add(span, f.scope)).Name,
		*(*string)(unsafe.Add(span, f.name)),
		core.Kind(*(*trace.SpanKind)(unsafe.Add(span, f.kind)))
}

func (f *fastAccess) startOf(span unsafe.Pointer) time.Time {
	return *(*time.Time)(unsafe.Add(span, f.begin))
}

func (f *fastAccess) endOf(span unsafe.Pointer) time.Time {
	return *(*time.Time)(unsafe.Add(span, f.finish))
}

func (f *fastAccess) failed(span unsafe.Pointer) bool {
	return (*sdktrace.Status)(unsafe.Add(span, f.status)).Code == codes.Error
}

// end reads all of an ended span. It returns false if the span is of another type.
func (f *fastAccess) end(s sdktrace.ReadOnlySpan, e *endedSpan) bool {
	span := f.snapshot(s)
	if span == nil {
		return false
	}
	sc := unsafe.Add(span, f.context)
	e.Trace, e.Span = *(*core.TraceID)(unsafe.Add(sc, f.traceID)), *(*core.SpanID)(unsafe.Add(sc, f.spanID))
	e.Sampled = (*(*trace.TraceFlags)(unsafe.Add(sc, f.flags))).IsSampled()
	e.scope, e.name, e.kind = f.siteOf(span)
	e.start = f.startOf(span)
	e.Duration = int64(f.endOf(span).Sub(e.start))
	e.Failed = f.failed(span)
	e.attributes = *(*[]attribute.KeyValue)(unsafe.Add(span, f.attributes))
	return true
}
