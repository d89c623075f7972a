package otelproftest

import (
	"strconv"
	"time"
)

// TotalUnder asserts that the site was called, and that all its calls together took less than d. The time of concurrent
// calls adds up.
func (s Site) TotalUnder(d time.Duration) Site {
	s.rec.tb.Helper()
	found, ok := s.called()
	if ok && (d <= 0 || found.stats.Total >= uint64(d)) {
		s.rec.fail(found.snapshot, s.matchesSite, "%s took %v in %s, want less than %v; the slowest took %v",
			found.where(), duration(float64(found.stats.Total)), calls(found.stats.Count), d, duration(float64(found.stats.Max)))
	}
	return s
}

// QuantileUnder asserts that the site was called, and that the q-quantile of its durations is less than d: 0.99 for the
// 99th percentile, 1 for the slowest call. The quantile is known within 1 %; those of 0 and 1 are exact.
func (s Site) QuantileUnder(q float64, d time.Duration) Site {
	s.rec.tb.Helper()
	if !(q >= 0 && q <= 1) {
		s.rec.tb.Errorf("otelproftest: the quantile is %v, want 0 to 1, such as 0.99 for the 99th percentile", q)
		return s
	}
	found, ok := s.called()
	if !ok {
		return s
	}
	if ns := found.stats.Quantile(q); ns >= float64(d) {
		s.rec.fail(found.snapshot, nil, "p%s of %s is %v over %s, want less than %v; the slowest took %v",
			strconv.FormatFloat(100*q, 'g', 6, 64), found.where(), duration(ns), calls(found.stats.Count), d, duration(float64(found.stats.Max)))
	}
	return s
}
