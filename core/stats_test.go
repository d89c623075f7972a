package core

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func eventsOf(seed uint64, size int) []event {
	r := newRand(seed)
	events := randomEvents(r, randomSites(r, 2), r.IntN(size+1), 50)
	keepSelfTimes(events, seed/2%3 > 0)
	return events
}

func TestStatsMergeLaws(t *testing.T) {
	for seed := range uint64(300) {
		x, y, z := eventsOf(3*seed, 20), eventsOf(3*seed+1, 20), eventsOf(3*seed+2, 20)
		a, b, c := naiveStats(x), naiveStats(y), naiveStats(z)
		all := naiveStats(slices.Concat(x, y, z))
		require.Equal(t, a.Merge(b), b.Merge(a))
		require.Equal(t, all, a.Merge(b).Merge(c))
		require.Equal(t, all, a.Merge(b.Merge(c)))
		require.Equal(t, a, a.Merge(Stats{}))
		require.Equal(t, a, Stats{}.Merge(a))
		var sum Stats
		for _, s := range []Stats{a, b, c} {
			sum.add(&s)
		}
		require.Equal(t, all, sum)
		requireStats(t, Site{}, all)
	}
}

// TestExemplarsDoNotDependOnOrder merges exemplars that are tied in all but one respect.
func TestExemplarsDoNotDependOnOrder(t *testing.T) {
	base := Exemplar{Trace: TraceID{1}, Span: SpanID{1}, Duration: 5, Time: 5}
	variants := []Exemplar{base, base, base, base, base, base, {}}
	variants[1].Trace[15]++
	variants[2].Span[7]++
	variants[3].Duration++
	variants[4].Time++
	variants[5].Sampled = true
	for _, a := range variants {
		for _, b := range variants {
			require.Equal(t, slower(a, b), slower(b, a))
			require.Equal(t, later(a, b), later(b, a))
			for _, c := range variants {
				require.Equal(t, slower(slower(a, b), c), slower(a, slower(b, c)))
				require.Equal(t, later(later(a, b), c), later(a, later(b, c)))
			}
		}
		require.Equal(t, variants[3], slower(a, variants[3]), "the longest is the slowest")
		require.Equal(t, variants[4], later(a, variants[4]), "the last is the latest")
	}
}

func TestStatsSubInvertsMerge(t *testing.T) {
	for seed := range uint64(300) {
		older, added := naiveStats(eventsOf(2*seed, 20)), naiveStats(eventsOf(2*seed+1, 20))
		newer := older.Merge(added)
		newer.Active = 3
		require.True(t, newer.follows(&older))
		d := newer.Sub(older)
		require.NoError(t, d.validate())
		require.Equal(t, newer.Active, d.Active)
		require.Equal(t, added.Histogram, d.Histogram)
		require.Equal(t, []uint64{added.Count, added.Errors, added.Total, added.Self, added.Bytes},
			[]uint64{d.Count, d.Errors, d.Total, d.Self, d.Bytes})
		require.Equal(t, added.SumSquares, d.SumSquares)
		require.Equal(t, added.SelfHistogram, d.SelfHistogram)
		if added.Count == 0 {
			require.Equal(t, Stats{Active: 3}, d)
			continue
		}
		require.LessOrEqual(t, d.Min, added.Min)
		require.GreaterOrEqual(t, d.Max, added.Max)
		require.LessOrEqual(t, float64(added.Min), float64(d.Min)*1.011+1)
		require.GreaterOrEqual(t, float64(added.Max), float64(d.Max)/1.011-1)
		if added.Min < older.Min || older.Count == 0 {
			require.Equal(t, added.Min, d.Min, "a new minimum is exact")
		}
		if added.Max > older.Max {
			require.Equal(t, added.Max, d.Max, "a new maximum is exact")
		}
		for _, e := range []struct{ newer, older, got Exemplar }{
			{newer.Slowest, older.Slowest, d.Slowest}, {newer.LastError, older.LastError, d.LastError},
		} {
			if e.newer == e.older {
				require.Zero(t, e.got, "an old exemplar")
			} else {
				require.Equal(t, e.newer, e.got)
			}
		}
	}
	open := Stats{Active: 1, Bytes: 10}
	require.Equal(t, uint64(5), Stats{Bytes: 15, Active: 1}.Sub(open).Bytes, "bytes of spans that have not ended")
}

func TestStdDevAgainstBigFloats(t *testing.T) {
	for name, draw := range map[string]sampler{
		"nearly equal and large": oneOf(1e15, 1e15+1, 1e15+2),
		"equal":                  oneOf(123_456_789),
		"one or two":             oneOf(1, 2),
		"log-normal":             logNormal(1e6, 2),
		"hours":                  logNormal(1e13, 1),
	} {
		r := newRand(1)
		for _, n := range []int{2, 3, 1000} {
			var s Stats
			var values []uint64
			for range n {
				values = append(values, draw(r))
				s = s.Merge(sample(r, oneOf(values[len(values)-1]), 1))
				s.SumSquares = Uint128{} // sample squares in 64 bits
			}
			squares, mean, m2 := new(big.Int), newFloat(s.Total), newFloat(0)
			mean.Quo(mean, newFloat(uint64(n)))
			for _, v := range values {
				square := new(big.Int).SetUint64(v)
				squares.Add(squares, square.Mul(square, square))
				d := newFloat(v)
				d.Sub(d, mean)
				m2.Add(m2, d.Mul(d, d))
			}
			require.NoError(t, s.SumSquares.UnmarshalText([]byte(squares.String())))
			m2.Quo(m2, newFloat(uint64(n-1)))
			want, _ := m2.Sqrt(m2).Float64()
			require.InDelta(t, want, s.StdDev(), 1e-9*want, "%s, n = %d", name, n)
		}
	}
	require.Zero(t, (&Stats{}).StdDev())
	require.Zero(t, (&Stats{Count: 1, Total: 5, SumSquares: Uint128{0, 25}}).StdDev())
	saturated := Stats{Count: 3, Total: math.MaxUint64, SumSquares: Uint128{0, 1}}
	require.Zero(t, saturated.StdDev(), "no root of a negative number")
}

func newFloat(v uint64) *big.Float { return new(big.Float).SetPrec(300).SetUint64(v) }

func TestStatsFigures(t *testing.T) {
	s := Stats{Count: 4, Errors: 1, Total: 1110, Min: 10, Max: 1000, Histogram: histogramOf(10, 50, 50, 1000)}
	require.Equal(t, 277.5, s.Mean())
	require.Equal(t, 0.25, s.ErrorRate())
	require.Equal(t, 10.0, s.Quantile(0))
	require.Equal(t, 1000.0, s.Quantile(1))
	require.InEpsilon(t, 50, s.Quantile(0.5), 0.0055)
	require.InEpsilon(t, 1000, s.Quantile(0.99), 0.0055)
	require.LessOrEqual(t, s.Quantile(0.99), 1000.0)
	require.GreaterOrEqual(t, s.Quantile(0.01), 10.0)
	require.False(t, s.IsZero())

	var none Stats
	require.True(t, none.IsZero())
	require.Zero(t, none.Mean())
	require.Zero(t, none.ErrorRate())
	require.Zero(t, none.Quantile(0.5))
}

func TestUint128(t *testing.T) {
	most := Uint128{math.MaxUint64, math.MaxUint64}
	require.Equal(t, Uint128{1, 0}, Uint128{0, math.MaxUint64}.add(Uint128{0, 1}))
	require.Equal(t, most, most.add(Uint128{0, 1}))
	require.Equal(t, Uint128{0, math.MaxUint64}, Uint128{1, 0}.sub(Uint128{0, 1}))
	require.Equal(t, Uint128{}, Uint128{1, 0}.sub(Uint128{1, 1}))
	require.Equal(t, "340282366920938463463374607431768211455", most.String())
	require.Equal(t, 0x1p64+5, Uint128{1, 5}.Float64())
	require.True(t, Uint128{0, 9}.less(Uint128{1, 0}))
	require.True(t, Uint128{1, 0}.less(Uint128{1, 1}))
	require.False(t, most.less(most))
	r := newRand(1)
	for range 200 {
		want := Uint128{r.Uint64() >> r.IntN(64), r.Uint64()}
		text, err := want.MarshalText()
		require.NoError(t, err)
		var got Uint128
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, want, got)
	}
}

func TestIDsAsText(t *testing.T) {
	id, span := TraceID{0xab, 15: 1}, SpanID{7: 0xcd}
	require.Equal(t, "ab000000000000000000000000000001", id.String())
	require.Equal(t, "00000000000000cd", span.String())
	var back TraceID
	require.NoError(t, back.UnmarshalText([]byte("AB000000000000000000000000000001")))
	require.Equal(t, id, back)
	require.Error(t, back.UnmarshalText([]byte("AB")))
	require.Error(t, back.UnmarshalText([]byte("gg000000000000000000000000000001")))
}

// Self times are known for all observations or for none, and a quantile of them is never beyond the longest duration.
func TestSelfHistogramIsAllOrNothing(t *testing.T) {
	kept := func(self ...uint64) Stats {
		h := histogramOf(self...)
		n := uint64(len(self))
		return Stats{Count: n, Total: 1000 * n, Max: 1000, Min: 1000, Histogram: NewHistogram(0, []Bucket{{int32(BucketIndex(1000)), n}}), SelfHistogram: &h}
	}
	plain := kept(5)
	plain.SelfHistogram = nil
	require.Nil(t, kept(1, 2).Merge(plain).SelfHistogram)
	require.Nil(t, plain.Merge(kept(1, 2)).Merge(kept(3)).SelfHistogram)
	require.Nil(t, kept(1, 2).Sub(plain).SelfHistogram)

	older, newer := kept(0, 10), kept(0, 10, 1000)
	require.Equal(t, histogramOf(1000), *newer.Sub(older).SelfHistogram)
	require.Equal(t, histogramOf(0, 10), *older.SelfHistogram, "subtracting changed its operand")
	corrected := kept(0, 20, 1000)
	require.True(t, corrected.follows(&older), "a self time may still rise")
	require.Nil(t, corrected.Sub(older).SelfHistogram)

	require.InEpsilon(t, 1000, newer.SelfQuantile(1), 0.0055)
	above := kept(1010)
	above.Max = 1001 // in the middle of its bucket lies more
	require.Equal(t, 1001.0, above.SelfQuantile(0.5))
	require.InEpsilon(t, 10, newer.SelfQuantile(0.5), 0.0055)
	require.Zero(t, plain.SelfQuantile(1))
}
