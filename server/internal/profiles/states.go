package profiles

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// key tells the senders of cumulative profiles apart. One that starts anew is another.
type key struct {
	resource, names string
	start           int64
}

// state is the last profile of a sender that was handed on.
type state struct {
	key key
	// since is from when on the server knows all: a sender that began before it may have been counted already.
	since time.Time

	mu   sync.Mutex // guards last, and is held before that of states
	last *core.Snapshot

	size int // guarded by that of states
}

// states remembers those that were heard of last.
type states struct {
	maxStates, maxSize int
	forgotten          *atomic.Int64

	mu    sync.Mutex
	since time.Time
	known map[key]*list.Element // of *state
	used  list.List             // the latest first
	size  int
}

func newStates(maxStates, maxSize int, since time.Time, forgotten *atomic.Int64) *states {
	return &states{maxStates: maxStates, maxSize: maxSize, forgotten: forgotten, since: since, known: map[key]*list.Element{}}
}

// take returns the state of a sender, an empty one if it is not known.
func (t *states) take(k key) *state {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.known[k]; e != nil {
		t.used.MoveToFront(e)
		return e.Value.(*state)
	}
	s := &state{key: k, since: t.since}
	t.known[k] = t.used.PushFront(s)
	t.forget()
	return s
}

// set remembers a profile. The caller holds the lock of the state.
func (t *states) set(s *state, profile *core.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.last = profile
	if e := t.known[s.key]; e == nil || e.Value.(*state) != s {
		t.since = time.Now() // it was forgotten meanwhile
		return
	}
	size := len(profile.Blocks) + len(profile.Nodes)
	t.size += size - s.size
	s.size = size
	t.forget()
}

// forget makes room. Who is forgotten, and began before now, cannot be told from one that was never heard of. The caller
// holds the lock.
func (t *states) forget() {
	for len(t.known) > t.maxStates || t.size > t.maxSize && len(t.known) > 1 {
		e := t.used.Back()
		s := e.Value.(*state)
		t.used.Remove(e)
		delete(t.known, s.key)
		t.size -= s.size
		t.since = time.Now()
		t.forgotten.Add(1)
	}
}
