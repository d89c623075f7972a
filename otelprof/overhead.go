package otelprof

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Overhead is what a profiler costs on this machine, see [Profiler.SelfOverhead].
type Overhead struct {
	// Span is what the profiler adds to a span, over a processor that does nothing. Spread is half of the
	// interquartile range of its measurements: a difference below it means nothing.
	Span, Spread time.Duration
	// SDKSpan is what a span costs without the profiler: start, end and a processor that does nothing.
	SDKSpan time.Duration
	// Block is the cost of a Block with its End, Timer that of Site.Start with Timer.End.
	Block, Timer time.Duration
	// SpanAllocs is how many allocations the profiler adds to a span, BlockAllocs how many a block takes.
	SpanAllocs, BlockAllocs float64
	// Rounds is how many measurements of each kind were made; the durations above are their medians.
	Rounds int
	// Clock is what the durations were measured by: "CPU time of the thread" or, where the system does not tell that
	// well enough, "wall time".
	Clock string
}

// String returns the costs for people, in several lines.
func (o Overhead) String() string {
	return fmt.Sprintf("a span costs %v more (± %v), over %v without the profiler, and %.2f more allocations\n"+
		"a block costs %v and %.2f allocations, a timer of a site %v\n"+
		"medians of %d interleaved rounds, by %s",
		o.Span, o.Spread, o.SDKSpan, o.SpanAllocs, o.Block, o.BlockAllocs, o.Timer, o.Rounds, o.Clock)
}

// defaultBudget is how long SelfOverhead measures unless told otherwise.
const defaultBudget = 200 * time.Millisecond

// SelfOverhead measures what the profiler costs on this machine with its settings. It uses another profiler with the
// same settings, so that the profile stays as it is, and runs for about the budget, 0 for 200 ms, on the calling
// goroutine. The error is that of ctx if it ends before three rounds are done, or says why nothing can be measured.
//
// Rounds with and without the profiler take turns, so that a change of the machine's speed hits both; the results are
// medians over the rounds. Where the system tells it, time is the CPU time of the thread, which other goroutines and
// processes do not add to. It leaves out garbage collection in the background, for which the allocations stand. These
// are counted for the whole process: the least of three counts is reported, which is exact in a program that is
// otherwise idle. Counting stops the program nine times for some 50 µs.
func (p *Profiler) SelfOverhead(ctx context.Context, budget time.Duration) (Overhead, error) {
	if !GlobalEnabled() {
		return Overhead{}, errors.New("measuring the overhead: all profilers are switched off, see SetGlobalEnabled")
	}
	if budget <= 0 {
		budget = defaultBudget
	}
	twin, err := p.overheadTwin()
	if err != nil {
		return Overhead{}, fmt.Errorf("measuring the overhead: %w", err)
	}
	w := newOverheadWorkloads(twin)
	runtime.LockOSThread() // the clock is that of the thread
	defer runtime.UnlockOSThread()
	clock, clockName := overheadClock()
	m := measurement{clock: clock, wall: time.Now, deadline: time.Now().Add(budget)}
	costs, err := m.rounds(ctx, w.sdkSpan, w.span, w.block, w.timer)
	if err != nil {
		return Overhead{}, fmt.Errorf("measuring the overhead: %w", err)
	}
	o := newOverhead(costs)
	o.Clock = clockName
	o.SpanAllocs = allocations(w.span) - allocations(w.sdkSpan)
	o.BlockAllocs = allocations(w.block)
	return o, nil
}

// newOverhead returns the medians of the costs of SDK span, profiled span, block and timer by round.
func newOverhead(costs [][]float64) Overhead {
	added := make([]float64, len(costs[0]))
	for i := range added {
		added[i] = costs[1][i] - costs[0][i]
	}
	return Overhead{
		Span:    wholeNanoseconds(quantile(added, 0.5)),
		Spread:  wholeNanoseconds((quantile(added, 0.75) - quantile(added, 0.25)) / 2),
		SDKSpan: wholeNanoseconds(quantile(costs[0], 0.5)),
		Block:   wholeNanoseconds(quantile(costs[2], 0.5)),
		Timer:   wholeNanoseconds(quantile(costs[3], 0.5)),
		Rounds:  len(added),
	}
}

// workload does something n times.
type workload func(n int)

// overheadWorkloads is what SelfOverhead measures.
type overheadWorkloads struct {
	sdkSpan, span, block, timer workload
}

// overheadTwin returns a new profiler with the settings of p, except that it is on and all of its tracks are.
func (p *Profiler) overheadTwin() (*Profiler, error) {
	c := p.config
	c.enabled, c.onlyTracks, c.disabledTracks = true, nil, nil
	return fromConfig(c)
}

// newOverheadWorkloads returns workloads that twin profiles.
func newOverheadWorkloads(twin *Profiler) overheadWorkloads {
	const track = "otelprof/overhead"
	// What AlwaysRecord adds is in both, so that the difference is the profiler's own.
	bare := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(noProcessor{}), sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.NeverSample())),
	)
	profiled := sdktrace.NewTracerProvider(twin.TracerProviderOptions(sdktrace.NeverSample())...)
	site := twin.Site(track, "timer")
	return overheadWorkloads{
		sdkSpan: spans(bare.Tracer(track)),
		span:    spans(profiled.Tracer(track)),
		block: func(n int) {
			for range n {
				twin.Block(context.Background(), track, "block").End()
			}
		},
		timer: func(n int) {
			for range n {
				site.Start().End()
			}
		},
	}
}

// spansPerTrace is the number of spans of a trace of the workload, the root included.
const spansPerTrace = 10

// spans returns a workload of traces with one root and its children.
func spans(tracer trace.Tracer) workload {
	return func(n int) {
		for n > 0 {
			ctx, root := tracer.Start(context.Background(), "root")
			for range min(n, spansPerTrace) - 1 {
				_, child := tracer.Start(ctx, "child")
				child.End()
			}
			root.End()
			n -= spansPerTrace
		}
	}
}

// noProcessor is a span processor that does nothing.
type noProcessor struct{}

func (noProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (noProcessor) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (noProcessor) ForceFlush(context.Context) error                { return nil }
func (noProcessor) Shutdown(context.Context) error                  { return nil }

// measurement times workloads in turns.
type measurement struct {
	// clock returns a time that has passed; only differences count.
	clock func() time.Duration
	wall  func() time.Time
	// deadline is when the last round begins at the latest.
	deadline time.Time
}

const (
	// minRounds is the least number of rounds that has a median and a spread.
	minRounds = 3
	// minBatch is the least time of a workload in one round: long enough for the clock not to matter.
	minBatch = time.Millisecond
	maxBatch = 1 << 20
)

// rounds returns the cost of one turn of each workload, in ns, by workload and round.
func (m *measurement) rounds(ctx context.Context, workloads ...workload) ([][]float64, error) {
	batches := make([]int, len(workloads))
	for i, w := range workloads {
		batches[i] = m.batch(w)
	}
	costs := make([][]float64, len(workloads))
	for round := 0; round < minRounds || m.wall().Before(m.deadline); round++ {
		if err := ctx.Err(); err != nil {
			if round >= minRounds {
				break
			}
			return nil, err
		}
		for k := range workloads {
			i := (k + round) % len(workloads) // each comes first in its turn
			took := m.time(workloads[i], batches[i])
			costs[i] = append(costs[i], float64(took)/float64(batches[i]))
		}
	}
	return costs, nil
}

func (m *measurement) time(w workload, n int) time.Duration {
	began := m.clock()
	w(n)
	return m.clock() - began
}

// batch returns how many turns of the workload take minBatch. It warms up what the workload needs, too.
func (m *measurement) batch(w workload) int {
	for n := 10 * spansPerTrace; ; n *= 2 {
		if n >= maxBatch || m.time(w, n) >= minBatch {
			return n
		}
	}
}

// allocations returns the allocations of one turn of the workload, the least of three counts.
func allocations(w workload) float64 {
	const turns = 100 * spansPerTrace
	least := ^uint64(0)
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		w(turns)
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return float64(least) / turns
}

// quantile returns the q-quantile of values, of which there is at least one, by linear interpolation.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
