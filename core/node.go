package core

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// node is the live form of [Node]: the statistics of a site under one chain of parents.
type node struct {
	// The first 64 bytes are only read once the tree is complete, so that they are in the cache of every processor.
	site   *site
	parent *node
	// first is the child that came first: many nodes have no other.
	first    atomic.Pointer[node]
	children table[*site, node, *node]
	more     atomic.Pointer[[]paddedStripe]
	depth    int32
	overflow bool // the overflow branch's own node, or below it

	// stripe is the first and, without contention, the only stripe. When goroutines meet on its lock more
	// than contentionLimit times, more are allocated and every goroutine picks one by the address of its
	// stack: memory follows contention, not cores times sites. A lock per node cost 64 ns a record with
	// 100 goroutines, stripes 14 ns, on two cores.
	stripe    stripe
	contended atomic.Uint32
	growing   sync.Mutex
}

// paddedStripe is whole cache lines long, to share none with its neighbours.
type paddedStripe struct {
	stripe
	_ [cacheLine - unsafe.Sizeof(stripe{})%cacheLine]byte
}

const cacheLine = 64

const (
	contentionLimit = 64
	maxStripes      = 64
)

func (n *node) hash() uint64           { return n.site.hashed }
func (n *node) matches(key *site) bool { return n.site == key }

// child returns the child for a site, nil if there is none. It is table.find written out, without the calls through
// the dictionary of a generic function: the hottest look-up of all.
func (n *node) child(s *site) *node {
	if c := n.first.Load(); c == nil || c.site == s {
		return c
	}
	slots := *n.children.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := s.hashed & mask; ; i = (i + 1) & mask {
		if c := slots[i].Load(); c == nil || c.site == s {
			return c
		}
	}
}

// record counts one observation. It returns false if that is plain and cannot be counted so, see
// [Aggregator.RecordPlain].
func (n *node) record(o *observation) bool {
	s := &n.stripe
	if more := n.more.Load(); more != nil {
		if i := stackHash() & uint64(len(*more)); i > 0 { // len is 2^k-1
			s = &(*more)[i-1].stripe
		}
		s.mu.Lock()
	} else if !s.mu.TryLock() {
		if n.contended.Add(1) > contentionLimit {
			n.widen()
		}
		s.mu.Lock()
	}
	if o.plain && o.duration >= s.slowest.Duration {
		s.mu.Unlock()
		return false
	}
	s.add(o)
	s.mu.Unlock()
	return true
}

// widen allocates the further stripes, once.
func (n *node) widen() {
	n.growing.Lock()
	defer n.growing.Unlock()
	if n.more.Load() != nil {
		return
	}
	total := min(maxStripes, 1<<bits.Len(uint(2*runtime.GOMAXPROCS(0)-1)))
	more := make([]paddedStripe, total-1)
	if n.stripe.selfTimes != nil {
		for i := range more {
			more[i].keepSelfTimes()
		}
	}
	n.more.Store(&more)
}

// stats merges the stripes.
func (n *node) stats(reset bool) Stats {
	if more := n.more.Load(); more != nil {
		return n.sum(*more, reset)
	}
	return n.stripe.stats(reset)
}

// sum is stats where there is more than one stripe. It is apart because its sum escapes to the heap, which the usual node
// has no need of.
func (n *node) sum(more []paddedStripe, reset bool) Stats {
	out := n.stripe.stats(reset)
	sum := statsSum{stats: &out, durations: make(histogramSum, 0, len(more)+1)}
	for i := range more {
		s := more[i].stats(reset)
		sum.add(&s)
	}
	sum.finish()
	return out
}

// stackHash returns a number that differs between goroutines, from the address of the stack: about 1 ns, no
// shared state.
func stackHash() uint64 {
	var here byte
	return (uint64(uintptr(unsafe.Pointer(&here))) >> 11) * 0x9E3779B97F4A7C15 >> 32
}
