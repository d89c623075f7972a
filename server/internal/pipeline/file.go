package pipeline

import (
	"encoding/binary"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// assembler assembles traces as the pipeline has them.
type assembler struct {
	assembly.Assembler
	spans []assembly.Span
}

// assemble returns what is to be found out about the spans of a trace, and whether some came late.
func (a *assembler) assemble(t *trace, known *recent) (found []assembly.Span, late bool) {
	n := t.n
	if cap(a.spans) < n || cap(a.spans) > keepAssembled && n < keepAssembled {
		a.spans = make([]assembly.Span, 0, max(n, 64))
	}
	found = a.spans[:n]
	for i := range t.spans {
		s, f := &t.spans[i], &found[i]
		f.ID, f.Parent, f.Start, f.Duration = s.id, s.parent, s.start, s.duration
		f.Sum, f.Clock, f.Async, f.Repeated = s.sum(), s.site.clock, s.site.Kind == core.KindConsumer, false
	}
	late = known.mark(mixID(&t.id), found)
	a.Assemble(found)
	return found, late
}

// keepAssembled is how many spans an assembler has room for that is done with a large trace.
const keepAssembled = 8192

// tick is how often the filer looks for traces that are due.
const tick = 100 * time.Millisecond

// Times before and after all others: only what is full is due, or everything.
const (
	atOnce time.Duration = -1
	anyAge time.Duration = 1 << 62
)

// batch is how many spans are filed before others may have the cut.
const batch = 4096

// fileAll files traces when they are due, until the pipeline is closed; then all.
func (p *Pipeline) fileAll(aborted <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.fileDue(p.now()-p.config.TraceGrace, p.now()-p.config.TraceIdle)
		case <-p.hurry:
			p.fileDue(atOnce, atOnce)
		case <-p.stop:
			p.drain(aborted)
			return
		}
		p.relieve()
	}
}

// drain files all traces, and closes the last segment. It waits for the committer where the store is slower.
func (p *Pipeline) drain(aborted <-chan struct{}) {
	for {
		p.fileDue(anyAge, anyAge)
		p.cut.Lock()
		if p.open.spans > 0 && len(p.waiting) < maxWaiting {
			p.closeSegment()
		}
		filed := p.open.spans == 0 && p.counts.pending.Load() == 0
		p.cut.Unlock()
		if filed {
			return
		}
		select {
		case <-p.hurry: // after a commit
		case <-aborted:
			return
		}
	}
}

// spansLeft returns how many spans are not committed. The caller holds the cut.
func (p *Pipeline) spansLeft() (n int) {
	n = p.open.spans
	for _, g := range p.waiting {
		n += g.spans
	}
	p.pending(func(t *trace) { n += t.n })
	return n
}

// slice is how much of the time that traces have waited is filed at once.
const slice = 10 * time.Millisecond

// fileDue files the traces that are full, and those with and without a root that were not touched since. Those of all shards
// are filed in the order of time, by slices: so a request, which is unpacked for each segment that has spans of it, has them
// in few.
func (p *Pipeline) fileDue(rooted, rootless time.Duration) {
	for early := anyAge; early > 0; {
		early = max(p.overdue(rooted, rootless)-slice, 0)
		var filed uint64
		for i := range p.shards {
			for more := true; more; {
				var n uint64
				n, more = p.fileSome(&p.shards[i], rooted-early, rootless-early)
				filed += n
			}
		}
		if filed == 0 {
			break // none is due, or the store cannot take more now
		}
	}
	p.cut.Lock()
	p.closeIfDue()
	p.cut.Unlock()
}

// overdue is for how long the trace that has waited longest is due, with and without a root; not above 0 if none is.
func (p *Pipeline) overdue(rooted, rootless time.Duration) time.Duration {
	longest := time.Duration(0)
	for i := range p.shards {
		longest = max(longest, p.shards[i].overdue(rooted, rootless))
	}
	return longest
}

// fileSome files due traces of a shard. It returns how many, and whether there may be more that can be filed now.
func (p *Pipeline) fileSome(sh *shard, rooted, rootless time.Duration) (filed uint64, more bool) {
	p.cut.Lock()
	defer p.cut.Unlock()
	for spans := 0; spans < batch; filed++ {
		if p.closeIfDue(); p.stalled() {
			return filed, false
		}
		t := sh.take(rooted, rootless, &p.open.memory)
		if t == nil {
			return filed, false
		}
		if parts := p.split(t); parts != nil {
			sh.refill(parts)
			continue
		}
		if t.isLarge(&p.config) {
			p.counts.oversized.Add(1)
		}
		spans += t.n
		p.file(t)
	}
	p.closeIfDue()
	return filed, true
}

// stalled reports whether the open segment must not grow, because it should be closed and cannot be yet. The caller holds
// the cut.
func (p *Pipeline) stalled() bool {
	return p.open.isLarge(&p.config) && len(p.waiting) >= maxWaiting
}

// isLarge reports whether the segment has enough in it to be committed.
func (g *segment) isLarge(c *Config) bool {
	minutes := len(g.tally.minutes) + len(g.withheld.minutes)
	return g.spans >= c.SegmentSpans || g.raw >= c.SegmentBytes || minutes >= c.SegmentMinutes ||
		g.importedSize >= maxImported/2*c.MaxNodes
}

// relieve files traces before their time, those that have waited longest first, if memory is short.
func (p *Pipeline) relieve() {
	for p.counts.used.Load() > p.plenty() && p.counts.pending.Load() > p.config.Memory/4 {
		var least *shard
		var oldest time.Duration
		for i := range p.shards {
			if at, ok := p.shards[i].oldest(); ok && (least == nil || at < oldest) {
				least, oldest = &p.shards[i], at
			}
		}
		if least == nil {
			break
		}
		hurried, _ := p.fileSome(least, oldest, oldest)
		p.counts.hurried.Add(hurried)
		if hurried == 0 {
			break // the store cannot take more now
		}
	}
}

// file assembles a trace, counts it and puts it into the open segment. The caller holds the cut.
func (p *Pipeline) file(t *trace) {
	found, late := p.assembler.assemble(t, p.recent)
	order := p.assembler.Order
	g := p.open
	if g.spans == 0 {
		g.began = p.now()
	}
	isProfile := t.isProfile()
	t.filed = p.howFiled(found, isProfile)
	switch {
	case isProfile:
		p.importProfile(g, t, order)
	case t.filed.Withheld:
		g.withheld.record(t, found, order)
	default:
		g.tally.record(t, found, order)
	}
	p.recent.add(mixID(&t.id), found)
	g.spans += t.n
	g.bytes += t.bytes
	g.raw += t.raw
	p.counts.pending.Add(-t.bytes)
	p.countFiled(found, late)
	if !p.config.StatisticsOnly {
		g.traces = append(g.traces, t)
		return
	}
	p.counts.used.Add(-t.bytes)
	p.shard(&t.id).recycle(t)
	g.memory.empty()
}

// howFiled returns what is noted of how a trace is counted, for a store that completes traces.
func (p *Pipeline) howFiled(found []assembly.Span, isProfile bool) (f store.Filed) {
	if !p.config.Withhold {
		return f
	}
	for i := range found {
		if isProfile || found[i].Flags.Has(assembly.Duplicate) {
			f.Uncounted.Set(i)
		}
		f.Withheld = f.Withheld || !isProfile && found[i].Flags.Has(assembly.Orphan)
	}
	return f
}

func (p *Pipeline) countFiled(found []assembly.Span, late bool) {
	var duplicates, orphans, cycles, moved, backward uint64
	for i := range found {
		f := found[i].Flags
		if f == 0 {
			continue
		}
		if f.Has(assembly.Duplicate) {
			duplicates++
		}
		if f.Has(assembly.Orphan) {
			orphans++
		}
		if f.Has(assembly.Cut) {
			cycles++
		}
		if f.Has(assembly.Moved) {
			moved++
		}
		if f.Has(assembly.Backward) {
			backward++
		}
	}
	n := &p.counts
	n.traces.Add(1)
	n.filed.Add(uint64(len(found)))
	n.duplicates.Add(duplicates)
	n.orphans.Add(orphans)
	n.cycles.Add(cycles)
	n.moved.Add(moved)
	n.backward.Add(backward)
	if late {
		n.late.Add(uint64(len(found)) - duplicates)
	}
}

// closeIfDue closes the open segment if it is large or old enough. The caller holds the cut.
func (p *Pipeline) closeIfDue() {
	g, c := p.open, &p.config
	if g.spans == 0 || len(p.waiting) >= maxWaiting {
		return
	}
	short := p.counts.used.Load() > p.plenty() && g.bytes > c.Memory/16
	if g.isLarge(c) || p.now()-g.began >= c.SegmentAge || short {
		p.closeSegment()
	}
}

// closeSegment hands the open segment to the committer. The caller holds the cut.
func (p *Pipeline) closeSegment() {
	g := p.open
	g.profiles = append(append(g.profiles, g.tally.take()...), g.withheld.take()...)
	p.waiting = append(p.waiting, g)
	p.open = p.newSegment(g.number + 1)
	p.open.memory.free, g.memory.free = g.memory.free, nil
	p.closedSegments <- g
}

func mixID(id *core.TraceID) uint64 {
	return mix(binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:]))
}
