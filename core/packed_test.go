package core

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomLive returns a live histogram and the sparse form of what is in it.
func randomLive(r *rand.Rand) (*liveHistogram, Histogram) {
	var live liveHistogram
	durations := make([]uint64, r.IntN(60))
	for i := range durations {
		durations[i] = r.Uint64() >> (1 + r.IntN(64))
		live.add(durations[i])
	}
	return &live, histogramOf(durations...)
}

func requireSameHistogram(t testing.TB, want, got Histogram) {
	t.Helper()
	require.Equal(t, want.Zero, got.Zero)
	require.Equal(t, append([]Bucket{}, want.Buckets()...), append([]Bucket{}, got.Buckets()...))
	require.Equal(t, want.Count(), got.Count())
	require.Equal(t, want.Dense(160), got.Dense(160))
	require.Equal(t, want.IsEmpty(), got.IsEmpty())
}

// A histogram says the same in each of its forms, and merging leaves what is merged as it is.
func TestFormsOfAHistogramAgree(t *testing.T) {
	r := newRand(5)
	for range 300 {
		a, x := randomLive(r)
		b, y := randomLive(r)
		c, z := randomLive(r)
		p, q := a.share(), b.share()
		requireSameHistogram(t, x, p)
		for _, got := range []Histogram{p.Merge(q), p.Merge(y), x.Merge(q)} {
			requireSameHistogram(t, x.Merge(y), got)
		}
		requireSameHistogram(t, x.Sub(y), p.Sub(q))
		requireSameHistogram(t, Histogram{}, p.Sub(a.share()))
		require.True(t, a.share().follows(p))
		var parts []*packed
		for _, h := range []Histogram{p, q, c.share()} {
			parts = h.appendParts(parts)
		}
		sum := sumOf(x.Zero+y.Zero+z.Zero, parts)
		parts = sum.appendParts(nil)
		sum = sumOf(sum.Zero, parts) // a block of such a node and no other
		requireSameHistogram(t, x.Merge(y).Merge(z), sum)
		requireSameHistogram(t, x.Merge(y).Merge(z).Merge(x), sum.Merge(p))
		requireSameHistogram(t, x, p)
		requireSameHistogram(t, y, q)
		requireSameHistogram(t, z, c.share())
	}
}

// What was shared never changes, whatever becomes of the live histogram.
func TestSharedHistogramStays(t *testing.T) {
	r := newRand(6)
	for range 200 {
		live, want := randomLive(r)
		type copied struct{ want, got Histogram }
		var all []copied
		for range 20 {
			switch r.IntN(4) {
			case 0:
				all = append(all, copied{want, live.share()})
			case 1:
				if r.IntN(4) == 0 {
					live.reset()
					want = Histogram{}
				}
			default:
				d := r.Uint64() >> (1 + r.IntN(64))
				live.add(d)
				want = want.Merge(histogramOf(d))
			}
		}
		all = append(all, copied{want, live.share()})
		for _, c := range all {
			requireSameHistogram(t, c.want, c.got)
		}
	}
}

// Nothing is copied for a histogram that did not change.
func TestUnchangedHistogramIsSharedAgain(t *testing.T) {
	var live liveHistogram
	require.Nil(t, live.share().shared)
	live.add(1000)
	first := live.share()
	require.Same(t, first.shared, live.share().shared)
	live.add(0)
	require.Same(t, first.shared, live.share().shared)
	live.add(1000)
	require.NotSame(t, first.shared, live.share().shared)
	live.reset()
	require.Nil(t, live.share().shared)
}

// Counts above 32 bits are added exactly, and saturate at 64.
func TestPackedCountsCarry(t *testing.T) {
	live := func(low uint32, carry uint64) *packed {
		var h liveHistogram
		h.add(1000)
		i := BucketIndex(1000) + 1
		h.chunks[0][i%chunkSize] = low
		h.carry = map[int]uint64{i: carry}
		return h.share().shared
	}
	for _, k := range []struct {
		a, b *packed
		want uint64
	}{
		{live(math.MaxUint32, 0), live(1, 0), 1 << 32},
		{live(math.MaxUint32, 1<<32), live(math.MaxUint32, 1<<40), 1<<40 + 3<<32 - 2},
		{live(math.MaxUint32, 1<<63), live(math.MaxUint32, 1<<63), math.MaxUint64},
	} {
		got := sumOf(0, []*packed{k.a, k.b})
		require.Equal(t, []Bucket{{int32(BucketIndex(1000)), k.want}}, got.Buckets())
		require.Equal(t, k.want, Histogram{shared: k.a}.Merge(Histogram{shared: k.b}).Count())
	}
}

// Many may look at a sum for the first time at once, and merge it meanwhile.
func TestSumConcurrentSafe(t *testing.T) {
	r := newRand(7)
	a, x := randomLive(r)
	b, y := randomLive(r)
	x, y = x.Merge(histogramOf(5)), y.Merge(histogramOf(6))
	a.add(5)
	b.add(6)
	p, q := a.share(), b.share()
	sum := sumOf(x.Zero+y.Zero, q.appendParts(p.appendParts(nil)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			require.Equal(t, x.Merge(y).Buckets(), sum.Buckets())
			require.Equal(t, x.Merge(y).Merge(x).Buckets(), sum.Merge(p).Buckets())
		})
	}
	all.Wait()
}

// The chunks of live histograms suffice for every duration, and are found in order.
func TestChunkSet(t *testing.T) {
	require.Less(t, (BucketIndex(math.MaxInt64)+1)/chunkSize, 64*len(chunkSet{}))
	r := newRand(8)
	for range 100 {
		var s chunkSet
		in := map[uint]bool{}
		for range r.IntN(256) {
			c := r.UintN(256)
			s.put(c)
			in[c] = true
		}
		require.Equal(t, len(in), s.len())
		n := 0
		for c := range uint(256) {
			require.Equal(t, n, s.rank(c))
			require.Equal(t, in[c], s.has(c))
			if in[c] {
				n++
			}
		}
		last := -1
		for c := range s.all {
			require.Greater(t, int(c), last)
			require.True(t, in[c])
			last = int(c)
		}
	}
}
