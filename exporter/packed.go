package exporter

import (
	"math/bits"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// attrPacked holds what the other attributes of a span leave out of its statistics: what nobody reads with the naked eye,
// and what costs most. Spelled out as attributes, the histograms alone would double the size of a busy profile.
//
// It is a stream of bits, in codes that bitWriter explains:
//
//	for each exemplar, the slowest and then the last error, 1 bit: it is a link
//	1 bit: single, the first moment and the extremes follow from a count of 1, the total and the last moment
//	signed, of the order of moments: the window's end less the last moment in ns
//	signed, of the order of moments, unless single: first moment less the window's start
//	for each exemplar that is a link:
//	  1 bit: it is sampled
//	  1 bit: its duration is the maximum; else a number of order 20
//	  1 bit: its end is the last moment; else the last moment less its end, signed, of order 32
//	1 bit: the histogram follows, all is in the bucket of the maximum; else
//	  1 bit: the histogram is spread, and at the end; else it is a list:
//	    number, order 0: how many durations were 0
//	    number, order 5: how many other buckets are not empty; if there are any
//	    signed, order 0: index of the first one at core.Scale, less that of the minimum; of order 9 if the minimum is 0
//	    for each of them: its count less 1, and before it, but for the first, its index less that of the one before less 1;
//	    counts and indexes are two adaptive sequences
//	1 bit: the sum of squares follows from count and maximum; else
//	  1 bit: it is in the bounds that the histogram sets, and at the end; else 8 bits: its length, and so many bits
//	at the end, in the choices of a rangeWriter: the histogram, if it is spread (see spread), and the sum of squares, if it is in
//	its bounds, less the lower one, in as many bits as the distance of both has
//
// The order of moments is that of the mean distance of two calls in the window, or 36 where there is no window.
//
// On the span of what is outside of the tree, differences can be negative. There nothing follows from anything: the bits that say
// so are 0, the order is 36, the index is of order 9, and counts are taken for signed numbers.
//
// Version 1 has the last moment less the window's start, of order 36, and then that less the first moment, of order 32;
// the sum of squares stands before the histogram, and neither has another form than the last.
const attrPacked = "otelprof.packed"

// attrPackedSelf holds the histogram of self times, if there is one, as a stream of bits of its own: readers that do not know
// it read the rest.
//
//	1 bit: it follows. Of a count of 1, it is the self time, else it is the histogram of the durations; else
//	  as in attrPacked: 1 bit, and a list, whose first index is of order 9, or what is spread
const attrPackedSelf = "otelprof.packed.self"

// packing is the context in which statistics are packed and unpacked.
type packing struct {
	// start and end are those of the window in Unix nanoseconds, 0 if they are not known.
	start, end int64
	// outside: the statistics are what is outside of the tree.
	outside bool
	// old: they are of version 1.
	old bool
}

func packingIn(s *core.Snapshot) packing {
	return packing{start: momentOf(s.Start), end: momentOf(s.End)}
}

func momentOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// momentsOrder returns the order of the code of moments.
func (p packing) momentsOrder(s *core.Stats) int {
	if p.old || p.outside || p.end <= p.start {
		return 36
	}
	return min(bits.Len64(uint64(p.end-p.start)/max(s.Count, 1)), 62)
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
	w.signed(p.end-s.Last, p.momentsOrder(s))
	if !single {
		w.signed(s.First-p.start, p.momentsOrder(s))
	}
	for _, e := range exemplars {
		if !e.IsZero() {
			w.exemplar(e, s)
		}
	}
	end := newRangeWriter()
	spread := p.packHistogram(w, end, s)
	if bounded := p.packSquares(w, end, s); spread || bounded {
		end.finish(w)
	}
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

// packHistogram reports whether it wrote to the end.
func (p packing) packHistogram(w *bitWriter, end *rangeWriter, s *core.Stats) bool {
	follows := !p.outside && sameBucket(s)
	w.bool(follows)
	if follows {
		return false
	}
	x, ok := p.spreadOf(s)
	ok = ok && x.holds(&s.Histogram)
	w.bool(ok)
	if ok {
		x.write(end, &s.Histogram)
		return true
	}
	near, k := p.firstBucket(s)
	p.packBuckets(w, &s.Histogram, near, k)
	return false
}

// packSquares reports whether it wrote to the end.
func (p packing) packSquares(w *bitWriter, end *rangeWriter, s *core.Stats) bool {
	follows := !p.outside && s.SumSquares == squaresOfEqual(s)
	w.bool(follows)
	if follows {
		return false
	}
	low, high, ok := p.squaresBounds(s)
	ok = ok && !less128(s.SumSquares, low) && !less128(high, s.SumSquares)
	w.bool(ok)
	if ok {
		above, length := sub128(s.SumSquares, low), lengthOf(sub128(high, low))
		end.bits(above.Hi, max(length-64, 0))
		end.bits(above.Lo, min(length, 64))
		return true
	}
	length := lengthOf(s.SumSquares)
	w.bits(uint64(length), 8)
	w.bits(s.SumSquares.Hi, max(length-64, 0))
	w.bits(s.SumSquares.Lo, min(length, 64))
	return false
}

// packSelf returns the value of attrPackedSelf.
func (p packing) packSelf(s *core.Stats) []byte {
	w := &bitWriter{out: make([]byte, 0, 64)}
	follows := !p.outside && sameHistogram(*s.SelfHistogram, followingSelf(s))
	w.bool(follows)
	if follows {
		return w.out
	}
	x, ok := p.selfSpreadOf(s)
	ok = ok && x.holds(s.SelfHistogram)
	w.bool(ok)
	if ok {
		end := newRangeWriter()
		x.write(end, s.SelfHistogram)
		end.finish(w)
	} else {
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
