package exporter

import (
	"errors"
	"fmt"
	"math"

	"github.com/stichotrope/stichotrope-go/core"
)

// attrPacked holds what the other attributes of a span leave out of its statistics: what nobody reads with the naked eye,
// and what costs most. Spelled out as attributes, the histograms alone would double the size of a busy profile.
//
// It is a stream of bits, in codes that bitWriter explains:
//
//	for each exemplar, the slowest and then the last error, 1 bit: it is a link
//	1 bit: single, the first moment and the extremes follow from a count of 1, the total and the last moment
//	signed, order 36: last moment less the window's start in ns
//	signed, order 32, unless single: last moment less first moment
//	for each exemplar that is a link:
//	  1 bit: it is sampled
//	  1 bit: its duration is the maximum; else a number of order 20
//	  1 bit: its end is the last moment; else the last moment less its end, signed, of order 32
//	1 bit: the sum of squares follows from count and maximum; else 8 bits: its length, and so many bits
//	1 bit: the histogram follows, all is in the bucket of the maximum; else
//	  number, order 0: how many durations were 0
//	  number, order 5: how many other buckets are not empty; if there are any
//	  signed, order 0: index of the first one at core.Scale, less that of the minimum; of order 9 if the minimum is 0
//	  for each of them: its count less 1, and before it, but for the first, its index less that of the one before less 1;
//	  counts and indexes are two adaptive sequences
//
// On the span of what is outside of the tree, differences can be negative. There nothing follows from anything: single and
// both bits that say so are 0, the index is of order 9, and counts are taken for signed numbers.
const attrPacked = "otelprof.packed"

// attrPackedSelf holds the histogram of self times, if there is one, as a stream of bits of its own: readers that do not know
// it read the rest.
//
//	1 bit: it follows. Of a count of 1, it is the self time, else it is the histogram of the durations; else
//	  it is as the last part of attrPacked, with an index of order 9
const attrPackedSelf = "otelprof.packed.self"

// packing is the context in which statistics are packed and unpacked.
type packing struct {
	// start is that of the window in Unix nanoseconds, 0 if it is not known.
	start int64
	// outside: the statistics are what is outside of the tree.
	outside bool
}

func startOf(s *core.Snapshot) int64 {
	if s.Start.IsZero() {
		return 0
	}
	return s.Start.UnixNano()
}

// pack returns the value of attrPacked. The exemplars that are not links must be zero.
func (p packing) pack(s *core.Stats) []byte {
	w := &bitWriter{out: make([]byte, 0, 64)}
	exemplars := [...]*core.Exemplar{&s.Slowest, &s.LastError}
	for _, e := range exemplars {
		w.bool(!e.IsZero())
	}
	single := !p.outside && isSingle(s)
	w.bool(single)
	w.signed(s.Last-p.start, 36)
	if !single {
		w.signed(s.Last-s.First, 32)
	}
	for _, e := range exemplars {
		if !e.IsZero() {
			w.exemplar(e, s)
		}
	}
	p.packSquares(w, s)
	p.packHistogram(w, s)
	return w.out
}

func (w *bitWriter) exemplar(e *core.Exemplar, s *core.Stats) {
	w.bool(e.Sampled)
	w.bool(e.Duration == s.Max)
	if e.Duration != s.Max {
		w.number(e.Duration, 20)
	}
	w.bool(e.Time == s.Last)
	if e.Time != s.Last {
		w.signed(s.Last-e.Time, 32)
	}
}

func (p packing) packSquares(w *bitWriter, s *core.Stats) {
	follows := !p.outside && s.SumSquares == squaresOfEqual(s)
	w.bool(follows)
	if follows {
		return
	}
	length := lengthOf(s.SumSquares)
	w.bits(uint64(length), 8)
	w.bits(s.SumSquares.Hi, max(length-64, 0))
	w.bits(s.SumSquares.Lo, min(length, 64))
}

func (p packing) packHistogram(w *bitWriter, s *core.Stats) {
	follows := !p.outside && sameBucket(s)
	w.bool(follows)
	if follows {
		return
	}
	near, k := p.firstBucket(s)
	p.packBuckets(w, &s.Histogram, near, k)
}

// packSelf returns the value of attrPackedSelf.
func (p packing) packSelf(s *core.Stats) []byte {
	w := &bitWriter{out: make([]byte, 0, 64)}
	follows := !p.outside && sameHistogram(*s.SelfHistogram, followingSelf(s))
	w.bool(follows)
	if !follows {
		p.packBuckets(w, s.SelfHistogram, 0, 9)
	}
	return w.out
}

// packBuckets writes a histogram, whose first bucket is near the given one: the order of the code of the difference is k.
func (p packing) packBuckets(w *bitWriter, h *core.Histogram, near int32, k int) {
	w.number(h.Zero, 0)
	list := h.Buckets()
	w.number(uint64(len(list)), 5)
	var counts, steps order
	for i, b := range list {
		if i == 0 {
			w.signed(int64(b.Index-near), k)
		} else {
			w.adaptive(uint64(b.Index-list[i-1].Index-1), &steps)
		}
		w.adaptive(p.coded(b.Count)-1, &counts)
	}
}

// firstBucket returns an index near that of the first bucket, and the order of the code of the difference.
func (p packing) firstBucket(s *core.Stats) (near int32, k int) {
	if p.outside || s.Min == 0 {
		return 0, 9
	}
	return int32(core.BucketIndex(s.Min)), 0
}

// coded turns a count, which is not 0, into a number that is small where the count is near 0; decoded is its inverse.
func (p packing) coded(count uint64) uint64 {
	if !p.outside {
		return count
	}
	return count<<1 ^ uint64(int64(count)>>63)
}

func (p packing) decoded(n uint64) uint64 {
	if !p.outside {
		return n
	}
	return n>>1 ^ -(n & 1)
}

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
	if err := p.unpackSquares(r, s); err != nil {
		return err
	}
	if err := p.unpackHistogram(r, s, budget); err != nil {
		return err
	}
	return r.end()
}

func (p packing) unpackMoments(r *bitReader, s *core.Stats) error {
	single, err := r.bool()
	if err != nil {
		return err
	}
	last, err := r.signed(36)
	if err != nil {
		return err
	}
	s.Last = last + p.start
	if single {
		s.Min, s.Max, s.First = s.Total, s.Total, s.Last-int64(s.Total)
		return nil
	}
	since, err := r.signed(32)
	s.First = s.Last - since
	return err
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

func (p packing) unpackSquares(r *bitReader, s *core.Stats) error {
	follows, err := r.bool()
	if err != nil {
		return err
	}
	if follows {
		s.SumSquares = squaresOfEqual(s)
		return nil
	}
	length, err := r.bits(8)
	switch {
	case err != nil:
		return err
	case length > 128:
		return fmt.Errorf("a sum of squares of %d bits", length)
	}
	if s.SumSquares.Hi, err = r.bits(max(int(length)-64, 0)); err != nil {
		return err
	}
	s.SumSquares.Lo, err = r.bits(min(int(length), 64))
	return err
}

func (p packing) unpackHistogram(r *bitReader, s *core.Stats, budget *spanBudget) error {
	follows, err := r.bool()
	if err != nil {
		return err
	}
	if follows {
		s.Histogram = bucketOfAll(s)
		return nil
	}
	near, k := p.firstBucket(s)
	s.Histogram, err = p.unpackBuckets(r, near, k, budget)
	return err
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
	switch {
	case err != nil:
		return h, err
	case follows:
		h = followingSelf(s)
	default:
		if h, err = p.unpackBuckets(r, 0, 9, budget); err != nil {
			return h, err
		}
	}
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
