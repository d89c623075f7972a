package exporter

import (
	"encoding/hex"
	"math"
	"math/bits"

	"github.com/stichotrope/stichotrope-go/core"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// setStatistics shows statistics on a span, complete and exact. What follows from the rest is left out: a profile
// with a node for each of 10 000 paths would otherwise be twice as large.
func (a *attributes) setStatistics(span *tracepb.Span, s *core.Stats) {
	a.setSums(span, s)
	if isSingle(s) {
		a.addNonZero(span, attrLast, s.Last)
		a.setExemplars(span, s)
	} else if s.Count > 0 {
		a.setDistribution(span, s)
		a.setExtremes(span, s)
	}
	if !sameBucket(s) {
		a.setHistogram(span, s.Histogram)
	}
	if s.SumSquares != squaresOfEqual(s) {
		a.add(span, a.text(attrSquares, s.SumSquares.String()))
	}
}

// setOutside shows the difference between a block and its nodes.
func (a *attributes) setOutside(span *tracepb.Span, d *core.Stats) {
	a.setSums(span, d)
	a.setExtremes(span, d)
	a.addNonZero(span, attrActive, d.Active)
	a.setHistogram(span, d.Histogram)
	if d.SumSquares != (core.Uint128{}) {
		a.add(span, a.text(attrSquares, signedText(d.SumSquares)))
	}
}

// setSummary shows what a person wants to know of the sum of several sites.
func (a *attributes) setSummary(span *tracepb.Span, s *core.Stats) {
	a.setSums(span, s)
	if s.Count > 0 {
		a.setDistribution(span, s)
		a.addNonZero(span, attrMin, int64(s.Min))
		a.addNonZero(span, attrMax, int64(s.Max))
	}
	a.addNonZero(span, attrActive, s.Active)
}

func (a *attributes) add(span *tracepb.Span, pair *commonpb.KeyValue) {
	span.Attributes = append(span.Attributes, pair)
}

func (a *attributes) addNonZero(span *tracepb.Span, key string, n int64) {
	if n != 0 {
		a.add(span, a.int(key, n))
	}
}

func (a *attributes) setSums(span *tracepb.Span, s *core.Stats) {
	a.add(span, a.int(attrCount, int64(s.Count)))
	a.addNonZero(span, attrErrors, int64(s.Errors))
	a.add(span, a.int(attrTotal, int64(s.Total)))
	a.add(span, a.int(attrSelf, int64(s.Self)))
	a.addNonZero(span, attrCritical, int64(s.Critical))
	a.addNonZero(span, attrUnsampled, int64(s.Unsampled))
	a.addNonZero(span, attrBytes, int64(s.Bytes))
	if int64(s.Errors) > 0 {
		span.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
}

// setDistribution shows what is read off the other statistics, in whole nanoseconds. Quantiles are left out where there are
// so few observations that they are the maximum.
func (a *attributes) setDistribution(span *tracepb.Span, s *core.Stats) {
	a.add(span, a.int(attrMean, wholeNumber(s.Mean())))
	for _, q := range quantiles {
		if s.Count >= q.from {
			a.add(span, a.int(q.key, wholeNumber(s.Quantile(q.q))))
		}
	}
}

func wholeNumber(f float64) int64 {
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(math.Round(f))
}

func (a *attributes) setExtremes(span *tracepb.Span, s *core.Stats) {
	a.addNonZero(span, attrMin, int64(s.Min))
	a.addNonZero(span, attrMax, int64(s.Max))
	a.add(span, a.int(attrFirst, s.First))
	a.addNonZero(span, attrLast, s.Last)
	a.setExemplars(span, s)
}

func (a *attributes) setExemplars(span *tracepb.Span, s *core.Stats) {
	a.setExemplar(span, exemplarSlowest, &s.Slowest, s)
	a.setExemplar(span, exemplarLastError, &s.LastError, s)
}

// isSingle reports whether the extremes and the first moment follow from a count of 1, the total and the last moment.
func isSingle(s *core.Stats) bool {
	return s.Count == 1 && s.Min == s.Total && s.Max == s.Total && s.First == s.Last-int64(s.Total)
}

// setExemplar links to a span that a tracing backend can be expected to have. A link to any other would lead nowhere.
func (a *attributes) setExemplar(span *tracepb.Span, role string, e *core.Exemplar, s *core.Stats) {
	if e.IsZero() {
		return
	}
	name := "otelprof." + role
	if e.Sampled && e.Trace != (core.TraceID{}) && e.Span != (core.SpanID{}) {
		const sampled = 1
		span.Links = append(span.Links, &tracepb.Span_Link{
			TraceId: e.Trace[:], SpanId: e.Span[:], Flags: sampled,
			Attributes: []*commonpb.KeyValue{a.text(attrExemplar, role)},
		})
		a.size += 2 * overheadOfPair
	} else {
		a.add(span, a.text(name+suffixTraceID, hex.EncodeToString(e.Trace[:])))
		a.add(span, a.text(name+suffixSpanID, hex.EncodeToString(e.Span[:])))
	}
	if e.Duration != s.Max {
		a.add(span, a.int(name+suffixDuration, int64(e.Duration)))
	}
	if e.Time != s.Last {
		a.add(span, a.int(name+suffixTime, e.Time))
	}
}

func (a *attributes) setHistogram(span *tracepb.Span, h core.Histogram) {
	a.addNonZero(span, attrZero, int64(h.Zero))
	buckets := h.Buckets()
	if len(buckets) == 0 {
		return
	}
	list := make([]*commonpb.AnyValue, 2*len(buckets))
	before := int32(0)
	for i, b := range buckets {
		list[i], list[len(buckets)+i] = a.intValue(int64(b.Index-before)), a.intValue(int64(b.Count))
		before = b.Index
	}
	a.add(span, a.list(attrBuckets, list[:len(buckets):len(buckets)]))
	a.add(span, a.list(attrBucketCounts, list[len(buckets):]))
}

// sameBucket reports whether the histogram follows from count and maximum: everything is in the maximum's bucket.
func sameBucket(s *core.Stats) bool {
	want := bucketOfAll(s)
	if s.Histogram.Zero != want.Zero {
		return false
	}
	all := want.Buckets()
	for b := range s.Histogram.All {
		if len(all) == 0 || b != all[0] {
			return false
		}
		all = all[1:]
	}
	return len(all) == 0
}

// bucketOfAll returns the histogram of Count durations in the bucket of Max.
func bucketOfAll(s *core.Stats) core.Histogram {
	switch {
	case s.Count == 0:
		return core.Histogram{}
	case s.Max == 0:
		return core.NewHistogram(s.Count, nil)
	}
	return core.NewHistogram(0, []core.Bucket{{Index: int32(core.BucketIndex(s.Max)), Count: s.Count}})
}

// squaresOfEqual returns the sum of the squares of Count durations of Max, or 0 where it does not fit.
func squaresOfEqual(s *core.Stats) core.Uint128 {
	hi, lo := bits.Mul64(s.Max, s.Max)
	carry, lo := bits.Mul64(lo, s.Count)
	over, hi := bits.Mul64(hi, s.Count)
	hi, overflow := bits.Add64(hi, carry, 0)
	if over+overflow > 0 {
		return core.Uint128{}
	}
	return core.Uint128{Hi: hi, Lo: lo}
}

// signedText returns a number in two's complement in decimal.
func signedText(n core.Uint128) string {
	if n.Hi < 1<<63 {
		return n.String()
	}
	return "-" + negated(n).String()
}

func negated(n core.Uint128) core.Uint128 {
	lo, borrow := bits.Sub64(0, n.Lo, 0)
	hi, _ := bits.Sub64(0, n.Hi, borrow)
	return core.Uint128{Hi: hi, Lo: lo}
}
