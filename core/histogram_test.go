package core

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// histogramOf counts values one by one.
func histogramOf(values ...uint64) Histogram {
	counts := map[int32]uint64{}
	var h Histogram
	for _, v := range values {
		if v == 0 {
			h.Zero++
		} else {
			counts[int32(BucketIndex(v))]++
		}
	}
	for i, n := range counts {
		h.sparse = append(h.sparse, Bucket{i, n})
	}
	slices.SortFunc(h.sparse, func(a, b Bucket) int { return cmp.Compare(a.Index, b.Index) })
	return h
}

func randomValues(r *rand.Rand) []uint64 {
	values := make([]uint64, r.IntN(60))
	for i := range values {
		values[i] = randomDuration(r)
	}
	return values
}

const tenDays = 10 * 24 * 3600 * 1e9

func TestQuantileErrorAgainstExactData(t *testing.T) {
	for name, draw := range map[string]sampler{
		"log-uniform over 1 ns to 10 days": func(r *rand.Rand) uint64 { return uint64(math.Exp(r.Float64() * math.Log(tenDays))) },
		"uniform":                          func(r *rand.Rand) uint64 { return 1 + r.Uint64N(tenDays) },
		"log-normal":                       logNormal(1e6, 2),
		"bimodal":                          populations["bimodal"],
		"ties":                             populations["heavy ties"],
		"few nanoseconds":                  func(r *rand.Rand) uint64 { return r.Uint64N(20) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRand(1)
			for _, n := range []int{1, 2, 10, 1000, 20_000} {
				values := make([]uint64, n)
				for i := range values {
					values[i] = draw(r)
				}
				h := histogramOf(values...)
				slices.Sort(values)
				for q := 0.0; q <= 1; q += 1.0 / 512 { // exact in binary
					rank := min(max(int(math.Ceil(q*float64(n))), 1), n)
					exact := float64(values[rank-1])
					require.InDelta(t, exact, h.Quantile(q), 0.0055*exact, "q %v of %d", q, n)
				}
			}
		})
	}
}

func TestQuantileEdges(t *testing.T) {
	require.Zero(t, Histogram{}.Quantile(0.5))
	h := histogramOf(0, 1, 1000)
	require.Zero(t, h.Quantile(0))
	require.Zero(t, h.Quantile(-1))
	require.Zero(t, h.Quantile(math.NaN()))
	require.InEpsilon(t, 1, h.Quantile(0.5), 0.0055)
	require.InEpsilon(t, 1000, h.Quantile(1), 0.0055)
	require.InEpsilon(t, 1000, h.Quantile(math.Inf(1)), 0.0055)
	full := Histogram{Zero: 1, sparse: []Bucket{{100, math.MaxUint64}, {200, math.MaxUint64}}}
	require.Equal(t, bucketMiddle(100), full.Quantile(1), "counts saturate")
	require.Equal(t, uint64(math.MaxUint64), full.Count())
}

func TestHistogramMergeLaws(t *testing.T) {
	r := newRand(1)
	for range 300 {
		x, y, z := randomValues(r), randomValues(r), randomValues(r)
		a, b, c := histogramOf(x...), histogramOf(y...), histogramOf(z...)
		all := histogramOf(slices.Concat(x, y, z)...)
		kept := fmt.Sprint(a, b)
		require.Equal(t, a.Merge(b), b.Merge(a))
		require.Equal(t, all, a.Merge(b).Merge(c))
		require.Equal(t, all, a.Merge(b.Merge(c)))
		require.Equal(t, a, a.Merge(Histogram{}))
		require.Equal(t, a, Histogram{}.Merge(a))
		require.Equal(t, kept, fmt.Sprint(a, b), "merging changed an operand")

		var sum Histogram
		for _, h := range []Histogram{a, b, c} {
			sum.add(h)
		}
		require.Equal(t, all, sum)
		require.Equal(t, kept, fmt.Sprint(a, b), "adding changed its argument")
		require.Equal(t, uint64(len(x)+len(y)), a.Merge(b).Count())
	}
}

func TestHistogramSub(t *testing.T) {
	r := newRand(1)
	for range 300 {
		x, y := randomValues(r), randomValues(r)
		older, added := histogramOf(x...), histogramOf(y...)
		newer := older.Merge(added)
		require.Equal(t, added, newer.Sub(older))
		require.True(t, newer.follows(older))
		require.Equal(t, len(y) == 0, older.follows(newer))
		require.Equal(t, Histogram{}, newer.Sub(newer))
	}
	h := histogramOf(5, 5, 7)
	require.Equal(t, histogramOf(7), h.Sub(histogramOf(0, 5, 5, 5, 9)), "nothing becomes negative")
}

func TestDenseIsLossless(t *testing.T) {
	r := newRand(1)
	for range 300 {
		h := histogramOf(randomValues(r)...)
		d := h.Dense(math.MaxInt)
		require.Equal(t, Scale, d.Scale)
		back, ok := d.Histogram()
		require.True(t, ok)
		require.Equal(t, h, back)
	}
}

func TestDenseDownscaling(t *testing.T) {
	r := newRand(1)
	for range 300 {
		values := randomValues(r)
		h := histogramOf(values...)
		for _, size := range []int{-1, 0, 2, 3, 20, 160} {
			d := h.Dense(size)
			require.LessOrEqual(t, len(d.Counts), max(size, 2))
			require.LessOrEqual(t, d.Scale, Scale)
			require.Equal(t, h.Zero, d.Zero)
			require.Equal(t, bruteForce(values, d.Scale), d.Counts, "scale %d of %v", d.Scale, values)
			if len(d.Counts) > 0 {
				require.NotZero(t, d.Counts[0])
				require.NotZero(t, d.Counts[len(d.Counts)-1])
				require.Equal(t, d.Offset, bruteForceIndex(slices.Min(positive(values)), d.Scale))
			}
			if d.Scale < Scale {
				require.Greater(t, len(bruteForce(values, d.Scale+1)), max(size, 2), "shrunk more than needed")
				_, ok := d.Histogram()
				require.False(t, ok)
			}
		}
	}
}

func positive(values []uint64) []uint64 {
	return slices.DeleteFunc(slices.Clone(values), func(v uint64) bool { return v == 0 })
}

// uppers holds the upper bounds of all buckets at Scale, from that of bucket -1 on.
var uppers = sync.OnceValue(func() []uint64 {
	var out []uint64
	for n := range maxBucket + 1 {
		out = append(out, bound(n/64, n%64).Uint64())
	}
	return append(out, math.MaxUint64)
})

// bruteForceIndex finds the bucket of v at a scale by comparing with bounds: 2^((i+1)·2^-scale) ≥ v.
func bruteForceIndex(v uint64, scale int) int {
	for i := -1; ; i++ {
		if n := (i + 1) << (Scale - scale); n >= len(uppers()) || v <= uppers()[n] {
			return i
		}
	}
}

// bruteForce returns the counts of the buckets at a scale, from the first to the last non-empty one.
func bruteForce(values []uint64, scale int) []uint64 {
	var out []uint64
	offset := math.MaxInt
	for pass := range 2 {
		for _, v := range positive(values) {
			i := bruteForceIndex(v, scale)
			if pass == 0 {
				offset = min(offset, i)
				continue
			}
			for len(out) <= i-offset {
				out = append(out, 0)
			}
			out[i-offset]++
		}
	}
	return out
}

func TestDenseHistogramRefusesOtherScalesAndRanges(t *testing.T) {
	for _, d := range []Dense{
		{Scale: 5, Counts: []uint64{1}},
		{Scale: Scale, Offset: -2, Counts: []uint64{1}},
		{Scale: Scale, Offset: maxBucket, Counts: []uint64{1, 1}},
		{Scale: Scale, Offset: math.MaxInt32 + 1, Counts: []uint64{1}},
	} {
		_, ok := d.Histogram()
		require.False(t, ok, "%+v", d)
	}
	h, ok := Dense{Scale: Scale, Offset: -2, Counts: []uint64{0, 3}, Zero: 1}.Histogram()
	require.True(t, ok)
	require.Equal(t, NewHistogram(1, []Bucket{{-1, 3}}), h)
}

func TestCountAtMost(t *testing.T) {
	r := newRand(1)
	for range 300 {
		values := randomValues(r)
		h := histogramOf(values...)
		for range 20 {
			bound := randomDuration(r)
			var atMost, certain uint64
			for _, v := range values {
				if v <= bound {
					atMost++
				}
				if v == 0 || BucketUpper(BucketIndex(v)) <= bound {
					certain++
				}
			}
			require.Equal(t, certain, h.CountAtMost(bound))
			require.LessOrEqual(t, certain, atMost)
			if upper := BucketUpper(BucketIndex(max(bound, 1))); upper == bound {
				require.Equal(t, atMost, h.CountAtMost(bound), "exact at the bound of a bucket")
			}
		}
	}
	require.Zero(t, Histogram{}.CountAtMost(math.MaxUint64))
}

func TestHistogramValidate(t *testing.T) {
	for name, h := range map[string]Histogram{
		"duplicate": {sparse: []Bucket{{1, 1}, {1, 1}}},
		"order":     {sparse: []Bucket{{2, 1}, {1, 1}}},
		"empty":     {sparse: []Bucket{{1, 0}}},
		"low":       {sparse: []Bucket{{-2, 1}}},
		"high":      {sparse: []Bucket{{4096, 1}}},
	} {
		require.Error(t, h.validate(), name)
	}
	require.NoError(t, Histogram{Zero: 1, sparse: []Bucket{{-1, 1}, {4095, 1}}}.validate())
}

func TestSaturatingArithmetic(t *testing.T) {
	require.Equal(t, uint64(math.MaxUint64), addSat(math.MaxUint64, 1))
	require.Equal(t, uint64(math.MaxUint64), addSat(math.MaxUint64-1, 1))
	require.Equal(t, int64(math.MaxInt64), addSatInt(math.MaxInt64, 1))
	require.Equal(t, int64(math.MinInt64), addSatInt(math.MinInt64, -1))
	require.Equal(t, int64(math.MinInt64), addSatInt(math.MinInt64, math.MinInt64))
	require.Equal(t, int64(-1), addSatInt(math.MinInt64, math.MaxInt64))
	require.Zero(t, subFloor(1, 2))
	require.Equal(t, uint64(math.MaxUint64), subSat(math.MaxUint64, 7))
	require.Equal(t, uint64(3), subSat(10, 7))
}
