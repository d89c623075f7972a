package core

import (
	"math"
	"slices"
)

// Bucket is one non-empty bucket of a [Histogram].
type Bucket struct {
	// Index is the bucket's index at [Scale]; see [BucketIndex].
	Index int32
	Count uint64
}

// Histogram is a base-2 exponential histogram of durations in nanoseconds at [Scale]. The zero value is an empty
// histogram. It is a value that is never changed in place: Merge and Sub return new ones. Two histograms that hold the
// same need not be equal by ==, or deeply: compare Zero and what Buckets returns.
type Histogram struct {
	// Zero counts the observations of exactly 0 ns.
	Zero uint64

	// The buckets are in one of three forms. What a snapshot takes from live histograms is packed and shared with
	// them, or a sum of several such; what was read or subtracted is sparse: the non-empty buckets in ascending order of
	// Index.
	shared *packed
	sum    *sum
	sparse []Bucket
}

// packed returns the buckets in their packed form, nil if they are sparse or there are none.
func (h *Histogram) packed() *packed {
	if h.sum != nil {
		return h.sum.get()
	}
	return h.shared
}

// NewHistogram returns the histogram with so many durations of 0 and these buckets, which must be in ascending order of
// Index, in the range of [BucketIndex] and not empty; [Snapshot.Validate] reports what is not. The slice is kept.
func NewHistogram(zero uint64, buckets []Bucket) Histogram {
	return Histogram{Zero: zero, sparse: buckets}
}

// Buckets returns the non-empty buckets in ascending order of Index. Treat the slice as read-only. It may be made
// anew by every call.
func (h Histogram) Buckets() []Bucket {
	p := h.packed()
	if p == nil {
		return h.sparse
	}
	buckets := make([]Bucket, 0, p.len())
	for b := range p.all {
		buckets = append(buckets, b)
	}
	return buckets
}

// All yields what Buckets returns, without making a slice.
func (h Histogram) All(yield func(Bucket) bool) {
	if p := h.packed(); p != nil {
		p.all(yield)
		return
	}
	for _, b := range h.sparse {
		if !yield(b) {
			return
		}
	}
}

// IsEmpty reports whether there are no observations.
func (h Histogram) IsEmpty() bool {
	if h.Zero > 0 {
		return false
	}
	for range h.All {
		return false
	}
	return true
}

// bare reports whether there are no buckets.
func (h *Histogram) bare() bool { return h.shared == nil && h.sum == nil && len(h.sparse) == 0 }

// Count returns the number of observations.
func (h Histogram) Count() uint64 {
	n := h.Zero
	for b := range h.All {
		n = addSat(n, b.Count)
	}
	return n
}

// Merge returns the histogram of all observations of h and o. It is exact, commutative and associative.
func (h Histogram) Merge(o Histogram) Histogram {
	zero := addSat(h.Zero, o.Zero)
	switch {
	case h.bare():
		h = o
	case !o.bare():
		h = h.clone()
		h.add(o)
	}
	h.Zero = zero
	return h
}

// clone returns a copy whose buckets belong to it alone.
func (h Histogram) clone() Histogram {
	if p := h.packed(); p != nil {
		return Histogram{Zero: h.Zero, shared: p.clone()}
	}
	return Histogram{Zero: h.Zero, sparse: slices.Clone(h.sparse)}
}

// add merges o into h in place. The buckets of h must belong to h alone.
func (h *Histogram) add(o Histogram) {
	zero := addSat(h.Zero, o.Zero)
	switch {
	case o.bare():
	case h.bare():
		*h = o.clone()
	default:
		if p, q := h.packed(), o.packed(); p != nil && q != nil {
			p.add(q)
		} else {
			*h = Histogram{sparse: h.Buckets()}
			h.addSparse(o.Buckets())
		}
	}
	h.Zero = zero
}

// appendParts appends what adds up to the buckets of a histogram that nobody has looked at yet.
func (h *Histogram) appendParts(parts []*packed) []*packed {
	switch {
	case h.sum != nil:
		return append(parts, h.sum.parts...)
	case h.shared != nil:
		return append(parts, h.shared)
	}
	return parts
}

// addSparse merges ascending buckets into those of h, which are sparse.
func (h *Histogram) addSparse(o []Bucket) {
	i, j, more := len(h.sparse)-1, len(o)-1, newBuckets(h.sparse, o)
	out := slices.Grow(h.sparse, more)[:len(h.sparse)+more]
	// From the end: what is still to be read of h is never overwritten.
	for k := len(out) - 1; j >= 0; k-- {
		switch {
		case i < 0 || out[i].Index < o[j].Index:
			out[k] = o[j]
			j--
		case out[i].Index > o[j].Index:
			out[k] = out[i]
			i--
		default:
			out[k] = Bucket{out[i].Index, addSat(out[i].Count, o[j].Count)}
			i, j = i-1, j-1
		}
	}
	h.sparse = out
}

// newBuckets returns how many buckets of b are not in a.
func newBuckets(a, b []Bucket) int {
	n := 0
	for _, b := range b {
		for len(a) > 0 && a[0].Index < b.Index {
			a = a[1:]
		}
		if len(a) == 0 || a[0].Index != b.Index {
			n++
		}
	}
	return n
}

// follows reports whether h can be a later state of o: no bucket's count went down.
func (h Histogram) follows(o Histogram) bool {
	if h.shared != nil && h.shared == o.shared {
		return h.Zero >= o.Zero
	}
	a := h.Buckets()
	for b := range o.All {
		for len(a) > 0 && a[0].Index < b.Index {
			a = a[1:]
		}
		if len(a) == 0 || a[0].Index != b.Index || a[0].Count < b.Count {
			return false
		}
	}
	return h.Zero >= o.Zero
}

// Sub returns the histogram of the observations in h that are not in the earlier histogram o. A bucket that
// would become negative is left out.
func (h Histogram) Sub(o Histogram) Histogram {
	out := Histogram{Zero: subFloor(h.Zero, o.Zero)}
	if h.shared != nil && h.shared == o.shared {
		return out // nothing happened between two snapshots
	}
	b := o.Buckets()
	for x := range h.All {
		for len(b) > 0 && b[0].Index < x.Index {
			b = b[1:]
		}
		if len(b) > 0 && b[0].Index == x.Index {
			x.Count = subFloor(x.Count, b[0].Count)
		}
		if x.Count > 0 {
			out.sparse = append(out.sparse, x)
		}
	}
	return out
}

// Quantile returns the q-quantile in nanoseconds, 0 ≤ q ≤ 1, by the nearest-rank rule: the value that stands
// for the bucket of the ⌈q·n⌉-th smallest observation. Its relative error is at most 0.55 %. An empty
// histogram has quantile 0; q outside [0,1] is clamped; NaN counts as 0.
func (h Histogram) Quantile(q float64) float64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := uint64(1)
	if q >= 1 {
		rank = n
	} else if q > 0 {
		rank = min(max(uint64(math.Ceil(q*float64(n))), 1), n)
	}
	if rank <= h.Zero {
		return 0
	}
	seen, index := h.Zero, 0
	for b := range h.All {
		index = int(b.Index)
		if seen = addSat(seen, b.Count); seen >= rank {
			break
		}
	}
	return bucketMiddle(index)
}

// CountAtMost returns how many observations are in buckets whose values are all ≤ bound nanoseconds. It is
// exact where bound is the upper bound of a bucket, else low by less than one bucket's count: what a classic
// Prometheus bucket needs.
func (h Histogram) CountAtMost(bound uint64) uint64 {
	n := h.Zero
	for b := range h.All {
		if BucketUpper(int(b.Index)) > bound {
			break
		}
		n = addSat(n, b.Count)
	}
	return n
}

// outermost returns the indexes of the first and the last bucket; ok is false if there are none.
func (h Histogram) outermost() (lo, hi int, ok bool) {
	for b := range h.All {
		if !ok {
			lo, ok = int(b.Index), true
		}
		hi = int(b.Index)
	}
	return lo, hi, ok
}

// Dense is an exponential histogram in OTLP's form: one run of counts from the bucket Offset on.
type Dense struct {
	// Scale makes an octave 2^Scale buckets. It is at most the package's Scale and may be negative.
	Scale int
	// Offset is the index of the first bucket, as in OTLP: bucket i is (2^(i/2^Scale), 2^((i+1)/2^Scale)].
	Offset int
	// Counts are the counts of the buckets from Offset on; nil if there are none.
	Counts []uint64
	// Zero is how many durations are 0.
	Zero uint64
}

// Dense returns the histogram in OTLP's form with at most maxSize buckets. Without a need to shrink the conversion
// is lossless at [Scale]; else adjacent buckets are merged in pairs, which is exact, until they fit, and the
// scale tells how often. maxSize below 2 counts as 2: two buckets always suffice.
func (h Histogram) Dense(maxSize int) Dense {
	d := Dense{Scale: Scale, Zero: h.Zero}
	lo, hi, ok := h.outermost()
	if !ok {
		return d
	}
	maxSize = max(maxSize, 2)
	shift := 0
	for hi>>shift-lo>>shift+1 > maxSize {
		shift++
	}
	d.Scale, d.Offset = Scale-shift, lo>>shift
	d.Counts = make([]uint64, hi>>shift-lo>>shift+1)
	for b := range h.All {
		c := &d.Counts[int(b.Index)>>shift-d.Offset]
		*c = addSat(*c, b.Count)
	}
	return d
}

// Histogram turns a dense histogram back into a sparse one. It is the inverse of [Histogram.Dense] at [Scale];
// ok is false at any other scale, where the buckets have other bounds, and when a bucket lies outside the range
// of [BucketIndex].
func (d Dense) Histogram() (h Histogram, ok bool) {
	if d.Scale != Scale {
		return Histogram{}, false
	}
	h.Zero = d.Zero
	for i, c := range d.Counts {
		if c > 0 {
			if d.Offset+i < minBucket || d.Offset+i > maxBucket {
				return Histogram{}, false
			}
			h.sparse = append(h.sparse, Bucket{Index: int32(d.Offset + i), Count: c})
		}
	}
	return h, true
}

const (
	minBucket = -1
	maxBucket = 64*bucketsPerOctave - 1
)

// addSat adds and saturates at the largest uint64.
func addSat(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}

// addSatInt adds and saturates at the ends of int64.
func addSatInt(a, b int64) int64 {
	s := a + b
	switch {
	case a > 0 && b > 0 && s < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && s >= 0:
		return math.MinInt64
	}
	return s
}

// subSat subtracts from a sum that may have saturated: then it stays so, for what is left of it is unknown.
func subSat(a, b uint64) uint64 {
	if a == math.MaxUint64 {
		return a
	}
	return subFloor(a, b)
}

// subFloor subtracts and stops at 0.
func subFloor(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}
