package otelprof

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// RepeatResult are the statistics of the runs of [Profiler.Repeat]. The zero value is that of no run.
type RepeatResult struct {
	Track, Name string
	// N is the number of runs. Without any, everything below is 0.
	N int
	// Total is the sum of the durations, without setup. Mean is rounded to whole nanoseconds, as all that follows.
	Total, Mean, Min, Max time.Duration
	// StdDev is the sample standard deviation of the durations, 0 for less than two runs.
	StdDev time.Duration
	// Low and High bound the 95 % confidence interval of the mean by Student's t distribution. It supposes that runs do
	// not influence each other. For less than two runs both are the mean.
	Low, High time.Duration
	// Outliers are the indexes of the Durations that differ from the mean by more than two standard deviations.
	Outliers []int
	// Durations are those of all runs in their order.
	Durations []time.Duration
	// Bytes is what one run processed, as in RepeatOptions.
	Bytes int64
}

func newRepeatResult(track, name string, bytes int64, durations []time.Duration) RepeatResult {
	r := RepeatResult{Track: track, Name: name, N: len(durations), Durations: durations, Bytes: bytes}
	if r.N == 0 {
		return r
	}
	r.Min = durations[0]
	for _, d := range durations {
		r.Total += d
		r.Min, r.Max = min(r.Min, d), max(r.Max, d)
	}
	mean, variance := moments(durations)
	r.Mean = wholeNanoseconds(mean)
	r.StdDev = wholeNanoseconds(math.Sqrt(variance))
	r.Low, r.High = r.Mean, r.Mean
	if r.N < 2 {
		return r
	}
	half := studentQuantile(1-confidence, float64(r.N-1)) * math.Sqrt(variance/float64(r.N))
	r.Low, r.High = wholeNanoseconds(mean-half), wholeNanoseconds(mean+half)
	for i, d := range durations {
		if math.Abs(float64(d)-mean) > 2*math.Sqrt(variance) {
			r.Outliers = append(r.Outliers, i)
		}
	}
	return r
}

// confidence is the level of intervals and comparisons.
const confidence = 0.95

// moments returns the mean and the sample variance, 0 for less than two durations.
func moments(durations []time.Duration) (mean, variance float64) {
	n := float64(len(durations))
	if n == 0 {
		return 0, 0
	}
	for _, d := range durations {
		mean += float64(d) // exact for up to 104 days
	}
	mean /= n
	if n < 2 {
		return mean, 0
	}
	for _, d := range durations {
		variance += (float64(d) - mean) * (float64(d) - mean) / (n - 1)
	}
	return mean, variance
}

func wholeNanoseconds(ns float64) time.Duration { return time.Duration(math.Round(ns)) }

// Bandwidth returns the bytes per second of all runs together, 0 if that is not known.
func (r RepeatResult) Bandwidth() float64 {
	if r.Total <= 0 {
		return 0
	}
	return float64(r.Bytes) * float64(r.N) / r.Total.Seconds()
}

// BestBandwidth returns the bytes per second of the fastest run, 0 if that is not known.
func (r RepeatResult) BestBandwidth() float64 {
	if r.Min <= 0 {
		return 0
	}
	return float64(r.Bytes) / r.Min.Seconds()
}

// String returns the statistics in one line for people.
func (r RepeatResult) String() string {
	var b strings.Builder
	runs := "runs"
	if r.N == 1 {
		runs = "run"
	}
	fmt.Fprintf(&b, "%s: %d %s", quote(r.Name), r.N, runs)
	if r.N == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, ", mean %v", readable(r.Mean))
	if r.N > 1 {
		fmt.Fprintf(&b, " (95 %% between %v and %v), σ %v", readable(r.Low), readable(r.High), readable(r.StdDev))
	}
	fmt.Fprintf(&b, ", min %v, max %v", readable(r.Min), readable(r.Max))
	if n := len(r.Outliers); n > 0 {
		fmt.Fprintf(&b, ", %d beyond 2σ", n)
	}
	if r.Bytes > 0 {
		fmt.Fprintf(&b, ", %s (best %s)", readableBandwidth(r.Bandwidth()), readableBandwidth(r.BestBandwidth()))
	}
	return b.String()
}

// readable rounds a duration to four significant digits.
func readable(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 10_000 || d/unit <= -10_000 {
		unit *= 10
	}
	return d.Round(unit)
}

// readableBandwidth writes bytes per second with four significant digits, in a unit that needs no exponent.
func readableBandwidth(bytes float64) string {
	units := [...]string{"B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"}
	i := 0
	for bytes >= 1000 && i < len(units)-1 {
		bytes /= 1024
		i++
	}
	return fmt.Sprintf("%.4g %s", bytes, units[i])
}
