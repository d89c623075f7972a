package core

// described is an open record and what Config.Describe says of it.
type described struct {
	id    uint64
	ref   any
	place *Location
	label *Label
	start int64
}

// openRecords returns the open records of a trace that have something to be described by.
func (t *local) openRecords(list []described) []described {
	for i := range t.records {
		if r := &t.records[i]; r.closedAt == open && r.ref != nil {
			list = append(list, described{id: t.ids[i], ref: r.ref, place: r.place})
		}
	}
	return list
}

// describe asks for the labels. It calls out, so no lock may be held.
func (a *Aggregator) describe(list []described) {
	if a.config.Describe == nil {
		return
	}
	for i := range list {
		d := &list[i]
		if d.label, d.start = a.config.Describe(d.ref); d.label != nil {
			d.label = a.current(d.label)
		}
	}
}

// settle shortens a trace that has collected more than Limits.MaxPending records: the open ones get their place in the
// tree by their present names, and what ended below them is filed. This is how a trace that never ends,
// such as a worker's main loop, is profiled in bounded memory. Called without the lock; t.settling is set.
func (a *Aggregator) settle(sh *shard, hash uint64, trace TraceID) {
	sh.mu.Lock()
	var list []described
	if t := sh.find(hash, &trace); t != nil {
		list = t.openRecords(nil)
	}
	sh.mu.Unlock()
	a.describe(list)

	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.find(hash, &trace)
	if t == nil {
		return // it ended meanwhile
	}
	t.settling, t.plain = false, false
	if t.copied {
		t.settleAt = len(t.records) + a.config.Limits.MaxPending
		return
	}
	for _, d := range list {
		if i := t.find(d.id); i >= 0 && d.label != nil {
			a.settleOpen(t, &t.records[i], a.current(d.label)) // a Clear may have come in between
		}
	}
	t.link()
	a.place(t)
	keep := sh.keepers(t)
	a.sweep(&sh.order, t, keep)
	for i := range t.records {
		if r := &t.records[i]; !keep[i] && r.has(waiting) && !r.has(hidden) {
			sh.counters.Settled++
		}
	}
	a.deliver(sh, t, keep)
	sh.drop(t, keep)
	t.settleAt = max(a.config.Limits.MaxPending, 2*len(t.records))
}

// settleOpen fixes the place of an open record, whose ancestors are fixed already, by its present label.
func (a *Aggregator) settleOpen(t *local, r *record, l *Label) {
	if r.closedAt != open || r.node != nil || l.track.off.Load() || a.config.NoTree {
		return
	}
	base := r.base
	if r.parent >= 0 {
		base = t.pathOf(a, r.parent)
	}
	if base == nil {
		base = &l.state.root
	}
	r.node = l.state.child(base, l.at(r.place))
}

// pathOf returns the node of the record i as it stands now.
func (t *local) pathOf(a *Aggregator, i int32) *node {
	// Collect the ancestors that have no node yet; then go down. Depth is bounded by the number of records.
	var chain []int32
	for i >= 0 && t.records[i].node == nil {
		chain = append(chain, i)
		i = t.records[i].parent
	}
	st := a.state.Load()
	at := &st.root
	if i >= 0 {
		at = t.records[i].node
	} else if last := t.records[chain[len(chain)-1]].base; last != nil {
		at = last
	}
	for k := len(chain) - 1; k >= 0; k-- {
		r := &t.records[chain[k]]
		if r.closedAt != open && !r.has(hidden) {
			at = st.child(at, a.current(r.label).at(r.place))
		}
	}
	return at
}

// keepers marks the records that must stay: the open ones, the ended ones with an open child, whose self time
// is not known yet, and what is hidden between these and their parents, so that they still find whom they cover.
func (sh *shard) keepers(t *local) []bool {
	sh.keep = append(sh.keep[:0], make([]bool, len(t.records))...)
	for i := range t.records {
		if r := &t.records[i]; r.closedAt == open {
			sh.keep[i] = true
			covers := true // r covers p, or would if p were not hidden
			for p := r.parent; p >= 0 && (covers || t.records[p].has(hidden)); p = t.records[p].parent {
				sh.keep[p] = true
				covers = covers && t.records[p].has(hidden)
			}
		}
	}
	return sh.keep
}

// drop removes the records that are not kept and renumbers the others.
func (sh *shard) drop(t *local, keep []bool) {
	moved := append(sh.order[:0], make([]int32, len(t.records)+1)...)
	n := int32(0)
	for i := range t.records {
		moved[i] = n
		if keep[i] {
			n++
		}
	}
	moved[len(t.records)] = n
	for i := range t.records {
		r := &t.records[i]
		if !keep[i] {
			sh.remember(t.hashed, t.ids[i])
			continue
		}
		if r.parent >= 0 {
			if keep[r.parent] {
				r.parent = moved[r.parent]
			} else {
				r.base, r.parent = t.records[r.parent].node, -1
			}
		}
		if r.closedAt != open {
			r.closedAt = moved[r.closedAt]
		}
	}
	sh.order = moved
	for i := range t.records {
		if keep[i] {
			t.ids[moved[i]], t.records[moved[i]] = t.ids[i], t.records[i]
		}
	}
	clear(t.records[n:])
	t.ids, t.records = t.ids[:n], t.records[:n]
	t.reindex()
}
