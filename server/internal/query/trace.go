package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Trace is a trace with its spans decoded and put in order.
type Trace struct {
	ID         core.TraceID
	Start, End time.Time
	// Origins are where the spans come from.
	Origins []Origin
	// Spans are in depth-first order: a parent stands before its children, and siblings are in order of start. Duplicates
	// are not there.
	Spans []Span
	// Duplicates is how many spans were received more than once.
	Duplicates int
	// Profile is what the spans' Rank refers to.
	Profile *core.Snapshot
}

// Origin is where spans come from.
type Origin struct {
	Service  string
	Resource pcommon.Map
	Scope    pcommon.InstrumentationScope
}

// Span is a span of a Trace.
type Span struct {
	ptrace.Span
	Site core.Site
	// Origin is the index in Trace.Origins, Parent that in Trace.Spans, or -1.
	Origin, Parent int
	// Depth is 0 for a root, and Children how many there are right below.
	Depth, Children int
	// Nanos is the duration, 0 for a span that ends before it starts; Self is the part of it that no child covers, Critical
	// the part on the critical path of the trace, all in ns.
	Nanos, Self, Critical uint64
	// Odd says what is odd about it.
	Odd assembly.Flags
	// Of is how many spans the block has in Trace.Profile, 0 if none; Rank is which part of them was shorter, with those
	// that are about as long counted half.
	Of   uint64
	Rank float64
}

// Around is how far before and after a trace the period reaches in which its spans are compared with others.
const Around = time.Hour

// Trace returns a trace. Its spans are ranked among those of the same block in the given period, or if that is zero, in
// what is Around it.
func (e *Engine) Trace(ctx context.Context, id core.TraceID, among store.Range) (*Trace, error) {
	found, err := e.store.Traces(ctx, []core.TraceID{id}, store.Range{})
	if err != nil {
		return nil, fmt.Errorf("read trace %v: %w", id, err)
	}
	if len(found.Traces) == 0 {
		return nil, NotFoundf("it may not have arrived, or it is older than what is kept", "there is no trace %v", id)
	}
	t, err := e.decode(ctx, found.Origins, found.Traces[0])
	if err != nil {
		return nil, fmt.Errorf("decode trace %v: %w", id, err)
	}
	if among == (store.Range{}) {
		among = store.Range{From: t.Start.Add(-Around), To: t.End.Add(Around)}
	}
	if t.Profile, err = e.Profile(ctx, among, nil); err != nil {
		return nil, err
	}
	for i := range t.Spans {
		t.Spans[i].rank(t.Profile)
	}
	return t, nil
}

// decodedAtOnce is how many spans are decoded before somebody looks whether they are still wanted.
const decodedAtOnce = 4096

// decode reads the spans, of each origin in messages of its own, and puts them in order.
func (e *Engine) decode(ctx context.Context, origins []store.Origin, trace store.Trace) (*Trace, error) {
	t := &Trace{ID: trace.ID}
	groups := make([][]store.Span, len(origins))
	for _, s := range trace.Spans {
		groups[s.Origin] = append(groups[s.Origin], s)
	}
	d := decoder{clocks: map[string]uint32{}, trace: t}
	for o, group := range groups {
		for part := range slices.Chunk(group, decodedAtOnce) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := d.decode(origins, o, part); err != nil {
				return nil, err
			}
		}
	}
	a := assembly.Assembler{MaxSkew: e.maxSkew}
	a.Assemble(d.received)
	t.arrange(d.spans, d.received)
	return t, nil
}

// decoder decodes the spans of a trace, origin after origin.
type decoder struct {
	trace    *Trace
	clocks   map[string]uint32 // by resource
	received []assembly.Span
	spans    []Span
	// last is the number of the origin that is the last one of the trace, plus one.
	last int
}

// decode decodes spans of the origin with the number.
func (d *decoder) decode(origins []store.Origin, number int, spans []store.Span) error {
	decoded, err := otlp.Decode(AppendTraces(nil, origins, spans))
	if err != nil {
		return err
	}
	o := &origins[number]
	resource := decoded.ResourceSpans().At(0)
	scope := resource.ScopeSpans().At(0)
	clock, ok := d.clocks[string(o.Resource)]
	if !ok {
		clock = uint32(len(d.clocks))
		d.clocks[string(o.Resource)] = clock
	}
	t := d.trace
	if d.last != number+1 {
		d.last = number + 1
		t.Origins = append(t.Origins, Origin{o.Service, resource.Resource().Attributes(), scope.Scope()})
	}
	for i := range spans {
		var s otlp.Span
		if err := s.Read(spans[i].Raw); err != nil {
			return err
		}
		d.received = append(d.received, assembly.Span{
			ID: s.Span, Parent: s.Parent, Start: int64(min(s.Start, 1<<63-1)), Duration: s.Duration(),
			Sum: xxhash.Sum64(s.Raw), Clock: clock,
		})
		d.spans = append(d.spans, Span{Span: scope.Spans().At(i), Origin: len(t.Origins) - 1, Nanos: uint64(max(0, s.Duration())),
			Site: core.Site{Service: o.Service, Track: scope.Scope().Name(), Name: string(s.Name), Kind: s.Kind,
				Function: string(s.Function), File: string(s.File), Line: s.Line}})
	}
	return nil
}

// arrange puts the spans in depth-first order.
func (t *Trace) arrange(spans []Span, assembled []assembly.Span) {
	children := make([][]int, len(spans))
	var stack []int
	for i := range assembled {
		switch s := &assembled[i]; {
		case s.Flags.Has(assembly.Duplicate):
			t.Duplicates++
		case s.Up < 0:
			stack = append(stack, i)
		default:
			children[s.Up] = append(children[s.Up], i)
		}
	}
	lastFirst := func(a, b int) int { // the stack turns it round
		return cmp.Or(cmp.Compare(assembled[b].Start, assembled[a].Start), cmp.Compare(b, a))
	}
	number := make([]int, len(spans))
	slices.SortFunc(stack, lastFirst)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s, from := spans[i], &assembled[i]
		s.Self, s.Critical, s.Odd, s.Parent, s.Children = from.Self, from.Critical, from.Flags, -1, len(children[i])
		if from.Up >= 0 {
			s.Parent = number[from.Up]
			s.Depth = t.Spans[s.Parent].Depth + 1
		}
		number[i] = len(t.Spans)
		t.Spans = append(t.Spans, s)
		start, end := moment(uint64(s.StartTimestamp())), moment(max(uint64(s.StartTimestamp()), uint64(s.EndTimestamp())))
		if t.Start.IsZero() || start.Before(t.Start) {
			t.Start = start
		}
		if end.After(t.End) {
			t.End = end
		}
		slices.SortFunc(children[i], lastFirst)
		stack = append(stack, children[i]...)
	}
}

// rank finds the span's place among those of its block.
func (s *Span) rank(p *core.Snapshot) {
	b := p.Block(s.Site)
	if b == nil || b.Stats.Count == 0 {
		return
	}
	h := b.Stats.Histogram
	var shorter, alike uint64
	if s.Nanos == 0 {
		alike = h.Zero
	} else {
		shorter = h.Zero
		own := int32(core.BucketIndex(s.Nanos))
		for k := range h.All {
			switch {
			case k.Index < own:
				shorter += k.Count
			case k.Index == own:
				alike = k.Count
			}
		}
	}
	s.Of = b.Stats.Count
	s.Rank = (float64(shorter) + float64(alike)/2) / float64(s.Of)
}
