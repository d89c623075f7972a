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

// Histogram is a sparse base-2 exponential histogram of durations in nanoseconds at [Scale]. The zero value is
// an empty histogram. It is a value that is never changed in place: Merge and Sub return new ones.
type Histogram struct {
	// Zero counts the observations of exactly 0 ns.
	Zero uint64
	// Buckets are the non-empty buckets in ascending order of Index.
	Buckets []Bucket
}

// Count returns the number of observations.
func (h Histogram) Count() uint64 {
	n := h.Zero
	for _, b := range h.Buckets {
		n = addSat(n, b.Count)
	}
	return n
}

// Merge returns the histogram of all observations of h and o. It is exact, commutative and associative.
func (h Histogram) Merge(o Histogram) Histogram {
	if len(h.Buckets) == 0 {
		return Histogram{Zero: addSat(h.Zero, o.Zero), Buckets: o.Buckets}
	}
	if len(o.Buckets) == 0 {
		return Histogram{Zero: addSat(h.Zero, o.Zero), Buckets: h.Buckets}
	}
	out := Histogram{Zero: addSat(h.Zero, o.Zero), Buckets: make([]Bucket, 0, max(len(h.Buckets), len(o.Buckets)))}
	a, b := h.Buckets, o.Buckets
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Index < b[0].Index:
			out.Buckets, a = append(out.Buckets, a[0]), a[1:]
		case a[0].Index > b[0].Index:
			out.Buckets, b = append(out.Buckets, b[0]), b[1:]
		default:
			out.Buckets = append(out.Buckets, Bucket{a[0].Index, addSat(a[0].Count, b[0].Count)})
			a, b = a[1:], b[1:]
		}
	}
	out.Buckets = append(append(out.Buckets, a...), b...)
	return out
}

// add merges o into h in place. h.Buckets must belong to h alone.
func (h *Histogram) add(o Histogram) {
	h.Zero = addSat(h.Zero, o.Zero)
	i, j, missing := len(h.Buckets)-1, len(o.Buckets)-1, h.missing(o)
	h.Buckets = slices.Grow(h.Buckets, missing)[:len(h.Buckets)+missing]
	// From the end: what is still to be read of h is never overwritten.
	for k := len(h.Buckets) - 1; j >= 0; k-- {
		switch {
		case i < 0 || h.Buckets[i].Index < o.Buckets[j].Index:
			h.Buckets[k] = o.Buckets[j]
			j--
		case h.Buckets[i].Index > o.Buckets[j].Index:
			h.Buckets[k] = h.Buckets[i]
			i--
		default:
			h.Buckets[k] = Bucket{h.Buckets[i].Index, addSat(h.Buckets[i].Count, o.Buckets[j].Count)}
			i, j = i-1, j-1
		}
	}
}

// missing returns how many buckets of o are empty in h.
func (h Histogram) missing(o Histogram) int {
	n := 0
	a := h.Buckets
	for _, b := range o.Buckets {
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
	a := h.Buckets
	for _, b := range o.Buckets {
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
	b := o.Buckets
	for _, x := range h.Buckets {
		for len(b) > 0 && b[0].Index < x.Index {
			b = b[1:]
		}
		if len(b) > 0 && b[0].Index == x.Index {
			x.Count = subFloor(x.Count, b[0].Count)
		}
		if x.Count > 0 {
			out.Buckets = append(out.Buckets, x)
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
	i := 0
	for seen := addSat(h.Zero, h.Buckets[0].Count); seen < rank; seen = addSat(seen, h.Buckets[i].Count) {
		i++
	}
	return bucketMiddle(int(h.Buckets[i].Index))
}

// CountAtMost returns how many observations are in buckets whose values are all ≤ bound nanoseconds. It is
// exact where bound is the upper bound of a bucket, else low by less than one bucket's count: what a classic
// Prometheus bucket needs.
func (h Histogram) CountAtMost(bound uint64) uint64 {
	n := h.Zero
	for _, b := range h.Buckets {
		if BucketUpper(int(b.Index)) > bound {
			break
		}
		n = addSat(n, b.Count)
	}
	return n
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
	if len(h.Buckets) == 0 {
		return d
	}
	maxSize = max(maxSize, 2)
	lo, hi := int(h.Buckets[0].Index), int(h.Buckets[len(h.Buckets)-1].Index)
	shift := 0
	for hi>>shift-lo>>shift+1 > maxSize {
		shift++
	}
	d.Scale, d.Offset = Scale-shift, lo>>shift
	d.Counts = make([]uint64, hi>>shift-lo>>shift+1)
	for _, b := range h.Buckets {
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
			h.Buckets = append(h.Buckets, Bucket{Index: int32(d.Offset + i), Count: c})
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
