package core

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStichotrope04: a span of a known site takes the lock of its trace's shard and of its own node's stripe, and no
// other. All others are held while it is recorded.
func TestStichotrope04_NoLockIsSharedByAll(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	const own = 3
	trace, other := a.traceIn(own), a.traceIn(own+1)
	// Everything is known before.
	run := func() {
		a.Open(&Opening{Trace: trace, Span: SpanID{1}})
		a.Open(&Opening{Trace: trace, Span: SpanID{2}, Parent: SpanID{1}})
		a.end(trace, SpanID{2}, "child")
		a.end(trace, SpanID{1}, "root")
	}
	run()
	a.Open(&Opening{Trace: other, Span: SpanID{1}})
	a.end(other, SpanID{1}, "other")

	st := a.state.Load()
	locks := []*sync.Mutex{&a.snapshots, &st.labels.mu, &st.sites.mu, &st.tracks.mu, &st.root.children.mu, &st.overflow.stripe.mu}
	for i := range a.shards {
		if i != own {
			locks = append(locks, &a.shards[i].mu)
		}
	}
	for n := range st.root.children.all {
		locks = append(locks, &n.children.mu, &n.growing)
		if n.site.Name == "other" {
			locks = append(locks, &n.stripe.mu)
		}
	}
	for _, l := range locks {
		l.Lock()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<16)
		t.Fatalf("the span waits for a lock that is not its own:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
	for _, l := range locks {
		l.Unlock()
	}
	s := a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 2, s.Block(Site{Track: "t", Name: "child"}).Stats.Count)
}

// striped returns an Aggregator with observations at sites with so many stripes each.
func striped(t testing.TB, sites, stripes int) *Aggregator {
	a, err := New(Config{})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(23, 23))
	for i := range sites {
		l := a.Label(Site{Track: "t", Name: fmt.Sprint(i)})
		a.Record(l, &Observation{Duration: 1})
		n := a.state.Load().root.children.find(l.unlocated().hashed, l.unlocated())
		if stripes > 1 {
			more := make([]paddedStripe, stripes-1)
			n.more.Store(&more)
			for k := range more {
				more[k].add(&observation{duration: uint64(k) + 1})
			}
		}
		for range 30 {
			n.stripe.add(&observation{duration: 1e6 + r.Uint64N(1e6)})
		}
	}
	return a
}

// TestStichotrope23: a snapshot adds up all stripes of all sites. How long it takes is for the benchmark.
func TestStichotrope23_AllStripesAreMerged(t *testing.T) {
	for _, sites := range []int{1, 10, 300} {
		for _, stripes := range []int{1, 2, 16} {
			s := striped(t, sites, stripes).Snapshot()
			checkInvariants(t, s)
			checkSums(t, s)
			require.Len(t, s.Blocks, sites)
			for _, b := range s.Blocks {
				require.EqualValues(t, 30+stripes, b.Stats.Count)
				require.EqualValues(t, 1, b.Stats.Min)
			}
		}
	}
}

func BenchmarkStichotrope23_Snapshot(b *testing.B) {
	for _, sites := range []int{100, 1000, 4000} {
		for _, stripes := range []int{1, 4, 16} {
			a := striped(b, sites, stripes)
			b.Run(fmt.Sprintf("sites=%d/stripes=%d", sites, stripes), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					a.Snapshot()
				}
			})
		}
	}
}
