package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/memory"
)

// witness is a store that keeps what was committed.
type witness struct {
	store.Store
	mu       sync.Mutex
	segments []*store.Segment
	// fail, if set, is asked before every Commit.
	fail func() error
}

func (w *witness) Commit(ctx context.Context, g *store.Segment) error {
	if w.fail != nil {
		if err := w.fail(); err != nil {
			return err
		}
	}
	if err := w.Store.Commit(ctx, g); err != nil {
		return err
	}
	c := &store.Segment{Profiles: slices.Clone(g.Profiles)}
	for _, o := range g.Origins {
		c.Origins = append(c.Origins, store.Origin{Resource: bytes.Clone(o.Resource), Scope: bytes.Clone(o.Scope), Service: o.Service})
	}
	for _, t := range g.Traces {
		spans := make([]store.Span, len(t.Spans))
		for i, s := range t.Spans {
			spans[i] = store.Span{Origin: s.Origin, Raw: bytes.Clone(s.Raw)}
		}
		c.Traces = append(c.Traces, store.Trace{ID: t.ID, Spans: spans, Filed: t.Filed})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segments = append(w.segments, c)
	return nil
}

// kept returns what was committed so far.
func (w *witness) kept() []*store.Segment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.segments
}

// crash ends the goroutines of a pipeline without filing or committing anything more.
func crash(p *Pipeline) {
	p.closed.Store(true)
	p.abort()
	close(p.stop)
	p.done.Wait()
}

// world is a pipeline with everything that is true about it.
type world struct {
	t      *testing.T
	r      *rand.Rand
	facts  *facts
	config Config
	store  *witness
	p      *Pipeline

	recycled atomic.Int64
	made     map[string]*fact // by raw
	// sent are the facts that were acknowledged, in order; checked is how many segments were checked.
	sent    []*fact
	checked int
	// known are the spans that the present pipeline knows to be filed; committed is how often a span in the segments counts:
	// once for every pipeline that did not know of it.
	known     map[string]bool
	committed map[string]int
	// stored is how often a span is in the segments.
	stored map[string]int
}

func newWorld(t *testing.T, seed uint64, c Config) *world { return newWorldOn(t, seed, c, false) }

// newWorldOn makes a world whose store can be read as of one moment, or not.
func newWorldOn(t *testing.T, seed uint64, c Config, canView bool) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 4)), facts: newFacts(seed), config: c,
		made: map[string]*fact{}, known: map[string]bool{}, committed: map[string]int{}, stored: map[string]int{},
		store: &witness{Store: memory.New(memory.Options{})},
	}
	w.config.Store = w.store
	w.config.Recycle = func(request []byte) {
		w.recycled.Add(1)
		scribble(request)
	}
	if canView {
		w.config.Store = &viewed{witness: w.store}
	}
	w.open()
	return w
}

// scribble does to a buffer what its next owner would.
func scribble(b []byte) {
	for i := range b {
		b[i] = 0xA5
	}
}

func (w *world) open() {
	var err error
	w.p, err = Open(w.t.Context(), w.config)
	require.NoError(w.t, err)
}

// crash lets the pipeline die, and opens another one on the same store.
func (w *world) crash() {
	crash(w.p)
	w.checkSegments()
	w.known = map[string]bool{}
	w.open()
}

func (w *world) send(list []fact) {
	_, err := w.p.Ingest(w.t.Context(), requestOf(list))
	require.NoError(w.t, err)
	w.remember(list)
}

// remember notes what was acknowledged.
func (w *world) remember(list []fact) {
	for i := range list {
		f := &list[i]
		if w.made[f.raw] == nil {
			w.made[f.raw] = f
		}
		w.sent = append(w.sent, w.made[f.raw])
	}
}

// checkSegments checks what was committed since the last time.
func (w *world) checkSegments() {
	for _, g := range w.store.kept()[w.checked:] {
		already := maps.Clone(w.known)
		for _, raw := range checkSegment(w.t, g, w.made, w.known, w.p.config.MaxSkew) {
			w.stored[raw]++
			if !already[raw] {
				already[raw] = true
				w.committed[raw]++
			}
		}
		w.checked++
	}
}

// expected returns how everything that was sent is to be counted, without self times.
func (w *world) expected() (list []counted) {
	w.checkSegments()
	copies := map[string]int{}
	for _, f := range w.sent {
		copies[f.raw]++
	}
	for raw, n := range copies {
		times := w.committed[raw]
		if w.stored[raw] < n && !w.known[raw] {
			times++ // all that is not committed counts once, unless this pipeline has filed the span before
		}
		for range times {
			list = append(list, counted{fact: w.made[raw]})
		}
	}
	return list
}

// check compares what the pipeline says with what was sent.
func (w *world) check() {
	synctest.Wait()
	live := w.p.Live()
	got, err := live.Profile(w.t.Context(), store.Range{})
	require.NoError(w.t, err)
	require.NoError(w.t, got.Validate())
	expected := w.expected()
	want, have := profileOfFacts(expected).blocks, flat(got).blocks
	for k, s := range have {
		s.Self, s.Critical = 0, 0
		have[k] = s
	}
	require.Equal(w.t, want, have)
	if w.r.IntN(3) == 0 {
		w.checkMinutes(got, expected)
		w.checkSpans()
	}
}

// checkMinutes checks that the minutes add up to the whole, and that each holds the spans that ended in it.
func (w *world) checkMinutes(whole *core.Snapshot, expected []counted) {
	step := 1 + w.r.IntN(3)
	minutes := map[int64][]counted{}
	for _, c := range expected {
		first := store.FloorStep(c.minute(), step)
		minutes[first] = append(minutes[first], c)
	}
	var parts []*core.Snapshot
	var order []int64
	err := w.p.Live().Profiles(w.t.Context(), store.Range{}, step, func(minute int64, s *core.Snapshot) error {
		parts, order = append(parts, s), append(order, minute)
		have := flat(s).blocks
		for k, s := range have {
			s.Self, s.Critical = 0, 0
			if s.Count == 0 { // only leads to others
				delete(have, k)
				continue
			}
			have[k] = s
		}
		require.Equal(w.t, profileOfFacts(minutes[minute]).blocks, have)
		return nil
	})
	require.NoError(w.t, err)
	require.Equal(w.t, slices.Sorted(maps.Keys(minutes)), order)
	require.Equal(w.t, flat(whole), flat(core.Merge(parts...)))
}

// checkSpans checks that every span that was sent can be read, as it was sent and as often.
func (w *world) checkSpans() {
	want, ids := map[core.TraceID][]string{}, []core.TraceID{{1, 2, 3}}
	services := map[string]bool{}
	for _, f := range w.sent {
		if want[f.trace] == nil {
			ids = append(ids, f.trace)
		}
		want[f.trace] = append(want[f.trace], f.site.Service+f.site.Track+f.raw)
		services[f.site.Service] = true
	}
	found, err := w.p.Live().Traces(w.t.Context(), ids, store.Range{})
	require.NoError(w.t, err)
	require.Len(w.t, found.Traces, len(want))
	have := map[core.TraceID][]string{}
	for _, tr := range found.Traces {
		for _, s := range tr.Spans {
			o := found.Origins[s.Origin]
			f := w.made[string(s.Raw)]
			require.NotNil(w.t, f)
			require.Contains(w.t, string(o.Scope), f.site.Track)
			have[tr.ID] = append(have[tr.ID], o.Service+f.site.Track+string(s.Raw))
		}
		slices.Sort(have[tr.ID])
		slices.Sort(want[tr.ID])
	}
	require.Equal(w.t, want, have)
	names, err := w.p.Live().Services(w.t.Context())
	require.NoError(w.t, err)
	require.Equal(w.t, slices.Sorted(maps.Keys(services)), append([]string(nil), names...))
	size, err := w.p.Live().Size(w.t.Context())
	require.NoError(w.t, err)
	require.EqualValues(w.t, len(w.sent), size.Spans)
}

// TestAgainstAnOracle sends random traces in random order, with spans that come late, twice, or both, lets the pipeline
// die and come back, and after every step compares everything with what was sent.
func TestAgainstAnOracle(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runWorld(t, seed) })
		})
	}
}

func runWorld(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	c := Config{
		TraceGrace: time.Second, TraceIdle: 3 * time.Second, SegmentAge: time.Duration(1+r.IntN(20)) * time.Second,
		SegmentSpans: 1 + r.IntN(300), TraceSpans: 1000, MaxSkew: time.Duration(r.IntN(2)) * 50 * time.Microsecond,
	}
	if c.MaxSkew == 0 {
		c.MaxSkew = -1
	}
	switch r.IntN(4) {
	case 0:
		c.TraceSpans = 1 + r.IntN(8)
	case 1:
		c.SegmentMinutes = 1 + r.IntN(3)
	}
	w := newWorldOn(t, seed, c, seed%2 == 0)
	w.facts.wide = r.IntN(2) == 0
	var unsent []fact
	for range 20 {
		for range r.IntN(6) {
			unsent = append(unsent, w.facts.trace(1+r.IntN(20), time.Now())...)
		}
		r.Shuffle(len(unsent), func(i, j int) { unsent[i], unsent[j] = unsent[j], unsent[i] })
		n := r.IntN(len(unsent) + 1)
		batch := slices.Clone(unsent[:n])
		unsent = unsent[n:]
		for range r.IntN(3) {
			if len(w.sent) > 0 {
				batch = append(batch, *w.sent[r.IntN(len(w.sent))])
			}
		}
		for len(batch) > 0 {
			n := 1 + r.IntN(len(batch))
			w.send(batch[:n])
			batch = batch[n:]
		}
		if r.IntN(3) == 0 {
			w.check()
		}
		time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
		w.check()
		if r.IntN(8) == 0 {
			w.crash()
			w.check()
		}
	}
	require.NoError(t, w.p.Close(t.Context()))
	w.check()
	require.Zero(t, w.p.Counters().Used)
	require.Zero(t, w.p.Counters().Pending)
	require.Positive(t, w.recycled.Load())
	size, err := w.store.Size(t.Context())
	require.NoError(t, err)
	require.Zero(t, size.LogEntries)
	require.EqualValues(t, len(w.sent), size.Spans)
}
