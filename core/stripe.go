package core

import (
	"math/bits"
	"sync"
)

// observation is one ended span or block on its way into a node.
type observation struct {
	start          int64 // ns since the Unix epoch
	duration, self uint64
	bytes          uint64
	critical       uint64
	unsampled      uint64   // in 1024ths
	trace          *TraceID // nil: not an exemplar
	span           SpanID
	failed         bool
	sampled        bool
	plain          bool // without ids, but not without a span
}

// stripe is one part of a node's live statistics. A node starts with one and gets more only when its lock
// is found taken, see [node.record]. The lock is uncontended almost always and then costs about 10 ns.
//
// The order is that of use: an observation touches the first two cache lines, and two of the histogram.
type stripe struct {
	mu          sync.Mutex
	count       uint64
	total, self uint64
	min, max    uint64
	first, last int64
	squares     Uint128
	slowest     Exemplar
	errors      uint64
	bytes       uint64
	critical    uint64
	unsampled   uint64
	lastError   Exemplar
	histogram   liveHistogram
}

// add counts one observation. The caller holds mu.
func (s *stripe) add(o *observation) {
	d := o.duration
	end := o.start + int64(d)
	if s.count == 0 {
		s.min, s.first, s.last = d, o.start, end
	}
	s.min = min(s.min, d)
	s.first = min(s.first, o.start)
	s.last = max(s.last, end)
	s.max = max(s.max, d)
	// What has no exemplar does not push out that of what has: the result must not depend on which stripe got what.
	if d >= s.slowest.Duration && o.trace != nil {
		s.slowest = slower(s.slowest, o.exemplar())
	}
	s.count++
	s.total = addSat(s.total, d)
	s.self = addSat(s.self, o.self)
	s.bytes = addSat(s.bytes, o.bytes)
	if o.critical|o.unsampled != 0 { // in a server only
		s.critical, s.unsampled = addSat(s.critical, o.critical), addSat(s.unsampled, o.unsampled)
	}
	hi, lo := bits.Mul64(d, d)
	s.squares = s.squares.add(Uint128{hi, lo})
	if o.failed {
		s.errors++
		s.lastError = later(s.lastError, o.exemplar())
	}
	s.histogram.add(d)
}

func (o *observation) exemplar() Exemplar {
	if o.trace == nil {
		return Exemplar{}
	}
	return Exemplar{Trace: *o.trace, Span: o.span, Duration: o.duration, Time: o.start + int64(o.duration), Sampled: o.sampled}
}

// stats copies the statistics, taking the lock. With reset, it empties the stripe in the same critical
// section, so that each observation is in exactly one of the copies.
func (s *stripe) stats(reset bool, space *arena) Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return Stats{}
	}
	out := Stats{
		Count: s.count, Errors: s.errors, Total: s.total, Self: s.self, Critical: s.critical, Unsampled: s.unsampled, Min: s.min, Max: s.max,
		SumSquares: s.squares, Bytes: s.bytes, First: s.first, Last: s.last,
		Slowest: s.slowest, LastError: s.lastError, Histogram: s.histogram.sparse(space),
	}
	if reset {
		h := s.histogram
		h.reset()
		s.count, s.errors, s.total, s.self, s.min, s.max, s.bytes, s.first, s.last = 0, 0, 0, 0, 0, 0, 0, 0, 0
		s.critical, s.unsampled = 0, 0
		s.squares, s.slowest, s.lastError, s.histogram = Uint128{}, Exemplar{}, Exemplar{}, h
	}
	return out
}

const chunkSize = 16

// liveHistogram counts durations at [Scale]. Its 4 033 possible buckets are kept in chunks of 16, a quarter of an octave,
// allocated when first hit: a site that spreads over three decades holds about 40 chunks of 64 bytes.
type liveHistogram struct {
	zero uint64
	// chunk[c] is one more than the position in counts of the buckets 16c-1 … 16c+14; 0 if there are none.
	chunk  [256]uint8
	counts [][chunkSize]uint32
	// carry holds the multiples of 2^32 of the counters that went over.
	carry map[int]uint64
}

// add counts one duration, which must be below 2^63.
func (h *liveHistogram) add(d uint64) {
	if d == 0 {
		h.zero++
		return
	}
	i := BucketIndex(d) + 1 // the lowest index is -1
	c := h.chunk[i/chunkSize]
	if c == 0 {
		c = h.grow(i / chunkSize)
	}
	n := &h.counts[c-1][i%chunkSize]
	*n++
	if *n == 0 {
		if h.carry == nil {
			h.carry = make(map[int]uint64)
		}
		h.carry[i] += 1 << 32
	}
}

func (h *liveHistogram) grow(c int) uint8 {
	if len(h.counts) == cap(h.counts) {
		// Just what is needed, as append rounds it up: a site has about as many chunks after a minute as after a year.
		h.counts = append([][chunkSize]uint32(nil), append(h.counts, [chunkSize]uint32{})...)
	} else {
		h.counts = append(h.counts, [chunkSize]uint32{})
	}
	h.chunk[c] = uint8(len(h.counts))
	return h.chunk[c]
}

func (h *liveHistogram) reset() {
	h.zero, h.carry = 0, nil
	clear(h.counts)
}

// sparse returns the histogram in the form of snapshots.
func (h *liveHistogram) sparse(space *arena) Histogram {
	room := len(h.counts) * chunkSize
	buckets := space.take(room)[:room]
	k := 0
	for c, at := range h.chunk {
		if at == 0 {
			continue
		}
		first := int32(c*chunkSize - 1)
		for j, n := range &h.counts[at-1] {
			if n == 0 && h.carry == nil {
				continue
			}
			v := uint64(n)
			if h.carry != nil {
				v += h.carry[c*chunkSize+j]
			}
			if v != 0 && k < len(buckets) {
				buckets[k] = Bucket{Index: first + int32(j), Count: v}
				k++
			}
		}
	}
	return Histogram{Zero: h.zero, Buckets: space.give(buckets[:k])}
}

// arena is memory for the buckets of many histograms, which saves a snapshot an allocation for each.
type arena struct{ free []Bucket }

const arenaSize = 4096

// take returns an empty slice with room for n buckets.
func (a *arena) take(n int) []Bucket {
	if cap(a.free) < n {
		a.free = make([]Bucket, 0, max(n, arenaSize))
	}
	return a.free[:0:n]
}

// give keeps what is left of the slice that take returned, and returns the slice without it.
func (a *arena) give(used []Bucket) []Bucket {
	a.free = a.free[len(used):len(used):cap(a.free)]
	return used[:len(used):len(used)]
}
