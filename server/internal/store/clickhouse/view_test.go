package clickhouse_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/clickhouse"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

// TestView: a view stays what it was while others commit. They do not wait for it; what they committed is sent when it is closed.
func TestView(t *testing.T) {
	s := open(t, options(t, newDatabase(t)))
	g := storetest.NewGenerator(8)
	var parts []*core.Snapshot
	commit := func() {
		m := g.Segment(50)
		m.AddProfiles()
		for _, p := range m.Profiles {
			parts = append(parts, p.Snapshot)
		}
		require.NoError(t, s.Commit(t.Context(), &m.Segment))
	}
	requireParts := func(r store.Reader) {
		t.Helper()
		got, err := r.Profile(t.Context(), store.Range{})
		require.NoError(t, err)
		require.True(t, bits(t, core.Merge(parts...)) == bits(t, got))
	}
	commit()
	early := s.View()
	require.EqualValues(t, 1, early.Commits())
	seen := parts
	commit()
	commit()
	late := s.View()
	require.EqualValues(t, 3, late.Commits())
	all := parts
	for range 3 {
		parts = seen
		requireParts(early)
		size, err := early.Size(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 50, size.Traces)
		parts = all
		requireParts(late)
		requireParts(s)
	}
	require.Eventually(t, func() bool { return s.Counters().Sent == 1 }, time.Minute, time.Millisecond)
	requireParts(late)
	require.EqualValues(t, 2, s.Counters().Waiting)
	early.Close()
	early.Close()
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	requireParts(late)
	commit()
	parts = all
	requireParts(late)
	late.Close()
	require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())
}

// TestWhatWasReadStays: what was read from a parcel is not written over when that was sent, and others take its place.
func TestWhatWasReadStays(t *testing.T) {
	s := open(t, options(t, newDatabase(t)))
	g := storetest.NewGenerator(9)
	hold := s.View()
	first := g.Segment(20)
	require.NoError(t, s.Commit(t.Context(), &first.Segment))
	var ids []core.TraceID
	for i := range first.Traces {
		ids = append(ids, first.Traces[i].ID)
	}
	found, err := s.Traces(t.Context(), ids, store.Range{})
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Counters().Waiting, "it must have been read from the queue")
	sent := func() {
		require.Eventually(t, func() bool { return s.Counters().Waiting == 0 }, time.Minute, time.Millisecond)
	}
	hold.Close()
	sent()
	// Others take all the memory that there is, and have room in it.
	hold = s.View()
	for range clickhouse.MaxFree + 1 {
		m := g.Segment(10)
		require.NoError(t, s.Commit(t.Context(), &m.Segment))
	}
	hold.Close()
	sent()
	require.Len(t, found.Traces, len(first.Traces))
	for i := range first.Traces {
		require.Len(t, found.Traces[i].Spans, len(first.Traces[i].Spans))
		for n := range first.Traces[i].Spans {
			require.True(t, string(first.Traces[i].Spans[n].Raw) == string(found.Traces[i].Spans[n].Raw))
		}
	}
	require.NoError(t, s.Close())
}
