package core

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// liveCopy is what a snapshot takes from the live traces of some shards.
type liveCopy struct {
	state *state
	reset bool
	// pending are the statistics of ended spans whose trace is live.
	pending  map[*site]*stripe
	active   map[*site]int64
	counters Counters

	// Scratch memory, used again for every shard or trace.
	open   []described
	traces []liveTrace
	trace  local
	order  []int32 // of sweep
}

// openPerCopy is how many open spans make it worth while to give them to another processor.
const openPerCopy = 2048

// copyLive copies the live traces of all shards.
func (a *Aggregator) copyLive(c *capture) {
	open := 0
	for i := range a.shards {
		a.shards[i].mu.Lock()
		open += int(a.shards[i].open)
		a.shards[i].mu.Unlock()
	}
	c.live = make([]liveCopy, min(1+open/openPerCopy, runtime.GOMAXPROCS(0), len(a.shards)))
	var next atomic.Int32
	var others sync.WaitGroup
	for i := range c.live {
		part := &c.live[i]
		*part = liveCopy{state: c.state, reset: c.reset, pending: make(map[*site]*stripe), active: make(map[*site]int64)}
		if i > 0 {
			others.Go(func() { a.copyShards(&next, part) })
		}
	}
	a.copyShards(&next, &c.live[0])
	others.Wait()
	for i := range c.live {
		c.counters.each(&c.live[i].counters, func(sum *uint64, x uint64) { *sum += x })
	}
}

// copyShards adds the live traces of the next shards to the copy, until there is none left.
func (a *Aggregator) copyShards(next *atomic.Int32, c *liveCopy) {
	for {
		i := int(next.Add(1)) - 1
		if i >= len(a.shards) {
			return
		}
		a.copyShard(&a.shards[i], c)
	}
}

// liveTrace is a trace with ended spans that was live when a snapshot began. Its storage may serve another trace by now, in
// another shard too: only what the shard finds may be looked into, and it is the same if born is.
type liveTrace struct {
	*local
	born, hashed uint64
	trace        TraceID
	// from and to are its open spans, a part of liveCopy.open.
	from, to int
}

// in returns the trace if it is still live in the shard, whose lock is held, else nil.
func (l *liveTrace) in(sh *shard) *local {
	if t := sh.find(l.hashed, &l.trace); t == l.local && t.born == l.born {
		return t
	}
	return nil
}

// copyShard adds the live traces of a shard to the copy. It locks the shard for one trace at a time. Traces that begin
// meanwhile are none of its business: no span of theirs had ended before.
func (a *Aggregator) copyShard(sh *shard, c *liveCopy) {
	c.open, c.traces = c.open[:0], c.traces[:0]
	sh.mu.Lock()
	c.open = slices.Grow(c.open, int(sh.open))
	for t := sh.oldest; t != nil; t = t.younger {
		from := len(c.open)
		c.open = t.openRecords(c.open)
		if t.open < len(t.records) {
			c.traces = append(c.traces, liveTrace{t, t.born, t.hashed, t.trace, from, len(c.open)})
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
	for _, t := range c.traces {
		if a.copyLocal(sh, t, c) {
			c.countPending(a)
		}
	}
	clear(c.open) // refers to spans
}

// copyLocal marks a live trace as copied and copies it, unless there is nothing to copy. In the copy, what is not to be
// counted is marked as forgotten.
func (a *Aggregator) copyLocal(sh *shard, live liveTrace, c *liveCopy) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t, peek := live.in(sh), &c.trace
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
func (c *liveCopy) coverParents(ids []uint64, listed []described) {
	records := c.trace.records
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
func (c *liveCopy) countPending(a *Aggregator) {
	t := &c.trace
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
