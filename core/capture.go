package core

import (
	"math"
	"slices"
	"time"
)

// capture gathers what a [Snapshot] is made of.
//
// An observation is in the record of a live trace first and in a node later; the snapshot must see it exactly once. So
// the live traces are copied first, shard by shard, and marked: what is marked is not filed before the
// nodes have been read. Then the nodes are read. Traces that begin and end in between go straight to the
// nodes and may be in the snapshot or not. No goroutine ever waits for a whole snapshot.
type capture struct {
	state *state
	reset bool
	// pending are the statistics of ended spans whose trace is live.
	pending  map[*site]*stripe
	active   map[*site]int64
	nodes    []Node // as in the snapshot, but that Block is the rank of the site
	counters Counters

	// Scratch memory, used again for every shard or trace.
	open  []described
	live  []liveTrace
	copy  local
	order []int32 // of sweep
}

// Snapshot returns a copy of the whole profile: every span that ended before the call is in it, exactly once. It
// takes less than a µs per node and per open span, and never holds up recording. Histograms are shared until the next
// observation at their site, which copies its own, once.
func (a *Aggregator) Snapshot() *Snapshot { return a.take(false) }

// Take returns a Snapshot and empties the profile at the same moment: every observation is in exactly one
// of the snapshots taken. Sites, nodes and switches stay.
func (a *Aggregator) Take() *Snapshot { return a.take(true) }

// Reset empties the profile: numbers only. Sites, nodes and switches stay, so that labels and limits are as before.
func (a *Aggregator) Reset() { a.take(true) }

// Clear forgets everything: numbers, sites and nodes. The switches of tracks stay.
func (a *Aggregator) Clear() {
	a.snapshots.Lock()
	defer a.snapshots.Unlock()
	old := a.state.Load()
	st := newState(a, a.Now())
	for t := range old.tracks.all {
		if off := t.off.Load(); off != st.disabled(t.name) {
			st.track(t.name).off.Store(off)
		}
	}
	for i := range a.shards {
		a.shards[i].mu.Lock()
	}
	a.state.Store(st)
	for i := range a.shards {
		sh := &a.shards[i]
		sh.counters = Counters{}
		for t := sh.oldest; t != nil; t = t.younger {
			t.forget()
			t.unplace()
		}
		sh.mu.Unlock()
	}
	a.panics.Store(0)
}

// forget discards the numbers of what has ended.
func (t *local) forget() {
	for i := range t.records {
		if r := &t.records[i]; r.closedAt != open {
			r.flags |= forgotten
		}
	}
}

// unplace takes the records out of a tree that is gone.
func (t *local) unplace() {
	for i := range t.records {
		t.records[i].node, t.records[i].base = nil, nil
	}
}

func (a *Aggregator) take(reset bool) *Snapshot {
	a.snapshots.Lock()
	defer a.snapshots.Unlock()
	st := a.state.Load()
	c := &capture{state: st, reset: reset, pending: make(map[*site]*stripe), active: make(map[*site]int64)}
	for i := range a.shards {
		a.copyShard(&a.shards[i], c)
	}
	end := a.Now()
	start := st.started.Load()
	if reset {
		st.started.Store(end)
	}
	c.counters.Truncated, c.counters.Panics = st.truncated.Load(), a.panics.Load()
	if reset {
		st.truncated.Add(-c.counters.Truncated)
		a.panics.Add(-c.counters.Panics)
	}
	c.readNodes()
	for i := range a.shards {
		a.finishShard(&a.shards[i])
	}
	s := c.build(a.config.NoTree)
	s.Start, s.End = time.Unix(0, start), time.Unix(0, end)
	if a.config.Name != "" {
		s.Names = []string{a.config.Name}
	}
	return s
}

// liveTrace is a trace with ended spans that was live when a snapshot began. Its storage may serve another trace by now, in
// another shard too: only what the shard finds may be looked into, and it is the same if born is.
type liveTrace struct {
	*local
	born, hashed uint64
	trace        TraceID
	// from and to are its open spans, a part of capture.open.
	from, to int
}

// in returns the trace if it is still live in the shard, whose lock is held, else nil.
func (l *liveTrace) in(sh *shard) *local {
	if t := sh.find(l.hashed, &l.trace); t == l.local && t.born == l.born {
		return t
	}
	return nil
}

// copyShard adds the live traces of a shard to the capture. It locks the shard for one trace at a time. Traces that begin
// meanwhile are none of its business: no span of theirs had ended before.
func (a *Aggregator) copyShard(sh *shard, c *capture) {
	c.open, c.live = c.open[:0], c.live[:0]
	sh.mu.Lock()
	c.open = slices.Grow(c.open, int(sh.open))
	for t := sh.oldest; t != nil; t = t.younger {
		from := len(c.open)
		c.open = t.openRecords(c.open)
		if t.open < len(t.records) {
			c.live = append(c.live, liveTrace{t, t.born, t.hashed, t.trace, from, len(c.open)})
		}
	}
	n := &sh.counters
	c.counters.each(n, func(sum *uint64, x uint64) { *sum += x })
	if c.reset {
		*n = Counters{}
	}
	sh.mu.Unlock()

	a.describe(c.open)
	for i := range c.open {
		if d := &c.open[i]; d.label != nil && !d.label.track.off.Load() {
			c.active[d.label.at(d.place)]++
		}
	}
	for _, t := range c.live {
		if a.copyLocal(sh, t, c) {
			c.countPending(a)
		}
	}
	clear(c.open) // refers to spans
}

// copyLocal marks a live trace as copied and copies it, unless there is nothing to copy. In the copy, what is not to be
// counted is marked as forgotten.
func (a *Aggregator) copyLocal(sh *shard, live liveTrace, c *capture) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t, peek := live.in(sh), &c.copy
	if t == nil || len(t.records) == t.open {
		return false
	}
	t.copied = true
	peek.trace, peek.ids, peek.records = t.trace, append(peek.ids[:0], t.ids...), append(peek.records[:0], t.records...)
	for i := range peek.records {
		if r := &peek.records[i]; r.cover != nil {
			r.cover = r.cover.clone()
		}
	}
	peek.link()
	c.coverParents(t.ids, c.open[live.from:live.to])
	for i := range peek.records {
		if c.reset && peek.records[i].counts() {
			t.records[i].flags |= forgotten
		}
	}
	return true
}

// coverParents lets the open children of ended spans in the copied trace cover these, from their start on. What is known
// of them was asked for a moment ago, when they were listed. Records keep their order and new ones come last, so that
// two cursors match them.
func (c *capture) coverParents(ids []uint64, listed []described) {
	records := c.copy.records
	for i := range records {
		r := &records[i]
		if r.closedAt != open || r.ref == nil {
			continue
		}
		for len(listed) > 0 && listed[0].id != ids[i] {
			listed = listed[1:] // it has ended since
		}
		if r.over < 0 {
			continue
		}
		end := records[r.over].closedAt
		switch {
		case end == open || int32(i) >= end:
			// covers nothing yet, or never
		case len(listed) == 0:
			// The child began after the snapshot, and in the time of its parent, which thus ended later still.
			records[r.over].flags |= forgotten
		default:
			// An open child covers its ended parent from its start on.
			r.start, r.end, r.closedAt = listed[0].start, math.MaxInt64, int32(len(records))
			if listed[0].label == nil || r.start == math.MinInt64 {
				r.start = records[r.parent].start // unknown, but not before that
			}
			r.flags |= forgotten
		}
	}
}

// counts reports whether the record is of an ended span that is to be counted.
func (r *record) counts() bool { return r.closedAt != open && r.flags&(hidden|forgotten) == 0 }

// countPending counts the ended records of the copied trace as pending.
func (c *capture) countPending(a *Aggregator) {
	t := &c.copy
	a.sweep(&c.order, t, nil)
	for i := range t.records {
		r := &t.records[i]
		if !r.counts() {
			continue
		}
		s := r.label.in(c.state).at(r.place) // its end may have begun before a Clear
		p := c.pending[s]
		if p == nil {
			p = &stripe{}
			if a.config.SelfHistograms {
				p.keepSelfTimes()
			}
			c.pending[s] = p
		}
		var o observation
		t.observe(r, t.ids[i], &o)
		p.add(&o)
	}
}

// finishShard files what was held back for the snapshot.
func (a *Aggregator) finishShard(sh *shard) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for t := sh.oldest; t != nil; t = t.younger {
		t.copied = false
	}
	for i, t := range sh.deferred {
		a.file(sh, t)
		sh.retire(t)
		sh.deferred[i] = nil
	}
	sh.deferred = sh.deferred[:0]
}
