package exporter

import (
	"github.com/stichotrope/stichotrope-go/core"
)

// The spans of nodes do not tell everything about a site's block: some of its observations are not in the call tree
// yet, or, in a window between two snapshots, reached it in another window than the block. What they leave out is the
// difference of the block and the sum of its nodes. Each sum of it can be negative; it is kept modulo 2^64, so that
// adding it to the sum of the nodes restores the block even where sums are saturated.

// nodeSums returns the merged statistics of the nodes of every block, and whether it has any.
func nodeSums(s *core.Snapshot) (sums []core.Stats, inTree []bool) {
	sums, inTree = make([]core.Stats, len(s.Blocks)), make([]bool, len(s.Blocks))
	nodes := make([][]int, len(s.Blocks))
	for i := range s.Nodes {
		block := s.Nodes[i].Block
		nodes[block] = append(nodes[block], i)
	}
	var durations, selfTimes denseCounts
	for block, list := range nodes {
		inTree[block] = len(list) > 0
		sum := &sums[block]
		for _, i := range list {
			o := s.Nodes[i].Stats
			o.Histogram = durations.takeIn(o.Histogram)
			if o.SelfHistogram != nil {
				o.SelfHistogram = new(selfTimes.takeIn(*o.SelfHistogram))
			}
			*sum = sum.Merge(o)
		}
		sum.Histogram = sum.Histogram.Merge(core.NewHistogram(0, durations.take()))
		if taken := core.NewHistogram(0, selfTimes.take()); sum.SelfHistogram != nil {
			sum.SelfHistogram = new(sum.SelfHistogram.Merge(taken))
		}
	}
	return sums, inTree
}

// denseCounts are the counts of buckets in place. To merge 30 sparse histograms one after the other would make 29 that
// nobody needs.
type denseCounts struct {
	counts [1 + 64<<core.Scale]uint64
	// begin and end are the part that is in use.
	begin, end int
}

// takeIn adds the buckets of a histogram and returns it without them, or as it is if they do not fit.
func (d *denseCounts) takeIn(h core.Histogram) core.Histogram {
	if d.add(h.Buckets()) {
		return core.Histogram{Zero: h.Zero}
	}
	return h
}

// add adds buckets in ascending order, if all are in the range of core.BucketIndex, which is from -1 on.
func (d *denseCounts) add(buckets []core.Bucket) bool {
	if len(buckets) == 0 {
		return true
	}
	first, last := int(buckets[0].Index)+1, int(buckets[len(buckets)-1].Index)+1
	if first < 0 || last >= len(d.counts) {
		return false
	}
	if d.begin == d.end {
		d.begin, d.end = first, last+1
	}
	d.begin, d.end = min(d.begin, first), max(d.end, last+1)
	for _, b := range buckets {
		d.counts[b.Index+1] = addSaturating(d.counts[b.Index+1], b.Count)
	}
	return true
}

// take returns what is not 0 and empties the counts.
func (d *denseCounts) take() []core.Bucket {
	used := d.counts[d.begin:d.end]
	n := 0
	for _, count := range used {
		if count > 0 {
			n++
		}
	}
	out := make([]core.Bucket, 0, n)
	for i, count := range used {
		if count > 0 {
			out = append(out, core.Bucket{Index: int32(d.begin + i - 1), Count: count})
		}
	}
	clear(used)
	d.begin, d.end = 0, 0
	return out
}

// outsideOf returns the sums of block less those of its nodes, modulo 2^64. What is no sum, such as the extremes and
// the exemplars, is that of the whole block. The self times are there if those of the block are; what is not known of the
// nodes counts as nothing.
func outsideOf(block, nodes *core.Stats) core.Stats {
	d := *block
	d.Count -= nodes.Count
	d.Errors -= nodes.Errors
	d.Total -= nodes.Total
	d.Self -= nodes.Self
	d.Critical -= nodes.Critical
	d.Unsampled -= nodes.Unsampled
	d.Bytes -= nodes.Bytes
	d.SumSquares = sub128(block.SumSquares, nodes.SumSquares)
	minus := func(a, b uint64) uint64 { return a - b }
	d.Histogram = combine(block.Histogram, nodes.Histogram, minus)
	if block.SelfHistogram != nil {
		d.SelfHistogram = new(combine(*block.SelfHistogram, selfTimesOf(nodes), minus))
	}
	return d
}

// selfTimesOf returns the self times as far as they are known.
func selfTimesOf(s *core.Stats) core.Histogram {
	if s.SelfHistogram == nil {
		return core.Histogram{}
	}
	return *s.SelfHistogram
}

// withOutside is the inverse of outsideOf: it returns the block.
func withOutside(nodes, outside *core.Stats) core.Stats {
	d := *outside
	d.Count += nodes.Count
	d.Errors += nodes.Errors
	d.Total += nodes.Total
	d.Self += nodes.Self
	d.Critical += nodes.Critical
	d.Unsampled += nodes.Unsampled
	d.Bytes += nodes.Bytes
	d.SumSquares, _ = add128(nodes.SumSquares, outside.SumSquares)
	plus := func(a, b uint64) uint64 { return a + b }
	d.Histogram = combine(nodes.Histogram, outside.Histogram, plus)
	if outside.SelfHistogram != nil {
		d.SelfHistogram = new(combine(selfTimesOf(nodes), *outside.SelfHistogram, plus))
	}
	return d
}

// isNothing reports whether the block is the sum of its nodes: all sums of d, which is outside of them, are 0.
func isNothing(d, nodes *core.Stats) bool {
	selfTimes := selfTimesOf(d)
	return d.Count|d.Errors|d.Total|d.Self|d.Critical|d.Unsampled|d.Bytes|d.SumSquares.Hi|d.SumSquares.Lo == 0 &&
		d.Histogram.IsEmpty() && selfTimes.IsEmpty() && (d.SelfHistogram == nil) == (nodes.SelfHistogram == nil)
}

// combine applies f to the counts in x and y of every bucket, and leaves out what gives 0.
func combine(x, y core.Histogram, f func(x, y uint64) uint64) core.Histogram {
	var out []core.Bucket
	a, b := x.Buckets(), y.Buckets()
	for len(a) > 0 || len(b) > 0 {
		var c core.Bucket
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Index < b[0].Index:
			c = core.Bucket{Index: a[0].Index, Count: f(a[0].Count, 0)}
			a = a[1:]
		case len(a) == 0 || a[0].Index > b[0].Index:
			c = core.Bucket{Index: b[0].Index, Count: f(0, b[0].Count)}
			b = b[1:]
		default:
			c = core.Bucket{Index: a[0].Index, Count: f(a[0].Count, b[0].Count)}
			a, b = a[1:], b[1:]
		}
		if c.Count != 0 {
			out = append(out, c)
		}
	}
	return core.NewHistogram(f(x.Zero, y.Zero), out)
}
