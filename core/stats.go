package core

import (
	"math"
	"math/bits"
)

// Stats are the statistics of a set of observations: of one [Block] or of one [Node]. The zero value is the
// statistics of no observation. Count, Errors, Total, Min, Max, SumSquares and Histogram of one Stats always
// describe the same set of observations.
type Stats struct {
	// Count is the number of spans or blocks that ended. Errors is how many of them had status Error.
	Count, Errors uint64
	// Total is the sum of the durations, Self the part of it not covered by any local child, in nanoseconds.
	// Both saturate at 2^64-1 ns, 584 years.
	Total, Self uint64
	// Critical is the part of Total that lay on the critical path of its trace, in nanoseconds: the time by which a
	// trace would have been shorter without it. 0 where critical paths are not computed. It saturates too.
	Critical uint64
	// Unsampled estimates how many more spans there were than Count, dropped by sampling before they were counted
	// here, in 1024ths of a span: each span stands for 1/p, if it says that it was sampled with probability p. 0 where
	// spans say nothing.
	Unsampled uint64
	// Min and Max are the shortest and the longest duration in nanoseconds; both 0 when Count is 0.
	Min, Max uint64
	// SumSquares is the sum of the squared durations in ns².
	SumSquares Uint128
	// Bytes is what the observed code said it processed (Block.AddBytes).
	Bytes uint64
	// Active is how many spans or blocks were open when the snapshot was taken.
	Active int64
	// First is the earliest start and Last the latest end seen, in nanoseconds since the Unix epoch; both 0 when
	// Count is 0.
	First, Last int64
	// Slowest is the slowest span, LastError the span with an error that ended last.
	Slowest, LastError Exemplar
	// Histogram holds all durations.
	Histogram Histogram
	// SelfHistogram holds all self times, as many as Count. It is nil where they were not kept one by one
	// (Config.SelfHistograms), or not all of them, and when Count is 0. Treat it as read-only.
	SelfHistogram *Histogram
}

// IsZero reports whether the statistics are those of nothing at all.
func (s *Stats) IsZero() bool { return s.Count == 0 && s.Active == 0 && s.Bytes == 0 }

// Mean returns the mean duration in nanoseconds, 0 when Count is 0.
func (s *Stats) Mean() float64 {
	if s.Count == 0 {
		return 0
	}
	return float64(s.Total) / float64(s.Count)
}

// StdDev returns the sample standard deviation of the durations in nanoseconds, 0 when Count is below 2. The
// formula is sqrt((Σx² - (Σx)²/n) / (n-1)), with Σx² and (Σx)² exact in 128 bits.
func (s *Stats) StdDev() float64 {
	if s.Count < 2 {
		return 0
	}
	n := float64(s.Count)
	hi, lo := bits.Mul64(s.Total, s.Total)
	qhi, rem := hi/s.Count, hi%s.Count
	qlo, rem := bits.Div64(rem, lo, s.Count)
	m2 := s.SumSquares.sub(Uint128{qhi, qlo}).Float64() - float64(rem)/n
	return math.Sqrt(max(m2, 0) / (n - 1))
}

// ErrorRate returns Errors/Count, 0 when Count is 0.
func (s *Stats) ErrorRate() float64 {
	if s.Count == 0 {
		return 0
	}
	return float64(s.Errors) / float64(s.Count)
}

// AdjustedCount returns Count plus Unsampled: how many spans there were before sampling, as far as the spans say.
func (s *Stats) AdjustedCount() float64 { return float64(s.Count) + float64(s.Unsampled)/1024 }

// Quantile returns the q-quantile in nanoseconds with a relative error of at most 0.55 %, and never outside
// [Min, Max]; see [Histogram.Quantile]. The quantiles 0 and 1 are exact.
func (s *Stats) Quantile(q float64) float64 {
	if s.Count == 0 {
		return 0
	}
	switch {
	case q <= 0:
		return float64(s.Min)
	case q >= 1:
		return float64(s.Max)
	}
	return min(max(s.Histogram.Quantile(q), float64(s.Min)), float64(s.Max))
}

// SelfQuantile returns the q-quantile of the self times in nanoseconds, as [Histogram.Quantile] does, but never more than
// Max. Without a SelfHistogram it is 0.
func (s *Stats) SelfQuantile(q float64) float64 {
	if s.SelfHistogram == nil {
		return 0
	}
	return min(s.SelfHistogram.Quantile(q), float64(s.Max))
}

// Merge returns the statistics of all observations of s and o. It is commutative and associative, and the zero
// Stats is its identity. Where one of both lacks its SelfHistogram, so does the result: what is known of a part says
// nothing about the whole.
func (s Stats) Merge(o Stats) Stats {
	switch {
	case s.Count == 0:
		s.SelfHistogram = o.SelfHistogram
	case o.Count == 0:
	case s.SelfHistogram == nil || o.SelfHistogram == nil:
		s.SelfHistogram = nil
	default:
		s.SelfHistogram = new(s.SelfHistogram.Merge(*o.SelfHistogram))
	}
	s.addSums(&o)
	s.Histogram = s.Histogram.Merge(o.Histogram)
	return s
}

// add merges o into s in place. The histograms of s must belong to s alone.
func (s *Stats) add(o *Stats) {
	switch {
	case o.Count == 0:
	case o.SelfHistogram == nil:
		s.SelfHistogram = nil
	case s.Count == 0:
		s.SelfHistogram = new(o.SelfHistogram.clone())
	case s.SelfHistogram != nil:
		s.SelfHistogram.add(*o.SelfHistogram)
	}
	s.addSums(o)
	s.Histogram.add(o.Histogram)
}

// addSums merges everything but the histograms.
func (s *Stats) addSums(o *Stats) {
	if o.Count > 0 {
		if s.Count == 0 {
			s.Min, s.Max, s.First, s.Last = o.Min, o.Max, o.First, o.Last
		} else {
			s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
			s.First, s.Last = min(s.First, o.First), max(s.Last, o.Last)
		}
	}
	s.Count, s.Errors = addSat(s.Count, o.Count), addSat(s.Errors, o.Errors)
	s.Total, s.Self = addSat(s.Total, o.Total), addSat(s.Self, o.Self)
	s.Critical, s.Unsampled = addSat(s.Critical, o.Critical), addSat(s.Unsampled, o.Unsampled)
	s.SumSquares = s.SumSquares.add(o.SumSquares)
	s.Bytes = addSat(s.Bytes, o.Bytes)
	s.Active = addSatInt(s.Active, o.Active)
	s.Slowest, s.LastError = slower(s.Slowest, o.Slowest), later(s.LastError, o.LastError)
}

// Sub returns the statistics of the observations in s that are not in o, an earlier state of the same
// statistics. Counts and the histogram are exact, and so are the sums unless s has reached their limit, where
// they stay. Min and Max are exact where the later state shows them (a new extreme, or an empty o), else they
// are the bounds of the outermost bucket of the difference, within 1.1 %. Last is that of s; First is the Last of
// o unless there is a new earliest start, though spans of the difference may have begun before. Exemplars are kept
// only if they are new. Active is that of s. SelfHistogram is nil if one of both lacks it, or if a self time of before has
// been corrected since: that of a span under which others were still open, with a start that was not known.
func (s Stats) Sub(o Stats) Stats {
	bytes := subSat(s.Bytes, o.Bytes)
	if o.Count == 0 {
		s.Bytes = bytes
		return s
	}
	h := s.Histogram.Sub(o.Histogram)
	d := Stats{Count: h.Count(), Bytes: bytes, Active: s.Active, Histogram: h}
	if d.Count == 0 {
		return d
	}
	d.Errors = subFloor(s.Errors, o.Errors)
	d.Total, d.Self = subSat(s.Total, o.Total), subSat(s.Self, o.Self)
	d.Critical, d.Unsampled = subSat(s.Critical, o.Critical), subSat(s.Unsampled, o.Unsampled)
	if s.SelfHistogram != nil && o.SelfHistogram != nil {
		if h := s.SelfHistogram.Sub(*o.SelfHistogram); h.Count() == d.Count {
			d.SelfHistogram = &h
		}
	}
	d.SumSquares = s.SumSquares
	if d.SumSquares != (Uint128{math.MaxUint64, math.MaxUint64}) {
		d.SumSquares = s.SumSquares.sub(o.SumSquares)
	}
	if s.LastError != o.LastError {
		d.LastError = s.LastError
	}
	if s.Slowest != o.Slowest {
		d.Slowest = s.Slowest
	}
	d.Min, d.Max = s.subExtremes(&o, h)
	d.First, d.Last = o.Last, s.Last
	if s.First < o.First {
		d.First = s.First
	}
	return d
}

// follows reports whether s can be a later state of the statistics o: no count and no sum went down.
func (s *Stats) follows(o *Stats) bool {
	return s.Count >= o.Count && s.Errors >= o.Errors && s.Bytes >= o.Bytes &&
		s.Total >= o.Total && s.Self >= o.Self && s.Critical >= o.Critical && s.Unsampled >= o.Unsampled && !s.SumSquares.less(o.SumSquares) &&
		(o.Count == 0 || s.Min <= o.Min && s.Max >= o.Max && s.First <= o.First && s.Last >= o.Last) &&
		s.Histogram.follows(o.Histogram)
}

// subExtremes returns the shortest and longest duration of the difference s-o, whose histogram is h.
func (s *Stats) subExtremes(o *Stats, h Histogram) (lo, hi uint64) {
	lo, hi = s.Min, s.Max
	first, last, ok := h.outermost()
	if s.Min >= o.Min && h.Zero == 0 && ok {
		lo = max(lo, BucketUpper(first-1)+1)
	}
	switch {
	case s.Max > o.Max:
	case ok:
		hi = min(hi, BucketUpper(last))
	default:
		hi = 0
	}
	return min(lo, hi), hi
}
