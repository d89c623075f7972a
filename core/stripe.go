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
	// selfTimes is nil unless Config.SelfHistograms wants it: then it is apart, because the others must not grow by it.
	selfTimes *liveHistogram
	histogram liveHistogram
}

// keepSelfTimes makes the stripe, which must be empty, keep a histogram of self times too.
func (s *stripe) keepSelfTimes() { s.selfTimes = &liveHistogram{} }

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
	if s.selfTimes != nil {
		s.selfTimes.add(o.self)
	}
}

func (o *observation) exemplar() Exemplar {
	if o.trace == nil {
		return Exemplar{}
	}
	return Exemplar{Trace: *o.trace, Span: o.span, Duration: o.duration, Time: o.start + int64(o.duration), Sampled: o.sampled}
}

// stats copies the statistics, taking the lock. With reset, it empties the stripe in the same critical
// section, so that each observation is in exactly one of the copies.
func (s *stripe) stats(reset bool) Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return Stats{}
	}
	out := Stats{
		Count: s.count, Errors: s.errors, Total: s.total, Self: s.self, Critical: s.critical, Unsampled: s.unsampled, Min: s.min, Max: s.max,
		SumSquares: s.squares, Bytes: s.bytes, First: s.first, Last: s.last,
		Slowest: s.slowest, LastError: s.lastError, Histogram: s.histogram.share(),
	}
	if s.selfTimes != nil {
		out.SelfHistogram = new(s.selfTimes.share())
	}
	if reset {
		s.histogram.reset()
		if s.selfTimes != nil {
			s.selfTimes.reset()
		}
		s.count, s.errors, s.total, s.self, s.min, s.max, s.bytes, s.first, s.last = 0, 0, 0, 0, 0, 0, 0, 0, 0
		s.critical, s.unsampled = 0, 0
		s.squares, s.slowest, s.lastError = Uint128{}, Exemplar{}, Exemplar{}
	}
	return out
}
