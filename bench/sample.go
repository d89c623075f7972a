package main

import (
	"math"
	"slices"
)

// sample is a set of measurements of one thing.
type sample []float64

// median returns the middle value, the mean of the two middle ones if their number is even, NaN for none.
func (s sample) median() float64 {
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// mad returns the median absolute deviation from the median: half of the values are at most that far away.
func (s sample) mad() float64 {
	m := s.median()
	distances := make(sample, len(s))
	for i, v := range s {
		distances[i] = math.Abs(v - m)
	}
	return distances.median()
}

// per returns the sample divided by n.
func (s sample) per(n int) sample {
	out := make(sample, len(s))
	for i, v := range s {
		out[i] = v / float64(n)
	}
	return out
}

// minus returns the differences of measurements taken in the same round.
func (s sample) minus(base sample) sample {
	out := make(sample, min(len(s), len(base)))
	for i := range out {
		out[i] = s[i] - base[i]
	}
	return out
}
