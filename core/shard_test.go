package core

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// idsOf are ways in which programs make trace ids.
var idsOf = map[string]func(n uint64) TraceID{
	"random": func(uint64) (t TraceID) {
		binary.LittleEndian.PutUint64(t[:8], rand.Uint64())
		binary.LittleEndian.PutUint64(t[8:], rand.Uint64())
		return t
	},
	"counted, at the end": func(n uint64) (t TraceID) {
		binary.BigEndian.PutUint64(t[8:], n)
		return t
	},
	"counted, at the begin": func(n uint64) (t TraceID) {
		binary.LittleEndian.PutUint64(t[:8], n)
		return t
	},
	"64 bits": func(uint64) (t TraceID) {
		binary.BigEndian.PutUint64(t[8:], rand.Uint64())
		return t
	},
	"blocks": func(n uint64) (t TraceID) {
		new(Aggregator).nameTrace(&t)
		binary.LittleEndian.PutUint64(t[8:], n)
		return t
	},
}

// Traces spread over the shards, and in a shard over the table: a search looks at a few slots however ids are made.
func TestTracesSpread(t *testing.T) {
	const traces = 1 << 14
	for name, id := range idsOf {
		t.Run(name, func(t *testing.T) {
			a, err := New(Config{})
			require.NoError(t, err)
			for n := range uint64(traces) {
				a.Open(&Opening{Trace: id(n + 1), Span: SpanID{1}})
			}
			probes, live := 0, 0
			for i := range a.shards {
				sh := &a.shards[i]
				require.InDelta(t, traces/len(a.shards), sh.live, traces/float64(len(a.shards)), "shard %d", i)
				mask := uint64(len(sh.slots) - 1)
				for at, l := range sh.slots {
					if l != nil {
						probes += int((uint64(at)-l.hashed)&mask) + 1
						live++
					}
				}
			}
			require.Equal(t, traces, live)
			require.Less(t, probes, 4*traces, "slots looked at per search")
		})
	}
}

// The table of a shard agrees with a map when traces come and go.
func TestShardTableAgreesWithMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var sh shard
	want := map[TraceID]*local{}
	for range 20_000 {
		// Few hashes, so that the traces get in each other's way.
		id := TraceID{byte(r.IntN(40))}
		hash := uint64(id[0]) % 8
		found := sh.find(hash, &id)
		require.Same(t, want[id], found)
		if found == nil {
			want[id] = sh.begin(hash, &id, 1)
		} else if r.IntN(2) == 0 {
			sh.remove(found)
			sh.retire(found)
			delete(want, id)
		}
		require.EqualValues(t, len(want), sh.live)
	}
}

// The end of a span whose start was not seen counts, although a span with the same id ended in another trace: ids are
// unique in a trace alone.
func TestSameSpanIDInAnotherTraceIsNotASecondEnd(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	l := a.Label(Site{Track: "t", Name: "n"})
	const traces = 1000 // many times the number of shards
	for n := range byte(4) {
		for i := range uint64(traces) {
			c := Closing{Span: SpanID{7}, Label: l, Duration: 1, Unstarted: true}
			binary.LittleEndian.PutUint64(c.Trace[:], uint64(n)<<32|i+1)
			a.Close(&c)
			a.Close(&c)
		}
	}
	s := a.Snapshot()
	require.EqualValues(t, 4*traces, s.Counters.Spans)
	require.EqualValues(t, 4*traces, s.Counters.Duplicates)
}

// A second end that comes at once is noticed, however large the trace is that the first one ended.
func TestSecondEndOfTheLastSpan(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	l := a.Label(Site{Track: "t", Name: "n"})
	const traces, children = 20, 400
	end := func(c Closing) {
		c.Label, c.Unstarted = l, true
		a.Close(&c)
		a.Close(&c)
	}
	for n := range byte(traces) {
		root := Opening{Trace: TraceID{1, n}, Span: SpanID{1, n}}
		a.Open(&root)
		for range children {
			o := Opening{Trace: root.Trace, Parent: root.Span}
			binary.LittleEndian.PutUint64(o.Span[:], rand.Uint64())
			a.Open(&o)
			end(Closing{Trace: o.Trace, Span: o.Span})
		}
		end(Closing{Trace: root.Trace, Span: root.Span})
	}
	require.EqualValues(t, traces*(children+1), a.Snapshot().Counters.Spans)
}

// Credit that lies idle in other shards is used before any span is given up.
func TestCreditIsReclaimedBeforeSpansAreEvicted(t *testing.T) {
	const limit = 256
	a, err := New(Config{Limits: limitsWith(func(l *Limits) { l.MaxActive = limit })})
	require.NoError(t, err)
	l := a.Label(Site{Track: "t", Name: "n"})
	var open []Opening
	ids := uint64(0)
	start := func(trace uint64) {
		o := Opening{}
		binary.LittleEndian.PutUint64(o.Trace[:], trace+1)
		ids++
		binary.LittleEndian.PutUint64(o.Span[:], ids)
		a.Open(&o)
		open = append(open, o)
	}
	end := func() {
		for _, o := range open {
			a.Close(&Closing{Trace: o.Trace, Span: o.Span, Label: l, Unstarted: true})
		}
		open = nil
	}
	for i := range uint64(limit) { // hands the credit out to all shards
		start(i)
	}
	end()
	for i := range uint64(limit) { // a few small traces, and a large one, which is in one shard
		start(max(i, 50))
	}
	require.Zero(t, a.Snapshot().Counters.Evicted)
	start(1000) // now it is one too many
	require.Positive(t, a.Snapshot().Counters.Evicted)
	end()
	s := a.Snapshot()
	require.EqualValues(t, 2*limit+1, s.Counters.Spans)
	require.Equal(t, s.Counters.Evicted, s.Counters.Unstarted)
	var credit int
	for i := range a.shards {
		require.Zero(t, a.shards[i].open)
		credit += int(a.shards[i].credit)
	}
	require.EqualValues(t, limit, int64(credit)+a.credits.Load(), "credit is neither made nor lost")
}
