package storetest

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Search answers a query by the truth, without any code of the stores.
func Search(spans []Span, q *store.Query) []store.Hit {
	latest := map[core.TraceID]int64{}
	for i := range spans {
		if s := &spans[i]; s.matches(q) {
			if at, ok := latest[s.Trace]; !ok || s.Start > at {
				latest[s.Trace] = s.Start
			}
		}
	}
	hits := make([]store.Hit, 0, len(latest))
	for id, at := range latest {
		hits = append(hits, store.Hit{Trace: id, Start: at})
	}
	slices.SortFunc(hits, func(a, b store.Hit) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(string(a.Trace[:]), string(b.Trace[:])))
	})
	if q.Limit > 0 && len(hits) > q.Limit {
		hits = hits[:q.Limit]
	}
	return hits
}

func (s *Span) matches(q *store.Query) bool {
	started := time.Unix(0, s.Start)
	switch {
	case q.Service != "" && q.Service != s.Service,
		q.Operation != "" && q.Operation != s.Name,
		q.Kind != core.KindUnspecified && q.Kind != s.Kind,
		!q.Start.From.IsZero() && started.Before(q.Start.From),
		!q.Start.To.IsZero() && !started.Before(q.Start.To),
		s.Duration < int64(q.MinDuration),
		q.MaxDuration != 0 && s.Duration > int64(q.MaxDuration):
		return false
	}
	for _, a := range q.Attributes {
		if a.Key == "error" {
			if (a.Value == "true") != s.Failed {
				return false
			}
		} else if !slices.Contains(s.Attributes, a) {
			return false
		}
	}
	return true
}

// RandomQuery makes a query to which some of the spans may be the answer.
func RandomQuery(rng *rand.Rand, spans []Span) *store.Query {
	s := &spans[rng.IntN(len(spans))]
	q := &store.Query{Limit: []int{0, 1, 3, 20, 1000}[rng.IntN(5)]}
	some := func() bool { return rng.IntN(3) == 0 }
	if some() {
		q.Service = s.Service
	}
	if some() {
		q.Operation = s.Name
	}
	if some() {
		q.Kind = s.Kind
	}
	if some() {
		q.MinDuration = time.Duration(s.Duration - rng.Int64N(2))
	}
	if some() {
		q.MaxDuration = time.Duration(s.Duration + rng.Int64N(2))
	}
	if some() {
		q.Start.From = time.Unix(0, s.Start)
	}
	if some() {
		q.Start.To = time.Unix(0, s.Start+rng.Int64N(1e9))
	}
	for range rng.IntN(3) {
		if some() {
			q.Attributes = append(q.Attributes, store.Attribute{Key: "error", Value: []string{"true", "false"}[rng.IntN(2)]})
		} else {
			q.Attributes = append(q.Attributes, s.Attributes[rng.IntN(len(s.Attributes))])
		}
	}
	return q
}

func testSearch(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(7)
	var all []Span
	for range 4 {
		m := g.Segment(400)
		require.NoError(t, s.Commit(background, &m.Segment))
		all = append(all, m.Spans...)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	nonEmpty := 0
	for i := range 120 {
		if i == 60 {
			s = e.reopen(t, s)
		}
		q := RandomQuery(rng, all)
		want := Search(all, q)
		got, err := s.Search(background, q)
		require.NoError(t, err)
		require.True(t, slices.Equal(want, got), "%+v: want %v, got %v", q, want, got)
		if len(want) > 0 {
			nonEmpty++
		}
	}
	require.Greater(t, nonEmpty, 40)
	for _, q := range oneOfEachKey(all) {
		got, err := s.Search(background, q)
		require.NoError(t, err)
		require.True(t, slices.Equal(Search(all, q), got), "%+v", q)
		require.NotEmpty(t, got)
	}
	for _, q := range []*store.Query{
		{Service: "nobody"}, {Operation: "nothing"}, {Kind: core.KindBlock},
		{Attributes: []store.Attribute{{Key: "enduser.id", Value: "nobody"}}},
		{Attributes: []store.Attribute{{Key: "error", Value: "true"}, {Key: "error", Value: "false"}}},
		{Start: store.Range{To: Epoch}}, {MinDuration: time.Hour},
	} {
		got, err := s.Search(background, q)
		require.NoError(t, err)
		require.Empty(t, got)
	}
	closeStore(t, s)
}

// oneOfEachKey asks once for each key of an attribute, with a value that a span has: of itself, its resource, scope, events or links.
func oneOfEachKey(spans []Span) (queries []*store.Query) {
	asked := map[string]bool{}
	for i := range spans {
		for _, a := range spans[i].Attributes {
			if !asked[a.Key] {
				asked[a.Key] = true
				queries = append(queries, &store.Query{Attributes: []store.Attribute{a}})
			}
		}
	}
	return queries
}

func testOperations(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(8)
	names, all := map[string]bool{}, map[store.Operation]bool{}
	for round := range 3 {
		m := g.Segment(5)
		require.NoError(t, s.Commit(background, &m.Segment))
		for _, sp := range m.Spans {
			names[sp.Service] = true
			all[store.Operation{Service: sp.Service, Name: sp.Name, Kind: sp.Kind}] = true
		}
		if round == 1 {
			s = e.reopen(t, s)
		}
		services, err := s.Services(background)
		require.NoError(t, err)
		require.Equal(t, slices.Sorted(maps.Keys(names)), services)
		for _, service := range append(services, "", "nobody") {
			var want []store.Operation
			for op := range all {
				if service == "" || service == op.Service {
					want = append(want, op)
				}
			}
			slices.SortFunc(want, func(a, b store.Operation) int {
				return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
			})
			got, err := s.Operations(background, service)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	closeStore(t, s)
}

// profiles merges what was committed in the minutes from until before until.
func profiles(committed []store.Profile, from, until int64) *core.Snapshot {
	var parts []*core.Snapshot
	for _, p := range committed {
		if p.Minute >= from && p.Minute < until {
			parts = append(parts, p.Snapshot)
		}
	}
	return core.Merge(parts...)
}

// slowSegment is a segment of which the traces spread over hours.
func slowSegment(g *Generator, traces int) *Made {
	g.Gap = int64(2 * time.Minute)
	m := g.Segment(traces)
	m.AddProfiles()
	return m
}

func testProfiles(t *testing.T, e *Engine) {
	s := open(t, e)
	g := NewGenerator(9)
	var committed []store.Profile
	for range 4 {
		m := slowSegment(g, 60)
		require.NoError(t, s.Commit(background, &m.Segment))
		committed = append(committed, m.Profiles...)
	}
	first, last := committed[0].Minute, committed[len(committed)-1].Minute
	rng := rand.New(rand.NewPCG(9, 9))
	check := func() {
		got, err := s.Profile(background, store.Range{})
		require.NoError(t, err)
		requireSame(t, profiles(committed, first, last+1), got)
		for range 20 {
			a := first + rng.Int64N(last-first)
			b := a + rng.Int64N(last-a+2)
			got, err := s.Profile(background, store.Range{From: time.Unix(a*60, 59e9), To: time.Unix(b*60, 1)})
			require.NoError(t, err)
			requireSame(t, profiles(committed, a, b+1), got)
		}
		a := first + rng.Int64N(last-first)
		b := min(a+1+rng.Int64N(200), last)
		step := []int{1, 5, 60, 7}[rng.IntN(4)]
		within := store.Range{From: time.Unix(a*60, 0), To: time.Unix(b*60, 0)}
		before := int64(0)
		var parts []*core.Snapshot
		require.NoError(t, s.Profiles(background, within, step, func(minute int64, p *core.Snapshot) error {
			require.Zero(t, minute%int64(step))
			require.Greater(t, minute, before)
			before = minute
			requireSame(t, profiles(committed, max(a, minute), min(b, minute+int64(step))), p)
			parts = append(parts, p)
			return nil
		}))
		requireSame(t, profiles(committed, a, b), core.Merge(parts...))
	}
	check()
	s = e.reopen(t, s)
	check()
	stop := errors.New("stop")
	require.ErrorIs(t, s.Profiles(background, store.Range{}, 60, func(int64, *core.Snapshot) error { return stop }), stop)
	closeStore(t, s)
}

// testLateProfiles adds to minutes of hours that are long over.
func testLateProfiles(t *testing.T, e *Engine) {
	s := open(t, e)
	var committed []store.Profile
	for seed := range uint64(4) {
		g := NewGenerator(100 + seed) // all of them start at the same time
		m := slowSegment(g, 60)
		require.NoError(t, s.Commit(background, &m.Segment))
		committed = append(committed, m.Profiles...)
		got, err := s.Profile(background, store.Range{})
		require.NoError(t, err)
		requireSame(t, profiles(committed, 0, 1<<40), got)
		from := committed[0].Minute + 13
		got, err = s.Profile(background, store.Range{From: time.Unix(from*60, 0), To: time.Unix((from+70)*60, 0)})
		require.NoError(t, err)
		requireSame(t, profiles(committed, from, from+70), got)
		s = e.reopen(t, s)
	}
	closeStore(t, s)
}

func testSnapshots(t *testing.T, e *Engine) {
	s := open(t, e)
	m := slowSegment(NewGenerator(10), 5)
	p := profiles(m.Profiles, 0, 1<<40)
	_, err := s.LoadSnapshot(background, "none")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, s.DeleteSnapshot(background, "none"), store.ErrNotFound)
	for _, name := range []string{"", string(make([]byte, store.MaxSnapshotName+1)), "\xff"} {
		require.Error(t, s.SaveSnapshot(background, name, p))
	}
	require.NoError(t, s.SaveSnapshot(background, "b", &core.Snapshot{}))
	require.NoError(t, s.SaveSnapshot(background, "b", p))
	require.NoError(t, s.SaveSnapshot(background, "ä/ 1", &core.Snapshot{}))
	require.NoError(t, s.SaveSnapshot(background, "a", m.Profiles[0].Snapshot))
	s = e.reopen(t, s)
	got, err := s.LoadSnapshot(background, "b")
	require.NoError(t, err)
	requireSame(t, p, got)
	list, err := s.ListSnapshots(background)
	require.NoError(t, err)
	require.Len(t, list, 3)
	for i, name := range []string{"a", "b", "ä/ 1"} {
		require.Equal(t, name, list[i].Name)
		require.False(t, list[i].Saved.IsZero())
	}
	require.Equal(t, p.Counters.Spans, list[1].Spans)
	require.True(t, p.Start.Equal(list[1].Start) && p.End.Equal(list[1].End))
	require.True(t, list[2].Start.IsZero())
	require.NoError(t, s.DeleteSnapshot(background, "b"))
	_, err = s.LoadSnapshot(background, "b")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, s.Retain(background, time.Now().AddDate(100, 0, 0), 1))
	_, err = s.LoadSnapshot(background, "a")
	require.NoError(t, err, "what somebody saved is not forgotten")
	closeStore(t, s)
}
