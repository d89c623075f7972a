package core

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// sampler draws the duration of one observation.
type sampler func(*rand.Rand) uint64

func logNormal(median, sigma float64) sampler {
	return func(r *rand.Rand) uint64 { return uint64(median * math.Exp(sigma*r.NormFloat64())) }
}

// mixed draws from b with probability p, else from a.
func mixed(a, b sampler, p float64) sampler {
	return func(r *rand.Rand) uint64 {
		if r.Float64() < p {
			return b(r)
		}
		return a(r)
	}
}

// oneOf draws from a few values, so that nearly everything is tied.
func oneOf(values ...uint64) sampler {
	return func(r *rand.Rand) uint64 { return values[r.IntN(len(values))] }
}

// sample returns the statistics of n draws.
func sample(r *rand.Rand, draw sampler, n int) Stats {
	var live liveHistogram
	s := Stats{Count: uint64(n), Min: math.MaxUint64}
	for range n {
		d := draw(r)
		live.add(d)
		s.Total += d
		s.Min, s.Max = min(s.Min, d), max(s.Max, d)
		s.SumSquares = s.SumSquares.add(Uint128{0, d * d})
	}
	s.Self = s.Total
	s.Histogram = live.share()
	return s
}

// populations are shapes of durations as services show them.
var populations = map[string]sampler{
	"log-normal":       logNormal(1e6, 1),
	"bimodal":          mixed(logNormal(1e4, 0.2), logNormal(5e7, 0.5), 0.2),
	"heavy ties":       oneOf(1000, 1000, 1000, 2000, 5000),
	"mostly zero":      mixed(oneOf(0), logNormal(1e6, 1), 0.1),
	"two values":       oneOf(100, 200),
	"heavy tail":       logNormal(1e5, 3),
	"within a bucket":  oneOf(1_000_000, 1_000_001, 1_100_000),
	"rare slow branch": mixed(logNormal(1e6, 0.1), oneOf(1e9), 0.01),
}

// TestRankSumFalseAlarms draws both samples from one population, many times, and counts how often the test calls them
// different. The share must be the level of the test; the bounds are four standard deviations of the counting.
func TestRankSumFalseAlarms(t *testing.T) {
	const runs = 1000
	for name, draw := range populations {
		for _, size := range [][2]int{{30, 30}, {30, 200}, {100, 80}} {
			r := newRand(uint64(size[0]))
			var at5, at1 int
			for range runs {
				a, b := sample(r, draw, size[0]), sample(r, draw, size[1])
				p := compareDurations(a.Histogram, b.Histogram).p
				if p < 0.05 {
					at5++
				}
				if p < 0.01 {
					at1++
				}
			}
			within := func(got int, level, least float64) {
				deviation := math.Sqrt(runs * level * (1 - level))
				require.LessOrEqual(t, float64(got), runs*level+4*deviation, "%s %v at %v", name, size, level)
				require.GreaterOrEqual(t, float64(got), runs*level*least-4*deviation, "%s %v at %v", name, size, level)
			}
			// Small samples of few values cannot reach every level; they stay below it.
			within(at5, 0.05, 0.7)
			within(at1, 0.01, 0.5)
		}
	}
}

// TestRankSumPower draws from populations that do differ and counts how often the test sees it.
func TestRankSumPower(t *testing.T) {
	for name, test := range map[string]struct {
		before, after sampler
		n             int
		superiority   float64 // the truth, where it is known
	}{
		// The superiority of a shift by δ in units of σ is Φ(δ/√2).
		"10 % slower":           {logNormal(1e6, 0.3), logNormal(1.1e6, 0.3), 1000, 0.5 * math.Erfc(-math.Log(1.1)/0.3/2)},
		"twice as slow":         {logNormal(1e6, 1), logNormal(2e6, 1), 150, 0.5 * math.Erfc(-math.Log(2)/1/2)},
		"half as slow":          {logNormal(2e6, 1), logNormal(1e6, 1), 150, 0.5 * math.Erfc(math.Log(2)/1/2)},
		"more of a slow branch": {mixed(oneOf(1000), oneOf(1e6), 0.1), mixed(oneOf(1000), oneOf(1e6), 0.2), 400, 0.55},
	} {
		r := newRand(1)
		const runs = 200
		found, superiority := 0, 0.0
		for range runs {
			a, b := sample(r, test.before, test.n), sample(r, test.after, test.n)
			got := compareDurations(a.Histogram, b.Histogram)
			superiority += got.superiority / runs
			if got.p < 0.01 {
				found++
			}
		}
		require.GreaterOrEqual(t, found, runs*9/10, name)
		require.InDelta(t, test.superiority, superiority, 0.01, name)
	}
}

// TestRankSumEqualsCountingOfPairs compares with the definition: how many pairs of values are in which order, and
// the variance of that number over all ways to deal the values to the two samples.
func TestRankSumEqualsCountingOfPairs(t *testing.T) {
	r := newRand(5)
	for range 200 {
		m, n := 1+r.IntN(5), 1+r.IntN(5)
		values := make([]uint64, m+n)
		for i := range values {
			values[i] = []uint64{0, 10, 20, 30, 1000}[r.IntN(5)]
		}
		pairs := func(second uint) (u float64) {
			for i, x := range values {
				for j, y := range values {
					if second>>i&1 == 0 && second>>j&1 == 1 {
						switch {
						case y > x:
							u++
						case y == x:
							u += 0.5
						}
					}
				}
			}
			return u
		}
		mean, deals, variance := float64(m*n)/2, 0.0, 0.0
		for second := range uint(1) << (m + n) {
			if ones(second) == n {
				deals++
				variance += (pairs(second) - mean) * (pairs(second) - mean)
			}
		}
		variance /= deals

		second := uint(1)<<n - 1
		u := pairs(second)
		got := compareDurations(histogramOf(values[n:]...), histogramOf(values[:n]...))
		require.InDelta(t, u/float64(m*n), got.superiority, 1e-12)
		want := 1.0
		if variance > 0 {
			want = math.Erfc(max(math.Abs(u-mean)-0.5, 0) / math.Sqrt(2*variance))
		}
		require.InDelta(t, want, got.p, 1e-9)
	}
}

func ones(x uint) (n int) {
	for ; x > 0; x &= x - 1 {
		n++
	}
	return n
}

func TestRankSumOfHugeAndEmptySamples(t *testing.T) {
	huge := func(a, b uint64) Histogram { return Histogram{sparse: []Bucket{{100, a}, {200, b}}} }
	require.Equal(t, rankSum{1, 0.5}, compareDurations(Histogram{}, huge(1, 1)))
	require.Equal(t, rankSum{1, 0.5}, compareDurations(Histogram{}, Histogram{}))
	got := compareDurations(huge(1e15, 1e15), huge(1e15, 1e15))
	require.InDelta(t, 1, got.p, 1e-3)
	got = compareDurations(huge(math.MaxUint64/2, 1), huge(1, math.MaxUint64/2))
	require.Zero(t, got.p)
	require.InDelta(t, 1, got.superiority, 1e-9)
	got = compareDurations(Histogram{Zero: math.MaxUint64}, Histogram{Zero: math.MaxUint64})
	require.Equal(t, rankSum{1, 0.5}, got)
}

// TestFisherEqualsEnumeration compares with sums of binomial coefficients.
func TestFisherEqualsEnumeration(t *testing.T) {
	choose := func(n, k uint64) float64 {
		c := 1.0
		for i := range k {
			c = c * float64(n-i) / float64(i+1)
		}
		return c
	}
	for _, size := range [][2]uint64{{5, 5}, {3, 40}, {40, 3}, {20, 15}} {
		m, n := size[0], size[1]
		for x := range m + 1 {
			for y := range n + 1 {
				hits := x + y
				if float64(min(m, n)*min(hits, m+n-hits)) >= 5*float64(m+n) {
					continue // the other test
				}
				var extreme, all float64
				observed := choose(m, x) * choose(n, y)
				for k := range min(m, hits) + 1 {
					if hits-k <= n {
						p := choose(m, k) * choose(n, hits-k)
						all += p
						if p <= observed*(1+1e-7) {
							extreme += p
						}
					}
				}
				require.InEpsilon(t, extreme/all, compareProportions(x, m, y, n), 1e-9, "%d of %d, %d of %d", x, m, y, n)
			}
		}
	}
}

func TestProportionsKnownValues(t *testing.T) {
	// A table of 2 × 2 with χ² = N(ad−bc)²/(r₁r₂c₁c₂): 30 of 100 and 45 of 100 give 200·(30·55−70·45)²/(100²·75·125) = 4.8.
	chi := 4.8 * 199 / 200
	require.InDelta(t, math.Erfc(math.Sqrt(chi/2)), compareProportions(30, 100, 45, 100), 1e-12)
	require.InDelta(t, compareProportions(30, 100, 45, 100), compareProportions(45, 100, 30, 100), 1e-12)
	require.InDelta(t, compareProportions(30, 100, 45, 100), compareProportions(70, 100, 55, 100), 1e-12)
	require.Equal(t, 1.0, compareProportions(0, 100, 0, 100))
	require.Equal(t, 1.0, compareProportions(100, 100, 50, 50))
	require.Equal(t, 1.0, compareProportions(0, 0, 5, 10))
	require.Less(t, compareProportions(0, 1e15, 1e6, 1e15), 1e-100)
	require.Zero(t, compareProportions(1e9, 1e9, 0, math.MaxUint64-1e9), "everything in the small sample")
}

func TestProportionsFalseAlarms(t *testing.T) {
	const runs = 2000
	for _, test := range []struct {
		rate float64
		m, n int
	}{{0.5, 40, 40}, {0.01, 300, 2000}, {0.2, 30, 1000}, {0.001, 1000, 1000}, {0.97, 200, 500}} {
		r := newRand(9)
		alarms := 0
		for range runs {
			var x, y uint64
			for range test.m {
				if r.Float64() < test.rate {
					x++
				}
			}
			for range test.n {
				if r.Float64() < test.rate {
					y++
				}
			}
			if compareProportions(x, uint64(test.m), y, uint64(test.n)) < 0.05 {
				alarms++
			}
		}
		require.LessOrEqual(t, float64(alarms), runs*0.05+4*math.Sqrt(runs*0.05*0.95), "%+v", test)
	}
}

// TestAdjust has the example of Benjamini and Hochberg's paper: of 15 tests, the first four are significant at 5 %.
func TestAdjust(t *testing.T) {
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	newRand(1).Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	q := adjust(p)
	for i := range p {
		require.Equal(t, p[i] < 0.01, q[i] < 0.05, "p %v, q %v", p[i], q[i])
		require.GreaterOrEqual(t, q[i], p[i])
		require.LessOrEqual(t, q[i], 1.0)
		for j := range p {
			require.True(t, p[i] > p[j] || q[i] <= q[j], "the order changed")
		}
		// By definition: the least m·p₍ⱼ₎/j of all p₍ⱼ₎ ≥ p.
		want := 1.0
		for j := range p {
			rank := 0
			for k := range p {
				if p[k] <= p[j] {
					rank++
				}
			}
			if p[j] >= p[i] {
				want = min(want, p[j]*float64(len(p))/float64(rank))
			}
		}
		require.InDelta(t, want, q[i], 1e-12)
	}
	require.Empty(t, adjust(nil))
}
