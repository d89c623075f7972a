package otelprof

import (
	"context"
	"math"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// unknownStart is before everything, see core.Config.Describe.
const unknownStart = math.MinInt64

// Block is a piece of code that is being measured without a span. Get one from [Profiler.Block], end it once with End
// or EndErr. The zero value measures nothing. A Block may be copied and ended on another goroutine; ends after
// the first do nothing.
type Block struct {
	p       *Profiler
	ctx     context.Context
	label   *core.Label
	start   int64
	trace   core.TraceID
	span    core.SpanID
	near    core.SpanID // the span that ctx carries, local or remote
	inTrace bool        // trace is that of near
	sampled bool
}

// Block starts a block with a name in a track:
//
//	defer p.Block(ctx, "cache", "lookup").End()
//
// It is a child of what ctx carries: a block (see [Block.Context]) or a span. Its call site is the caller. Equal strings
// at equal addresses, such as constants, make it faster.
func (p *Profiler) Block(ctx context.Context, track, name string) Block {
	if p == nil || !p.recording() {
		return Block{ctx: ctx}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	b := Block{p: p, ctx: ctx}
	b.label = p.blockLabel(track, name)
	o := core.Opening{Ref: b.label}
	if p.finder != nil {
		o.Place = p.finder.Block()
	}
	sc := trace.SpanContextFromContext(ctx)
	b.near, b.sampled, b.inTrace = core.SpanID(sc.SpanID()), sc.IsSampled(), sc.IsValid()
	if b.inTrace {
		o.Trace = core.TraceID(sc.TraceID())
		if !sc.IsRemote() {
			o.Parent = b.near
		}
	}
	if p.contexts.Load() {
		if a := p.adoption(&o.Trace); a != nil {
			o.Trace, b.inTrace = a.trace, false
		}
		if outer := p.blockIn(ctx); outer != nil && outer.near == b.near {
			o.Trace, o.Parent, b.inTrace = outer.trace, outer.span, outer.inTrace
		}
	}
	p.agg.Open(&o)
	b.trace, b.span = o.Trace, o.Span
	b.start = p.agg.Now()
	return b
}

// blockLabel returns the label of a block, whose name is not normalised.
func (p *Profiler) blockLabel(track, name string) *core.Label {
	if l := p.labels.find(track, name, core.KindBlock); l != nil {
		return l
	}
	return p.labels.search(&core.Site{Track: track, Name: name, Kind: core.KindBlock}, p.agg.Label)
}

// End ends the block.
func (b Block) End() { b.end(false) }

// EndErr ends the block and counts an error if err is not nil.
func (b Block) EndErr(err error) { b.end(err != nil) }

func (b Block) end(failed bool) {
	if b.p == nil {
		return
	}
	c := core.Closing{
		Trace: b.trace, Span: b.span, Label: b.label,
		Start: b.start, Duration: b.p.agg.Now() - b.start,
		Failed: failed, Sampled: b.sampled, Discard: !b.p.recording(),
	}
	if b.inTrace {
		c.Exemplar = b.near
	}
	b.p.agg.Close(&c)
}

// AddBytes adds to the bytes that the block has processed, from which reports compute a bandwidth. n below 0 is
// ignored, and so is everything after the end.
func (b Block) AddBytes(n int64) {
	if b.p != nil {
		b.p.agg.AddBytes(b.trace, b.span, n)
	}
}

// blockKey is the key of the innermost block of a profiler in a context. Each profiler has its own.
type blockKey struct{ p *Profiler }

// blockIn returns the block that ctx carries, or nil.
func (p *Profiler) blockIn(ctx context.Context) *Block {
	if ctx == nil {
		return nil
	}
	b, _ := ctx.Value(blockKey{p}).(*Block)
	return b
}

// Context returns the context given to [Profiler.Block] with the block in it: spans and blocks started with it are
// children of the block. It allocates; from the first call on, every start of a span looks for blocks in its
// context, which takes some 10 ns.
func (b Block) Context() context.Context {
	if b.p == nil {
		if b.ctx == nil {
			return context.Background()
		}
		return b.ctx
	}
	b.p.contexts.Store(true)
	return context.WithValue(b.ctx, blockKey{b.p}, &b)
}

// adoption says that the spans of a trace are recorded in the trace of a block, as its children.
type adoption struct {
	trace core.TraceID
	// open counts the open spans of the adopted trace. The end of the last one ends the adoption.
	open atomic.Int64
}

// join counts one more span, unless the adoption has ended.
func (a *adoption) join() bool {
	for n := a.open.Load(); n > 0; n = a.open.Load() {
		if a.open.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// adopt makes a span the child of the block in its context, if that is nearer than the parent span.
func (p *Profiler) adopt(ctx context.Context, s sdktrace.ReadWriteSpan, o *core.Opening) {
	a := p.adoption(&o.Trace)
	adopted := a != nil && a.join()
	if adopted {
		o.Trace = a.trace
	}
	// The block is nearer than the parent if the parent is the span that the block itself was started in.
	b := p.blockIn(ctx)
	if b == nil || b.near != core.SpanID(s.Parent().SpanID()) {
		return
	}
	if b.trace == o.Trace {
		o.Parent = b.span
		return
	}
	if adopted {
		return
	}
	if limit := int64(p.config.limits.MaxActive); p.adoptedCount.Load() >= limit {
		if p.forgetAdoptions(); p.adoptedCount.Load() >= limit {
			o.Parent = b.span // not in this trace: the span is a root, and counted as detached
			return
		}
	}
	a = &adoption{trace: b.trace}
	a.open.Store(1)
	p.adopted.Store(o.Trace, a)
	p.adoptedCount.Add(1)
	o.Trace, o.Parent = b.trace, b.span
}

// forgetAdoptions drops the adoptions into traces that are gone: their spans were evicted, or never end.
func (p *Profiler) forgetAdoptions() {
	for own, v := range p.adopted.Range {
		if a := v.(*adoption); !p.agg.Live(a.trace) && p.adopted.CompareAndDelete(own, a) {
			a.open.Store(0)
			p.adoptedCount.Add(-1)
		}
	}
}

// adoption returns the adoption of a trace, or nil.
func (p *Profiler) adoption(t *core.TraceID) *adoption {
	if p.adoptedCount.Load() == 0 {
		return nil
	}
	return p.findAdoption(*t)
}

func (p *Profiler) findAdoption(t core.TraceID) *adoption {
	v, ok := p.adopted.Load(t)
	if !ok {
		return nil
	}
	a := v.(*adoption)
	if a.open.Load() == 0 {
		return nil // about to be removed: what begins and ends from now on has not joined it
	}
	return a
}

// closeAdopted ends a span in the trace that adopted its own.
func (p *Profiler) closeAdopted(a *adoption, c *core.Closing) {
	own := c.Trace
	c.Trace, c.Exemplar = a.trace, core.SpanID{}
	if p.agg.Close(c) && a.open.Add(-1) == 0 {
		p.adopted.CompareAndDelete(own, a)
		p.adoptedCount.Add(-1)
	}
}
