package callsite

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// maxSites bounds the table. Even a huge program has fewer places that start spans; an address beyond the limit
// has no location.
const maxSites = 1 << 16

// table maps return addresses to sites. Readers take no lock: a site is never changed or removed, and a fuller
// table is a new array.
type table struct {
	slots atomic.Pointer[slots]

	mu    sync.Mutex
	count int
	// locations has the one Location of each line.
	locations map[Location]*Location
}

// slots is an open-addressing hash table with linear probing, at most half full.
type slots struct {
	shift uint
	at    []atomic.Pointer[site]
}

func newSlots(size int) *slots {
	return &slots{shift: uint(64 - bits.TrailingZeros(uint(size))), at: make([]atomic.Pointer[site], size)}
}

// home is where the search for pc begins. The multiplier is 2^64 divided by the golden ratio, which spreads
// neighbouring addresses.
func (s *slots) home(pc uintptr) int {
	return int(uint64(pc) * 0x9e3779b97f4a7c15 >> (s.shift & 63))
}

// get returns the site of pc, or nil.
func (s *slots) get(pc uintptr) *site {
	mask := len(s.at) - 1
	for i := s.home(pc); ; i++ {
		if e := s.at[i&mask].Load(); e == nil || e.pc == pc {
			return e
		}
	}
}

func (s *slots) put(e *site) {
	mask := len(s.at) - 1
	i := s.home(e.pc)
	for s.at[i&mask].Load() != nil {
		i++
	}
	s.at[i&mask].Store(e)
}

func (t *table) init() {
	t.slots.Store(newSlots(64))
	t.locations = map[Location]*Location{}
}

// full reports whether the table takes no more sites.
func (t *table) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count >= maxSites
}

// add interns the locations of e and stores e. It returns the site that is in the table for e.pc.
func (t *table) add(e site) *site {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.slots.Load()
	if old := s.get(e.pc); old != nil {
		return old
	}
	e.first, e.started = t.intern(e.first), t.intern(e.started)
	if t.count++; 2*t.count > len(s.at) {
		s = s.grown()
	}
	s.put(&e)
	t.slots.Store(s)
	return &e
}

// intern returns the one Location that equals l.
func (t *table) intern(l *Location) *Location {
	if l == nil {
		return nil
	}
	known := t.locations[*l]
	if known == nil {
		known = l
		t.locations[*l] = known
	}
	return known
}

func (s *slots) grown() *slots {
	bigger := newSlots(2 * len(s.at))
	for i := range s.at {
		if e := s.at[i].Load(); e != nil {
			bigger.put(e)
		}
	}
	return bigger
}
