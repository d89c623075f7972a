package core

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// file puts the records of a trace, all of which have ended, into the call tree, and empties them. A parent's record
// always stands before its children's. The caller holds the shard.
func (a *Aggregator) file(sh *shard, t *local) {
	if !t.plain || !a.walk(t) {
		t.link()
		a.place(t)
		a.sweep(&sh.order, t, nil)
	}
	a.deliver(sh, t, nil)
}

// walk is link, place and sweep in one for the usual trace: a plain one that stands in the order of the starts. It returns
// false if it finds that it is not.
func (a *Aggregator) walk(t *local) bool {
	st := a.state.Load()
	last := int64(math.MinInt64)
	for i := range t.records {
		r := &t.records[i]
		if r.start < last {
			return false
		}
		last = r.start
		r.covered, r.edge = 0, r.start
		base := &st.root
		if r.parent >= 0 {
			p := &t.records[r.parent]
			if !a.config.NoTree {
				base = p.node
			}
			if !a.config.NoSelf && int32(i) < p.closedAt {
				p.take(r)
			}
		}
		r.node = st.child(base, r.label.in(st).at(r.place))
	}
	return true
}

// take adds the time of a child, which starts not before the children until now, to what is covered of the record.
func (r *record) take(child *record) {
	from, to := max(child.start, r.edge), min(child.end, r.end)
	if to > from {
		r.covered += uint64(to - from)
		r.edge = to
	}
}

// link finds for each record the ancestor whose time it covers, and whether an ancestor is open. What children settled
// earlier covered of a record that turned out to be hidden goes to that ancestor.
func (t *local) link() {
	for i := range t.records {
		r := &t.records[i]
		r.over = -1
		if r.parent < 0 {
			continue
		}
		p := &t.records[r.parent]
		r.over = r.parent
		if p.has(hidden) {
			r.over = p.over
		}
		if r.has(hidden) && r.cover != nil && r.over >= 0 {
			t.records[r.over].inherit(r.cover)
			r.cover = nil
		}
		if p.closedAt == open || p.has(waiting) {
			r.flags |= waiting
		} else {
			r.flags &^= waiting
		}
	}
}

// inherit adds to what covers the record.
func (r *record) inherit(c *coverage) {
	if r.cover == nil {
		r.cover = c
	} else {
		r.cover.union(c)
	}
}

// place decides the nodes of the records, parents first.
func (a *Aggregator) place(t *local) {
	st := a.state.Load()
	for i := range t.records {
		r := &t.records[i]
		base := r.base
		if r.parent >= 0 {
			base = t.records[r.parent].node
		}
		if base == nil || a.config.NoTree {
			base = &st.root
		}
		switch {
		case r.has(hidden):
			r.node = base
		case r.closedAt == open: // settle has decided, or the path goes on as the parent's
			if r.node == nil {
				r.node = base
			}
		default:
			r.node = st.child(base, r.label.in(st).at(r.place))
		}
	}
}

// sweep computes how much of each ended record's time its children cover: the union of their times, cut to its
// own. Children are taken in the order of their starts, so that the union needs one number a parent: how far it
// reaches. With keep, what is between two kept records is left for a later sweep, and what leaves for a kept
// parent goes to the parent's coverage. order is memory to sort in.
func (a *Aggregator) sweep(order *[]int32, t *local, keep []bool) {
	if a.config.NoSelf {
		return
	}
	recs := t.records
	sorted := true
	last := int64(-1 << 63)
	for i := range recs {
		r := &recs[i]
		r.covered, r.edge = 0, r.start
		if r.closedAt == open {
			continue
		}
		sorted = sorted && r.start >= last
		last = r.start
	}
	if sorted {
		for i := range recs {
			t.cover(int32(i), keep)
		}
		return
	}
	byStart := (*order)[:0]
	for i := range recs {
		byStart = append(byStart, int32(i))
	}
	slices.SortFunc(byStart, func(i, j int32) int { return cmp.Compare(recs[i].start, recs[j].start) })
	for _, i := range byStart {
		t.cover(i, keep)
	}
	*order = byStart
}

// cover adds the time of record i to what covers its parent.
func (t *local) cover(i int32, keep []bool) {
	r := &t.records[i]
	if r.over < 0 || r.closedAt == open || r.has(hidden) || keep != nil && keep[i] && keep[r.over] {
		return
	}
	p := &t.records[r.over]
	if p.closedAt != open && i >= p.closedAt {
		return // started after its parent ended
	}
	switch {
	case p.cover != nil:
		p.cover.add(period{r.start, r.end})
	case keep != nil && keep[r.over]:
		p.cover = &coverage{}
		p.cover.add(period{r.start, r.end})
	default:
		p.take(r)
	}
}

// observe fills in the record as an observation, and reports whether its self time is exact.
func (t *local) observe(r *record, id uint64, o *observation) (exact bool) {
	o.start, o.duration, o.bytes = r.start, uint64(r.end-r.start), r.bytes
	o.failed, o.sampled = r.has(failed), r.has(sampled)
	covered, exact := r.covered, true
	if r.cover != nil {
		covered, exact = r.cover.within(period{r.start, r.end})
	}
	o.self = subFloor(o.duration, covered)
	o.trace = &t.trace
	if r.has(own) {
		binary.LittleEndian.PutUint64(o.span[:], id)
	} else if o.span = r.exemplar; o.span == (SpanID{}) {
		o.trace = nil
	}
	return exact
}

// deliver counts the records in their nodes and empties them: all, or with keep those that are not kept.
func (a *Aggregator) deliver(sh *shard, t *local, keep []bool) {
	var o observation
	for i := range t.records {
		if keep != nil && keep[i] {
			continue
		}
		r := &t.records[i]
		if r.counts() {
			if !t.observe(r, t.ids[i], &o) {
				sh.counters.SelfInexact++
			}
			r.node.record(&o)
		}
		if keep == nil {
			r.empty()
		}
	}
}
