package core

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// shard holds the local traces of one part of the trace ids. Its lock is held for the length of a table look-up
// and a few stores, and while a trace is filed (some 50 ns a span). Nothing is called out to under it.
//
// Traces go to shards by their ids, and so each shard to all processors in turn: what every start and end touches is in
// the first 64 bytes, and a little in the table, because each cache line more would have to be fetched from another
// processor.
type shard struct {
	mu sync.Mutex
	// slots is an open-addressing table of the live traces, by hash, linear probing, at most half full.
	slots []*local
	// oldest and youngest are the ends of the list of live traces in the order of their beginnings.
	oldest, youngest *local
	live             int32
	// open counts the open records, credit how many of Limits.MaxActive the shard holds.
	open, credit int32
	// next is where in recent the next span goes.
	next uint32

	// blocks numbers the blocks, which have no span id. It goes on from trace to trace: an id must not come again when
	// a trace does.
	blocks uint64

	// deferred are traces that ended while a snapshot was in progress that has copied them; it files them.
	deferred []*local

	counters Counters

	order []int32 // scratch of sweep
	keep  []bool  // scratch of settle

	// recent remembers the spans filed last, to tell a second end from a missed start: see remember.
	recent [128]uint64

	_ [80]byte // keep neighbours' hot fields off one cache line, see TestLayout
}

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
	slots := sh.slots
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		t := slots[i]
		if t == nil || t.hashed == hash && t.trace == *trace {
			return t
		}
	}
}

// begin adds an empty live trace.
func (sh *shard) begin(hash uint64, trace *TraceID, maxPending int) *local {
	if 2*(int(sh.live)+1) > len(sh.slots) {
		old := sh.slots
		sh.slots = make([]*local, max(8, 2*len(old)))
		for _, t := range old {
			if t != nil {
				sh.place(t)
			}
		}
	}
	t := storage.Get().(*local)
	t.born++
	t.trace, t.hashed, t.settleAt, t.plain = *trace, hash, maxPending, true
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
	for j := (i + 1) & mask; sh.slots[j] != nil; j = (j + 1) & mask {
		if home := sh.slots[j].hashed & mask; (j-home)&mask >= (j-i)&mask {
			sh.slots[i], sh.slots[j] = sh.slots[j], nil
			i = j
		}
	}
}

// remember notes that a span has ended. Span ids are unique in their trace alone, so the trace's hash takes part.
func (sh *shard) remember(hash, id uint64) {
	sh.recent[sh.next%uint32(len(sh.recent))] = hash ^ id
	sh.next++
}

// remembers reports whether the span ended lately.
func (sh *shard) remembers(hash, id uint64) bool { return slices.Contains(sh.recent[:], hash^id) }

// storage is of traces that have been filed, for the next ones. A pool keeps it by processor, so that its memory is in
// the cache of the one that uses it, wherever the ids of its traces lead to.
var storage = sync.Pool{New: func() any { return &local{} }}

// retire keeps the storage of a filed trace for reuse.
func (sh *shard) retire(t *local) {
	if t.clear() {
		storage.Put(t)
	}
}
