package exporter

import (
	"cmp"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/core"
)

// keeps decides about a span that is not sampled: to export it now, or to hold it until the profile is looked at.
func (p *SpanProcessor) keeps(s sdktrace.ReadOnlySpan) (now bool) {
	if p.config.keep != nil && p.kept(s) {
		return true
	}
	if p.held != nil {
		p.held.hold(s)
	}
	return false
}

// kept asks the function that the user gave us.
func (p *SpanProcessor) kept(s sdktrace.ReadOnlySpan) bool {
	defer p.recovered()
	return p.config.keep(s)
}

// recovered keeps a panic of a function that the user gave us out of the user's code.
func (p *SpanProcessor) recovered() {
	if recover() != nil {
		p.mu.Lock()
		p.stats.Panics++
		p.mu.Unlock()
	}
}

// enqueueExemplars queues the held spans that are exemplars. It calls the user's Source, with no lock held.
func (p *SpanProcessor) enqueueExemplars() {
	if p.held == nil {
		return
	}
	defer p.recovered()
	spans := p.held.exemplars()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range spans {
		p.enqueue(s, true, false)
	}
}

// maxHeld bounds the kinds of spans held, whatever their names: OpenTelemetry's default limit of cardinality.
const maxHeld = 2000

// heldSpans holds unsampled spans that may be exemplars until the profile can tell. To ask it for every span that ends
// would cost a snapshot each.
type heldSpans struct {
	source Source
	mu     sync.RWMutex
	spans  map[heldKey]heldPair
}

type heldKey struct {
	scope, name string
	kind        trace.SpanKind
}

// heldPair is the slowest and the latest failed span of a key.
type heldPair struct {
	slowest, failed sdktrace.ReadOnlySpan
	longest         int64 // ns, of slowest
}

func newHeldSpans(src Source) *heldSpans {
	return &heldSpans{source: src, spans: map[heldKey]heldPair{}}
}

// hold holds a span if it may be an exemplar.
func (h *heldSpans) hold(s sdktrace.ReadOnlySpan) {
	key := heldKey{s.InstrumentationScope().Name, s.Name(), s.SpanKind()}
	took := max(int64(s.EndTime().Sub(s.StartTime())), 0)
	failed := s.Status().Code == codes.Error
	// Most spans are neither slower than all before them nor failed: they do not wait for each other.
	h.mu.RLock()
	pair, ok := h.spans[key]
	crowded := len(h.spans) >= maxHeld
	h.mu.RUnlock()
	if ok && took < pair.longest && !failed || !ok && crowded {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	pair, ok = h.spans[key]
	if !ok && len(h.spans) >= maxHeld {
		return
	}
	if pair.slowest == nil || took >= pair.longest {
		pair.slowest, pair.longest = s, took
	}
	if failed && (pair.failed == nil || !s.EndTime().Before(pair.failed.EndTime())) {
		pair.failed = s
	}
	h.spans[key] = pair
}

// exemplars forgets all held spans and returns those that the profile shows as exemplars, in the order they ended.
func (h *heldSpans) exemplars() []sdktrace.ReadOnlySpan {
	h.mu.Lock()
	held := h.spans
	h.spans = map[heldKey]heldPair{}
	h.mu.Unlock()
	if len(held) == 0 {
		return nil
	}
	type id struct {
		trace core.TraceID
		span  core.SpanID
	}
	wanted := map[id]bool{}
	snapshot := h.source.Snapshot()
	if snapshot == nil {
		return nil
	}
	for i := range snapshot.Blocks {
		stats := &snapshot.Blocks[i].Stats
		for _, e := range []core.Exemplar{stats.Slowest, stats.LastError} {
			wanted[id{e.Trace, e.Span}] = !e.IsZero()
		}
	}
	var found []sdktrace.ReadOnlySpan
	for _, pair := range held {
		for _, s := range []sdktrace.ReadOnlySpan{pair.slowest, pair.failed} {
			if s == nil {
				continue
			}
			key := id{core.TraceID(s.SpanContext().TraceID()), core.SpanID(s.SpanContext().SpanID())}
			if wanted[key] {
				delete(wanted, key) // one span may be both
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b sdktrace.ReadOnlySpan) int {
		x, y := a.SpanContext().SpanID(), b.SpanContext().SpanID()
		return cmp.Or(a.EndTime().Compare(b.EndTime()), slices.Compare(x[:], y[:]))
	})
	return found
}
