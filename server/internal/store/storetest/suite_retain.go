package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

func testRetainByAge(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(11)
	var segments []*Made
	var committed []store.Profile
	for range 5 {
		m := slowSegment(g, 40)
		require.NoError(t, s.Commit(background, &m.Segment))
		segments = append(segments, m)
		committed = append(committed, m.Profiles...)
		g.Now += int64(time.Hour)
	}
	_, err := s.Append(background, []byte("entry"))
	require.NoError(t, err)
	// The middle of the third segment: the first two must go, everything that ended later must stay.
	_, cut := extent(segments[2].Spans[:len(segments[2].Spans)/2])
	require.NoError(t, s.Retain(background, time.Unix(0, cut), 0))
	check := func() {
		for i, m := range segments {
			ids := make([]core.TraceID, len(m.Traces))
			for j := range m.Traces {
				ids[j] = m.Traces[j].ID
			}
			found, err := s.Traces(background, ids, store.Range{})
			require.NoError(t, err)
			if i < 2 {
				require.Empty(t, found.Traces)
				continue
			}
			spans := map[string]bool{}
			for _, tr := range found.Traces {
				for _, sp := range tr.Spans {
					spans[string(sp.Raw)] = true
				}
			}
			for _, sp := range m.Spans {
				require.True(t, spans[string(sp.Raw)] || sp.Start+sp.Duration < cut, "a span that ended later was forgotten")
			}
		}
		p, err := s.Profile(background, store.Range{})
		require.NoError(t, err)
		requireSame(t, profiles(committed, store.FloorMinute(cut), 1<<40), p)
		require.Len(t, replay(t, s), 1)
	}
	check()
	s = e.reopen(t, s)
	check()
	require.NoError(t, s.Retain(background, time.Unix(0, g.Now).Add(time.Hour), 0))
	size, err := s.Size(background)
	require.NoError(t, err)
	require.Zero(t, size.Spans)
	services, err := s.Services(background)
	require.NoError(t, err)
	require.Empty(t, services)
	closeStore(t, s)
}

func testRetainBySize(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(12)
	var last *Made
	for range 12 {
		last = g.Segment(400)
		require.NoError(t, s.Commit(background, &last.Segment))
		g.Now += int64(time.Minute)
	}
	before, err := s.Size(background)
	require.NoError(t, err)
	require.NoError(t, s.Retain(background, time.Time{}, before.Bytes*2))
	same, err := s.Size(background)
	require.NoError(t, err)
	require.Equal(t, before.Spans, same.Spans)
	limit := same.Bytes * 6 / 10
	require.NoError(t, s.Retain(background, time.Time{}, limit))
	after, err := s.Size(background)
	require.NoError(t, err)
	require.LessOrEqual(t, after.Bytes, limit)
	require.Positive(t, after.Spans)
	require.Less(t, after.Spans, before.Spans)
	require.Equal(t, before.Newest, after.Newest)
	require.True(t, after.Oldest.After(before.Oldest))
	requireTraces(t, s, last.Spans, store.Range{})
	closeStore(t, s)
}

// testConcurrentSafe appends, commits, asks and forgets at the same time.
func testConcurrentSafe(t *testing.T, e *Engine) {
	s := open(t, e)
	const appenders, each = 8, 25
	var group sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for range appenders {
		group.Go(func() {
			for range each {
				seq, err := s.Append(background, make([]byte, 1000))
				mu.Lock()
				if err != nil || seen[seq] {
					t.Errorf("seq %d, seen %v, error %v", seq, seen[seq], err)
				}
				seen[seq] = true
				mu.Unlock()
			}
		})
	}
	g := NewGenerator(13)
	first := g.Segment(20)
	first.AddProfiles()
	require.NoError(t, s.Commit(background, &first.Segment))
	done := make(chan struct{})
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				found, err := s.Traces(background, []core.TraceID{first.Spans[0].Trace}, store.Range{})
				if err != nil || len(found.Traces) != 1 {
					t.Errorf("%v, %v", found, err)
				}
				if _, err := s.Search(background, &store.Query{Service: "cart", Limit: 5}); err != nil {
					t.Error(err)
				}
				if p, err := s.Profile(background, store.Range{}); err != nil || p.Counters.Spans < uint64(len(first.Spans)) {
					t.Errorf("%v, %v", p, err)
				}
				if _, err := s.Operations(background, ""); err != nil {
					t.Error(err)
				}
				if _, err := s.Size(background); err != nil {
					t.Error(err)
				}
			}
		})
	}
	spans := uint64(len(first.Spans))
	for range 10 {
		m := g.Segment(50)
		m.AddProfiles()
		require.NoError(t, s.Commit(background, &m.Segment))
		require.NoError(t, s.Retain(background, Epoch, 0))
		spans += uint64(len(m.Spans))
	}
	close(done)
	group.Wait()
	require.Len(t, replay(t, s), appenders*each)
	p, err := s.Profile(background, store.Range{})
	require.NoError(t, err)
	require.Equal(t, spans, p.Counters.Spans)
	size, err := s.Size(background)
	require.NoError(t, err)
	require.EqualValues(t, spans, size.Spans)
	closeStore(t, s)
}
