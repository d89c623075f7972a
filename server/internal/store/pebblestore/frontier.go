package pebblestore

import (
	"container/heap"
	"sync"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// frontier is what a search has not looked at yet: blocks, and chunks of those that it has opened. It gives out what has the
// latest start first, to any number of goroutines, until nothing that is left can be among the first hits. Which hits there are
// in the end does not depend on who takes what when: a hit is dropped only when enough others are certainly before it.
type frontier struct {
	mu   sync.Mutex
	hits *store.Hits
	todo places
	// taken are the places that were given out and not done: opening a block adds to todo. changed tells those who wait for it.
	taken   int
	changed sync.Cond
	err     error
}

// searchPlace is where to search: a block, or a chunk of one that is open.
type searchPlace struct {
	maxStart int64 // of its spans
	block    uint64
	open     *openBlock // nil for a block
	chunk    int
}

func newFrontier(limit int, blocks []searchPlace) *frontier {
	f := &frontier{hits: store.NewHits(limit), todo: blocks}
	f.changed.L = &f.mu
	heap.Init(&f.todo)
	return f
}

// take returns the next place; done must follow. It waits while others may still find some, and returns false at the end.
func (f *frontier) take() (p searchPlace, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if len(f.todo) > 0 && f.hits.Enough(f.todo[0].maxStart) {
			f.todo = nil
		}
		switch {
		case f.err != nil || len(f.todo) == 0 && f.taken == 0:
			return p, false
		case len(f.todo) > 0:
			f.taken++
			return heap.Pop(&f.todo).(searchPlace), true
		}
		f.changed.Wait()
	}
}

// done adds what there was in a place that was taken. An error ends the search.
func (f *frontier) done(hits []store.Hit, chunks []searchPlace, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range hits {
		f.hits.Add(h.Trace, h.Start)
	}
	for _, c := range chunks {
		heap.Push(&f.todo, c)
	}
	if f.err == nil {
		f.err = err
	}
	f.taken--
	f.changed.Broadcast()
}

// places implements heap.Interface: the latest start is the first.
type places []searchPlace

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i].maxStart > p[j].maxStart }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *places) Push(x any)        { *p = append(*p, x.(searchPlace)) }
func (p *places) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
