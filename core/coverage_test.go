package core

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A coverage is the union of its periods: compared with a set of moments, in any order, with overlaps and gaps.
func TestCoverageAgreesWithSet(t *testing.T) {
	const length = 300
	r := rand.New(rand.NewPCG(1, 2))
	random := func() period {
		from := r.Int64N(length)
		return period{from, from + r.Int64N(12)}
	}
	for range 500 {
		var c, other coverage
		set := [length + 12]bool{}
		for range r.IntN(60) {
			p := random()
			if r.IntN(4) == 0 {
				other.add(p)
			} else {
				c.add(p)
			}
			for at := p.from; at < p.to; at++ {
				set[at] = true
			}
		}
		c.union(&other)
		for i, p := range c.periods {
			require.Less(t, p.from, p.to)
			require.True(t, i == 0 || c.periods[i-1].to < p.from, "periods touch or are out of order: %v", c.periods)
		}
		w := random()
		want := uint64(0)
		for at := w.from; at < w.to; at++ {
			if set[at] {
				want++
			}
		}
		covered, exact := c.clone().within(w)
		require.True(t, exact)
		require.Equal(t, want, covered)
	}
}

// With more gaps than it keeps, a coverage stays exact for children in the order of their starts, in bounded memory.
func TestCoverageSealsOldPeriods(t *testing.T) {
	var c coverage
	const children = 10 * maxPeriods
	for i := range int64(children) {
		c.add(period{100 + 10*i, 100 + 10*i + 3})
		require.LessOrEqual(t, len(c.periods), maxPeriods)
	}
	whole := period{0, 100 + 10*children}
	covered, exact := c.within(whole)
	require.True(t, exact)
	require.EqualValues(t, 3*children, covered)

	// A period in the gaps of those summed up cannot be told from one that overlaps them.
	late := *c.clone()
	late.add(period{105, 106})
	covered, exact = late.within(whole)
	require.False(t, exact)
	require.EqualValues(t, 3*children, covered, "self time is an upper bound")
	late = *c.clone()
	late.add(period{105, whole.to + 10})
	_, exact = late.within(whole)
	require.False(t, exact)
	// A parent that began in the middle of them has not all of their time.
	_, exact = c.within(period{200, whole.to})
	require.False(t, exact)
	// What was summed up cannot be put together with others.
	other := coverage{}
	other.union(&c)
	_, exact = other.within(whole)
	require.False(t, exact)
}

// What a span covers is found through a track that is off, also when the trace is settled while only a descendant of
// the span is open, and when the track is switched off after children of it were settled.
func TestCoverageThroughHiddenSpans(t *testing.T) {
	settling := Config{Limits: limitsWith(func(l *Limits) { l.MaxPending = 5 })}
	for name, config := range map[string]Config{"whole": {}, "settled": settling} {
		t.Run(name, func(t *testing.T) {
			a, err := New(config)
			require.NoError(t, err)
			trace := TraceID{1}
			start := func(id, parent byte) {
				o := Opening{Trace: trace, Span: SpanID{id}}
				if parent > 0 {
					o.Parent = SpanID{parent}
				}
				a.Open(&o)
			}
			end := func(id byte, track, name string, start, duration int64) {
				a.Close(&Closing{
					Trace: trace, Span: SpanID{id}, Label: a.Label(Site{Track: track, Name: name}), Start: start, Duration: duration,
				})
			}
			a.SetTrackEnabled("off", false)
			start(1, 0)                // root, open for long
			start(2, 1)                // hidden
			start(3, 2)                // covers root
			start(4, 3)                // keeps 3 open for its self time
			end(3, "t", "a", 10, 20)   // 10–30
			end(2, "off", "x", 10, 20) // its record has no open child of its own
			start(5, 1)                // will be hidden
			start(6, 5)
			end(6, "t", "b", 50, 20) // 50–70, covers 5, for now
			for id := byte(10); id < 20; id++ {
				start(id, 1)
				end(id, "t", "c", 80, 1)
			}
			end(5, "off", "y", 40, 40)
			end(4, "t", "d", 20, 5)
			end(1, "t", "root", 0, 100)
			s := a.Snapshot()
			checkInvariants(t, s)
			require.Equal(t, name == "settled", s.Counters.Settled > 0)
			require.EqualValues(t, 100-20-20-1, s.Block(Site{Track: "t", Name: "root"}).Stats.Self)
			require.EqualValues(t, 20-5, s.Block(Site{Track: "t", Name: "a"}).Stats.Self)
		})
	}
}

// A span with more than a thousand children out of order says that its self time is an upper bound.
func TestSelfInexactIsCounted(t *testing.T) {
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxPending = 4 })})
	require.NoError(t, err)
	l := a.Label(Site{Track: "t", Name: "n"})
	trace := TraceID{1}
	a.Open(&Opening{Trace: trace, Span: SpanID{1}})
	child := func(start int64) {
		o := Opening{Trace: trace, Parent: SpanID{1}}
		a.Open(&o)
		a.Close(&Closing{Trace: trace, Span: o.Span, Label: l, Start: start, Duration: 1})
	}
	for i := range int64(2 * maxPeriods) {
		child(10 * i)
	}
	child(5)
	a.Close(&Closing{Trace: trace, Span: SpanID{1}, Label: a.Label(Site{Track: "t", Name: "root"}), Duration: 1 << 20})
	s := a.Snapshot()
	checkInvariants(t, s)
	require.EqualValues(t, 1, s.Counters.SelfInexact)
	self := s.Block(Site{Track: "t", Name: "root"}).Stats.Self
	require.GreaterOrEqual(t, self, uint64(1<<20-2*maxPeriods-1))
	require.LessOrEqual(t, self, uint64(1<<20-2*maxPeriods+8))
}
