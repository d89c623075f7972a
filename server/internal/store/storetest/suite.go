package storetest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Engine is what the suite tests.
type Engine struct {
	// New returns a new, empty store that the test closes.
	New func(t testing.TB) store.Store
	// Reopen closes a store that New returned and opens it again. Nil if nothing outlives the store: the tests then
	// go on with the same one.
	Reopen func(t testing.TB, s store.Store) store.Store
}

func (e *Engine) reopen(t testing.TB, s store.Store) store.Store {
	if e.Reopen == nil {
		return s
	}
	return e.Reopen(t, s)
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Engine)
	}{
		{"Empty", testEmpty},
		{"Log", testLog},
		{"LogNumbersAscend", testLogNumbersAscend},
		{"RoundTrip", testRoundTrip},
		{"DuplicatesAndLateSpans", testDuplicates},
		{"LargeTrace", testLargeTrace},
		{"InvalidSegment", testInvalidSegment},
		{"Search", testSearch},
		{"Operations", testOperations},
		{"Profiles", testProfiles},
		{"LateProfiles", testLateProfiles},
		{"Snapshots", testSnapshots},
		{"RetainByAge", testRetainByAge},
		{"RetainBySize", testRetainBySize},
		{"Reuse", testReuse},
		{"ConcurrentSafe", testConcurrentSafe},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, &e) })
	}
}

var background = context.Background()

func open(t *testing.T, e *Engine) store.Store {
	s := e.New(t)
	require.NotNil(t, s)
	return s
}

func closeStore(t *testing.T, s store.Store) { require.NoError(t, s.Close()) }

// requireSame compares two profiles by their binary form.
func requireSame(t *testing.T, want, got *core.Snapshot) {
	t.Helper()
	w, err := want.MarshalBinary()
	require.NoError(t, err)
	require.NotNil(t, got)
	g, err := got.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, w, g)
}

func testEmpty(t *testing.T, e *Engine) {
	s := open(t, e)
	found, err := s.Traces(background, []core.TraceID{{1}}, store.Range{})
	require.NoError(t, err)
	require.Empty(t, found.Traces)
	hits, err := s.Search(background, &store.Query{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, hits)
	services, err := s.Services(background)
	require.NoError(t, err)
	require.Empty(t, services)
	operations, err := s.Operations(background, "")
	require.NoError(t, err)
	require.Empty(t, operations)
	p, err := s.Profile(background, store.Range{})
	require.NoError(t, err)
	require.True(t, p.IsEmpty())
	size, err := s.Size(background)
	require.NoError(t, err)
	require.Zero(t, size.Spans+size.Traces+size.LogEntries)
	require.True(t, size.Oldest.IsZero() && size.Newest.IsZero())
	require.NoError(t, s.Retain(background, Epoch, 1<<40))
	require.NoError(t, s.Commit(background, &store.Segment{}))
	require.NoError(t, s.Replay(background, func(uint64, []byte, store.Bits) error { t.Fatal("an entry"); return nil }))
	closeStore(t, s)
}

// replayed is what a Replay told.
type replayed struct {
	seq      uint64
	entry    string
	consumed store.Bits
}

func replay(t *testing.T, s store.Store) (all []replayed) {
	require.NoError(t, s.Replay(background, func(seq uint64, entry []byte, consumed store.Bits) error {
		all = append(all, replayed{seq, string(entry), slices.Clone(consumed)})
		return nil
	}))
	return all
}

func testLog(t *testing.T, e *Engine) {
	s := open(t, e)
	var want []replayed
	for i := range 20 {
		entry := make([]byte, 1+i*1000)
		entry[0] = byte(i)
		seq, err := s.Append(background, entry)
		require.NoError(t, err)
		want = append(want, replayed{seq: seq, entry: string(entry)})
	}
	want[3].consumed.Set(7)
	want[5].consumed.Set(0)
	want[5].consumed.Set(100)
	require.NoError(t, s.Commit(background, &store.Segment{Consumed: []store.Consumed{
		{Seq: want[0].seq, All: true}, {Seq: want[3].seq, Spans: want[3].consumed},
		{Seq: want[5].seq, Spans: want[5].consumed}, {Seq: want[9].seq, All: true},
	}}))
	want = slices.Delete(slices.Delete(want, 9, 10), 0, 1)
	size, err := s.Size(background)
	require.NoError(t, err)
	require.EqualValues(t, len(want), size.LogEntries)

	s = e.reopen(t, s)
	require.Equal(t, want, replay(t, s))
	size, err = s.Size(background)
	require.NoError(t, err)
	require.EqualValues(t, len(want), size.LogEntries)

	var rest []store.Consumed
	for _, r := range want {
		rest = append(rest, store.Consumed{Seq: r.seq, All: true})
	}
	require.NoError(t, s.Commit(background, &store.Segment{Consumed: rest}))
	s = e.reopen(t, s)
	require.Empty(t, replay(t, s))
	stop := context.Canceled
	_, err = s.Append(background, []byte("x"))
	require.NoError(t, err)
	require.ErrorIs(t, s.Replay(background, func(uint64, []byte, store.Bits) error { return stop }), stop)
	closeStore(t, s)
}

func testLogNumbersAscend(t *testing.T, e *Engine) {
	s := open(t, e)
	var last uint64
	for range 4 {
		for range 3 {
			seq, err := s.Append(background, []byte("entry"))
			require.NoError(t, err)
			require.Greater(t, seq, last)
			last = seq
			require.NoError(t, s.Commit(background, &store.Segment{Consumed: []store.Consumed{{Seq: seq, All: true}}}))
		}
		s = e.reopen(t, s)
		require.Empty(t, replay(t, s))
	}
	closeStore(t, s)
}

// requireTraces asks for the spans and compares them, each trace's in order, byte by byte and with their origins.
func requireTraces(t *testing.T, s store.Store, spans []Span, within store.Range) {
	t.Helper()
	var ids []core.TraceID
	want := map[core.TraceID][]Span{}
	for _, sp := range spans {
		if want[sp.Trace] == nil {
			ids = append(ids, sp.Trace)
		}
		want[sp.Trace] = append(want[sp.Trace], sp)
	}
	unknown := core.TraceID{0xff, 1, 2, 3}
	found, err := s.Traces(background, slices.Concat([]core.TraceID{unknown}, ids, ids[:1]), within)
	require.NoError(t, err)
	require.Len(t, found.Traces, len(ids))
	for i, trace := range found.Traces {
		require.Equal(t, ids[i], trace.ID)
		require.Len(t, trace.Spans, len(want[trace.ID]))
		for j, sp := range trace.Spans {
			truth := &want[trace.ID][j]
			require.True(t, bytes.Equal(truth.Raw, sp.Raw), "trace %s span %d: the bytes differ", trace.ID, j)
			require.True(t, sameOrigin(&truth.Origin, &found.Origins[sp.Origin]), "trace %s span %d: the origin differs", trace.ID, j)
		}
	}
}

func sameOrigin(a, b *store.Origin) bool {
	return a.Service == b.Service && bytes.Equal(a.Resource, b.Resource) && bytes.Equal(a.Scope, b.Scope)
}

func testRoundTrip(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(1)
	var all []Span
	for range 3 {
		m := g.Segment(300)
		require.NoError(t, s.Commit(background, &m.Segment))
		all = append(all, m.Spans...)
	}
	requireTraces(t, s, all, store.Range{})
	s = e.reopen(t, s)
	requireTraces(t, s, all, store.Range{})
	requireTraces(t, s, all, store.Range{From: Epoch.Add(-time.Hour), To: time.Unix(0, g.Now).Add(time.Hour)})
	one := slices.DeleteFunc(slices.Clone(all), func(sp Span) bool { return sp.Trace != all[len(all)/2].Trace })
	requireTraces(t, s, one, store.Range{From: time.Unix(0, one[0].Start), To: time.Unix(0, one[0].Start+1)})

	size, err := s.Size(background)
	require.NoError(t, err)
	oldest, newest := extent(all)
	require.EqualValues(t, len(all), size.Spans)
	require.EqualValues(t, 900, size.Traces)
	require.Positive(t, size.Bytes)
	require.Equal(t, oldest, size.Oldest.UnixNano())
	require.Equal(t, newest, size.Newest.UnixNano())
	closeStore(t, s)
}

func extent(spans []Span) (oldest, newest int64) {
	oldest, newest = spans[0].Start, spans[0].Start
	for _, sp := range spans {
		oldest, newest = min(oldest, sp.Start), max(newest, sp.Start+sp.Duration)
	}
	return oldest, newest
}

func testDuplicates(t *testing.T, e *Engine) {
	s := open(t, e)
	m := NewGenerator(2).Segment(50)
	require.NoError(t, s.Commit(background, &m.Segment))
	// The same again, then every trace's first span once more.
	require.NoError(t, s.Commit(background, &m.Segment))
	late := store.Segment{Origins: m.Origins}
	all := slices.Concat(m.Spans, m.Spans)
	for _, tr := range m.Traces {
		late.Traces = append(late.Traces, store.Trace{ID: tr.ID, Spans: tr.Spans[:1]})
		i := slices.IndexFunc(m.Spans, func(s Span) bool { return s.Trace == tr.ID })
		all = append(all, m.Spans[i])
	}
	require.NoError(t, s.Commit(background, &late))
	requireTraces(t, s, all, store.Range{})
	s = e.reopen(t, s)
	requireTraces(t, s, all, store.Range{})
	closeStore(t, s)
}

// testLargeTrace has a trace that fits into no block, and bytes that are no canonical protobuf.
func testLargeTrace(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(3)
	m := g.Segment(2)
	rng := rand.New(rand.NewPCG(1, 2))
	base, first := m.Traces[1], len(m.Spans)-len(m.Traces[1].Spans)
	for i := range 40_000 {
		n := rng.IntN(len(base.Spans))
		sp := m.Spans[first+n]
		sp.Raw = slices.Concat(sp.Raw, []byte{0x98, 0x06, byte(i & 0x7f)}) // an unknown field
		m.Traces[1].Spans = append(m.Traces[1].Spans, store.Span{Origin: base.Spans[n].Origin, Raw: sp.Raw})
		m.Spans = append(m.Spans, sp)
	}
	// A name that goes on for long, and a tag that takes more bytes than needed.
	long := m.Spans[0]
	long.Raw = slices.Concat(long.Raw, appendAttribute(nil, 9, "long", string(make([]byte, 1<<20))), []byte{0xb0, 0x80, 0x00, 1})
	m.Traces[0].Spans = append(m.Traces[0].Spans, store.Span{Origin: m.Traces[0].Spans[0].Origin, Raw: long.Raw})
	m.Spans = append(m.Spans, long)
	require.NoError(t, s.Commit(background, &m.Segment))
	requireTraces(t, s, m.Spans, store.Range{})
	size, err := s.Size(background)
	require.NoError(t, err)
	require.EqualValues(t, 2, size.Traces)
	require.EqualValues(t, len(m.Spans), size.Spans)
	closeStore(t, s)
}

func testInvalidSegment(t *testing.T, e *Engine) {
	s := open(t, e)
	seq, err := s.Append(background, []byte("entry"))
	require.NoError(t, err)
	m := NewGenerator(4).Segment(2)
	m.AddProfiles()
	m.Consumed = []store.Consumed{{Seq: seq, All: true}}
	for name, spoil := range map[string]func(*store.Segment){
		"origin":  func(g *store.Segment) { g.Traces[1].Spans = []store.Span{{Origin: len(g.Origins)}} },
		"profile": func(g *store.Segment) { g.Profiles = append(slices.Clone(g.Profiles), store.Profile{Minute: 5}) },
		"span": func(g *store.Segment) {
			g.Traces[1].Spans = []store.Span{{Raw: []byte{0x0a, 0x7f, 1}}}
		},
	} {
		bad := m.Segment
		bad.Traces = slices.Clone(m.Traces)
		spoil(&bad)
		require.Error(t, s.Commit(background, &bad), name)
	}
	size, err := s.Size(background)
	require.NoError(t, err)
	require.Zero(t, size.Spans)
	require.EqualValues(t, 1, size.LogEntries)
	p, err := s.Profile(background, store.Range{})
	require.NoError(t, err)
	require.True(t, p.IsEmpty())
	closeStore(t, s)
}

// testReuse overwrites what was handed over.
func testReuse(t *testing.T, e *Engine) {
	s := open(t, e)
	m := NewGenerator(5).Segment(20)
	want := make([]Span, len(m.Spans))
	for i, sp := range m.Spans {
		want[i] = sp
		want[i].Raw = slices.Clone(sp.Raw)
		want[i].Origin.Resource, want[i].Origin.Scope = slices.Clone(sp.Origin.Resource), slices.Clone(sp.Origin.Scope)
	}
	entry := []byte("the entry")
	_, err := s.Append(background, entry)
	require.NoError(t, err)
	require.NoError(t, s.Commit(background, &m.Segment))
	clear(entry)
	for i := range m.Spans {
		clear(m.Spans[i].Raw)
	}
	for i := range m.Origins {
		clear(m.Origins[i].Resource)
		clear(m.Origins[i].Scope)
	}
	requireTraces(t, s, want, store.Range{})
	require.Equal(t, "the entry", replay(t, s)[0].entry)
	closeStore(t, s)
}

func testCancelled(t *testing.T, e *Engine) {
	s := open(t, e)
	m := NewGenerator(6).Segment(20)
	require.NoError(t, s.Commit(background, &m.Segment))
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err := s.Search(ctx, &store.Query{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Traces(ctx, []core.TraceID{m.Spans[0].Trace}, store.Range{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Profile(ctx, store.Range{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Append(ctx, []byte("x"))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Commit(ctx, &m.Segment), context.Canceled)
	require.Empty(t, replay(t, s))
	closeStore(t, s)
}

func testClosed(t *testing.T, e *Engine) {
	s := open(t, e)
	closeStore(t, s)
	_, err := s.Append(background, []byte("x"))
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, s.Commit(background, &store.Segment{}), store.ErrClosed)
	_, err = s.Search(background, &store.Query{})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = s.Traces(background, []core.TraceID{{1}}, store.Range{})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = s.Profile(background, store.Range{})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = s.Size(background)
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, s.Retain(background, Epoch, 0), store.ErrClosed)
	require.ErrorIs(t, s.SaveSnapshot(background, "x", &core.Snapshot{}), store.ErrClosed)
	require.ErrorIs(t, s.Close(), store.ErrClosed)
}
