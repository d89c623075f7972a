package exporter

import (
	"math/bits"

	"github.com/stichotrope/stichotrope-go/core"
)

// The spans of nodes do not tell everything about a site's block: some of its observations are not in the call tree
// yet, or, in a window between two snapshots, reached it in another window than the block. What they leave out is the
// difference of the block and the sum of its nodes. Each sum of it can be negative; it is kept modulo 2^64, so that
// adding it to the sum of the nodes restores the block even where sums are saturated.

// nodeSums returns the merged statistics of the nodes of every block, and whether it has any.
func nodeSums(s *core.Snapshot) (sums []core.Stats, inTree []bool) {
	sums, inTree = make([]core.Stats, len(s.Blocks)), make([]bool, len(s.Blocks))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if inTree[n.Block] {
			sums[n.Block] = sums[n.Block].Merge(n.Stats)
		} else {
			sums[n.Block], inTree[n.Block] = n.Stats, true
		}
	}
	return sums, inTree
}

// outsideOf returns the sums of block less those of its nodes, modulo 2^64. What is no sum, such as the extremes and
// the exemplars, is that of the whole block.
func outsideOf(block, nodes *core.Stats) core.Stats {
	d := *block
	d.Count -= nodes.Count
	d.Errors -= nodes.Errors
	d.Total -= nodes.Total
	d.Self -= nodes.Self
	d.Critical -= nodes.Critical
	d.Unsampled -= nodes.Unsampled
	d.Bytes -= nodes.Bytes
	var borrow uint64
	d.SumSquares.Lo, borrow = bits.Sub64(block.SumSquares.Lo, nodes.SumSquares.Lo, 0)
	d.SumSquares.Hi, _ = bits.Sub64(block.SumSquares.Hi, nodes.SumSquares.Hi, borrow)
	d.Histogram = combine(block.Histogram, nodes.Histogram, func(a, b uint64) uint64 { return a - b })
	return d
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
	var carry uint64
	d.SumSquares.Lo, carry = bits.Add64(nodes.SumSquares.Lo, outside.SumSquares.Lo, 0)
	d.SumSquares.Hi, _ = bits.Add64(nodes.SumSquares.Hi, outside.SumSquares.Hi, carry)
	d.Histogram = combine(nodes.Histogram, outside.Histogram, func(a, b uint64) uint64 { return a + b })
	return d
}

// isNothing reports whether all sums are 0.
func isNothing(d *core.Stats) bool {
	return d.Count|d.Errors|d.Total|d.Self|d.Critical|d.Unsampled|d.Bytes|d.SumSquares.Hi|d.SumSquares.Lo == 0 &&
		d.Histogram.IsEmpty()
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
