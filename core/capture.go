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
	pending map[*site]*stripe
	active  map[*site]int64
	// nodes are all nodes of the tree, parents before children.
	nodes    []visited
	counters Counters
	order    []int32 // scratch of sweep
}

// Snapshot returns a copy of the whole profile: every span that ended before the call is in it, exactly once. It
// takes a few µs per node, most of them for its histogram, and never holds up recording.
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
	c := &capture{
		state: st, reset: reset,
		pending: make(map[*site]*stripe), active: make(map[*site]int64),
	}
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

// liveTrace is a trace that was live when a snapshot began. Its storage may serve another trace by now: then born differs.
type liveTrace struct {
	*local
	born uint64
}

// copyShard adds the live traces of a shard to the capture. It locks the shard for one trace at a time. Traces that begin
// meanwhile are none of its business: no span of theirs had ended before.
func (a *Aggregator) copyShard(sh *shard, c *capture) {
	sh.mu.Lock()
	var list []described
	live := make([]liveTrace, 0, sh.live)
	for t := sh.oldest; t != nil; t = t.younger {
		list = t.openRecords(list)
		live = append(live, liveTrace{t, t.born})
	}
	n := &sh.counters
	c.counters.each(n, func(sum *uint64, x uint64) { *sum += x })
	if c.reset {
		*n = Counters{}
	}
	sh.mu.Unlock()

	a.describe(list)
	starts := make(map[spanKey]int64, len(list))
	for _, d := range list {
		if d.label != nil && !d.label.track.off.Load() {
			c.active[d.label.at(d.place)]++
		}
		starts[d.spanKey] = math.MinInt64
		if d.label != nil {
			starts[d.spanKey] = d.start
		}
	}
	for _, t := range live {
		if t := a.copyLocal(sh, t, starts, c.reset); t != nil {
			c.countPending(a, t)
		}
	}
}

// copyLocal marks a live trace as copied and returns the copy, nil if there is nothing to copy. In the copy, what is not
// to be counted is marked as forgotten.
func (a *Aggregator) copyLocal(sh *shard, live liveTrace, starts map[spanKey]int64, reset bool) *local {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := live.local
	if t.born != live.born || len(t.records) == t.open {
		return nil
	}
	t.copied = true
	peek := &local{trace: t.trace, records: slices.Clone(t.records)}
	for i := range peek.records {
		if r := &peek.records[i]; r.cover != nil {
			r.cover = r.cover.clone()
		}
	}
	peek.link()
	for i := range peek.records {
		r := &peek.records[i]
		if r.closedAt != open || r.over < 0 || r.ref == nil {
			continue
		}
		if end := peek.records[r.over].closedAt; end == open || int32(i) >= end {
			continue // covers nothing yet, or never
		}
		start, ok := starts[spanKey{t.trace, t.ids[i]}]
		if !ok {
			// The child began after the snapshot, and in the time of its parent, which thus ended later still.
			peek.records[r.over].flags |= forgotten
			continue
		}
		if start == math.MinInt64 {
			start = peek.records[r.parent].start // unknown, but not before that
		}
		// An open child covers its ended parent from its start on.
		r.start, r.end, r.closedAt = start, math.MaxInt64, int32(len(peek.records))
		r.flags |= forgotten
	}
	for i := range peek.records {
		if reset && peek.records[i].counts() {
			t.records[i].flags |= forgotten
		}
	}
	return peek
}

// counts reports whether the record is of an ended span that is to be counted.
func (r *record) counts() bool { return r.closedAt != open && r.flags&(hidden|forgotten) == 0 }

// countPending counts the ended records of a copied trace as pending.
func (c *capture) countPending(a *Aggregator, t *local) {
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
			c.pending[s] = p
		}
		var o observation
		t.observe(r, &o)
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

// readNodes copies the statistics of all nodes.
func (c *capture) readNodes() {
	c.nodes = make([]visited, 0, c.state.nodes.Load()+16)
	c.readChildren(&c.state.root, -1)
	c.readNode(c.state.overflow, -1)
	for i := 0; i < len(c.nodes); i++ {
		c.readChildren(c.nodes[i].node, int32(i))
	}
}

func (c *capture) readChildren(n *node, index int32) {
	for child := range n.children.all {
		c.readNode(child, index)
	}
}

func (c *capture) readNode(n *node, parent int32) {
	c.nodes = append(c.nodes, visited{node: n, parent: parent, stats: n.stats(c.reset)})
}
