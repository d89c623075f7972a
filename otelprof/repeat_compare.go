package otelprof

import (
	"fmt"
	"math"
	"time"
)

// maxSlowdown is the significant change of the mean from which on it is a regression.
const maxSlowdown = 0.01

// RepeatComparison says how much two repetitions differ.
type RepeatComparison struct {
	// Baseline and Mean are the means compared.
	Baseline, Mean time.Duration
	// Change is the relative change of the mean: 0.05 is 5 % slower than the baseline, -0.05 is 5 % faster.
	Change float64
	// P is the probability of a difference at least as large if both had the same mean, by Welch's t test, which
	// supposes that runs do not influence each other. It is 1 if either has less than two runs.
	P float64
	// Significant is whether P is less than 5 %.
	Significant bool
	// Regression is whether the repetition is significantly slower than the baseline, by more than 1 %.
	Regression bool
}

// Compare compares r with an earlier result of the same code.
func (r RepeatResult) Compare(baseline RepeatResult) RepeatComparison {
	mean, variance := moments(r.Durations)
	baseMean, baseVariance := moments(baseline.Durations)
	c := RepeatComparison{Baseline: wholeNanoseconds(baseMean), Mean: wholeNanoseconds(mean)}
	if mean != baseMean {
		c.Change = mean/baseMean - 1 // +Inf for a baseline of 0
	}
	c.P = welch(mean-baseMean, variance/float64(len(r.Durations)), baseVariance/float64(len(baseline.Durations)),
		len(r.Durations), len(baseline.Durations))
	c.Significant = c.P < 1-confidence
	c.Regression = c.Significant && c.Change > maxSlowdown
	return c
}

// welch returns the two-sided significance of a difference of two means of na and nb values, whose squared standard
// errors are a and b. See B. L. Welch, Biometrika 34 (1947), for the degrees of freedom.
func welch(difference, a, b float64, na, nb int) float64 {
	if na < 2 || nb < 2 || difference == 0 {
		return 1
	}
	if a+b == 0 {
		return 0 // two constants that differ
	}
	df := (a + b) * (a + b) / (a*a/float64(na-1) + b*b/float64(nb-1))
	return studentTail(difference/math.Sqrt(a+b), df)
}

// String returns the comparison in one line for people.
func (c RepeatComparison) String() string {
	verdict := "no significant change"
	switch {
	case c.Regression:
		verdict = "REGRESSION"
	case c.Significant && c.Change < 0:
		verdict = "faster"
	case c.Significant:
		verdict = "slower, but by no more than 1 %"
	}
	return fmt.Sprintf("%s: mean %v → %v (%+.2f %%, p %.2g)", verdict, readable(c.Baseline), readable(c.Mean), 100*c.Change, c.P)
}
