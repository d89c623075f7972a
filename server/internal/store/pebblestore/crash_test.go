package pebblestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

var background = context.Background()

// pipeline is a small server: it appends requests of one trace each, and commits those it has in segments, with their
// profiles. It knows what was acknowledged.
type pipeline struct {
	s         *Store
	generator *storetest.Generator
	rng       *rand.Rand
	mu        sync.Mutex
	// acknowledged are the spans of each request that Append returned for, unknown those of one that it did not return for.
	acknowledged, unknown map[core.TraceID]int
	// waiting are the requests that are in no segment.
	waiting []request
}

type request struct {
	seq  uint64
	made *storetest.Made
}

// append sends some requests at the same time.
func (p *pipeline) append(t *testing.T, n int) {
	var group sync.WaitGroup
	for range n {
		m := p.generator.Segment(1)
		m.AddProfiles()
		p.mu.Lock()
		p.unknown[m.Traces[0].ID] = len(m.Spans)
		p.mu.Unlock()
		group.Go(func() {
			seq, err := p.s.Append(background, m.Requests(1 << 20)[0])
			if err != nil {
				t.Error(err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.acknowledged[m.Traces[0].ID] = len(m.Spans)
			p.waiting = append(p.waiting, request{seq, m})
		})
	}
	group.Wait()
}

// commit commits some of what waits.
func (p *pipeline) commit(t *testing.T) {
	if len(p.waiting) == 0 {
		return
	}
	n := 1 + p.rng.IntN(len(p.waiting))
	require.NoError(t, p.s.Commit(background, segmentOf(p.waiting[:n])))
	p.waiting = p.waiting[n:]
}

// segmentOf puts the spans of requests into one segment.
func segmentOf(requests []request) *store.Segment {
	g := &store.Segment{}
	for _, r := range requests {
		for _, tr := range r.made.Traces {
			moved := store.Trace{ID: tr.ID}
			for _, sp := range tr.Spans {
				moved.Spans = append(moved.Spans, store.Span{Origin: len(g.Origins) + sp.Origin, Raw: sp.Raw})
			}
			g.Traces = append(g.Traces, moved)
		}
		g.Origins = append(g.Origins, r.made.Origins...)
		g.Profiles = append(g.Profiles, r.made.Profiles...)
		g.Consumed = append(g.Consumed, store.Consumed{Seq: r.seq, All: true})
	}
	return g
}

// check opens what a crash left and compares it with what was acknowledged: every span is there once, in a block and its
// profile or in the log, and nothing is there that was not sent.
func (p *pipeline) check(t *testing.T, fs vfs.FS, acknowledged, sent map[core.TraceID]int) {
	s := openIn(t, fs, p.s.options.Dir)
	inLog := map[core.TraceID]int{}
	require.NoError(t, s.Replay(background, func(_ uint64, entry []byte, consumed store.Bits) error {
		require.Empty(t, consumed)
		id, n := traceOf(t, entry)
		inLog[id] += n
		return nil
	}))
	ids := make([]core.TraceID, 0, len(sent))
	for id := range sent {
		ids = append(ids, id)
	}
	found, err := s.Traces(background, ids, store.Range{})
	require.NoError(t, err)
	committed := uint64(0)
	for _, tr := range found.Traces {
		require.Zero(t, inLog[tr.ID], "a trace is in a block and in the log")
		inLog[tr.ID] = len(tr.Spans)
		committed += uint64(len(tr.Spans))
	}
	for id, n := range inLog {
		require.Equal(t, sent[id], n)
	}
	for id, n := range acknowledged {
		require.Equal(t, n, inLog[id], "an acknowledged trace is missing")
	}
	profile, err := s.Profile(background, store.Range{})
	require.NoError(t, err)
	require.Equal(t, committed, profile.Counters.Spans)
	size, err := s.Size(background)
	require.NoError(t, err)
	require.EqualValues(t, committed, size.Spans)
	require.Zero(t, s.Counters().Damaged)
	require.NoError(t, s.Close())
}

// TestPowerLoss cuts the power at random moments, also while requests and segments are on their way to the disk.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			p := &pipeline{
				s: openIn(t, fs, "data"), generator: storetest.NewGenerator(seed), rng: rand.New(rand.NewPCG(seed, 1)),
				acknowledged: map[core.TraceID]int{}, unknown: map[core.TraceID]int{},
			}
			for round := range 25 {
				var group sync.WaitGroup
				group.Go(func() { p.append(t, 8) })
				var crashed *vfs.MemFS
				acknowledged, sent := map[core.TraceID]int{}, map[core.TraceID]int{}
				percent := p.rng.IntN(101)
				cut := func() {
					p.mu.Lock()
					for id, n := range p.acknowledged {
						acknowledged[id] = n
					}
					p.mu.Unlock()
					crashed = fs.CrashClone(vfs.CrashCloneCfg{
						UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, uint64(round))),
					})
					p.mu.Lock()
					for id, n := range p.unknown {
						sent[id] = n
					}
					p.mu.Unlock()
				}
				if round%2 == 0 {
					cut()
				}
				group.Wait()
				if round%2 == 1 {
					group.Go(cut)
				}
				p.commit(t)
				group.Wait()
				if round%5 == 4 {
					require.NoError(t, p.s.db.Flush())
				}
				p.check(t, crashed, acknowledged, sent)
			}
			require.NoError(t, p.s.Close())
		})
	}
}

// traceOf returns the id of the only trace in a request, and the number of its spans.
func traceOf(t *testing.T, entry []byte) (id core.TraceID, n int) {
	var walker otlp.Walker
	require.NoError(t, walker.Walk(entry, func(s *otlp.Span) error {
		require.True(t, n == 0 || s.Trace == id)
		id = s.Trace
		n++
		return nil
	}))
	return id, n
}
