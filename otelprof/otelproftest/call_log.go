package otelproftest

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// siteName is what sites are selected by.
type siteName struct{ track, name string }

// callLog is a span processor that notes every span. A profile knows how often a site was called below another one in
// all; whether a single call did so too often takes the calls themselves.
type callLog struct {
	profiler *otelprof.Profiler

	mu    sync.Mutex
	calls []call
	// numbers are the indexes of the sites in names.
	numbers map[siteName]int32
	names   []siteName
	// failures are the last errors of the sites.
	failures map[siteName]failure
	failed   int
	// lost is how many calls came after maxCalls.
	lost int
}

// call is a span that has ended. The parent is zero for none and for one in another process.
type call struct {
	trace        trace.TraceID
	span, parent trace.SpanID
	site         int32
}

// failure is the description of an error, and which of all errors it was.
type failure struct {
	description string
	number      int
}

// maxCalls bounds the log to some 40 MiB.
const maxCalls = 1 << 20

func newCallLog(p *otelprof.Profiler) *callLog {
	l := &callLog{profiler: p}
	l.reset()
	return l
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.names, l.lost = nil, nil, 0
	l.numbers, l.failures = map[siteName]int32{}, map[siteName]failure{}
}

// OnStart does nothing: what is logged is known at the end.
func (l *callLog) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd notes a span that the profiler counts.
func (l *callLog) OnEnd(s sdktrace.ReadOnlySpan) {
	var site siteName
	site.track, site.name = l.profiler.TrackAndName(s)
	if !otelprof.GlobalEnabled() || !l.profiler.Enabled() || !l.profiler.TrackEnabled(site.track) {
		return
	}
	c := call{trace: s.SpanContext().TraceID(), span: s.SpanContext().SpanID()}
	if p := s.Parent(); p.IsValid() && !p.IsRemote() {
		c.parent = p.SpanID()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if status := s.Status(); status.Code == codes.Error {
		l.failed++
		l.failures[site] = failure{status.Description, l.failed}
	}
	if len(l.calls) >= maxCalls {
		l.lost++
		return
	}
	number, ok := l.numbers[site]
	if !ok {
		number = int32(len(l.names))
		l.numbers[site] = number
		l.names = append(l.names, site)
	}
	c.site = number
	l.calls = append(l.calls, c)
}

// ForceFlush does nothing.
func (l *callLog) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing: what was logged can still be asked for.
func (l *callLog) Shutdown(context.Context) error { return nil }

// lastFailure returns the description of the last error of the sites that match, "" if there is none. Descriptions are
// those of spans: blocks have none.
func (l *callLog) lastFailure(s Site) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last failure
	for site, f := range l.failures {
		if s.matches(site) && f.number > last.number {
			last = f
		}
	}
	return last.description
}

// crowd is how many calls there were within single calls of others.
type crowd struct {
	// most is the largest number, in a call of the site within.
	most   int
	within siteName
	// known is false if the call within has not ended.
	known bool
	// over is how many calls had more than the limit inside, of all that had any.
	over, all int
}

// add counts n calls in one call.
func (c *crowd) add(n, limit int, within siteName, known bool) {
	c.all++
	if n > limit {
		c.over++
	}
	if n > c.most {
		c.most, c.within, c.known = n, within, known
	}
}

// spanID identifies a span among all.
type spanID struct {
	trace trace.TraceID
	span  trace.SpanID
}

// perParent counts the calls of a site per call of their parents.
func (l *callLog) perParent(s Site, limit int) (c crowd, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	selected, byID := l.selected(s), l.byID()
	counts := map[spanID]int{}
	var order []spanID // so that the first of equals is reported
	for _, k := range byID {
		if k := l.calls[k]; selected[k.site] && k.parent.IsValid() {
			counts[spanID{k.trace, k.parent}]++
		}
	}
	for i := range l.calls {
		parent := spanID{l.calls[i].trace, l.calls[i].parent}
		if counts[parent] > 0 {
			order = append(order, parent)
			counts[parent] = -counts[parent] // seen
		}
	}
	for _, parent := range order {
		var within siteName
		k, known := byID[parent]
		if known {
			within = l.names[l.calls[k].site]
		}
		c.add(-counts[parent], limit, within, known)
	}
	return c, l.lost
}

// perCallOf counts the calls of a site per call of an enclosing site, at any depth.
func (l *callLog) perCallOf(s, enclosing Site, limit int) (c crowd, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	selected, around, byID := l.selected(s), l.selected(enclosing), l.byID()
	counts := make([]int, len(l.calls))
	for _, k := range byID {
		if !selected[l.calls[k].site] {
			continue
		}
		// A trace that is not a tree cannot make this endless: there are no more steps than calls.
		for range l.calls {
			up, ok := byID[spanID{l.calls[k].trace, l.calls[k].parent}]
			if !ok {
				break
			}
			if k = up; around[l.calls[k].site] {
				counts[k]++
			}
		}
	}
	for k, n := range counts {
		if n > 0 {
			c.add(n, limit, l.names[l.calls[k].site], true)
		}
	}
	return c, l.lost
}

// selected reports for each site whether it matches.
func (l *callLog) selected(s Site) []bool {
	selected := make([]bool, len(l.names))
	for i, name := range l.names {
		selected[i] = s.matches(name)
	}
	return selected
}

// byID returns the index of each span, once even if the SDK ended it twice, as it may while the execution tracer runs.
func (l *callLog) byID() map[spanID]int {
	byID := make(map[spanID]int, len(l.calls))
	for i, c := range l.calls {
		byID[spanID{c.trace, c.span}] = i
	}
	return byID
}
