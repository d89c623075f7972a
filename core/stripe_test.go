package core

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The counters of the live histogram are 32 bits wide and go on after that.
func TestLiveHistogramCarries(t *testing.T) {
	var h liveHistogram
	h.add(1000)
	i := BucketIndex(1000) + 1
	h.chunks[h.present.rank(uint(i)/chunkSize)][i%chunkSize] = math.MaxUint32 - 1
	for range 3 {
		h.add(1000)
	}
	require.Equal(t, []Bucket{{int32(i - 1), 1<<32 + 1}}, h.share().Buckets())
	h.reset()
	require.Zero(t, h.share().Count())
	h.add(1000)
	require.Equal(t, []Bucket{{int32(i - 1), 1}}, h.share().Buckets())
}

// Every possible duration has a place in the live histogram.
func TestLiveHistogramHoldsEveryBucket(t *testing.T) {
	var h liveHistogram
	want := Histogram{}
	h.add(0)
	want.Zero++
	for i := minBucket; i < 63*bucketsPerOctave; i++ {
		upper := BucketUpper(i)
		if upper == 0 || BucketIndex(upper) != i {
			continue // no whole number lies in the bucket
		}
		h.add(upper)
		want.sparse = append(want.sparse, Bucket{int32(i), 1})
	}
	require.Equal(t, want.sparse, h.share().Buckets())
	require.Equal(t, want.Zero, h.share().Zero)
}

// What a node says does not depend on which of its stripes got what.
func TestStripesAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		var one stripe
		many := node{}
		if i%2 == 1 {
			one.keepSelfTimes()
			many.stripe.keepSelfTimes()
		}
		many.widen()
		many.widen()
		for range 1 + r.IntN(50) {
			o := observation{
				start: r.Int64N(100), duration: r.Uint64N(5), bytes: r.Uint64N(3), failed: r.IntN(2) == 0,
				sampled: r.IntN(2) == 0,
			}
			o.self = r.Uint64N(o.duration + 1)
			if r.IntN(2) == 0 {
				o.trace, o.span = &TraceID{byte(r.IntN(3) + 1)}, SpanID{byte(r.IntN(3) + 1)}
			}
			one.add(&o)
			if i := r.IntN(len(*many.more.Load()) + 1); i == 0 {
				many.stripe.add(&o)
			} else {
				(*many.more.Load())[i-1].add(&o)
			}
		}
		require.Equal(t, plainStats(one.stats(false)), plainStats(many.stats(true)))
		require.Zero(t, many.stats(false))
	}
}

// TestStichotrope02: stripes come with contention alone, once, and no more than the cores can use, however many
// goroutines there are.
func TestStichotrope02_StripesAreMadeOnce(t *testing.T) {
	var n node
	for range 10_000 {
		n.record(&observation{duration: 1})
	}
	require.Nil(t, n.more.Load(), "one goroutine needs one stripe")
	var busy sync.WaitGroup
	for range 4 * contentionLimit {
		n.stripe.mu.Lock()
		before := n.contended.Load()
		busy.Go(func() { n.record(&observation{duration: 1}) })
		for n.contended.Load() == before && n.more.Load() == nil {
			runtime.Gosched()
		}
		n.stripe.mu.Unlock()
		busy.Wait()
	}
	more := n.more.Load()
	require.NotNil(t, more)
	require.LessOrEqual(t, len(*more)+1, max(4, 4*runtime.GOMAXPROCS(0)))
	require.Zero(t, (len(*more)+1)&len(*more), "a power of two")
	for range 1000 {
		busy.Go(func() { n.record(&observation{duration: 1}) })
	}
	busy.Wait()
	require.Same(t, more, n.more.Load())
	require.EqualValues(t, 11_000+4*contentionLimit, n.stats(false).Count)
}

// What a site and an open span cost, as far as it does not depend on what they do.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64-bit systems")
	}
	require.LessOrEqual(t, unsafe.Sizeof(node{}), uintptr(896))
	require.LessOrEqual(t, unsafe.Sizeof(site{}), uintptr(128))
	require.LessOrEqual(t, unsafe.Sizeof(Label{}), uintptr(192))
	require.LessOrEqual(t, unsafe.Sizeof(record{}), uintptr(160))
}

// What several processors write at a time lies in different cache lines, and what is used together in one.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the layout is that of 64-bit systems")
	}
	require.Zero(t, unsafe.Sizeof(shard{})%cacheLine)
	require.Zero(t, unsafe.Sizeof(paddedStripe{})%cacheLine)
	require.EqualValues(t, cacheLine, unsafe.Offsetof(node{}.stripe), "written by all, the rest of the node by nobody")
	require.LessOrEqual(t, unsafe.Offsetof(shard{}.next)+unsafe.Sizeof(shard{}.next), uintptr(cacheLine))
	require.EqualValues(t, 2*cacheLine, unsafe.Sizeof(record{}))
	require.EqualValues(t, cacheLine, unsafe.Offsetof(record{}.covered), "start and end write what is before")
}

// A snapshot makes one object a node, which holds its histogram, and the next observation a copy of that.
func TestSnapshotAllocations(t *testing.T) {
	a, err := New(Config{})
	require.NoError(t, err)
	const sites = 500
	labels := make([]*Label, sites)
	for i := range labels {
		labels[i] = a.Label(Site{Track: "t", Name: strconv.Itoa(i)})
	}
	objects := testing.AllocsPerRun(5, func() {
		for _, l := range labels {
			a.Record(l, &Observation{Duration: 1000})
		}
		a.Snapshot()
	})
	require.Less(t, objects, 2*sites+100.0)
	require.GreaterOrEqual(t, objects, 2.0*sites)
}
