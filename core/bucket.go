package core

import (
	"math"
	"math/bits"
)

// Scale is the resolution of every duration histogram, in the terms of OpenTelemetry's exponential
// histogram: the base is 2^(2^-Scale), so that an octave has 64 buckets and the middle of a bucket is at
// most 0.55 % away from any value in it.
const Scale = 6

const bucketsPerOctave = 1 << Scale

// BucketIndex returns the index of the bucket that holds v at [Scale]: the i with
// base^i < v ≤ base^(i+1) (OpenTelemetry metrics data model, "Exponential buckets": upper-inclusive).
// The value 1 is in bucket -1. v must not be 0: zeros are counted apart.
//
// It is exact for every v: the octave comes from the leading bit, the bucket in the octave from a table
// of 64-bit bounds, found by a guess from the next seven bits and one comparison. No logarithm.
func BucketIndex(v uint64) int {
	lz := bits.LeadingZeros64(v) & 63
	m := v << lz
	j := int(bucketGuess[(m>>56)&127])
	octave := (63 - lz) * bucketsPerOctave
	if j+1 < bucketsPerOctave && m > bucketBounds[j+1] {
		return octave + j + 1
	}
	if m > bucketBounds[j] {
		return octave + j
	}
	return octave + j - 1
}

// BucketUpper returns the inclusive upper bound base^(i+1) of bucket i at [Scale], rounded down to whole
// nanoseconds, which is the largest value that the bucket can hold.
func BucketUpper(i int) uint64 {
	i++
	if i < 0 {
		return 0
	}
	octave, j := i/bucketsPerOctave, i%bucketsPerOctave
	if octave > 63 {
		return math.MaxUint64
	}
	return bucketBounds[j] >> (63 - octave)
}

// bucketMiddle returns the value that stands for bucket i: the harmonic-mean midpoint 2ab/(a+b), which has
// the smallest worst-case relative error, (b-a)/(b+a) = 0.54 %.
func bucketMiddle(i int) float64 {
	base := math.Exp2(1.0 / bucketsPerOctave)
	return math.Exp2(float64(i)/bucketsPerOctave) * 2 * base / (1 + base)
}
