package core

// record is one span or block of a local trace, from its start until it is filed in the call tree. Its start and its end
// write the first 64 bytes, a cache line; the second is for filing, which also empties it for the next trace.
type record struct {
	place *Location
	ref   any
	// label is that of the ended span; without a meaning while it is open.
	label      *Label
	start, end int64
	// parent is the index of the parent's record, -1 if there is none.
	parent int32
	// closedAt is the number of records in the trace when the span ended; open while it has not. Children
	// that started later do not take from its self time.
	closedAt int32
	flags    flags

	// over is the index of the nearest ancestor that is profiled: the one whose time this one covers.
	over int32
	// covered and edge are the state of one sweep over the children, see Aggregator.sweep.
	covered uint64
	edge    int64
	// node is the span's place in the tree. It is set when the path is decided: at filing, or when the
	// trace is settled while the span is open.
	node *node
	// base is the node of the parent if the parent's record is gone, else nil.
	base *node
	// cover is the time of children filed before the span itself, nil if there were none.
	cover *coverage
	bytes uint64
	// exemplar is the span to point at, if the flag says so.
	exemplar SpanID

	_ [8]byte
}

const open = -1

type flags uint8

const (
	failed flags = 1 << iota
	sampled
	// hidden: the track is switched off. The span is left out and its children belong to its parent.
	hidden
	// forgotten: a reset discarded the span's numbers. It still has its place in the tree.
	forgotten
	// waiting: an ancestor is open, or was when its record was dropped.
	waiting
	// own: the exemplar is the span itself.
	own
)

// empty makes the record as push needs it.
func (r *record) empty() {
	r.flags, r.bytes, r.exemplar = 0, 0, SpanID{}
	r.label, r.node = nil, nil // a trace in storage keeps no tree alive
	if r.base != nil {
		r.base = nil
	}
	if r.cover != nil {
		r.cover = nil
	}
}

func (r *record) has(f flags) bool { return r.flags&f != 0 }

// local is the part of a trace that this process sees: the records of a trace from the start of its first span
// until none is open. Its spans are filed together, when the names of all are final. All access is
// under the lock of its shard.
type local struct {
	trace   TraceID
	hashed  uint64
	ids     []uint64 // of records, apart so that a search stays in a few cache lines
	records []record
	// index finds ids once there are more than maxScan.
	index map[uint64]int32
	open  int
	// innermost is where to look for an id first: the record opened last, or the parent of the one that ended last. In
	// a trace of one goroutine it is the next to end and the parent of the next to start.
	innermost int32
	// born numbers the traces that this storage served; younger and older link the live ones of a shard in the order of
	// their beginnings.
	born           uint64
	younger, older *local
	// settleAt is the number of records at which the trace is settled next.
	settleAt int
	settling bool
	// plain: no record is hidden or has a base or a cover.
	plain bool
	// copied: a snapshot in progress has copied the ended records, so they must not reach the nodes before it has
	// read them.
	copied bool
}

// maxScan is up to how many records a linear search through the ids beats a map.
const maxScan = 48

// find returns the index of a span's record, -1 if there is none.
func (t *local) find(id uint64) int32 {
	if i := t.innermost; uint(i) < uint(len(t.ids)) && t.ids[i] == id {
		return i
	}
	return t.search(id)
}

func (t *local) search(id uint64) int32 {
	if t.index != nil {
		if i, ok := t.index[id]; ok {
			return i
		}
		return -1
	}
	for i := len(t.ids) - 1; i >= 0; i-- {
		if t.ids[i] == id {
			return int32(i)
		}
	}
	return -1
}

// push appends an open record. What is not set here is empty: see record.empty.
func (t *local) push(id uint64) *record {
	i := len(t.ids)
	t.ids = append(t.ids, id)
	if t.index != nil {
		t.index[id] = int32(i)
	} else if i == maxScan {
		t.reindex()
	}
	if i < cap(t.records) {
		t.records = t.records[:i+1]
	} else {
		t.records = append(t.records, record{})
	}
	t.open++
	t.innermost = int32(i)
	r := &t.records[i]
	r.closedAt = open
	return r
}

func (t *local) reindex() {
	t.index = nil
	if len(t.ids) <= maxScan {
		return
	}
	t.index = make(map[uint64]int32, 2*len(t.ids))
	for i, id := range t.ids {
		t.index[id] = int32(i)
	}
}

// clear empties t, of which the records are empty, for another trace. It returns false if the storage is too large to
// keep.
func (t *local) clear() bool {
	if cap(t.records) > 4*maxScan {
		return false
	}
	*t = local{born: t.born, ids: t.ids[:0], records: t.records[:0]}
	return true
}
