package exporter

import (
	"errors"
	"fmt"
	"sort"

	"github.com/stichotrope/stichotrope-go/core"
)

// spread is what is known of a histogram before it is read. The rest is told by halving the buckets again and again, and how
// much of what is in both halves is in the first one: for 120 durations in 300 buckets that takes a fifth fewer bits than a list.
// The choices are, each only where it is not known:
//
//	how many of count are 0: a part
//	the last bucket that is not empty, of those from -1 to highest, and the first one, of those from -1 to the last
//	if these are two: how many durations, beside one in each of the two, are in the first half of the buckets, a part of all
//	that are left; then the same for the first half itself and for the second, down to single buckets and empty halves
type spread struct {
	// count is how many durations there are.
	count uint64
	// some may be 0.
	zeros bool
	// highest is the last bucket that there can be.
	highest int
	// first and last are that of the shortest and that of the longest duration, where known.
	first, last           int
	firstKnown, lastKnown bool
}

// spreadOf returns what count and extremes tell of the histogram of durations, if anything.
func (p packing) spreadOf(s *core.Stats) (spread, bool) {
	if p.outside || s.Max == 0 || s.Min > s.Max {
		return spread{}, false
	}
	last := core.BucketIndex(s.Max)
	x := spread{count: s.Count, zeros: s.Min == 0, highest: last, last: last, lastKnown: true}
	if s.Min > 0 {
		x.first, x.firstKnown = core.BucketIndex(s.Min), true
	}
	return x, true
}

// selfSpreadOf returns what count and the longest duration tell of the histogram of self times, if anything.
func (p packing) selfSpreadOf(s *core.Stats) (spread, bool) {
	if p.outside || s.Max == 0 {
		return spread{}, false
	}
	return spread{count: s.Count, zeros: true, highest: core.BucketIndex(s.Max)}, true
}

// holds reports whether what is known is true of a histogram that is not empty.
func (x *spread) holds(h *core.Histogram) bool {
	list := h.Buckets()
	if len(list) == 0 || h.Zero > 0 && !x.zeros {
		return false
	}
	first, last := int(list[0].Index), int(list[len(list)-1].Index)
	if first < lowestBucket || last > x.highest || x.firstKnown && first != x.first || x.lastKnown && last != x.last {
		return false
	}
	n := h.Zero
	for i, b := range list {
		sum := n + b.Count
		if b.Count == 0 || sum < n || i > 0 && b.Index <= list[i-1].Index {
			return false
		}
		n = sum
	}
	return n == x.count
}

// lowestBucket is the first that there can be.
const lowestBucket = -1

// write writes a histogram of which all is true that is known.
func (x *spread) write(w *rangeWriter, h *core.Histogram) {
	list, n := h.Buckets(), x.count
	if x.zeros {
		w.part(h.Zero, n)
		n -= h.Zero
	}
	first, last := int(list[0].Index), int(list[len(list)-1].Index)
	if !x.lastKnown {
		w.choose(uint64(last-lowestBucket), 1, uint64(x.highest-lowestBucket+1))
	}
	if !x.firstKnown {
		w.choose(uint64(first-lowestBucket), 1, uint64(last-lowestBucket+1))
	}
	if first < last {
		halve(w, list, half{first, last, true, true}, n-2)
	}
}

// half is a range of buckets. In those at its ends there may be a duration for sure.
type half struct {
	first, last         int
	firstSure, lastSure bool
}

// halves divides a range in two.
func (x half) halves() (half, half) {
	middle := x.first + (x.last-x.first)/2
	return half{x.first, middle, x.firstSure, false}, half{middle + 1, x.last, false, x.lastSure}
}

// halve writes where in a range n durations are, beside those that are there for sure.
func halve(w *rangeWriter, list []core.Bucket, x half, n uint64) {
	if n == 0 || x.first == x.last {
		return
	}
	a, b := x.halves()
	at := sort.Search(len(list), func(i int) bool { return int(list[i].Index) > a.last })
	k := uint64(0)
	for _, b := range list[:at] {
		k += b.Count
	}
	if x.firstSure {
		k--
	}
	w.part(k, n)
	halve(w, list[:at], a, k)
	halve(w, list[at:], b, n-k)
}

// read is the inverse of write. Without anything known there is nothing to read.
func (x *spread) read(r *rangeReader, known bool, budget *spanBudget) (h core.Histogram, err error) {
	if !known {
		return h, errors.New("a histogram of which nothing is known")
	}
	n, zero := x.count, uint64(0)
	if x.zeros {
		if zero, err = r.part(n); err != nil {
			return h, err
		}
		if zero > n {
			return h, errPart
		}
		n -= zero
	}
	first, last := x.first, x.last
	if !x.lastKnown {
		if last, err = r.bucket(x.highest); err != nil {
			return h, err
		}
	}
	if !x.firstKnown {
		if first, err = r.bucket(last); err != nil {
			return h, err
		}
	}
	var list []core.Bucket
	switch {
	case first > last || n == 0 || first < last && n == 1:
		return h, fmt.Errorf("%d durations in the buckets %d to %d", n, first, last)
	case first == last:
		list = []core.Bucket{{Index: int32(first), Count: n}}
	default:
		if err := join(r, &list, half{first, last, true, true}, n-2); err != nil {
			return h, err
		}
	}
	if budget.buckets -= len(list); budget.buckets < 0 {
		return h, fmt.Errorf("%w: more than %d buckets", core.ErrDecodeLimit, maxReadBuckets)
	}
	return core.NewHistogram(zero, list), nil
}

var errPart = errors.New("a part that is more than the whole")

// bucket reads the index of a bucket up to the highest.
func (r *rangeReader) bucket(highest int) (int, error) {
	i, err := r.uniform(uint64(highest - lowestBucket + 1))
	return int(i) + lowestBucket, err
}

// join is the inverse of halve.
func join(r *rangeReader, list *[]core.Bucket, x half, n uint64) error {
	add := func(bucket int, n uint64) { *list = append(*list, core.Bucket{Index: int32(bucket), Count: n}) }
	switch {
	case x.first == x.last:
		if x.firstSure || x.lastSure {
			n++
		}
		if n > 0 {
			add(x.first, n)
		}
		return nil
	case n == 0:
		if x.firstSure {
			add(x.first, 1)
		}
		if x.lastSure {
			add(x.last, 1)
		}
		return nil
	}
	k, err := r.part(n)
	switch {
	case err != nil:
		return err
	case k > n:
		return errPart
	}
	a, b := x.halves()
	if err := join(r, list, a, k); err != nil {
		return err
	}
	return join(r, list, b, n-k)
}

// squaresBounds returns between which the sum of squares lies, by histogram and extremes, if they tell.
func (p packing) squaresBounds(s *core.Stats) (low, high core.Uint128, ok bool) {
	if p.outside || s.Count < 2 || s.Min > s.Max || s.Max == 0 {
		return low, high, false
	}
	// The extremes are known exactly, and the longest is often most of the sum.
	low, over := add128(square(s.Max), square(s.Min))
	high, last := low, core.BucketIndex(s.Max)
	for b := range s.Histogram.All {
		n, i := b.Count, int(b.Index)
		if i < lowestBucket || i > last {
			return low, high, false
		}
		if s.Min > 0 && i == core.BucketIndex(s.Min) {
			n--
		}
		if i == last && n > 0 {
			n--
		}
		least := uint64(1)
		if i > lowestBucket {
			least = core.BucketUpper(i-1) + 1
		}
		var overLow, overHigh bool
		low, overLow = addTimes(low, square(least), n)
		high, overHigh = addTimes(high, square(core.BucketUpper(i)), n)
		over = over || overLow || overHigh
	}
	return low, high, !over && !less128(high, low)
}
