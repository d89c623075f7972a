package callsite_test

import (
	"context"
	"runtime"
	"strings"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

// processor is a span processor that does nothing.
type processor struct{}

func (processor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (processor) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (processor) ForceFlush(context.Context) error                { return nil }
func (processor) Shutdown(context.Context) error                  { return nil }

// sighting is what is known about the start of one span.
type sighting struct {
	// walked and called are what a finder says by frame pointers and by runtime.Callers.
	walked, called *callsite.Location
	// oracle is what a plain reading of the whole stack gives.
	oracle runtime.Frame
}

// recorder is a span processor that looks for the call sites of all spans.
type recorder struct {
	processor
	walk, call *callsite.Finder

	// started receives something for each span.
	started chan struct{}

	mu   sync.Mutex
	seen map[string][]sighting
}

func newRecorder(skip ...string) *recorder {
	return &recorder{
		walk:    callsite.New(callsite.Options{Skip: skip}),
		call:    callsite.New(callsite.Options{Skip: skip, Callers: true}),
		started: make(chan struct{}, 1000),
		seen:    map[string][]sighting{},
	}
}

func (r *recorder) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	x := sighting{walked: r.walk.Span(), called: r.call.Span(), oracle: oracle()}
	r.mu.Lock()
	r.seen[s.Name()] = append(r.seen[s.Name()], x)
	r.mu.Unlock()
	r.started <- struct{}{}
}

// sightings waits until a span with this name has started and returns what was seen of all of that name.
func (r *recorder) sightings(name string) []sighting {
	for {
		r.mu.Lock()
		seen := r.seen[name]
		r.mu.Unlock()
		if len(seen) > 0 {
			return seen
		}
		<-r.started
	}
}

func newProvider(processors ...sdktrace.SpanProcessor) *sdktrace.TracerProvider {
	p := sdktrace.NewTracerProvider()
	for _, sp := range processors {
		p.RegisterSpanProcessor(sp)
	}
	return p
}

func tracerOf(processors ...sdktrace.SpanProcessor) trace.Tracer {
	return newProvider(processors...).Tracer("test")
}

// oracle reads the whole stack with runtime.Callers and returns the first frame above the SDK's Start that belongs to
// no API, to no global delegate, and not to reflection or the runtime.
func oracle() runtime.Frame {
	pcs := make([]uintptr, 1000)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	started := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "go.opentelemetry.io/otel/sdk/trace.(*tracer).Start":
			started = true
		case strings.HasPrefix(f.Function, "go.opentelemetry.io/otel/internal/global."):
		case strings.HasPrefix(f.Function, "reflect."), strings.HasPrefix(f.Function, "runtime."):
		case started:
			return f
		}
		if !more {
			return runtime.Frame{}
		}
	}
}
