package core

import "encoding/binary"

// Opening describes a span or block that starts.
type Opening struct {
	// Trace is the trace's id. All zeros makes up a trace of its own.
	Trace TraceID
	// Span is the span's id; all zeros makes up one that is unique in the trace.
	Span SpanID
	// Parent is the id of the local parent, all zeros for none.
	Parent SpanID
	// Place is the call site, nil if unknown. Equal locations should be equal pointers: each pointer that a label
	// meets costs memory once.
	Place *Location
	// Ref is handed to Config.Describe while the span is open.
	Ref any
}

// Open notes that a span or block started: its place among the open ones, for self times and the call tree. It fills
// in the ids that it makes up. Every Open needs a Close with the same ids.
func (a *Aggregator) Open(o *Opening) {
	if o.Trace == (TraceID{}) {
		a.nameTrace(&o.Trace)
	}
	hash := hashTrace(&o.Trace)
	sh := &a.shards[hash>>32&a.mask]
	sh.mu.Lock()
	if sh.open == sh.credit && !a.borrow(sh) {
		sh.mu.Unlock()
		a.reclaim()
		sh.mu.Lock()
		if sh.open == sh.credit && !a.borrow(sh) {
			// Others took what was reclaimed. The span's end will count as unstarted.
			sh.counters.Evicted++
			sh.mu.Unlock()
			return
		}
	}
	t := sh.find(hash, &o.Trace)
	if t == nil {
		t = sh.begin(hash, &o.Trace, a.config.Limits.MaxPending)
	}
	id := o.Span.id()
	if id == 0 {
		sh.blocks++
		id = ^sh.blocks
		binary.LittleEndian.PutUint64(o.Span[:], id)
	} else if n := len(t.ids); n > 0 && t.ids[n-1] == id {
		// The profiler is registered twice.
		sh.counters.Duplicates++
		sh.mu.Unlock()
		return
	}
	parent := int32(-1)
	if above := o.Parent.id(); above != 0 {
		if parent = t.find(above); parent < 0 {
			sh.counters.Detached++
		}
	}
	r := t.push(id)
	r.parent, r.place, r.ref = parent, o.Place, o.Ref
	sh.open++
	full := len(t.records) > t.settleAt && !t.settling && !t.copied
	t.settling = t.settling || full
	sh.mu.Unlock()
	if full {
		a.settle(sh, hash, o.Trace)
	}
}

// nameTrace makes up a trace id for blocks outside of any trace. It is not a valid random id: the first half is
// all ones.
func (a *Aggregator) nameTrace(t *TraceID) {
	binary.LittleEndian.PutUint64(t[:8], ^uint64(0))
	binary.LittleEndian.PutUint64(t[8:], a.roots.Add(1))
}

// Closing describes a span or block that ended.
type Closing struct {
	// Trace and Span are the ids that Open was given or made up.
	Trace TraceID
	Span  SpanID
	// Label is what was started; the Place given to Open completes it.
	Label *Label
	// Start is in ns since the Unix epoch, Duration in ns; a negative one counts as 0 and in Counters.Clamped.
	Start, Duration int64
	// Bytes is what the observed code processed, besides what AddBytes counted.
	Bytes uint64
	// Exemplar is the id of the span to point at, all zeros for none: Span, or for a block the span around it.
	Exemplar SpanID
	// Failed makes it an error; Sampled says that the exemplar is a span that is exported.
	Failed, Sampled bool
	// Discard ends the record without counting it: the profiler was switched off in between.
	Discard bool
	// Unstarted says what to do when there was no Open: count the span as a root (true) or ignore it.
	Unstarted bool
}

// Close notes that a span or block ended, and reports whether it was open. A second Close of the same span is ignored
// and counted in Counters.Duplicates, provided that it comes soon.
func (a *Aggregator) Close(c *Closing) bool {
	label := c.Label.in(a.state.Load())
	hash, id := hashTrace(&c.Trace), c.Span.id()
	sh := &a.shards[hash>>32&a.mask]
	sh.mu.Lock()
	t := sh.find(hash, &c.Trace)
	i := int32(-1)
	if t != nil {
		i = t.find(id)
	}
	if i < 0 {
		a.closeUnknown(sh, hash, label, c)
		return false
	}
	r := &t.records[i]
	if r.closedAt != open {
		sh.counters.Duplicates++
		sh.mu.Unlock()
		return false
	}
	r.label, r.ref = label, nil
	r.start = clampMoment(c.Start)
	r.end = r.start + min(max(c.Duration, 0), maxMoment)
	r.flags |= c.flags()
	if c.Exemplar != c.Span {
		r.exemplar = c.Exemplar
	}
	if c.Bytes != 0 {
		r.bytes = addSat(r.bytes, c.Bytes)
	}
	if c.Discard || label.track.off.Load() {
		r.flags |= hidden
		t.plain = false
	} else if c.Duration < 0 {
		sh.counters.Clamped++
	}
	r.closedAt, t.innermost = int32(len(t.records)), r.parent
	if a.release(sh, t) {
		// After all others of the trace, whose number may be larger than the memory: a second end mostly comes at once.
		sh.remember(hash, id)
	}
	sh.mu.Unlock()
	return true
}

// flags returns what the flags of the record say of the closing itself.
func (c *Closing) flags() flags {
	var f flags
	if c.Failed {
		f = failed
	}
	if c.Sampled {
		f |= sampled
	}
	if c.Exemplar == c.Span {
		f |= own
	}
	return f
}

// release counts one record of t as no longer open. When it was the last, it ends the trace and returns true.
func (a *Aggregator) release(sh *shard, t *local) bool {
	t.open--
	sh.open--
	if t.open > 0 {
		return false
	}
	sh.remove(t)
	for _, id := range t.ids {
		sh.remember(t.hashed, id)
	}
	if t.copied {
		sh.deferred = append(sh.deferred, t)
		return true
	}
	a.file(sh, t)
	sh.retire(t)
	return true
}

// closeUnknown handles the end of a span without a record. It unlocks the shard.
func (a *Aggregator) closeUnknown(sh *shard, hash uint64, label *Label, c *Closing) {
	id := c.Span.id()
	again := sh.remembers(hash, id)
	if again {
		sh.counters.Duplicates++
	} else if c.Unstarted {
		sh.remember(hash, id)
	}
	if again || !c.Unstarted || c.Discard {
		sh.mu.Unlock()
		return
	}
	sh.counters.Unstarted++
	sh.mu.Unlock()
	o := Observation{Start: c.Start, Duration: c.Duration, Bytes: c.Bytes, Failed: c.Failed, Sampled: c.Sampled}
	if c.Exemplar != (SpanID{}) {
		o.Trace, o.Span = c.Trace, c.Exemplar
	}
	a.Record(label, &o)
}

// Live reports whether a trace has an open span or block here.
func (a *Aggregator) Live(trace TraceID) bool {
	hash := hashTrace(&trace)
	sh := &a.shards[hash>>32&a.mask]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.find(hash, &trace) != nil
}

// AddBytes adds to the bytes of an open span or block; n below 0 is ignored.
func (a *Aggregator) AddBytes(trace TraceID, span SpanID, n int64) {
	if n <= 0 {
		return
	}
	hash := hashTrace(&trace)
	sh := &a.shards[hash>>32&a.mask]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if t := sh.find(hash, &trace); t != nil {
		if i := t.find(span.id()); i >= 0 && t.records[i].closedAt == open {
			r := &t.records[i]
			r.bytes = addSat(r.bytes, uint64(n))
		}
	}
}

// borrow gets the shard more credit for open records. Shards take it in portions, so that the count of all open
// records needs no shared counter on the hot path.
func (a *Aggregator) borrow(sh *shard) bool {
	portion := int64(max(a.config.Limits.MaxActive/(8*len(a.shards)), 1))
	for {
		have := a.credits.Load()
		take := min(have, portion)
		if take <= 0 {
			return false
		}
		if a.credits.CompareAndSwap(have, have-take) {
			sh.credit += int32(take)
			return true
		}
	}
}

// reclaim makes at least one record free: it takes back what shards do not use of their credit. If they use it
// all, it gives up the oldest traces of one.
func (a *Aggregator) reclaim() {
	for i := range a.shards {
		a.repay(&a.shards[i], false)
	}
	for range a.shards {
		if a.credits.Load() > 0 {
			return
		}
		a.repay(&a.shards[uint64(a.hand.Add(1))&a.mask], true)
	}
}

// evictBatch is how many records are freed at once, so that neither every start at the limit has to come here nor a
// single one pays for thousands.
const evictBatch = 64

// repay takes back the credit that a shard does not use, with evict after giving up its oldest traces.
func (a *Aggregator) repay(sh *shard, evict bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for goal := sh.open - evictBatch; evict && sh.open > goal; {
		t := sh.oldest
		if t == nil || t.copied {
			break
		}
		a.evict(sh, t)
	}
	a.credits.Add(int64(sh.credit - sh.open))
	sh.credit = sh.open
}

// evict gives up the open records of a trace and files the others.
func (a *Aggregator) evict(sh *shard, t *local) {
	n := t.open
	sh.counters.Evicted += uint64(n)
	for i := range t.records {
		r := &t.records[i]
		if r.closedAt == open {
			r.closedAt, r.ref = int32(len(t.records)), nil
			r.flags |= hidden
			t.ids[i] = 0 // its end, if it comes, is not a second one
		}
	}
	t.plain = false
	t.open = 1
	sh.open -= int32(n - 1)
	a.release(sh, t)
}
