package core

import (
	"cmp"
	"math"
	"slices"
)

// rankSum is the outcome of a Wilcoxon–Mann–Whitney test of two samples.
type rankSum struct {
	// p is the two-sided p-value of the hypothesis that both samples come from one distribution.
	p float64
	// superiority is the probability that a random value of the second sample exceeds one of the first, with
	// ties counted half: 0.5 without a difference, 1 when every value does.
	superiority float64
}

// compareDurations does the test on two histograms; what is in one bucket is tied. It uses the normal approximation with
// correction for ties and continuity:
//
//	U  = Σᵢ bᵢ (A₍<ᵢ₎ + aᵢ/2)
//	σ² = mn/12 · (N + 1 − Σᵢ (tᵢ³ − tᵢ) / (N(N−1))),  tᵢ = aᵢ + bᵢ, N = m + n
//	z  = (|U − mn/2| − ½) / σ
//
// where aᵢ and bᵢ are the counts of the m and n values in bucket i (E. L. Lehmann, Nonparametrics, 1975, section 1.3
// and appendix; H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947). The superiority U/(mn)
// is the measure A of A. Vargha and H. D. Delaney, Journal of Educational and Behavioral Statistics 25, 2000.
func compareDurations(a, b Histogram) rankSum {
	m, n := float64(a.Count()), float64(b.Count())
	if m == 0 || n == 0 {
		return rankSum{p: 1, superiority: 0.5}
	}
	var below, u, ties float64
	eachBucket(a, b, func(inA, inB uint64) {
		x, y := float64(inA), float64(inB)
		u += y * (below + x/2)
		below += x
		t := x + y
		ties += t * (t*t - 1)
	})
	total := m + n
	variance := m * n / 12 * (total + 1 - ties/(total*(total-1)))
	distance := max(math.Abs(u-m*n/2)-0.5, 0)
	out := rankSum{p: 1, superiority: u / (m * n)}
	// With everything in one bucket the variance is 0, or what rounding leaves of it.
	if variance > m*n*1e-9 {
		out.p = twoSided(distance / math.Sqrt(variance))
	}
	return out
}

// eachBucket calls f with the counts of both histograms in every bucket that is not empty in both, ascending.
func eachBucket(a, b Histogram, f func(inA, inB uint64)) {
	if a.Zero > 0 || b.Zero > 0 {
		f(a.Zero, b.Zero)
	}
	x, y := a.Buckets(), b.Buckets()
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].Index < y[0].Index:
			f(x[0].Count, 0)
			x = x[1:]
		case len(x) == 0 || x[0].Index > y[0].Index:
			f(0, y[0].Count)
			y = y[1:]
		default:
			f(x[0].Count, y[0].Count)
			x, y = x[1:], y[1:]
		}
	}
}

// twoSided returns the probability that a standard normal variable is at least z away from 0.
func twoSided(z float64) float64 { return math.Erfc(z / math.Sqrt2) }

// compareProportions returns the two-sided p-value of the hypothesis that x of m and y of n have the same probability.
// With an expected count of 5 or more in each cell it is the "N−1" chi-squared test, else Fisher's exact test, as
// I. Campbell recommends (Statistics in Medicine 26, 2007).
//
//	z = |x/m − y/n| / sqrt(p(1−p)(1/m + 1/n)) · sqrt((N−1)/N),  p = (x+y)/N, N = m + n
func compareProportions(x, m, y, n uint64) float64 {
	// The rarer outcome in the smaller sample is the cell with the smallest expected count.
	if m > n {
		x, m, y, n = y, n, x, m
	}
	rare, hits := float64(x), float64(x)+float64(y)
	if misses := float64(m-x) + float64(n-y); misses < hits {
		rare, hits = float64(m-x), misses
	}
	small, total := float64(m), float64(m)+float64(n)
	if small == 0 || hits == 0 {
		return 1
	}
	if small*hits/total < 5 {
		return fisher(rare, small, hits, total)
	}
	pooled := hits / total
	deviation := math.Sqrt(pooled * (1 - pooled) * (1/small + 1/float64(n)))
	difference := math.Abs(float64(x)/float64(m) - float64(y)/float64(n))
	return twoSided(difference / deviation * math.Sqrt((total-1)/total))
}

// fisher returns the p-value of Fisher's exact test: the probability, in the hypergeometric distribution of the hits
// in a sample of m when there are so many hits in total, of everything that is not more likely than x
// (R. A. Fisher, Journal of the Royal Statistical Society 85, 1922). The expected count must be small, and m and hits at
// most total/2. The terms follow from P(k+1)/P(k) = (m−k)(hits−k) / ((k+1)(total−m−hits+k+1)), and end where
// they cease to matter.
func fisher(x, m, hits, total float64) float64 {
	ratio := func(k float64) float64 { return (m - k) * (hits - k) / ((k + 1) * (total - m - hits + k + 1)) }
	// The terms are in units of P(0).
	terms := []float64{1}
	largest := 1.0
	for k, p := 0.0, 1.0; k < min(m, hits) && p > largest*1e-30; k++ {
		p *= ratio(k)
		largest = max(largest, p)
		terms = append(terms, p)
	}
	if x >= float64(len(terms)) {
		return 0
	}
	observed := terms[int(x)]
	slices.Sort(terms) // to add small ones first
	var sum, extreme float64
	for _, p := range terms {
		sum += p
		if p <= observed*(1+1e-7) { // equal terms differ by rounding
			extreme = sum
		}
	}
	return extreme / sum
}

// adjust returns the q-values of p-values: the least false discovery rate at which each would be called significant. It
// is the step-up procedure of Y. Benjamini and Y. Hochberg (Journal of the Royal Statistical Society B 57, 1995),
// q₍ᵢ₎ = min over j ≥ i of p₍ⱼ₎·m/j. It also holds for tests that are positively dependent (Benjamini and D. Yekutieli,
// Annals of Statistics 29, 2001), as those of callers and callees are.
func adjust(p []float64) []float64 {
	order := ascending(len(p))
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	q := make([]float64, len(p))
	least := 1.0
	for rank := len(order); rank > 0; rank-- {
		i := order[rank-1]
		least = min(least, p[i]*float64(len(p))/float64(rank))
		q[i] = least
	}
	return q
}
