package otelprof_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/otelprof"
)

// program uses the SDK at random, in ways that programs do.
type program struct {
	r        *rand.Rand
	witness  *witness
	profiler *otelprof.Profiler
	tracers  []trace.Tracer
	explicit bool // times are given and not measured
	spans    []started
	names    []string
}

type started struct {
	ctx  context.Context
	span trace.Span
}

func newProgram(t testing.TB, r *rand.Rand, options ...otelprof.Option) *program {
	p, err := otelprof.New(options...)
	require.NoError(t, err)
	w := newWitness()
	samplers := []sdktrace.Sampler{sdktrace.NeverSample(), sdktrace.AlwaysSample(), sdktrace.TraceIDRatioBased(0.3)}
	tp := sdktrace.NewTracerProvider(append(
		p.TracerProviderOptions(samplers[r.IntN(len(samplers))]), sdktrace.WithSpanProcessor(w))...)
	pr := &program{r: r, witness: w, profiler: p, explicit: r.IntN(2) == 0, names: []string{"GET", "POST", "SELECT", ""}}
	for _, scope := range []string{"http", "sql", "app"} {
		pr.tracers = append(pr.tracers, tp.Tracer(scope))
	}
	return pr
}

// begin is where spans start; so is beginElsewhere.
func (p *program) begin(ctx context.Context, t trace.Tracer, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := t.Start(ctx, name, o...)
	p.placed(span)
	return ctx, span
}

func (p *program) beginElsewhere(ctx context.Context, t trace.Tracer, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := t.Start(ctx, name, o...)
	p.placed(span)
	return ctx, span
}

// placed tells the witness where the caller started the span: in the line above.
func (p *program) placed(span trace.Span) {
	pc, file, line, _ := runtime.Caller(1)
	p.witness.mu.Lock()
	defer p.witness.mu.Unlock()
	p.witness.places[span.SpanContext().SpanID()] = core.Location{Function: runtime.FuncForPC(pc).Name(), File: file, Line: line - 1}
}

func (p *program) start() {
	ctx := context.Background()
	if len(p.spans) > 0 && p.r.IntN(4) > 0 {
		ctx = p.spans[len(p.spans)-1-min(p.r.IntN(len(p.spans)), p.r.IntN(6))].ctx
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKind(p.r.IntN(6)))}
	switch p.r.IntN(12) {
	case 0:
		options = append(options, trace.WithNewRoot())
	case 1:
		remote := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1, byte(p.r.IntN(3))}, SpanID: trace.SpanID{byte(1 + p.r.IntN(3))}, Remote: true,
			TraceFlags: trace.TraceFlags(p.r.IntN(2)),
		})
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
	case 2:
		if len(p.spans) > 0 {
			options = append(options, trace.WithLinks(trace.LinkFromContext(p.spans[0].ctx)))
		}
	}
	if p.explicit {
		options = append(options, trace.WithTimestamp(p.time()))
	}
	begin := p.begin
	if p.r.IntN(2) == 0 {
		begin = p.beginElsewhere
	}
	ctx, span := begin(ctx, p.tracers[p.r.IntN(len(p.tracers))], p.names[p.r.IntN(len(p.names))], options...)
	p.spans = append(p.spans, started{ctx, span})
}

// time is one of few, so that spans touch and cover one another.
func (p *program) time() time.Time { return time.Unix(1_700_000_000, int64(p.r.IntN(1000))) }

func (p *program) end() {
	if len(p.spans) == 0 {
		return
	}
	s := p.spans[p.r.IntN(len(p.spans))]
	if !s.span.IsRecording() {
		return
	}
	if p.r.IntN(3) == 0 {
		s.span.SetName(p.names[p.r.IntN(len(p.names))])
	}
	if p.r.IntN(3) == 0 {
		s.span.SetStatus(codes.Error, "")
	}
	var options []trace.SpanEndOption
	if p.explicit {
		options = append(options, trace.WithTimestamp(p.time()))
	}
	// On another goroutine, and more than once.
	var done sync.WaitGroup
	done.Go(func() { s.span.End(options...) })
	done.Wait()
	s.span.End()
}

func (p *program) step(t testing.TB) {
	switch n := p.r.IntN(24); {
	case n < 11:
		p.start()
	case n < 21:
		p.end()
	case n == 21:
		track, on := []string{"http", "sql", "app"}[p.r.IntN(3)], p.r.IntN(3) > 0
		p.profiler.SetTrackEnabled(track, on)
		p.witness.off[track] = !on
	case n == 22 && len(p.spans) > 0:
		p.spans[p.r.IntN(len(p.spans))].span.SetName(p.names[p.r.IntN(len(p.names))])
	default:
		p.witness.compare(t, p.profiler)
	}
}

func (p *program) run(t testing.TB, steps int) {
	for range steps {
		p.step(t)
	}
	for _, s := range p.spans {
		s.span.End()
	}
	p.witness.compare(t, p.profiler)
	for _, b := range p.profiler.Snapshot().Blocks {
		require.Zero(t, b.Stats.Active)
		require.Zero(t, b.Pending)
	}
}

// Through the real SDK, random programs have exactly the profile that a witness of every span works out.
func TestSpansAgreeWithWitness(t *testing.T) {
	for _, access := range []bool{true, false} {
		for range 60 {
			seed := rand.Uint64()
			if !t.Run("", func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("seed %#x, fast access %v", seed, access)
					}
				}()
				newProgram(t, rand.New(rand.NewPCG(seed, 0)), otelprof.WithFastAccess(access)).run(t, 200)
			}) {
				return
			}
		}
	}
}
