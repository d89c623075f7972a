package otelprof_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
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

// witness is a span processor that keeps every span and works the profile out from that: with a lock, a map, and
// no thought of cost. It stands beside the profiler and sees what the SDK shows.
type witness struct {
	mu    sync.Mutex
	base  time.Time
	spans map[trace.SpanID]*seen
	order []*seen
	ticks int
	// lives counts the open spans of each trace; a trace whose last span has ended begins anew.
	lives map[trace.TraceID]*life
	// places are the call sites, entered by the test.
	places map[trace.SpanID]core.Location
	off    map[string]bool
}

type life struct{ open int }

type seen struct {
	live           sdktrace.ReadWriteSpan
	ended          sdktrace.ReadOnlySpan
	parent         *seen
	life           *life
	opened, closed int
	hidden         bool
}

func newWitness() *witness {
	return &witness{
		base: time.Now(), spans: map[trace.SpanID]*seen{}, lives: map[trace.TraceID]*life{},
		places: map[trace.SpanID]core.Location{}, off: map[string]bool{},
	}
}

func (w *witness) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	id := s.SpanContext().TraceID()
	if w.lives[id] == nil || w.lives[id].open == 0 {
		w.lives[id] = &life{}
	}
	n := &seen{live: s, life: w.lives[id], opened: w.ticks}
	n.life.open++
	if p := s.Parent(); p.IsValid() && !p.IsRemote() {
		if known := w.spans[p.SpanID()]; known != nil && known.life == n.life {
			n.parent = known
		}
	}
	w.spans[s.SpanContext().SpanID()] = n
	w.order = append(w.order, n)
}

func (w *witness) OnEnd(s sdktrace.ReadOnlySpan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	n := w.spans[s.SpanContext().SpanID()]
	n.ended, n.closed, n.hidden = s, w.ticks, w.off[s.InstrumentationScope().Name]
	n.life.open--
}

func (*witness) Shutdown(context.Context) error   { return nil }
func (*witness) ForceFlush(context.Context) error { return nil }

func (w *witness) moment(t time.Time) int64 { return int64(t.Sub(w.base)) }

func (w *witness) site(n *seen) core.Site {
	s := core.Site{
		Track: n.live.InstrumentationScope().Name, Name: n.live.Name(), Kind: core.Kind(n.live.SpanKind()),
	}
	place := w.places[n.live.SpanContext().SpanID()]
	s.Function, s.File, s.Line = place.Function, place.File, place.Line
	return s
}

func (n *seen) around() *seen {
	p := n.parent
	for p != nil && p.hidden {
		p = p.parent
	}
	return p
}

// self is the duration without the union of what the children cover.
func (w *witness) self(n *seen) uint64 {
	type period struct{ from, to int64 }
	var children []period
	for _, c := range w.order {
		if c.around() != n || c.opened > n.closed || c.hidden {
			continue
		}
		from, to := w.moment(c.live.StartTime()), int64(math.MaxInt64/2)
		if c.ended != nil {
			to = from + max(int64(c.ended.EndTime().Sub(c.ended.StartTime())), 0)
		}
		children = append(children, period{from, to})
	}
	slices.SortFunc(children, func(a, b period) int { return cmp.Compare(a.from, b.from) })
	at := w.moment(n.ended.StartTime())
	end, self := at+int64(n.duration()), int64(0)
	for _, c := range children {
		self += max(min(c.from, end)-at, 0)
		at = max(at, c.to)
	}
	return uint64(self + max(end-at, 0))
}

func (n *seen) duration() uint64 { return uint64(max(n.ended.EndTime().Sub(n.ended.StartTime()), 0)) }

// sums is what the witness knows of a block or node. The rest is compared with an oracle in the package core.
type sums struct {
	count, errors, total, self, min, max uint64
	active, pending                      int64
	slowest, lastError                   bool
}

func (s *sums) add(d, self uint64, failed bool) {
	if s.count == 0 {
		s.min = d
	}
	s.count++
	s.min, s.max = min(s.min, d), max(s.max, d)
	s.total += d
	s.self += self
	s.slowest = true
	if failed {
		s.errors++
		s.lastError = true
	}
}

func sumsOf(s *core.Stats) sums {
	return sums{s.Count, s.Errors, s.Total, s.Self, s.Min, s.Max, s.Active, 0, !s.Slowest.IsZero(), !s.LastError.IsZero()}
}

// compare wants the profiler's snapshot to be what the witness saw.
func (w *witness) compare(t testing.TB, p *otelprof.Profiler) {
	t.Helper()
	got := p.Snapshot()
	require.NoError(t, got.Validate())
	w.mu.Lock()
	defer w.mu.Unlock()
	blocks, nodes := map[core.Site]sums{}, map[string]sums{}
	for _, n := range w.order {
		site := w.site(n)
		b := blocks[site]
		switch {
		case n.ended == nil && !w.off[site.Track]:
			b.active++
		case n.ended == nil || n.hidden:
			continue
		default:
			self := w.self(n)
			failed := n.ended.Status().Code == codes.Error
			b.add(n.duration(), self, failed)
			if n.life.open > 0 {
				b.pending++
				break
			}
			var path string
			for at := n; at != nil; at = at.around() {
				path = fmt.Sprintf("> %v %s", w.site(at), path)
			}
			node := nodes[path]
			node.add(n.duration(), self, failed)
			nodes[path] = node
		}
		blocks[site] = b
	}
	var spans uint64
	for i := range got.Blocks {
		b := &got.Blocks[i]
		have := sumsOf(&b.Stats)
		have.pending = b.Pending
		require.Equal(t, blocks[b.Site], have, "%v", b.Site)
		delete(blocks, b.Site)
		spans += b.Stats.Count
	}
	require.Empty(t, blocks, "missing")
	require.Equal(t, spans, got.Counters.Spans)
	for i, n := range got.Nodes {
		var path string
		for _, s := range got.Path(i) {
			path += fmt.Sprintf("> %v ", s)
		}
		have := sumsOf(&n.Stats)
		require.Equal(t, nodes[path], have, "%v", path)
		delete(nodes, path)
	}
	require.Empty(t, nodes, "missing")
	w.checkExemplars(t, got)
}

// checkExemplars wants every exemplar to be a span of its block with the duration that it says.
func (w *witness) checkExemplars(t testing.TB, got *core.Snapshot) {
	t.Helper()
	for _, b := range got.Blocks {
		for _, e := range []core.Exemplar{b.Stats.Slowest, b.Stats.LastError} {
			if e.IsZero() {
				continue
			}
			n := w.spans[trace.SpanID(e.Span)]
			require.NotNil(t, n)
			require.Equal(t, b.Site, w.site(n))
			require.Equal(t, trace.TraceID(e.Trace), n.ended.SpanContext().TraceID())
			require.Equal(t, e.Duration, n.duration())
			require.Equal(t, e.Sampled, n.ended.SpanContext().IsSampled())
		}
		if b.Stats.Count > 0 {
			require.Equal(t, b.Stats.Max, b.Stats.Slowest.Duration)
		}
	}
}
