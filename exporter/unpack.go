package exporter

import (
	"errors"
	"fmt"
	"math"

	"github.com/stichotrope/stichotrope-go/core"
)

// unpack completes statistics, in which the sums and extremes are set that are attributes of their own and the ids of
// the exemplars that are links. It takes what it makes of the budget.
func (p packing) unpack(data []byte, s *core.Stats, budget *spanBudget) error {
	if err := p.unpackAll(data, s, budget); err != nil {
		return fmt.Errorf("attribute %q: %w", attrPacked, err)
	}
	return nil
}

func (p packing) unpackAll(data []byte, s *core.Stats, budget *spanBudget) error {
	if len(data) == 0 {
		return errors.New("it is missing")
	}
	r := &bitReader{in: data}
	exemplars := [...]*core.Exemplar{&s.Slowest, &s.LastError}
	for _, e := range exemplars {
		if link, err := r.bool(); err != nil {
			return err
		} else if link == e.IsZero() {
			return errors.New("it does not fit to the links")
		}
	}
	if err := p.unpackMoments(r, s); err != nil {
		return err
	}
	for _, e := range exemplars {
		if !e.IsZero() {
			if err := r.exemplar(e, s); err != nil {
				return err
			}
		}
	}
	if err := p.unpackRest(r, s, budget); err != nil {
		return err
	}
	return r.end()
}

func (p packing) unpackMoments(r *bitReader, s *core.Stats) error {
	single, err := r.bool()
	if err != nil {
		return err
	}
	last, err := r.signed(p.momentsOrder(s))
	if err != nil {
		return err
	}
	if s.Last = p.end - last; p.old {
		s.Last = p.start + last
	}
	if single {
		s.Min, s.Max, s.First = s.Total, s.Total, s.Last-int64(s.Total)
		return nil
	}
	if p.old {
		var since int64
		since, err = r.signed(32)
		s.First = s.Last - since
		return err
	}
	first, err := r.signed(p.momentsOrder(s))
	s.First = p.start + first
	return err
}

// unpackRest reads the histogram and the sum of squares.
func (p packing) unpackRest(r *bitReader, s *core.Stats, budget *spanBudget) error {
	if p.old {
		if _, err := p.unpackSquares(r, s); err != nil {
			return err
		}
		_, err := p.unpackHistogram(r, s, budget)
		return err
	}
	spread, err := p.unpackHistogram(r, s, budget)
	if err != nil {
		return err
	}
	bounded, err := p.unpackSquares(r, s)
	if err != nil || !spread && !bounded {
		return err
	}
	end, err := newRangeReader(r)
	if err != nil {
		return err
	}
	if spread {
		x, ok := p.spreadOf(s)
		if s.Histogram, err = x.read(end, ok, budget); err != nil {
			return err
		}
	}
	if bounded {
		if err := p.boundedSquares(end, s); err != nil {
			return err
		}
	}
	end.finish()
	return nil
}

func (r *bitReader) exemplar(e *core.Exemplar, s *core.Stats) error {
	var err error
	if e.Sampled, err = r.bool(); err != nil {
		return err
	}
	same, err := r.bool()
	if e.Duration = s.Max; err == nil && !same {
		e.Duration, err = r.number(20)
	}
	if err != nil {
		return err
	}
	same, err = r.bool()
	if e.Time = s.Last; err == nil && !same {
		var before int64
		before, err = r.signed(32)
		e.Time -= before
	}
	return err
}

// unpackSquares reports whether the sum is at the end.
func (p packing) unpackSquares(r *bitReader, s *core.Stats) (bounded bool, err error) {
	follows, err := r.bool()
	if err != nil {
		return false, err
	}
	if follows {
		s.SumSquares = squaresOfEqual(s)
		return false, nil
	}
	if !p.old {
		if bounded, err = r.bool(); err != nil || bounded {
			return bounded, err
		}
	}
	length, err := r.bits(8)
	switch {
	case err != nil:
		return false, err
	case length > 128:
		return false, fmt.Errorf("a sum of squares of %d bits", length)
	}
	if s.SumSquares.Hi, err = r.bits(max(int(length)-64, 0)); err != nil {
		return false, err
	}
	s.SumSquares.Lo, err = r.bits(min(int(length), 64))
	return false, err
}

// boundedSquares reads the sum of squares at the end.
func (p packing) boundedSquares(end *rangeReader, s *core.Stats) (err error) {
	low, high, ok := p.squaresBounds(s)
	if !ok {
		return errors.New("a sum of squares without bounds")
	}
	distance := sub128(high, low)
	length := lengthOf(distance)
	var above core.Uint128
	if above.Hi, err = end.bits(max(length-64, 0)); err != nil {
		return err
	}
	if above.Lo, err = end.bits(min(length, 64)); err != nil {
		return err
	}
	if less128(distance, above) {
		return errors.New("a sum of squares out of its bounds")
	}
	s.SumSquares, _ = add128(low, above) // which is at most high
	return nil
}

// unpackHistogram reports whether the histogram is at the end.
func (p packing) unpackHistogram(r *bitReader, s *core.Stats, budget *spanBudget) (spread bool, err error) {
	follows, err := r.bool()
	if err != nil {
		return false, err
	}
	if follows {
		s.Histogram = bucketOfAll(s)
		return false, nil
	}
	if !p.old {
		if spread, err = r.bool(); err != nil || spread {
			return spread, err
		}
	}
	near, k := p.firstBucket(s)
	s.Histogram, err = p.unpackBuckets(r, near, k, budget)
	return false, err
}

// unpackSelf is the inverse of packSelf, after unpack.
func (p packing) unpackSelf(data []byte, s *core.Stats, budget *spanBudget) error {
	h, err := p.selfHistogram(&bitReader{in: data}, s, budget)
	if err != nil {
		return fmt.Errorf("attribute %q: %w", attrPackedSelf, err)
	}
	s.SelfHistogram = &h
	return nil
}

func (p packing) selfHistogram(r *bitReader, s *core.Stats, budget *spanBudget) (h core.Histogram, err error) {
	follows, err := r.bool()
	if err != nil {
		return h, err
	}
	if follows {
		return followingSelf(s), r.end()
	}
	spread, err := r.bool()
	if err != nil {
		return h, err
	}
	if !spread {
		if h, err = p.unpackBuckets(r, 0, 9, budget); err != nil {
			return h, err
		}
		return h, r.end()
	}
	end, err := newRangeReader(r)
	if err != nil {
		return h, err
	}
	x, ok := p.selfSpreadOf(s)
	if h, err = x.read(end, ok, budget); err != nil {
		return h, err
	}
	end.finish()
	return h, r.end()
}

// unpackBuckets is the inverse of packBuckets. It takes what it makes of the budget.
func (p packing) unpackBuckets(r *bitReader, near int32, k int, budget *spanBudget) (core.Histogram, error) {
	zero, err := r.number(0)
	if err != nil {
		return core.Histogram{}, err
	}
	n, err := r.number(5)
	switch {
	case err != nil:
		return core.Histogram{}, err
	case n > uint64(r.left()): // each takes more than a bit
		return core.Histogram{}, errBitsEnd
	case n == 0:
		return core.Histogram{Zero: zero}, nil
	}
	if budget.buckets -= int(n); budget.buckets < 0 {
		return core.Histogram{}, fmt.Errorf("%w: more than %d buckets", core.ErrDecodeLimit, maxReadBuckets)
	}
	buckets := make([]core.Bucket, n)
	if err := p.eachBucket(r, near, k, buckets); err != nil {
		return core.Histogram{}, err
	}
	return core.NewHistogram(zero, buckets), nil
}

func (p packing) eachBucket(r *bitReader, near int32, k int, buckets []core.Bucket) error {
	step, err := r.signed(k)
	index := int64(near)
	var counts, steps order
	for i := range buckets {
		if i > 0 {
			var gap uint64
			gap, err = r.adaptive(&steps)
			step = int64(min(gap, math.MaxInt16)) + 1
		}
		if err != nil {
			return err
		}
		if index += min(max(step, math.MinInt16), math.MaxInt16); index < math.MinInt16 || index > math.MaxInt16 {
			return fmt.Errorf("bucket %d", index)
		}
		n, err := r.adaptive(&counts)
		if err != nil {
			return err
		}
		buckets[i] = core.Bucket{Index: int32(index), Count: p.decoded(n + 1)}
	}
	return nil
}
