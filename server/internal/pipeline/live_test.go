package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/demo"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// TestSearchFindsTheSameWhereverTheSpansAre searches what is partly pending, partly filed and partly committed, and
// compares with the answers of a store that has all of it.
func TestSearchFindsTheSameWhereverTheSpansAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, Config{SegmentAge: 5 * time.Second, TraceGrace: 3 * time.Second, TraceIdle: 3 * time.Second})
		w.facts.wide = true
		var unsent []fact
		var traces []core.TraceID
		for range 60 {
			list := w.facts.trace(10, time.Now())
			traces = append(traces, list[0].trace)
			unsent = append(unsent, list...)
			n := w.r.IntN(len(unsent))
			w.send(unsent[:n])
			unsent = unsent[n:]
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		n := w.p.Counters()
		require.NotZero(t, n.Commits)
		require.NotZero(t, n.Pending)

		all := memory.New(memory.Options{})
		q, err := Open(t.Context(), Config{Store: all})
		require.NoError(t, err)
		for _, f := range w.sent {
			_, err := q.Ingest(t.Context(), requestOf([]fact{*f}))
			require.NoError(t, err)
		}
		require.NoError(t, q.Close(t.Context()))
		found := 0
		for i := range 300 {
			query := w.query()
			want, err := all.Search(t.Context(), query)
			require.NoError(t, err)
			got, err := w.p.Live().Search(t.Context(), query)
			require.NoError(t, err)
			require.Equal(t, want, got, "query %d: %+v", i, query)
			found += min(len(want), 1)
		}
		require.Greater(t, found, 50)
		// Twice, missing, and in the order that was asked for.
		ids := []core.TraceID{traces[7], {9}, traces[3], traces[7]}
		got, err := w.p.Live().Traces(t.Context(), ids, store.Range{})
		require.NoError(t, err)
		require.Equal(t, []core.TraceID{traces[7], traces[3]}, []core.TraceID{got.Traces[0].ID, got.Traces[1].ID})
		require.Len(t, got.Traces, 2)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

// query makes a random query.
func (w *world) query() *store.Query {
	q := &store.Query{Limit: w.r.IntN(30)}
	f := w.sent[w.r.IntN(len(w.sent))]
	if w.r.IntN(2) == 0 {
		q.Service = f.site.Service
	}
	if w.r.IntN(3) == 0 {
		q.Operation = f.site.Name
	}
	if w.r.IntN(4) == 0 {
		q.Kind = f.site.Kind
	}
	if w.r.IntN(3) == 0 {
		q.MinDuration = time.Duration(f.duration())
	}
	if w.r.IntN(3) == 0 {
		q.Attributes = append(q.Attributes, store.Attribute{Key: "error", Value: fmt.Sprint(f.failed)})
	}
	if w.r.IntN(4) == 0 {
		q.Attributes = append(q.Attributes, store.Attribute{Key: "code.line.number", Value: "1"})
	}
	if w.r.IntN(3) == 0 {
		q.Start.From = time.Unix(0, f.start)
	}
	return q
}

// viewed is a store that can be read as of one moment. A commit is there for a while before Commit returns.
type viewed struct {
	*witness
	mu   sync.Mutex
	open int // views
}

type view struct {
	store.Reader
	commits uint64
	of      *viewed
}

func (v *viewed) Commit(ctx context.Context, g *store.Segment) error {
	v.mu.Lock()
	err := v.witness.Commit(ctx, g)
	v.mu.Unlock()
	time.Sleep(30 * time.Millisecond)
	return err
}

func (v *viewed) View() store.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open++
	state := memory.New(memory.Options{})
	segments := v.kept()
	for _, g := range segments {
		if err := state.Commit(context.Background(), g); err != nil {
			panic(err)
		}
	}
	return &view{state, uint64(len(segments)), v}
}

func (v *view) Commits() uint64 { return v.commits }

func (v *view) Close() {
	v.of.mu.Lock()
	defer v.of.mu.Unlock()
	v.of.open--
}

// gated is a store that looks who else may use it.
type gated struct {
	*witness
	p                *Pipeline
	queries, commits atomic.Int64
	t                *testing.T
}

func (g *gated) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	g.queries.Add(1)
	if g.p.gate.TryLock() {
		g.p.gate.Unlock()
		g.t.Error("a commit could come in between")
	}
	return g.witness.Profile(ctx, within)
}

func (g *gated) Commit(ctx context.Context, segment *store.Segment) error {
	g.commits.Add(1)
	if g.p.gate.TryRLock() {
		g.p.gate.RUnlock()
		g.t.Error("a query could come in between")
	}
	return g.witness.Commit(ctx, segment)
}

func TestQueriesAndCommitsExcludeEachOtherUnlessTheStoreHasViews(t *testing.T) {
	g := &gated{witness: &witness{Store: memory.New(memory.Options{})}, t: t}
	p, err := Open(t.Context(), Config{Store: g})
	require.NoError(t, err)
	g.p = p
	_, err = p.Ingest(t.Context(), requestOf(newFacts(1).trace(10, time.Now())))
	require.NoError(t, err)
	_, err = p.Live().Profile(t.Context(), store.Range{})
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	require.EqualValues(t, 1, g.queries.Load())
	require.EqualValues(t, 1, g.commits.Load())
}

// TestConcurrentSafeAnswersAreExactAtEveryMoment lets clients send while others ask: what was acknowledged before the
// question is in the answer, once, and nothing that was not sent.
func TestConcurrentSafeAnswersAreExactAtEveryMoment(t *testing.T) {
	for _, canView := range []bool{false, true} {
		t.Run(fmt.Sprint("view=", canView), func(t *testing.T) {
			w := &witness{Store: memory.New(memory.Options{})}
			c := Config{
				Store: w, TraceGrace: 5 * time.Millisecond, TraceIdle: 10 * time.Millisecond, SegmentAge: 20 * time.Millisecond,
				SegmentSpans: 500,
			}
			v := &viewed{witness: w}
			if canView {
				c.Store = v
			}
			p, err := Open(t.Context(), c)
			require.NoError(t, err)
			var sent, acknowledged atomic.Int64
			var clients, readers sync.WaitGroup
			stop := make(chan struct{})
			for i := range 4 {
				clients.Go(func() {
					m := newFacts(uint64(100 + i))
					for range 100 {
						list := m.trace(1+m.r.IntN(30), time.Now())
						sent.Add(int64(len(list)))
						_, err := p.Ingest(t.Context(), requestOf(list))
						assertNoError(t, err)
						acknowledged.Add(int64(len(list)))
					}
				})
			}
			for range 2 {
				readers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						least := acknowledged.Load()
						s, err := p.Live().Profile(t.Context(), store.Range{})
						most := sent.Load()
						assertNoError(t, err)
						assertNoError(t, s.Validate())
						if n := int64(s.Counters.Spans); n < least || n > most {
							t.Errorf("%d spans, want %d to %d", n, least, most)
						}
						least = acknowledged.Load()
						size, err := p.Live().Size(t.Context())
						most = sent.Load()
						assertNoError(t, err)
						if size.Spans < least || size.Spans > most {
							t.Errorf("size of %d spans, want %d to %d", size.Spans, least, most)
						}
					}
				})
			}
			clients.Wait()
			close(stop)
			readers.Wait()
			require.NoError(t, p.Close(t.Context()))
			size, err := w.Size(t.Context())
			require.NoError(t, err)
			require.Equal(t, sent.Load(), size.Spans)
			require.Zero(t, v.open, "every view is closed")
		})
	}
}

// assertNoError is for goroutines, which must not end the test.
func assertNoError(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

// TestDemoTruth checks blocks and self times with traffic whose truth is known.
func TestDemoTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := Open(t.Context(), Config{Store: memory.New(memory.Options{})})
		require.NoError(t, err)
		g := demo.New(7)
		for range 200 {
			spans := g.Trace(time.Now())
			rand.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
			var request []byte
			for _, s := range spans {
				raw, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{
					ResourceSpans: []*tracepb.ResourceSpans{demo.Resource(s.Service, []demo.Span{s})},
				})
				require.NoError(t, err)
				request = append(request, raw...) // messages one behind the other are merged
			}
			_, err := p.Ingest(t.Context(), request)
			require.NoError(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		require.NoError(t, p.Close(t.Context()))
		s, err := p.Live().Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		truth := g.Truth().Summary()
		require.Len(t, s.Blocks, len(truth.Operations))
		var roots, critical uint64
		for _, o := range truth.Operations {
			i := slices.IndexFunc(s.Blocks, func(b core.Block) bool {
				return b.Site.Service == o.Service && b.Site.Track == o.Track && b.Site.Name == o.Name && b.Site.Kind.String() == o.Kind
			})
			require.GreaterOrEqual(t, i, 0, o)
			b := s.Blocks[i].Stats
			require.Equal(t, []uint64{o.Count, o.Errors, o.Total, o.Self, o.Min, o.Max},
				[]uint64{b.Count, b.Errors, b.Total, b.Self, b.Min, b.Max}, o)
			require.InEpsilon(t, o.P99, b.Quantile(0.99), 0.01)
			critical += b.Critical
		}
		for _, n := range s.Nodes {
			if n.Parent < 0 {
				roots += n.Stats.Total
			}
		}
		require.Equal(t, roots, critical, "each trace's critical path is as long as the trace")
	})
}
