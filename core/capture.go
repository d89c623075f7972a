package core

import (
	"time"
)

// capture gathers what a [Snapshot] is made of.
//
// An observation is in the record of a live trace first and in a node later; the snapshot must see it exactly once. So
// the live traces are copied first, shard by shard, and marked: what is marked is not filed before the
// nodes have been read. Then the nodes are read. Traces that begin and end in between go straight to the
// nodes and may be in the snapshot or not. No goroutine ever waits for a whole snapshot.
type capture struct {
	state    *state
	reset    bool
	live     []liveCopy
	nodes    []Node // as in the snapshot, but that Block is the rank of the site
	counters Counters
}

// Snapshot returns a copy of the whole profile: every span that ended before the call is in it, exactly once. It
// takes less than a µs per node and per open span, and never holds up recording; where thousands of spans are open, several
// processors share the work. Histograms are shared until the next observation at their site, which copies its own, once.
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
	c := &capture{state: st, reset: reset}
	a.copyLive(c)
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
