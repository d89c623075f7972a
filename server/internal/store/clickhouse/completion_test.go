package clickhouse_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/pipeline"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// clock is the time of all nodes.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// node is a store with the pipeline before it.
type node struct {
	*clickhouse.Store
	t        *testing.T
	pipeline *pipeline.Pipeline
}

// cluster is several nodes with one ClickHouse, and one that gets all spans by itself. Traces are completed when the test says
// so.
type cluster struct {
	t      *testing.T
	clock  *clock
	url    string
	schema clickhouse.Schema
	one    *pipeline.Pipeline
	alone  *memory.Store
	nodes  []*node
	g      *storetest.Generator
	r      *rand.Rand
}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{t: t, clock: newClock(), url: newDatabase(t), g: storetest.NewGenerator(11)}
	c.start(n)
	return c
}

func (c *cluster) start(n int) {
	c.alone, c.r = memory.New(memory.Options{}), rand.New(rand.NewPCG(1, 2))
	c.g.Gap = int64(300 * time.Millisecond) // so that traces are in several minutes
	var err error
	c.one, err = pipeline.Open(c.t.Context(), pipeline.Config{Store: c.alone})
	require.NoError(c.t, err)
	for range n {
		c.nodes = append(c.nodes, c.node(nil))
	}
}

// node makes a node. wrap may change how it completes.
func (c *cluster) node(wrap func(store.Completer) store.Completer) *node {
	o := options(c.t, c.url)
	o.Schema, o.KeepSchema = c.schema, c.schema.Cluster != ""
	o.Now, o.CompleteEvery, o.CompleteSpans = c.clock.now, -1, 700
	var err error
	o.Complete, err = pipeline.NewCompleter(pipeline.Config{})
	require.NoError(c.t, err)
	if wrap != nil {
		o.Complete = wrap(o.Complete)
	}
	s := open(c.t, o)
	p, err := pipeline.Open(c.t.Context(), pipeline.Config{Store: s, Withhold: true})
	require.NoError(c.t, err)
	return &node{s, c.t, p}
}

func request(spans []storetest.Span) []byte {
	var parts []otlp.Part
	for i := range spans {
		s := &spans[i]
		parts = append(parts, otlp.Part{Resource: s.Origin.Resource, Scope: s.Origin.Scope, Spans: [][]byte{s.Raw}})
	}
	return otlp.AppendTraces(nil, parts)
}

// send gives all spans of some traces to the one, and each to one of the nodes in turn. Some roots get lost, and some spans
// are late.
func (c *cluster) send(traces int) {
	ctx := c.t.Context()
	lists := make([][]storetest.Span, len(c.nodes))
	for i, s := range c.g.Segment(traces).Spans {
		if s.Parent == (core.SpanID{}) && c.r.IntN(10) == 0 {
			continue
		}
		_, err := c.one.Ingest(ctx, request([]storetest.Span{s}))
		require.NoError(c.t, err)
		lists[i%len(lists)] = append(lists[i%len(lists)], s)
	}
	for i, list := range lists {
		_, err := c.nodes[i].pipeline.Ingest(ctx, request(list))
		require.NoError(c.t, err)
	}
}

// flush waits until everything that nodes took is in ClickHouse: they get other pipelines. The one keeps its own.
func (c *cluster) flush() {
	for _, n := range c.nodes {
		n.flush()
	}
}

func (n *node) flush() {
	require.NoError(n.t, n.pipeline.Close(n.t.Context()))
	require.Eventually(n.t, func() bool { return n.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	var err error
	n.pipeline, err = pipeline.Open(n.t.Context(), pipeline.Config{Store: n.Store, Withhold: true})
	require.NoError(n.t, err)
}

func (c *cluster) close() {
	_ = c.one.Close(context.Background())
	for _, n := range c.nodes {
		require.NoError(c.t, n.pipeline.Close(context.Background()))
		require.NoError(c.t, n.Close())
	}
}

// want is the profile of the one that gets everything, which is over by that.
func (c *cluster) want() *core.Snapshot {
	require.NoError(c.t, c.one.Close(c.t.Context()))
	p, err := c.alone.Profile(c.t.Context(), store.Range{})
	require.NoError(c.t, err)
	return p
}

func (n *node) profile() *core.Snapshot {
	p, err := n.Profile(n.t.Context(), store.Range{})
	require.NoError(n.t, err)
	return p
}

func bits(t *testing.T, s *core.Snapshot) string {
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	return string(b)
}

// counts returns what must not depend on who got which span.
func counts(t *testing.T, s *core.Snapshot) string {
	c := *s
	c.Nodes, c.Blocks = nil, append([]core.Block(nil), s.Blocks...)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		b.Stats.Self, b.Stats.Critical, b.Pending = 0, 0, int64(b.Stats.Count)
	}
	return bits(t, &c)
}

// requireDone: all nodes say what the one says.
func (c *cluster) requireDone(want *core.Snapshot) {
	c.t.Helper()
	for _, n := range c.nodes {
		got := n.profile()
		requireSame(c.t, want, got)
		require.True(c.t, bits(c.t, want) == bits(c.t, got))
	}
}

// TestCompletion gives the spans of each trace to three nodes in turn. In the end their answers are bit for bit those of a node
// that got all.
func TestCompletion(t *testing.T) {
	c := newCluster(t, 3)
	defer c.close()
	ctx := t.Context()
	c.send(200)
	c.flush()
	c.clock.advance(time.Minute)
	require.NoError(t, c.nodes[0].CompleteTraces(ctx))
	require.Greater(t, c.nodes[0].Completion().Traces, uint64(100))

	c.send(100)
	c.flush()
	for n := range c.nodes {
		require.NoError(t, c.nodes[n].CompleteTraces(ctx), "too early")
	}
	want := c.want()
	before := c.nodes[1].profile()
	require.Equal(t, counts(t, want), counts(t, before))
	require.NotEqual(t, bits(t, want), bits(t, before))
	c.clock.advance(time.Minute)
	require.NoError(t, c.nodes[0].CompleteTraces(ctx))
	c.requireDone(want)
	done := c.nodes[0].Completion()
	require.EqualValues(t, 300, done.Traces)
	require.Zero(t, done.Skipped)
	require.True(t, done.Holds)
	require.Less(t, c.clock.now().Sub(done.Through), 2*time.Minute)
	// Again, and by others: it is done.
	for range 3 {
		c.clock.advance(time.Hour)
		for _, n := range c.nodes {
			require.NoError(t, n.CompleteTraces(ctx))
		}
	}
	c.requireDone(want)
	require.Equal(t, done.Traces, c.nodes[0].Completion().Traces)
	require.Zero(t, c.nodes[1].Completion().Traces+c.nodes[2].Completion().Traces)
}

// TestCompletionOfLateParts completes traces of which a node sends its part long after the others.
func TestCompletionOfLateParts(t *testing.T) {
	c := newCluster(t, 3)
	defer c.close()
	c.send(100)
	want := withoutExtremes(c.want())
	for _, n := range c.nodes {
		n.flush()
		c.clock.advance(time.Hour)
		require.NoError(t, c.nodes[0].CompleteTraces(t.Context()))
	}
	got := withoutExtremes(c.nodes[1].profile())
	requireSame(t, want, got)
}

// requireSame compares what two profiles say, whatever form they have.
func requireSame(t *testing.T, want, got *core.Snapshot) {
	t.Helper()
	require.Equal(t, want.Counters, got.Counters)
	require.Len(t, got.Blocks, len(want.Blocks))
	for i := range want.Blocks {
		w, g := want.Blocks[i], got.Blocks[i]
		require.Equal(t, w.Site, g.Site)
		require.Equal(t, w.Pending, g.Pending, "%v", w.Site)
		requireSameStats(t, w.Stats, g.Stats, w.Site)
	}
	require.Len(t, got.Nodes, len(want.Nodes))
	for i := range want.Nodes {
		w, g := want.Nodes[i], got.Nodes[i]
		require.Equal(t, want.Path(i), got.Path(i))
		requireSameStats(t, w.Stats, g.Stats, want.Path(i))
	}
}

func requireSameStats(t *testing.T, want, got core.Stats, of any) {
	t.Helper()
	require.Equal(t, slices.Collect(want.Histogram.All), slices.Collect(got.Histogram.All), "%v", of)
	require.Equal(t, want.Histogram.Zero, got.Histogram.Zero, "%v", of)
	want.Histogram, got.Histogram = core.Histogram{}, core.Histogram{}
	require.Equal(t, want, got, "%v", of)
}

// withoutExtremes leaves out, of paths alone, what orphans leave behind whose parents came later than they were waited for.
func withoutExtremes(s *core.Snapshot) *core.Snapshot {
	for i := range s.Nodes {
		n := &s.Nodes[i].Stats
		n.Min, n.Max, n.First, n.Last, n.Slowest, n.LastError = 0, 0, 0, 0, core.Exemplar{}, core.Exemplar{}
	}
	return s
}

// TestCompletionHasOneHolder: one node completes, until its time is over or it is closed.
func TestCompletionHasOneHolder(t *testing.T) {
	c := newCluster(t, 2)
	defer c.close()
	ctx, first, second := t.Context(), c.nodes[0], c.nodes[1]
	require.NoError(t, first.CompleteTraces(ctx))
	require.NoError(t, second.CompleteTraces(ctx))
	require.True(t, first.Completion().Holds)
	require.False(t, second.Completion().Holds)
	require.Equal(t, first.Completion().Through.Unix(), second.Completion().Through.Unix())
	c.clock.advance(90 * time.Second) // the time is two minutes
	require.NoError(t, second.CompleteTraces(ctx))
	require.False(t, second.Completion().Holds)
	require.NoError(t, first.CompleteTraces(ctx)) // longer
	c.clock.advance(90 * time.Second)
	require.NoError(t, second.CompleteTraces(ctx))
	require.False(t, second.Completion().Holds)
	c.clock.advance(90 * time.Second)
	require.NoError(t, second.CompleteTraces(ctx))
	require.True(t, second.Completion().Holds)
	require.NoError(t, first.CompleteTraces(ctx))
	require.False(t, first.Completion().Holds)
	// A node that is closed leaves it to others at once.
	third := c.node(nil)
	require.NoError(t, second.pipeline.Close(ctx))
	require.NoError(t, second.Close())
	require.NoError(t, third.CompleteTraces(ctx))
	require.True(t, third.Completion().Holds)
	c.nodes[1] = third
}

// TestCompletionGoesOn ends nodes in the middle of it: after the plan was written, and after it was carried out and before that
// was noted.
func TestCompletionGoesOn(t *testing.T) {
	c := newCluster(t, 3)
	defer c.close()
	ctx := t.Context()
	c.send(150)
	want := c.want()
	c.flush()
	c.clock.advance(time.Minute)
	killed := errors.New("killed")
	calls := 0
	dying := c.node(func(complete store.Completer) store.Completer {
		return func(origins []store.Origin, traces []store.Scattered) (before, after []store.Profile, err error) {
			if calls++; calls == 2 {
				return nil, nil, killed
			}
			return complete(origins, traces)
		}
	})
	require.ErrorIs(t, dying.CompleteTraces(ctx), killed)
	require.EqualValues(t, 1, dying.Completion().Failed)
	require.NoError(t, c.nodes[0].CompleteTraces(ctx))
	require.False(t, c.nodes[0].Completion().Holds, "the other one may be slow")
	// More arrives before somebody goes on: the plan stays what it was.
	c.clock.advance(time.Hour)
	require.NoError(t, c.nodes[0].CompleteTraces(ctx))
	require.True(t, c.nodes[0].Completion().Holds)
	c.requireDone(want)

	// All of it again, as if nothing had been noted.
	conn := connect(t, c.url)
	require.NoError(t, conn.Exec(ctx, "INSERT INTO otelprof_journal (Term, Holder, Until, Through, Done) "+
		"SELECT max(Term) + 1, '', 0, 0, 0 FROM otelprof_journal"))
	again := c.nodes[0].Completion().Traces
	require.NoError(t, c.nodes[1].CompleteTraces(ctx))
	require.Greater(t, c.nodes[1].Completion().Traces, again)
	c.requireDone(want)
	// The one that was believed to be dead comes back, and finds it done.
	require.NoError(t, dying.CompleteTraces(ctx))
	c.requireDone(want)
	require.NoError(t, dying.pipeline.Close(ctx))
	require.NoError(t, dying.Close())
}

// TestCompletionByAll has all nodes believe that it is their turn, and plan at the same time: each plan is made once.
func TestCompletionByAll(t *testing.T) {
	c := newCluster(t, 3)
	defer c.close()
	c.send(150)
	want := c.want()
	c.flush()
	c.clock.advance(time.Minute)
	for range 20 {
		done := make(chan error, len(c.nodes))
		for _, n := range c.nodes {
			c.clock.advance(time.Hour) // nobody's time lasts
			go func() { done <- n.CompleteTraces(c.t.Context()) }()
		}
		for range c.nodes {
			require.NoError(t, <-done)
		}
	}
	c.requireDone(want)
}

// TestCompletionWithoutSpans: while a replica may be behind, it is waited for; then a trace of which spans are gone stays in
// parts, and the others are completed.
func TestCompletionWithoutSpans(t *testing.T) {
	c := newCluster(t, 3)
	defer c.close()
	ctx := t.Context()
	c.send(30)
	want := c.want()
	c.flush()
	c.clock.advance(time.Minute)
	conn := connect(t, c.url)
	var trace, span string
	require.NoError(t, conn.QueryRow(ctx, "SELECT TraceId, min(SpanId) FROM otel_traces WHERE unhex(TraceId) IN "+
		"(SELECT toString(TraceId) FROM otelprof_parts GROUP BY TraceId HAVING count() > 1) GROUP BY TraceId LIMIT 1").Scan(&trace, &span))
	require.NoError(t, conn.Exec(ctx, "ALTER TABLE otel_traces DELETE WHERE TraceId = ? AND SpanId = ? SETTINGS mutations_sync = 2", trace, span))

	n := c.nodes[0]
	require.ErrorContains(t, n.CompleteTraces(ctx), "spans of a part of trace "+trace)
	require.Zero(t, n.Completion().Traces)
	c.clock.advance(4 * time.Minute)
	require.ErrorContains(t, n.CompleteTraces(ctx), "spans of a part of trace "+trace)
	c.clock.advance(time.Minute)
	require.NoError(t, n.CompleteTraces(ctx))
	require.EqualValues(t, 1, n.Completion().Skipped)
	require.Positive(t, n.Completion().Traces)
	require.Equal(t, counts(t, want), counts(t, n.profile()))
}
