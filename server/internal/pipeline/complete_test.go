package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// scatter has several pipelines take the spans of traces, each span one of them in turn or at random, and one pipeline all of
// them. It returns the profile of the one, and of the others what they committed.
func scatter(t *testing.T, seed uint64, nodes int) (want *core.Snapshot, kept []*store.Segment) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 9))
		m := newFacts(seed)
		m.wide = true
		one := &witness{Store: memory.New(memory.Options{})}
		whole, err := Open(t.Context(), Config{Store: one})
		require.NoError(t, err)
		parts := make([]*Pipeline, nodes)
		witnesses := make([]*witness, nodes)
		for i := range parts {
			witnesses[i] = &witness{Store: memory.New(memory.Options{})}
			parts[i], err = Open(t.Context(), Config{Store: witnesses[i], Withhold: true})
			require.NoError(t, err)
		}
		take := func(p *Pipeline, list []fact) {
			if len(list) > 0 {
				_, err := p.Ingest(t.Context(), requestOf(list))
				require.NoError(t, err)
			}
		}
		for range 60 {
			list := m.trace(1+r.IntN(12), time.Now())
			take(whole, list)
			lists := make([][]fact, nodes)
			for i, f := range list {
				n := i % nodes
				if seed%2 == 0 {
					n = r.IntN(nodes)
				}
				lists[n] = append(lists[n], f)
			}
			for n, list := range lists {
				take(parts[n], list)
				if len(list) > 0 && r.IntN(10) == 0 {
					take(parts[n], list[:1]) // again, as after a broken connection
				}
			}
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		}
		for n, p := range parts {
			require.NoError(t, p.Close(t.Context()))
			kept = append(kept, witnesses[n].kept()...)
		}
		require.NoError(t, whole.Close(t.Context()))
		want = merged(one.kept())
	})
	return want, kept
}

func merged(segments []*store.Segment) *core.Snapshot {
	var all []*core.Snapshot
	for _, g := range segments {
		all = append(all, snapshots(g.Profiles)...)
	}
	return core.Merge(all...)
}

func snapshots(profiles []store.Profile) (all []*core.Snapshot) {
	for _, p := range profiles {
		all = append(all, p.Snapshot)
	}
	return all
}

// gather puts the parts of the traces together.
func gather(segments []*store.Segment) (origins []store.Origin, traces []store.Scattered) {
	at := map[core.TraceID]int{}
	for _, g := range segments {
		for _, t := range g.Traces {
			part := store.Part{Withheld: t.Withheld}
			for i, s := range t.Spans {
				if !t.Uncounted.Has(i) {
					part.Spans = append(part.Spans, store.Span{Origin: s.Origin + len(origins), Raw: s.Raw})
				}
			}
			n, known := at[t.ID]
			if !known {
				n = len(traces)
				at[t.ID] = n
				traces = append(traces, store.Scattered{ID: t.ID})
			}
			traces[n].Parts = append(traces[n].Parts, part)
		}
		origins = append(origins, g.Origins...)
	}
	return origins, traces
}

// requireSame compares profiles bit for bit, but for counters and times of the counting.
func requireSame(t *testing.T, want, got *core.Snapshot) {
	t.Helper()
	encode := func(s *core.Snapshot) string {
		c := *s
		c.Counters = core.Counters{}
		b, err := c.MarshalBinary()
		require.NoError(t, err)
		return string(b)
	}
	if encode(want) == encode(got) {
		return
	}
	w, g := flat(want), flat(got)
	for site, stats := range w.blocks {
		require.Equal(t, stats, g.blocks[site], "%+v", site)
	}
	for path, stats := range w.nodes {
		require.Equal(t, stats, g.nodes[path], path)
	}
	for path := range g.nodes {
		require.Contains(t, w.nodes, path)
	}
	require.Fail(t, "exemplars differ")
}

// TestCompleterIsExact: before is what the nodes counted, after is what one node counts that gets everything. Parts may be
// completed at once or one after the other.
func TestCompleterIsExact(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			want, kept := scatter(t, seed, 1+int(seed%4))
			origins, traces := gather(kept)
			require.True(t, slices.ContainsFunc(traces, func(t store.Scattered) bool { return t.Parts[0].Withheld }))
			complete, err := NewCompleter(Config{})
			require.NoError(t, err)
			before, after, err := complete(origins, traces)
			require.NoError(t, err)
			requireSame(t, merged(kept), core.Merge(snapshots(before)...))
			whole := core.Merge(snapshots(after)...)
			requireSame(t, want, whole)

			// Some of the parts first, then all.
			r := rand.New(rand.NewPCG(seed, 5))
			some := make([]store.Scattered, len(traces))
			for i := range traces {
				some[i].ID = traces[i].ID
				for k := range traces[i].Parts {
					if traces[i].Parts[k].Joined = r.IntN(2) == 0; traces[i].Parts[k].Joined {
						part := traces[i].Parts[k]
						part.Joined = false
						some[i].Parts = append(some[i].Parts, part)
					}
				}
			}
			_, first, err := complete(origins, some)
			require.NoError(t, err)
			var rest []*core.Snapshot
			for i := range traces {
				one := store.Scattered{ID: traces[i].ID}
				for _, p := range traces[i].Parts {
					if !p.Joined {
						one.Parts = append(one.Parts, p)
					}
				}
				alone, _, err := complete(origins, []store.Scattered{one})
				require.NoError(t, err)
				rest = append(rest, snapshots(alone)...)
			}
			before, after, err = complete(origins, traces)
			require.NoError(t, err)
			requireSame(t, core.Merge(append(rest, snapshots(first)...)...), core.Merge(snapshots(before)...))
			requireSame(t, want, core.Merge(snapshots(after)...))
		})
	}
}

// TestCompleterKeepsWhatWasSentTwice: a client sends a trace to a second node because the first one did not answer. Both count
// it, and completing it changes nothing.
func TestCompleterKeepsWhatWasSentTwice(t *testing.T) {
	list := newFacts(3).trace(9, time.Unix(1_800_000_000, 0))
	var part store.Part
	origins := []store.Origin{}
	for _, f := range list {
		part.Spans = append(part.Spans, store.Span{Origin: len(origins), Raw: []byte(f.raw)})
		origins = append(origins, store.Origin{Service: f.site.Service})
	}
	complete, err := NewCompleter(Config{})
	require.NoError(t, err)
	before, after, err := complete(origins, []store.Scattered{{ID: list[0].trace, Parts: []store.Part{part, part}}})
	require.NoError(t, err)
	require.NotEmpty(t, before)
	requireSame(t, core.Merge(snapshots(before)...), core.Merge(snapshots(after)...))
}

// BenchmarkComplete counts traces of ten spans, dealt to three nodes, as parts and as wholes.
func BenchmarkComplete(b *testing.B) {
	m := newFacts(1)
	var origins []store.Origin
	var traces []store.Scattered
	const spans = 10_000
	for range spans / 10 {
		t := store.Scattered{Parts: make([]store.Part, 3)}
		for i, f := range m.trace(10, time.Unix(1_800_000_000, 0)) {
			t.ID = f.trace
			t.Parts[i%3].Spans = append(t.Parts[i%3].Spans, store.Span{Origin: min(len(origins), 99), Raw: []byte(f.raw)})
			if len(origins) < 100 {
				origins = append(origins, store.Origin{Service: f.site.Service})
			}
			t.Parts[i%3].Withheld = i%3 > 0
		}
		traces = append(traces, t)
	}
	complete, err := NewCompleter(Config{})
	require.NoError(b, err)
	for b.Loop() {
		if _, _, err := complete(origins, traces); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
}
