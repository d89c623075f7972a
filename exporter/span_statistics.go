package exporter

import (
	"bytes"
	"math"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// setStatistics shows statistics on a span, mean and quantiles if it is detailed.
func (e *spanEncoder) setStatistics(span *tracepb.Span, s core.Stats, detailed bool) {
	e.setSums(span, &s)
	if s.Count == 0 {
		return
	}
	if !isSingle(&s) {
		if detailed {
			e.setDistribution(span, &s)
		}
		e.setExtremes(span, &s)
	}
	e.setRest(span, &s, false)
}

// setOutside shows the difference between a block and its nodes.
func (e *spanEncoder) setOutside(span *tracepb.Span, d core.Stats) {
	e.setSums(span, &d)
	e.setExtremes(span, &d)
	e.addNonZero(span, attrActive, d.Active)
	e.setRest(span, &d, true)
}

// setRest adds the links to the exemplars and what is packed. The exemplars without a link are removed from s.
func (e *spanEncoder) setRest(span *tracepb.Span, s *core.Stats, outside bool) {
	e.setLink(span, exemplarSlowest, &s.Slowest)
	e.setLink(span, exemplarLastError, &s.LastError)
	p := packingIn(e.window.profile)
	p.outside = outside
	e.add(span, e.bytes(attrPacked, p.pack(s)))
	if s.SelfHistogram != nil {
		e.add(span, e.bytes(attrPackedSelf, p.packSelf(s)))
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
	if s.SelfHistogram == nil {
		return
	}
	for _, q := range selfQuantiles {
		if s.Count >= q.from {
			a.add(span, a.int(q.key, wholeNumber(s.SelfQuantile(q.q))))
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
}

// setLink links to an exemplar that a tracing backend can be expected to have. Any other is removed: the link would lead
// nowhere, and the random ids of 10 000 nodes would be a quarter of a report.
func (e *spanEncoder) setLink(span *tracepb.Span, role string, x *core.Exemplar) {
	if !x.Sampled && !e.window.unsampledLinks || x.Trace == (core.TraceID{}) || x.Span == (core.SpanID{}) {
		*x = core.Exemplar{}
		return
	}
	link := &tracepb.Span_Link{
		TraceId: bytes.Clone(x.Trace[:]), SpanId: bytes.Clone(x.Span[:]),
		Attributes: []*commonpb.KeyValue{e.text(attrExemplar, role)},
	}
	if x.Sampled {
		link.Flags = uint32(trace.FlagsSampled)
	}
	span.Links = append(span.Links, link)
	e.size += 2 * overheadOfPair
}

// isSingle reports whether the extremes and the first moment follow from a count of 1, the total and the last moment.
func isSingle(s *core.Stats) bool {
	return s.Count == 1 && s.Min == s.Total && s.Max == s.Total && s.First == s.Last-int64(s.Total)
}

// sameBucket reports whether the histogram follows from count and maximum: everything is in the maximum's bucket.
func sameBucket(s *core.Stats) bool { return sameHistogram(s.Histogram, bucketOfAll(s)) }

func sameHistogram(a, b core.Histogram) bool {
	return a.Zero == b.Zero && slices.Equal(a.Buckets(), b.Buckets())
}

// bucketOfAll returns the histogram of Count durations in the bucket of Max.
func bucketOfAll(s *core.Stats) core.Histogram { return inOneBucket(s.Count, s.Max) }

// inOneBucket returns the histogram of n durations in the bucket of d.
func inOneBucket(n, d uint64) core.Histogram {
	switch {
	case n == 0:
		return core.Histogram{}
	case d == 0:
		return core.Histogram{Zero: n}
	}
	return core.NewHistogram(0, []core.Bucket{{Index: int32(core.BucketIndex(d)), Count: n}})
}

// followingSelf returns the histogram of self times as it is at most sites, which call nothing or were called once.
func followingSelf(s *core.Stats) core.Histogram {
	if s.Count == 1 {
		return inOneBucket(1, s.Self)
	}
	return s.Histogram
}

// squaresOfEqual returns the sum of the squares of Count durations of Max, or 0 where it does not fit.
func squaresOfEqual(s *core.Stats) core.Uint128 {
	sum, over := addTimes(core.Uint128{}, square(s.Max), s.Count)
	if over {
		return core.Uint128{}
	}
	return sum
}
