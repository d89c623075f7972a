package core

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// shard holds the local traces of one part of the trace ids. Its lock is held for the length of a table look-up
// and a few stores, and while a trace is filed (some 50 ns a span). Nothing is called out to under it.
type shard struct {
	mu sync.Mutex

	// slots is an open-addressing table of the live traces, by hash, linear probing, at most half full.
	slots []*local
	live  int
	// oldest and youngest are the ends of the list of live traces in the order of their beginnings.
	oldest, youngest *local
	free             []*local

	// open counts the open records, credit how many of Limits.MaxActive the shard holds.
	open, credit int
	born         uint64
	// blocks numbers the blocks, which have no span id. It goes on from trace to trace: an id must not come again when
	// a trace does.
	blocks uint64

	// deferred are traces that ended while a snapshot was in progress that has copied them; it files them.
	deferred []*local

	// recent remembers spans filed lately, to tell a second end from a missed start: see remember.
	recent [128]uint64

	counters Counters

	order []int32 // scratch of sweep
	keep  []bool  // scratch of settle

	_ [64]byte // keep neighbours' hot fields off one cache line
}

// maxFree is how many empty traces a shard keeps for reuse.
const maxFree = 16

// hashTrace spreads ids that are not random, such as those of nameTrace, too: every bit of the id reaches the low half,
// which is for the table, and the high half, which is for the choice of the shard.
func hashTrace(t *TraceID) uint64 {
	h := binary.LittleEndian.Uint64(t[:8]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(t[8:]), 32)
	hi, lo := bits.Mul64(h, 0x9E3779B97F4A7C15)
	return hi ^ lo
}

func (s SpanID) id() uint64 { return binary.LittleEndian.Uint64(s[:]) }

// find returns the live trace, or nil.
func (sh *shard) find(hash uint64, trace *TraceID) *local {
	if sh.live == 0 {
		return nil
	}
	mask := uint64(len(sh.slots) - 1)
	for i := hash & mask; sh.slots[i] != nil; i = (i + 1) & mask {
		if t := sh.slots[i]; t.hashed == hash && t.trace == *trace {
			return t
		}
	}
	return nil
}

// begin adds an empty live trace.
func (sh *shard) begin(hash uint64, trace *TraceID, maxPending int) *local {
	if 2*(sh.live+1) > len(sh.slots) {
		old := sh.slots
		sh.slots = make([]*local, max(8, 2*len(old)))
		for _, t := range old {
			if t != nil {
				sh.place(t)
			}
		}
	}
	var t *local
	if n := len(sh.free); n > 0 {
		t, sh.free = sh.free[n-1], sh.free[:n-1]
	} else {
		t = &local{}
	}
	sh.born++
	t.trace, t.hashed, t.born, t.settleAt, t.plain = *trace, hash, sh.born, maxPending, true
	sh.place(t)
	sh.live++
	if t.older = sh.youngest; t.older != nil {
		t.older.younger = t
	} else {
		sh.oldest = t
	}
	sh.youngest = t
	return t
}

func (sh *shard) place(t *local) {
	mask := uint64(len(sh.slots) - 1)
	i := t.hashed & mask
	for sh.slots[i] != nil {
		i = (i + 1) & mask
	}
	sh.slots[i] = t
}

// remove takes a trace out of the table, closing the gap (Knuth, TAOCP vol. 3, algorithm 6.4R).
func (sh *shard) remove(t *local) {
	mask := uint64(len(sh.slots) - 1)
	i := t.hashed & mask
	for sh.slots[i] != t {
		i = (i + 1) & mask
	}
	sh.slots[i] = nil
	sh.live--
	if t.older != nil {
		t.older.younger = t.younger
	} else {
		sh.oldest = t.younger
	}
	if t.younger != nil {
		t.younger.older = t.older
	} else {
		sh.youngest = t.older
	}
	t.older, t.younger = nil, nil
	t.born = 0 // whoever remembers the trace as live sees that it is not
	for j := (i + 1) & mask; sh.slots[j] != nil; j = (j + 1) & mask {
		if home := sh.slots[j].hashed & mask; (j-home)&mask >= (j-i)&mask {
			sh.slots[i], sh.slots[j] = sh.slots[j], nil
			i = j
		}
	}
}

// remember notes that a span has ended. Span ids are unique in their trace alone, so the trace's hash takes part.
func (sh *shard) remember(hash, id uint64) {
	key := hash ^ id
	sh.recent[key%uint64(len(sh.recent))] = key
}

// remembers reports whether the span ended lately.
func (sh *shard) remembers(hash, id uint64) bool {
	key := hash ^ id
	return sh.recent[key%uint64(len(sh.recent))] == key
}

// retire keeps the storage of a filed trace for reuse.
func (sh *shard) retire(t *local) {
	if len(sh.free) < maxFree && t.clear() {
		sh.free = append(sh.free, t)
	}
}
