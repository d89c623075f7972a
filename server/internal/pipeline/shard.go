package pipeline

import (
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// shard holds the pending traces of one part of the trace ids.
type shard struct {
	mu     sync.Mutex
	traces map[core.TraceID]*trace
	// rooted and rootless are the traces with and without a root in the order in which they were touched; full are those
	// that must not wait any longer, which are not in traces.
	rooted, rootless, full traceList
	free                   []*trace
	pieces                 pieces
	_                      [64]byte
}

// maxFree is how many traces a shard keeps for reuse.
const maxFree = 2048

func (sh *shard) init() { sh.traces = make(map[core.TraceID]*trace) }

// addAll adds the runs of spans that were dealt to the shard, and reports whether a trace is full.
func (sh *shard) addAll(r *reader, first int32, now time.Duration, c *Config) (full bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := first; i >= 0; i = r.runs[i].next {
		from, to := r.runs[i].from, r.runs[i].to
		full = sh.add(r.traces[from], r.spans[from:to], now, c) || full
	}
	return full
}

// add adds spans of one trace, and reports whether the trace is full. The caller holds the lock.
func (sh *shard) add(id core.TraceID, spans []span, now time.Duration, c *Config) (full bool) {
	t := sh.traces[id]
	if t == nil {
		t = sh.make()
		t.id, t.born = id, now
		sh.traces[id] = t
	}
	for i := range spans {
		t.bytes += spans[i].cost()
		t.raw += spans[i].kept()
		if spans[i].parent == (core.SpanID{}) {
			t.rooted = true
		}
	}
	t.add(spans, &sh.pieces)
	if t.isLarge(c) {
		delete(sh.traces, id)
		t.move(&sh.full)
		return true
	}
	if now-t.born < c.TraceAge {
		t.touched = now
	}
	list := &sh.rootless
	if t.rooted {
		list = &sh.rooted
	}
	if t.touched == now || t.list != list {
		t.move(list)
	}
	return false
}

// move puts a trace at the end of a list.
func (t *trace) move(to *traceList) {
	if t.list != nil {
		t.remove()
	}
	to.push(t)
}

func (sh *shard) make() *trace {
	if n := len(sh.free); n > 0 {
		t := sh.free[n-1]
		sh.free = sh.free[:n-1]
		return t
	}
	return &trace{}
}

// recycle takes back what is not needed any more.
func (sh *shard) recycle(t *trace) {
	*t = trace{}
	sh.mu.Lock()
	if len(sh.free) < maxFree {
		sh.free = append(sh.free, t)
	}
	sh.mu.Unlock()
}

// take removes and returns a trace that is due, nil if there is none, and gathers its spans in the memory. A trace is due if
// it is full or was not touched since the time for its kind.
func (sh *shard) take(rooted, rootless time.Duration, memory *arena) *trace {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.full.first
	if t == nil {
		if t = sh.rooted.first; t == nil || t.touched > rooted {
			if t = sh.rootless.first; t == nil || t.touched > rootless {
				return nil
			}
		}
		delete(sh.traces, t.id)
	}
	t.remove()
	t.gather(memory, &sh.pieces)
	return t
}

// refill puts the parts of a trace back, to be taken next.
func (sh *shard) refill(parts []*trace) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, t := range parts {
		sh.full.push(t)
	}
}

// oldest returns when the trace was touched that has waited longest, and whether there is one.
func (sh *shard) oldest() (touched time.Duration, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, t := range []*trace{sh.full.first, sh.rooted.first, sh.rootless.first} {
		if t != nil && (!ok || t.touched < touched) {
			touched, ok = t.touched, true
		}
	}
	return touched, ok
}

// overdue is for how long the trace is due that has waited longest, or 0; a full one is not looked at.
func (sh *shard) overdue(rooted, rootless time.Duration) (longest time.Duration) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if t := sh.rooted.first; t != nil {
		longest = max(longest, rooted-t.touched)
	}
	if t := sh.rootless.first; t != nil {
		longest = max(longest, rootless-t.touched)
	}
	return longest
}

// find calls f for what is pending of a trace.
func (sh *shard) find(id *core.TraceID, f func(*trace)) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for t := sh.full.first; t != nil; t = t.after {
		if t.id == *id {
			f(t)
		}
	}
	if t := sh.traces[*id]; t != nil {
		f(t)
	}
}

// all yields every pending trace, of each kind those first that were touched last. The caller holds the lock.
func (sh *shard) all(yield func(*trace) bool) {
	for _, list := range []*traceList{&sh.full, &sh.rooted, &sh.rootless} {
		for t := list.last; t != nil; t = t.before {
			if !yield(t) {
				return
			}
		}
	}
}
