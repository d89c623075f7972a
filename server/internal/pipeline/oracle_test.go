package pipeline

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly/assemblytest"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// counted is a fact as it is to be counted.
type counted struct {
	*fact
	path           []core.Site // without the span's own; nil if it is not in the tree
	self, critical uint64
	pending        bool
}

// profile is what a snapshot must say: the statistics by site and by path, and how much is pending by site.
type profile struct {
	blocks  map[core.Site]core.Stats
	nodes   map[string]core.Stats
	pending map[core.Site]int64
}

func profileOfFacts(list []counted) profile {
	blocks, nodes := map[core.Site][]counted{}, map[string][]counted{}
	p := profile{map[core.Site]core.Stats{}, map[string]core.Stats{}, map[core.Site]int64{}}
	for _, c := range list {
		blocks[c.site] = append(blocks[c.site], c)
		if c.pending {
			p.pending[c.site]++
			continue
		}
		path := append(slices.Clone(c.path), c.site)
		for i := range path { // everything on a path is shown, at least empty
			touch(blocks, path[i])
			touch(nodes, pathText(path[:i+1]))
		}
		nodes[pathText(path)] = append(nodes[pathText(path)], c)
	}
	for k, list := range blocks {
		p.blocks[k] = statsOf(list)
	}
	for k, list := range nodes {
		p.nodes[k] = statsOf(list)
	}
	return p
}

// touch makes sure that there is an entry.
func touch[K comparable](m map[K][]counted, key K) { m[key] = append(m[key], nil...) }

func pathText(path []core.Site) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteString("> " + s.Service + "|" + s.Track + "|" + s.Name + "|" + s.Kind.String() + "|" + s.Function + s.Location())
	}
	return b.String()
}

func statsOf(list []counted) core.Stats {
	var s core.Stats
	squares := new(big.Int)
	buckets := map[int32]uint64{}
	for i, c := range list {
		d := uint64(c.duration())
		if i == 0 {
			s.Min, s.First, s.Last = d, c.start, c.start+int64(d)
		}
		s.Count++
		s.Total += d
		s.Self += c.self
		s.Critical += c.critical
		s.Unsampled += c.unsampled
		s.Min, s.Max = min(s.Min, d), max(s.Max, d)
		s.First, s.Last = min(s.First, c.start), max(s.Last, c.start+int64(d))
		if c.failed {
			s.Errors++
		}
		n := new(big.Int).SetUint64(d)
		squares.Add(squares, n.Mul(n, n))
		if d == 0 {
			s.Histogram.Zero++
		} else {
			buckets[int32(core.BucketIndex(d))]++
		}
	}
	s.SumSquares = core.Uint128{Hi: new(big.Int).Rsh(squares, 64).Uint64(), Lo: new(big.Int).And(squares, maxUint64).Uint64()}
	sorted := []core.Bucket{}
	for index, count := range buckets {
		sorted = append(sorted, core.Bucket{Index: index, Count: count})
	}
	slices.SortFunc(sorted, func(a, b core.Bucket) int { return cmp.Compare(a.Index, b.Index) })
	s.Histogram = core.NewHistogram(s.Histogram.Zero, sorted)
	return s
}

var maxUint64 = new(big.Int).SetUint64(1<<64 - 1)

// flat returns a snapshot in the terms of the oracle; exemplars are left out. Without times, so are self times and
// critical paths, which may still change while spans are pending.
func flat(s *core.Snapshot) profile {
	p := profile{map[core.Site]core.Stats{}, map[string]core.Stats{}, map[core.Site]int64{}}
	for _, b := range s.Blocks {
		p.blocks[b.Site] = plain(b.Stats)
		if b.Pending > 0 {
			p.pending[b.Site] = b.Pending
		}
	}
	for i, n := range s.Nodes {
		p.nodes[pathText(s.Path(i))] = plain(n.Stats)
	}
	return p
}

func plain(s core.Stats) core.Stats {
	s.Slowest, s.LastError = core.Exemplar{}, core.Exemplar{}
	// Equal histograms may be kept in different ways.
	s.Histogram = core.NewHistogram(s.Histogram.Zero, append([]core.Bucket{}, s.Histogram.Buckets()...))
	return s
}

// file says how the spans of a part of a trace are to be counted: assembled naively, without those that are known.
func file(spans []*fact, known map[string]bool, maxSkew time.Duration) (list []counted, duplicates int) {
	in := make([]assembly.Span, len(spans))
	clocks, sums := map[string]uint32{}, map[string]uint64{}
	for i, f := range spans {
		if _, ok := clocks[f.site.Service]; !ok {
			clocks[f.site.Service] = uint32(len(clocks))
		}
		if _, ok := sums[f.raw]; !ok {
			sums[f.raw] = uint64(len(sums))
		}
		in[i] = assembly.Span{
			ID: f.id, Parent: f.parent, Start: f.start, Duration: f.end - f.start, Clock: clocks[f.site.Service], Sum: sums[f.raw],
			Repeated: known[f.raw], Async: f.site.Kind == core.KindConsumer,
		}
	}
	all := assemblytest.Assemble(in, maxSkew)
	index := map[*assemblytest.Span]int{}
	for i, n := range all {
		index[n] = i
	}
	for i, n := range all {
		if n.Flags.Has(assembly.Duplicate) {
			duplicates++
			continue
		}
		c := counted{fact: spans[i], self: n.Self, critical: n.Critical}
		for up := n.Up; up != nil; up = up.Up {
			c.path = append(c.path, spans[index[up]].site)
		}
		slices.Reverse(c.path)
		list = append(list, c)
	}
	for _, f := range spans {
		known[f.raw] = true
	}
	return list, duplicates
}

// checkSegment checks that the profiles of a segment are those of its traces, and returns its spans.
func checkSegment(t require.TestingT, g *store.Segment, made map[string]*fact, known map[string]bool, maxSkew time.Duration) (raws []string) {
	minutes := map[int64][]counted{}
	for _, tr := range g.Traces {
		var spans []*fact
		for _, s := range tr.Spans {
			f := made[string(s.Raw)]
			require.NotNil(t, f, "a span that nobody sent")
			require.Equal(t, f.trace, tr.ID)
			require.Equal(t, f.site.Service, g.Origins[s.Origin].Service)
			spans = append(spans, f)
			raws = append(raws, f.raw)
		}
		list, _ := file(spans, known, maxSkew)
		for _, c := range list {
			minutes[c.minute()] = append(minutes[c.minute()], c)
		}
	}
	require.Len(t, g.Profiles, len(minutes))
	for _, p := range g.Profiles {
		require.NoError(t, p.Snapshot.Validate())
		require.Equal(t, p.Minute*60, p.Snapshot.Start.Unix())
		require.Equal(t, profileOfFacts(minutes[p.Minute]), flat(p.Snapshot))
	}
	return raws
}
