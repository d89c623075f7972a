package callsite_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/internal/callsite"
)

const thisPackage = "github.com/stichotrope/stichotrope-go/internal/callsite_test."

// wrapping is a processor of the user's own around another one.
type wrapping struct{ sdktrace.SpanProcessor }

func (w wrapping) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	func() { w.SpanProcessor.OnStart(ctx, s) }()
}

// growing is a processor that makes the runtime move the stack before it calls the other one.
type growing struct{ sdktrace.SpanProcessor }

func (g growing) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	descend(1000, func() {})
	descend(10, func() { g.SpanProcessor.OnStart(ctx, s) })
}

// descend calls f at a depth of n frames, each of which is more than 1 KiB.
//
//go:noinline
func descend(n int, f func()) {
	var frame [1024]byte
	if n == 0 {
		f()
	} else {
		descend(n-1, f)
	}
	sink((*[256]byte)(frame[:]))
}

// embeddingProcessor has its methods promoted, also through a pointer.
type embeddingProcessor struct {
	_ int
	*recorder
}

// waysToTracer are the ways in which the call of Start reaches the recorder.
var waysToTracer = map[string]func(*recorder) trace.Tracer{
	"direct":   func(r *recorder) trace.Tracer { return tracerOf(r) },
	"second":   func(r *recorder) trace.Tracer { return tracerOf(processor{}, r) },
	"wrapped":  func(r *recorder) trace.Tracer { return tracerOf(wrapping{wrapping{r}}) },
	"embedded": func(r *recorder) trace.Tracer { return tracerOf(&embeddingProcessor{recorder: r}) },
	"growing":  func(r *recorder) trace.Tracer { return tracerOf(growing{r}) },
	"global": func(r *recorder) trace.Tracer {
		globalRecorder.set(r)
		return globalTracer
	},
}

// globalTracer was made before there was a provider, so that it delegates for ever. The provider can be set only
// once; its processor passes the spans on to the recorder of the running test.
var (
	globalTracer   = otel.Tracer("global")
	globalRecorder = &current{}
)

type current struct {
	sdktrace.SpanProcessor
}

func (c *current) set(p sdktrace.SpanProcessor) {
	c.SpanProcessor = p
	otel.SetTracerProvider(globalProvider)
}

var globalProvider = newProvider(globalRecorder)

func TestSpan(t *testing.T) {
	require.Equal(t, canWalk(), callsite.New(callsite.Options{}).FramePointers(), "the walk does not agree with runtime.Callers")
	require.False(t, callsite.New(callsite.Options{Callers: true}).FramePointers())
	for way, tracer := range waysToTracer {
		for _, s := range situations {
			t.Run(way+"/"+s.name, func(t *testing.T) {
				r := newRecorder()
				s.start(tracer(r))
				checkSituation(t, s, r)
			})
		}
	}
}

func checkSituation(t *testing.T, s situation, r *recorder) {
	file, line := lineOf(t, "situations_test.go", s.name)
	seen := r.sightings(s.name)
	for _, x := range seen {
		if s.hidden && x.called != nil {
			require.Equal(t, thisPackage+s.function, x.called.Function)
		}
		if s.hidden && !r.walk.FramePointers() {
			continue
		}
		require.NotNil(t, x.walked)
		require.Equal(t, thisPackage+s.function, x.walked.Function)
		require.Equal(t, file, filepath.Base(x.walked.File))
		require.Equal(t, line, x.walked.Line)
		require.Same(t, seen[0].walked, x.walked, "one line is one location")
		if s.hidden {
			continue
		}
		require.Equal(t, x.called, x.walked)
		require.Equal(t, callsite.Location{Function: x.oracle.Function, File: x.oracle.File, Line: x.oracle.Line}, *x.walked)
	}
	if !s.hidden {
		require.Zero(t, r.walk.Unknown())
		require.Zero(t, r.call.Unknown())
	}
}

// lineOf returns the line of the file on which name stands as the last argument of a call, between quotes.
func lineOf(t *testing.T, file, name string) (string, int) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	found := 0
	for i, line := range strings.Split(string(text), "\n") {
		at := strings.Index(line, strconv.Quote(name))
		if at >= 0 && !strings.Contains(line[:at], "name:") {
			require.Zero(t, found, "the name %q is there twice", name)
			found = i + 1
		}
	}
	require.NotZero(t, found, "the name %q is missing", name)
	return file, found
}

func TestSpanAtInit(t *testing.T) {
	for name, function := range map[string]string{"package variable": "init", "init function": "init.0"} {
		_, line := lineOf(t, "init_test.go", name)
		x := initRecorder.sightings(name)[0]
		require.Equal(t, line, x.walked.Line)
		require.Equal(t, thisPackage+function, x.walked.Function)
		require.Equal(t, *x.called, *x.walked)
		require.Equal(t, x.oracle.Function, x.walked.Function)
	}
}

func TestSpanSkipsHelpers(t *testing.T) {
	r := newRecorder("", thisPackage+"wrapper.", thisPackage+"begin")
	_, _, line, _ := runtime.Caller(0)
	wrapper{Tracer: tracerOf(r)}.Start(context.Background(), "")
	x := r.sightings("wrapping tracer")[0]
	require.Equal(t, thisPackage+"TestSpanSkipsHelpers", x.walked.Function)
	require.Equal(t, line+1, x.walked.Line)
	require.Equal(t, *x.called, *x.walked)
}

// nesting is a processor that starts a span when one starts.
type nesting struct {
	processor
	tracer *trace.Tracer
}

func (n nesting) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	if s.Name() != "in OnStart" {
		(*n.tracer).Start(ctx, "in OnStart")
	}
}

func TestSpanStartedByProcessor(t *testing.T) {
	var tr trace.Tracer
	r := newRecorder()
	tr = tracerOf(nesting{tracer: &tr}, wrapping{r})
	tr.Start(context.Background(), "of the test")
	require.Equal(t, thisPackage+"nesting.OnStart", r.sightings("in OnStart")[0].walked.Function)
	require.Equal(t, thisPackage+"TestSpanStartedByProcessor", r.sightings("of the test")[0].walked.Function)
}

func TestSpanUnknown(t *testing.T) {
	r := newRecorder("github.com/", "testing.")
	tracerOf(r).Start(context.Background(), "unknown")
	x := r.sightings("unknown")[0]
	require.Nil(t, x.walked)
	require.Nil(t, x.called)
	require.EqualValues(t, 1, r.walk.Unknown())
	require.EqualValues(t, 1, r.call.Unknown())
}

func TestSpanTooDeep(t *testing.T) {
	r := newRecorder()
	deep := func(n int) sdktrace.SpanProcessor { return &sinking{r, n} }
	tracerOf(deep(5), deep(100)).Start(context.Background(), "deep processor")
	seen := r.sightings("deep processor")
	require.NotNil(t, seen[0].walked)
	require.NotNil(t, seen[0].called)
	require.Nil(t, seen[1].walked)
	require.Nil(t, seen[1].called)
}

// sinking calls another processor at a depth of so many frames.
type sinking struct {
	sdktrace.SpanProcessor
	depth int
}

func (s *sinking) OnStart(ctx context.Context, span sdktrace.ReadWriteSpan) {
	descend(s.depth, func() { s.SpanProcessor.OnStart(ctx, span) })
}

// inside is a processor that calls a function from OnStart.
type inside struct {
	processor
	f func()
}

func (i inside) OnStart(context.Context, sdktrace.ReadWriteSpan) { i.f() }

func TestSpanAllocatesNothing(t *testing.T) {
	for _, callers := range []bool{false, true} {
		f := callsite.New(callsite.Options{Callers: callers})
		allocs := -1.0
		tracerOf(inside{f: func() { allocs = testing.AllocsPerRun(100, func() { f.Span() }) }}).Start(context.Background(), "")
		require.Zero(t, allocs)
	}
}
