package core

import (
	"cmp"
	"slices"
)

// file puts the records of a trace, all of which have ended, into the call tree. A parent's record always stands
// before its children's. The caller holds the shard.
func (a *Aggregator) file(sh *shard, t *local) {
	t.link()
	a.place(t)
	a.sweep(&sh.order, t, nil)
	a.deliver(sh, t, nil)
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
		case r.label == nil: // open: settle has decided, or the path goes on as the parent's
			if r.node == nil {
				r.node = base
			}
		default:
			r.label = r.label.in(st)
			r.node = st.child(base, r.label.at(r.place))
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
		from, to := max(r.start, p.edge), min(r.end, p.end)
		if to > from {
			p.covered += uint64(to - from)
			p.edge = to
		}
	}
}

// observe fills in the record as an observation, and reports whether its self time is exact.
func (t *local) observe(r *record, o *observation) (exact bool) {
	o.start, o.duration, o.bytes = r.start, uint64(r.end-r.start), r.bytes
	o.failed, o.sampled = r.has(failed), r.has(sampled)
	covered, exact := r.covered, true
	if r.cover != nil {
		covered, exact = r.cover.within(period{r.start, r.end})
	}
	o.self = subFloor(o.duration, covered)
	o.trace, o.span = nil, r.exemplar
	if o.span != (SpanID{}) {
		o.trace = &t.trace
	}
	return exact
}

// deliver counts the records in their nodes: all, or with keep those that are not kept.
func (a *Aggregator) deliver(sh *shard, t *local, keep []bool) {
	var o observation
	for i := range t.records {
		r := &t.records[i]
		if !r.counts() || keep != nil && keep[i] {
			continue
		}
		if !t.observe(r, &o) {
			sh.counters.SelfInexact++
		}
		r.node.record(&o)
	}
}
