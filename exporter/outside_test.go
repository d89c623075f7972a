package exporter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
)

// TestNodeSums compares the sums with plain merging, also of buckets that no duration is in.
func TestNodeSums(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := &core.Snapshot{Blocks: make([]core.Block, 1+r.IntN(4))}
		want, nodes := make([]core.Stats, len(s.Blocks)), make([]int, len(s.Blocks))
		for range r.IntN(20) {
			n := core.Node{Parent: -1, Block: r.IntN(len(s.Blocks)), Stats: *anyStats(r)}
			if buckets := n.Stats.Histogram.Buckets(); len(buckets) > 0 && r.IntN(10) == 0 {
				buckets[len(buckets)-1].Index = 5000
				n.Stats.Histogram = core.NewHistogram(n.Stats.Histogram.Zero, buckets)
			}
			s.Nodes = append(s.Nodes, n)
			nodes[n.Block]++
			want[n.Block] = want[n.Block].Merge(n.Stats)
		}
		sums, inTree := nodeSums(s)
		for i := range sums {
			require.Equal(t, plain(want[i]), plain(sums[i]))
			require.Equal(t, nodes[i] > 0, inTree[i])
		}
	}
}

// plain gives the histograms the one form in which equal ones are equal.
func plain(s core.Stats) core.Stats {
	s.Histogram = plainHistogram(s.Histogram)
	if s.SelfHistogram != nil {
		s.SelfHistogram = new(plainHistogram(*s.SelfHistogram))
	}
	return s
}

func plainHistogram(h core.Histogram) core.Histogram {
	return core.NewHistogram(h.Zero, append([]core.Bucket{}, h.Buckets()...))
}
