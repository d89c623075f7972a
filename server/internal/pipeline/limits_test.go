package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

func TestTracesAreFiledEarlyWhenMemoryIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, Config{Memory: 1 << 20, TraceIdle: time.Hour, TraceGrace: time.Hour})
		for range 800 {
			w.send(w.facts.trace(20, time.Now()))
			synctest.Wait() // no time passes: only need makes room
		}
		w.check()
		n := w.p.Counters()
		require.NotZero(t, n.Hurried)
		require.NotZero(t, n.Commits)
		require.NotZero(t, n.Pending)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

func TestTraceWaitsForItsSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, Config{TraceGrace: 2 * time.Second, TraceIdle: 10 * time.Second, TraceAge: time.Minute})
		filed := func() int { synctest.Wait(); return int(w.p.Counters().Filed) }
		list := w.facts.trace(200, time.Now())
		list[0].parent = core.SpanID{}
		root := slices.Clone(list[:1])
		for i := range root {
			root[i].raw = rawOf(&root[i])
		}
		others := slices.DeleteFunc(slices.Clone(list[1:]), func(f fact) bool { return f.parent == core.SpanID{} })

		time.Sleep(tick / 2) // never at the same time as the filer
		w.send(others[:1])
		time.Sleep(9 * time.Second)
		require.Zero(t, filed())
		w.send(others[1:2])
		time.Sleep(9 * time.Second)
		require.Zero(t, filed(), "a span prolongs the time")
		w.send(root)
		time.Sleep(1900 * time.Millisecond)
		require.Zero(t, filed())
		time.Sleep(300 * time.Millisecond)
		require.Equal(t, 3, filed(), "with the root it is short")
		w.send(others[2:3])
		time.Sleep(11 * time.Second)
		require.Equal(t, 4, filed())
		require.EqualValues(t, 1, w.p.Counters().Late)

		for i := 3; i < 103; i++ { // a span every second, but not for ever
			w.send(others[i : i+1])
			time.Sleep(time.Second)
		}
		require.Equal(t, 4+70, filed())
		require.EqualValues(t, 1+70, w.p.Counters().Late)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

// shaped makes facts of one trace.
func (m *facts) shaped(n int, shape func(i int, f *fact)) []fact {
	list := m.trace(1, time.Now())
	trace := list[0].trace
	list = make([]fact, n)
	for i := range list {
		list[i] = fact{trace: trace, id: m.spanID(), site: core.Site{Service: "s", Track: "t", Name: "n"}}
	}
	now := time.Now().UnixNano()
	for i := range list {
		list[i].start, list[i].end = now, now+1000
		shape(i, &list[i])
		list[i].raw = rawOf(&list[i])
	}
	return list
}

func TestTraceThatIsTooLargeIsFiledInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{TraceSpans: 1000})
		list := w.facts.shaped(10_500, func(int, *fact) {})
		for part := range slices.Chunk(list, 100) {
			w.send(part)
		}
		synctest.Wait()
		n := w.p.Counters()
		require.EqualValues(t, 10, n.Oversized)
		require.EqualValues(t, 10_000, n.Filed)
		require.EqualValues(t, 9_000, n.Late)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
	})
}

func TestTraceWithTooManyBytesIsFiledInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{SegmentBytes: 20_000})
		list := w.facts.shaped(2000, func(int, *fact) {})
		bytes := 0
		for part := range slices.Chunk(list, 50) {
			w.send(part)
			for i := range part {
				bytes += len(part[i].raw)
			}
		}
		synctest.Wait()
		require.InDelta(t, bytes/20_000, int(w.p.Counters().Oversized), float64(bytes/60_000))
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
		for _, g := range w.store.kept() {
			size := 0
			for _, tr := range g.Traces {
				for _, s := range tr.Spans {
					size += len(s.Raw)
				}
			}
			require.Less(t, size, 40_000)
		}
	})
}

// With statistics alone no bytes are kept, so that they are no reason to take a trace apart.
func TestBytesDoNotMatterForStatistics(t *testing.T) {
	p, err := Open(t.Context(), Config{Store: memory.New(memory.Options{}), StatisticsOnly: true, SegmentBytes: 20_000})
	require.NoError(t, err)
	_, err = p.Ingest(t.Context(), requestOf(newFacts(1).shaped(2000, func(int, *fact) {})))
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	n := p.Counters()
	require.EqualValues(t, 2000, n.Filed)
	require.EqualValues(t, 1, n.Traces)
	require.Zero(t, n.Oversized)
}

func TestTraceOverManyMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, Config{SegmentMinutes: 10, MaxFuture: -1, MaxDepth: 20})
		chain := w.facts.shaped(300, func(i int, f *fact) {
			f.start += int64(i) * int64(time.Minute)
			f.end = f.start + 1000
		})
		for i := 1; i < len(chain); i++ {
			chain[i].parent = chain[i-1].id
			chain[i].raw = rawOf(&chain[i])
		}
		w.send(chain)
		got, err := w.p.Live().Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		require.EqualValues(t, 300, got.Counters.Spans)
		require.NoError(t, w.p.Close(t.Context()))
		w.check()
		require.EqualValues(t, 30, w.p.Counters().Oversized)
		require.Len(t, w.store.kept(), 30)
	})
}

// A path that is deeper than the tree may be leads to the overflow branch, whether the spans ended in one minute or in
// several.
func TestDeepTraceOverTwoMinutes(t *testing.T) {
	tree := func(minutes int64) []core.Site {
		var path []core.Site
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 5, Config{MaxDepth: 5, MaxFuture: -1, MaxSkew: -1})
			chain := w.facts.shaped(10, func(i int, f *fact) {
				f.start += int64(i) % minutes * int64(time.Minute)
				f.end = f.start + 1000
			})
			for i := 1; i < len(chain); i++ {
				chain[i].parent = chain[i-1].id
				chain[i].raw = rawOf(&chain[i])
			}
			w.send(chain)
			require.NoError(t, w.p.Close(t.Context()))
			s, err := w.p.Live().Profile(t.Context(), store.Range{})
			require.NoError(t, err)
			require.NoError(t, s.Validate())
			require.EqualValues(t, 5, s.Counters.OverflowNodes)
			for _, n := range s.Nodes {
				path = append(path, s.Site(n))
			}
		})
		return path
	}
	require.Equal(t, tree(1), tree(2))
}

func TestSitesWithoutRoomShareTheOverflowSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 6, Config{MaxSites: 10})
		names := func(prefix string) []fact {
			return w.facts.shaped(30, func(i int, f *fact) { f.site.Name = fmt.Sprint(prefix, i) })
		}
		count := func(name string) (n uint64) {
			s, err := w.p.Live().Profile(t.Context(), store.Range{})
			require.NoError(t, err)
			for _, b := range s.Blocks {
				if b.Site.Name == name {
					n += b.Stats.Count
				}
			}
			return n
		}
		w.send(names("a"))
		require.EqualValues(t, 20, count(core.OverflowName), "pending")
		require.EqualValues(t, 1, count("a9"))
		require.EqualValues(t, 20, w.p.Counters().OverflowSites)
		time.Sleep(11 * time.Second)
		require.EqualValues(t, 20, count(core.OverflowName), "filed")
		operations, err := w.p.Live().Operations(t.Context(), "s")
		require.NoError(t, err)
		require.Len(t, operations, 30, "they have their names in the spans")

		time.Sleep(forgetAfter*time.Minute + 2*time.Minute)
		w.send(names("b"))
		require.EqualValues(t, 1, count("b9"), "what was not seen for long makes room")
		require.EqualValues(t, 40, count(core.OverflowName))
		require.Equal(t, 10, w.p.Counters().Sites)
		w.checkSpans()
		require.NoError(t, w.p.Close(t.Context()))
		require.EqualValues(t, 40, count(core.OverflowName))
	})
}

func TestStatisticsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, Config{StatisticsOnly: true, SegmentAge: 5 * time.Second})
		sites := map[core.Site]uint64{}
		var all []fact
		for range 100 {
			list := w.facts.trace(20, time.Now())
			request := requestOf(list)
			_, err := w.p.Ingest(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{0xA5}, len(request)), request, "nobody refers to it any more")
			all = append(all, list...)
			for i := range list {
				sites[list[i].site]++
			}
			time.Sleep(300 * time.Millisecond)
			s, err := w.p.Live().Profile(t.Context(), store.Range{})
			require.NoError(t, err)
			require.NoError(t, s.Validate())
			got := map[core.Site]uint64{}
			for _, b := range s.Blocks {
				got[b.Site] = b.Stats.Count
			}
			require.Equal(t, sites, got)
		}
		require.NotZero(t, w.p.Counters().Commits)
		require.NoError(t, w.p.Close(t.Context()))
		require.Zero(t, w.p.Counters().Used)
		size, err := w.p.Live().Size(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2000, size.Spans)
		names, err := w.p.Live().Services(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"service 0", "service 1", "service 2"}, names)
		operations, err := w.p.Live().Operations(t.Context(), "service 1")
		require.NoError(t, err)
		require.Contains(t, operations, store.Operation{Service: "service 1", Name: "name 1", Kind: core.KindServer})
		found, err := w.p.Live().Traces(t.Context(), []core.TraceID{all[0].trace}, store.Range{})
		require.NoError(t, err)
		require.Empty(t, found.Traces)
		stored, err := w.store.Size(t.Context())
		require.NoError(t, err)
		require.Zero(t, stored.Spans+stored.LogEntries)
	})
}

func TestIngestDoesNotAllocatePerSpan(t *testing.T) {
	p, err := Open(t.Context(), Config{Store: &discard{}, StatisticsOnly: true, TraceIdle: time.Hour, TraceGrace: time.Hour})
	require.NoError(t, err)
	defer p.Close(t.Context())
	m := newFacts(1)
	list := m.trace(500, time.Now())
	for i := range list {
		list[i].parent = list[0].id
		list[i].end = list[i].start + 5
	}
	request := requestOf(list)
	run := func() {
		_, err := p.Ingest(t.Context(), request)
		require.NoError(t, err)
		p.fileDue(1<<62, 1<<62)
	}
	for range 10 {
		run()
	}
	require.Less(t, testing.AllocsPerRun(100, run), 25.0, "for 500 spans, with the segment's profile now and then")
}

func TestTextsOfSitesAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8, Config{StatisticsOnly: true})
		long := string(bytes.Repeat([]byte("ä"), 100_000))
		list := w.facts.shaped(1, func(_ int, f *fact) {
			f.site = core.Site{Service: long, Track: long, Name: long, Function: long, File: long, Line: 1}
		})
		w.send(list)
		s, err := w.p.Live().Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		require.Len(t, s.Blocks, 1)
		want := long[:1024]
		require.Equal(t, core.Site{Service: want, Track: want, Name: want, Function: want, File: want, Line: 1}, s.Blocks[0].Site)
		require.NoError(t, w.p.Close(t.Context()))
	})
}
