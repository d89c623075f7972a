package exporter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// anyStats returns statistics that need not make sense.
func anyStats(r *rand.Rand) *core.Stats {
	n := func() uint64 { return r.Uint64() >> r.IntN(64) }
	s := &core.Stats{
		Count: n(), Total: n(), Min: n(), Max: n(), First: int64(n()), Last: int64(n()),
		SumSquares: core.Uint128{Hi: n() >> r.IntN(64), Lo: n()},
	}
	any := func() core.Histogram {
		index := int32(r.IntN(100)) - 1
		var buckets []core.Bucket
		for range r.IntN(200) {
			buckets = append(buckets, core.Bucket{Index: index, Count: 1 + n()>>1})
			index += 1 + int32(r.ExpFloat64()*3)
		}
		return core.NewHistogram(n()>>r.IntN(64), buckets)
	}
	s.Histogram = any()
	if h := any(); s.Count > 0 && r.IntN(2) == 0 {
		s.SelfHistogram = &h
	} else if s.Count > 0 && r.IntN(2) == 0 {
		s.SelfHistogram = new(s.Histogram)
	}
	for _, e := range []*core.Exemplar{&s.Slowest, &s.LastError} {
		if r.IntN(2) == 0 {
			*e = core.Exemplar{Trace: core.TraceID{1}, Span: core.SpanID{2}, Duration: s.Max, Time: s.Last, Sampled: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				e.Duration, e.Time = n(), int64(n())
			}
		}
	}
	return s
}

// unpacked returns what is read of packed statistics, given what has attributes of its own.
func unpacked(p packing, data []byte, s *core.Stats) (core.Stats, error) {
	known := core.Stats{Count: s.Count, Total: s.Total, Min: s.Min, Max: s.Max}
	known.Slowest.Trace, known.Slowest.Span = s.Slowest.Trace, s.Slowest.Span
	known.LastError.Trace, known.LastError.Span = s.LastError.Trace, s.LastError.Span
	err := p.unpack(data, &known, &spanBudget{buckets: maxReadBuckets})
	return known, err
}

func TestPackedIsUnpacked(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := anyStats(r)
		p := packing{start: int64(r.Uint64()), outside: r.IntN(2) == 0}
		if !p.outside && r.IntN(4) == 0 {
			s.Count, s.Min, s.Max = 1, s.Total, s.Total
			s.First = s.Last - int64(s.Total)
			s.SumSquares, s.Histogram = squaresOfEqual(s), bucketOfAll(s)
		}
		data := p.pack(s)
		got, err := unpacked(p, data, s)
		require.NoError(t, err, "seed %d", seed)
		if s.SelfHistogram != nil {
			require.NoError(t, p.unpackSelf(p.packSelf(s), &got, &spanBudget{buckets: maxReadBuckets}))
			require.Error(t, p.unpackSelf(nil, &core.Stats{}, &spanBudget{}))
		}
		require.Equal(t, *s, got, "seed %d", seed)
		if n := len(data); n > 0 {
			_, err = unpacked(p, data[:r.IntN(n)], s)
			require.Error(t, err, "seed %d: a part of it is taken for the whole", seed)
		}
	}
}

// FuzzUnpack: whatever is accepted is what pack writes of it, so that no two encodings mean the same; only what follows from
// something else may be spelled out.
func FuzzUnpack(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 20 {
		s := anyStats(r)
		f.Add(packing{}.pack(s), s.Count, s.Total, s.Min, s.Max, !s.Slowest.IsZero(), !s.LastError.IsZero(), false)
		f.Add(packing{outside: true}.pack(s), s.Count, s.Total, s.Min, s.Max, !s.Slowest.IsZero(), !s.LastError.IsZero(), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, count, total, least, most uint64, slowest, failed, outside bool) {
		s := &core.Stats{Count: count, Total: total, Min: least, Max: most}
		if slowest {
			s.Slowest.Trace[0] = 1
		}
		if failed {
			s.LastError.Trace[0] = 1
		}
		p := packing{outside: outside}
		got, err := unpacked(p, data, s)
		if err != nil {
			return
		}
		again, err := unpacked(p, p.pack(&got), &got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

// FuzzUnpackSelf is FuzzUnpack for the self times.
func FuzzUnpackSelf(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 0))
	for range 20 {
		if s := anyStats(r); s.SelfHistogram != nil {
			f.Add(packing{}.packSelf(s), s.Count, s.Self, false)
			f.Add(packing{outside: true}.packSelf(s), s.Count, s.Self, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, count, self uint64, outside bool) {
		s, again := core.Stats{Count: count, Self: self}, core.Stats{Count: count, Self: self}
		p := packing{outside: outside}
		if p.unpackSelf(data, &s, &spanBudget{buckets: maxReadBuckets}) != nil {
			return
		}
		require.NoError(t, p.unpackSelf(p.packSelf(&s), &again, &spanBudget{buckets: maxReadBuckets}))
		require.Equal(t, s, again)
	})
}
