package exporter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// statisticsReader reads the statistics on a span.
type statisticsReader struct {
	stats           core.Stats
	indexes, counts []int64
	// What was there: the first moment, the sum of squares, and the exemplars' own durations and times.
	first, squares                 bool
	slowestDuration, slowestTime   bool
	lastErrorDuration, lastErrorAt bool
}

// readStatistics is the inverse of setStatistics.
func readStatistics(span *tracepb.Span, budget *spanBudget) (core.Stats, error) {
	r, err := readWritten(span, budget)
	if err != nil {
		return core.Stats{}, err
	}
	s := &r.stats
	if s.Count == 1 && !r.first {
		s.Min, s.Max, s.First = s.Total, s.Total, s.Last-int64(s.Total)
	}
	r.complete()
	if s.Histogram.IsEmpty() {
		s.Histogram = bucketOfAll(s)
	}
	if !r.squares {
		s.SumSquares = squaresOfEqual(s)
	}
	return *s, nil
}

// readOutside is the inverse of setOutside.
func readOutside(span *tracepb.Span, budget *spanBudget) (core.Stats, error) {
	r, err := readWritten(span, budget)
	if err != nil {
		return core.Stats{}, err
	}
	r.complete()
	return r.stats, nil
}

// readWritten reads what is there.
func readWritten(span *tracepb.Span, budget *spanBudget) (*statisticsReader, error) {
	r := &statisticsReader{}
	for _, kv := range span.GetAttributes() {
		if err := r.attribute(kv); err != nil {
			return nil, err
		}
	}
	for _, link := range span.GetLinks() {
		if err := r.link(link); err != nil {
			return nil, err
		}
	}
	if budget.buckets -= len(r.indexes); budget.buckets < 0 {
		return nil, fmt.Errorf("%w: more than %d buckets", core.ErrDecodeLimit, maxReadBuckets)
	}
	if err := r.histogram(); err != nil {
		return nil, err
	}
	return r, nil
}

// complete sets what the exemplars have in common with the statistics.
func (r *statisticsReader) complete() {
	completeExemplar(&r.stats.Slowest, &r.stats, r.slowestDuration, r.slowestTime)
	completeExemplar(&r.stats.LastError, &r.stats, r.lastErrorDuration, r.lastErrorAt)
}

func completeExemplar(e *core.Exemplar, s *core.Stats, duration, time bool) {
	if e.IsZero() {
		*e = core.Exemplar{}
		return
	}
	if !duration {
		e.Duration = s.Max
	}
	if !time {
		e.Time = s.Last
	}
}

func (r *statisticsReader) attribute(kv *commonpb.KeyValue) (err error) {
	s := &r.stats
	for _, f := range [...]struct {
		key   string
		value *uint64
	}{
		{attrCount, &s.Count}, {attrErrors, &s.Errors}, {attrTotal, &s.Total}, {attrSelf, &s.Self}, {attrMin, &s.Min},
		{attrMax, &s.Max}, {attrBytes, &s.Bytes}, {attrZero, &s.Histogram.Zero}, {attrCritical, &s.Critical}, {attrUnsampled, &s.Unsampled},
	} {
		if f.key == kv.GetKey() {
			n, err := readInt(kv)
			*f.value = uint64(n)
			return err
		}
	}
	switch kv.GetKey() {
	case attrActive:
		s.Active, err = readInt(kv)
	case attrFirst:
		r.first = true
		s.First, err = readInt(kv)
	case attrLast:
		s.Last, err = readInt(kv)
	case attrSquares:
		r.squares = true
		s.SumSquares, err = readSigned(kv)
	case attrBuckets:
		r.indexes, err = readList(kv, readInt)
	case attrBucketCounts:
		r.counts, err = readList(kv, readInt)
	default:
		err = r.exemplar(kv)
	}
	return err
}

// exemplar reads an attribute of an exemplar.
func (r *statisticsReader) exemplar(kv *commonpb.KeyValue) (err error) {
	name, ok := strings.CutPrefix(kv.GetKey(), "otelprof.")
	if !ok {
		return nil
	}
	e, duration, at := &r.stats.Slowest, &r.slowestDuration, &r.slowestTime
	suffix, ok := strings.CutPrefix(name, exemplarSlowest)
	if !ok {
		e, duration, at = &r.stats.LastError, &r.lastErrorDuration, &r.lastErrorAt
		if suffix, ok = strings.CutPrefix(name, exemplarLastError); !ok {
			return nil
		}
	}
	switch suffix {
	case suffixTraceID:
		return readHex(e.Trace[:], kv)
	case suffixSpanID:
		return readHex(e.Span[:], kv)
	case suffixTime:
		*at = true
		e.Time, err = readInt(kv)
	case suffixDuration:
		*duration = true
		var n int64
		n, err = readInt(kv)
		e.Duration = uint64(n)
	}
	return err
}

// link reads an exemplar that is a link. Other links are ignored.
func (r *statisticsReader) link(link *tracepb.Span_Link) error {
	for _, kv := range link.GetAttributes() {
		if kv.GetKey() != attrExemplar {
			continue
		}
		e := &r.stats.Slowest
		switch role, err := readText(kv); {
		case err != nil:
			return err
		case role == exemplarLastError:
			e = &r.stats.LastError
		case role != exemplarSlowest:
			return nil
		}
		if !copyID(e.Trace[:], link.GetTraceId()) || !copyID(e.Span[:], link.GetSpanId()) {
			return errors.New("an exemplar has no usable ids")
		}
		e.Sampled = true
	}
	return nil
}

// histogram puts the buckets together. Whether their order and sum are right is checked with the whole profile.
func (r *statisticsReader) histogram() error {
	if len(r.indexes) != len(r.counts) {
		return fmt.Errorf("histogram: %d buckets, but %d counts", len(r.indexes), len(r.counts))
	}
	index, buckets := int64(0), make([]core.Bucket, len(r.indexes))
	for i, step := range r.indexes {
		index += step
		if step < -1 || step > math.MaxInt16 || index > math.MaxInt16 || i > 0 && step < 1 {
			return fmt.Errorf("histogram: step of %d to bucket %d", step, index)
		}
		buckets[i] = core.Bucket{Index: int32(index), Count: uint64(r.counts[i])}
	}
	r.stats.Histogram = core.NewHistogram(r.stats.Histogram.Zero, buckets)
	return nil
}

func readHex(id []byte, kv *commonpb.KeyValue) error {
	digits, err := readText(kv)
	if err != nil {
		return err
	}
	if len(digits) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("attribute %.100q has %d characters, want %d", kv.GetKey(), len(digits), hex.EncodedLen(len(id)))
	}
	if _, err = hex.Decode(id, []byte(digits)); err != nil {
		return fmt.Errorf("attribute %.100q: %w", kv.GetKey(), err)
	}
	return nil
}

// readSigned reads what signedText writes.
func readSigned(kv *commonpb.KeyValue) (n core.Uint128, err error) {
	digits, err := readText(kv)
	if err != nil {
		return n, err
	}
	digits, negative := strings.CutPrefix(digits, "-")
	if err := n.UnmarshalText([]byte(digits)); err != nil {
		return n, fmt.Errorf("attribute %.100q: %w", kv.GetKey(), err)
	}
	if negative {
		n = negated(n)
	}
	return n, nil
}
