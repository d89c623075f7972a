package callsite_test

import (
	"context"
	"reflect"
	rtrace "runtime/trace"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// A situation starts one span or several whose name is that of the situation. The line with this name, between
// quotes, in this file is the line to be found.
type situation struct {
	name string
	// function is the name of the function to be found, without the package.
	function string
	start    func(trace.Tracer)
	// hidden says that runtime.Callers does not see that function because it hides the wrapper that the compiler
	// makes for a go or defer statement: only the walk finds the line.
	hidden bool
}

var situations = []situation{
	{name: "plain function", function: "plain", start: plain},
	{name: "method", function: "(*service).handle", start: (&service{}).handle},
	{name: "method value", function: "methodValue", start: methodValue},
	{name: "method expression", function: "methodExpression", start: methodExpression},
	{name: "function variable", function: "functionVariable", start: functionVariable},
	{name: "closure", function: "closure.func1", start: closure},
	{name: "nested closure", function: "nestedClosure.func1.1", start: nestedClosure},
	{name: "deferred call", function: "deferredCall", start: deferredCall, hidden: true},
	{name: "deferred call in a loop", function: "deferredInLoop", start: deferredInLoop, hidden: true},
	{name: "deferred closure", function: "deferredClosure.func1", start: deferredClosure},
	{name: "panicking deferred call", function: "panickingCall", start: panickingCall, hidden: true},
	{name: "panicking deferred closure", function: "panickingClosure.func2", start: panickingClosure},
	{name: "nil dereference", function: "nilDereference.func2", start: nilDereference},
	{name: "go call", function: "goCall", start: goCall, hidden: true},
	{name: "go closure", function: "goClosure.func1", start: goClosure},
	{name: "go call in a closure", function: "goInClosure.func1", start: goInClosure, hidden: true},
	{name: "timer", function: "timer.func1", start: timer},
	{name: "inlined helper", function: "helper", start: func(tr trace.Tracer) { helper(tr) }},
	{name: "three inlined helpers", function: "helper3", start: func(tr trace.Tracer) { helper1(tr) }},
	{name: "generic function", function: "generic[...]", start: func(tr trace.Tracer) { generic(tr, 1); generic(tr, "1") }},
	{name: "generic method", function: "(*box[...]).open", start: func(tr trace.Tracer) { (&box[int]{}).open(tr); (&box[*int]{}).open(tr) }},
	{name: "closure in a generic function", function: "genericClosure[...].func1", start: genericClosure[service]},
	{name: "interface call", function: "(*implementation).begin", start: func(tr trace.Tracer) { begin(&implementation{}, tr) }},
	{name: "value behind a pointer", function: "value.begin", start: func(tr trace.Tracer) { begin(&value{}, tr) }},
	{name: "reflected call", function: "reflectedCall", start: reflectedCall},
	{name: "reflected function", function: "reflectedFunction", start: func(tr trace.Tracer) {
		reflect.ValueOf(reflectedFunction).Call([]reflect.Value{reflect.ValueOf(&tr).Elem()})
	}},
	{name: "made function", function: "madeFunction.func1", start: madeFunction},
	{name: "embedded tracer", function: "embeddedTracer", start: embeddedTracer},
	{name: "embedded tracer behind an interface", function: "embeddedInterface", start: embeddedInterface},
	{name: "wrapping tracer", function: "wrapper.Start", start: func(tr trace.Tracer) { wrapper{Tracer: tr}.Start(context.Background(), "") }},
	{name: "recursion", function: "recursion", start: func(tr trace.Tracer) { recursion(tr, 40) }},
	{name: "range over function", function: "rangeOverFunction-range1", start: rangeOverFunction},
	{name: "callback of a library", function: "callback.func1", start: callback},
	{name: "once", function: "once.func1", start: once},
	{name: "execution tracer", function: "executionTracer", start: executionTracer},
	{name: "deep stack", function: "deepStack", start: func(tr trace.Tracer) { deepStack(tr, 2000) }},
}

func plain(tr trace.Tracer) { tr.Start(context.Background(), "plain function") }

type service struct{ calls int }

func (*service) handle(tr trace.Tracer) { tr.Start(context.Background(), "method") }

//go:noinline
func (s *service) crash() { s.calls++ }

func methodValue(tr trace.Tracer) {
	start := tr.Start
	start(context.Background(), "method value")
}

func methodExpression(tr trace.Tracer) {
	trace.Tracer.Start(tr, context.Background(), "method expression")
}

var startFunction = trace.Tracer.Start

func functionVariable(tr trace.Tracer) { startFunction(tr, context.Background(), "function variable") }

func closure(tr trace.Tracer) {
	func() {
		tr.Start(context.Background(), "closure")
	}()
}

func nestedClosure(tr trace.Tracer) {
	call(func() {
		call(func() {
			tr.Start(context.Background(), "nested closure")
		})
	})
}

//go:noinline
func call(f func()) { f() }

func deferredCall(tr trace.Tracer) {
	defer tr.Start(context.Background(), "deferred call")
	call(func() {})
}

func deferredInLoop(tr trace.Tracer) {
	for range 3 {
		defer tr.Start(context.Background(), "deferred call in a loop")
	}
}

func deferredClosure(tr trace.Tracer) {
	defer func() {
		tr.Start(context.Background(), "deferred closure")
	}()
	call(func() {})
}

func panickingCall(tr trace.Tracer) {
	defer func() { _ = recover() }()
	defer tr.Start(context.Background(), "panicking deferred call")
	panic("on purpose")
}

func panickingClosure(tr trace.Tracer) {
	defer func() { _ = recover() }()
	defer func() {
		tr.Start(context.Background(), "panicking deferred closure")
	}()
	panic("on purpose")
}

func nilDereference(tr trace.Tracer) {
	defer func() { _ = recover() }()
	defer func() {
		tr.Start(context.Background(), "nil dereference")
	}()
	var none *service
	none.crash()
}

func goCall(tr trace.Tracer) {
	go tr.Start(context.Background(), "go call")
}

func goClosure(tr trace.Tracer) {
	go func() {
		tr.Start(context.Background(), "go closure")
	}()
}

func goInClosure(tr trace.Tracer) {
	call(func() {
		go tr.Start(context.Background(), "go call in a closure")
	})
}

func timer(tr trace.Tracer) {
	time.AfterFunc(0, func() {
		tr.Start(context.Background(), "timer")
	})
}

func helper(tr trace.Tracer) { tr.Start(context.Background(), "inlined helper") }

func helper1(tr trace.Tracer) { helper2(tr) }
func helper2(tr trace.Tracer) { helper3(tr) }
func helper3(tr trace.Tracer) { tr.Start(context.Background(), "three inlined helpers") }

//go:noinline
func generic[T any](tr trace.Tracer, _ T) { tr.Start(context.Background(), "generic function") }

type box[T any] struct{}

//go:noinline
func (*box[T]) open(tr trace.Tracer) { tr.Start(context.Background(), "generic method") }

func genericClosure[T any](tr trace.Tracer) {
	call(func() {
		tr.Start(context.Background(), "closure in a generic function")
	})
}

type beginner interface{ begin(trace.Tracer) }

type implementation struct{ _ int }

func (*implementation) begin(tr trace.Tracer) { tr.Start(context.Background(), "interface call") }

// value has its method on the value, so that the interface calls it through a wrapper.
type value struct{ _ [100]int }

//go:noinline
func (value) begin(tr trace.Tracer) { tr.Start(context.Background(), "value behind a pointer") }

//go:noinline
func begin(b beginner, tr trace.Tracer) { b.begin(tr) }

func reflectedCall(tr trace.Tracer) {
	ctx := reflect.ValueOf(context.Background())
	reflect.ValueOf(tr.Start).Call([]reflect.Value{ctx, reflect.ValueOf("reflected call")})
}

func reflectedFunction(tr trace.Tracer) { tr.Start(context.Background(), "reflected function") }

func madeFunction(tr trace.Tracer) {
	f := reflect.MakeFunc(reflect.TypeFor[func()](), func([]reflect.Value) []reflect.Value {
		tr.Start(context.Background(), "made function")
		return nil
	})
	f.Interface().(func())()
}

type embedding struct {
	_ [3]int
	trace.Tracer
}

func embeddedTracer(tr trace.Tracer) {
	embedding{Tracer: tr}.Start(context.Background(), "embedded tracer")
}

func embeddedInterface(tr trace.Tracer) {
	outer := []trace.Tracer{&struct{ *embedding }{&embedding{Tracer: tr}}}
	for _, tr := range outer {
		tr.Start(context.Background(), "embedded tracer behind an interface")
	}
}

// wrapper is a tracer of the user's own.
type wrapper struct{ trace.Tracer }

func (w wrapper) Start(ctx context.Context, _ string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	return w.Tracer.Start(ctx, "wrapping tracer", o...)
}

//go:noinline
func recursion(tr trace.Tracer, n int) {
	if n > 0 {
		recursion(tr, n-1)
		return
	}
	tr.Start(context.Background(), "recursion")
}

func rangeOverFunction(tr trace.Tracer) {
	for range slices.Values([]int{1, 2}) {
		tr.Start(context.Background(), "range over function")
	}
}

func callback(tr trace.Tracer) {
	slices.SortFunc([]int{2, 1}, func(a, b int) int {
		tr.Start(context.Background(), "callback of a library")
		return a - b
	})
}

func once(tr trace.Tracer) {
	var o sync.Once
	o.Do(func() {
		tr.Start(context.Background(), "once")
	})
}

func executionTracer(tr trace.Tracer) {
	if err := rtrace.Start(discard{}); err == nil {
		defer rtrace.Stop()
	}
	_, span := tr.Start(context.Background(), "execution tracer")
	span.End()
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

//go:noinline
func deepStack(tr trace.Tracer, n int) {
	var frame [256]byte
	if n > 0 {
		frame[n%256] = 1
		deepStack(tr, n-1)
	} else {
		tr.Start(context.Background(), "deep stack")
	}
	sink(&frame)
}

//go:noinline
func sink(*[256]byte) {}
