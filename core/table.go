package core

import (
	"sync"
	"sync/atomic"
)

// entry is a pointer to what a [table] holds: something that knows its own hash and key.
type entry[K, V any] interface {
	*V
	hash() uint64
	matches(K) bool
}

// table is an insert-only hash table of pointers. Lookups take no lock and never wait; inserts take one. It
// has linear probing and is at most half full. The zero value is empty.
type table[K, V any, E entry[K, V]] struct {
	slots atomic.Pointer[[]atomic.Pointer[V]]
	mu    sync.Mutex
	n     atomic.Int64
}

// find returns the entry with the key, or nil.
func (t *table[K, V, E]) find(hash uint64, key K) E {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	mask := uint64(len(*slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := E((*slots)[i].Load())
		if e == nil || e.matches(key) {
			return e
		}
	}
}

// findOrAdd returns the entry with the key, adding what create returns if there is none. It returns nil when there
// is none and the table has limit entries (0: no limit), or when create, which is called at most once and under the
// table's lock, returns nil. A full table is recognised without the lock.
func (t *table[K, V, E]) findOrAdd(hash uint64, key K, limit int, create func() E) E {
	if limit > 0 && t.n.Load() >= int64(limit) {
		return t.find(hash, key)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.find(hash, key)
	if e != nil || limit > 0 && t.n.Load() >= int64(limit) {
		return e
	}
	if e = create(); e == nil {
		return nil
	}
	n := int(t.n.Add(1))
	if slots := t.slots.Load(); slots == nil {
		t.grow(4)
	} else if 2*n > len(*slots) {
		t.grow(2 * len(*slots))
	}
	put(*t.slots.Load(), e.hash(), (*V)(e))
	return e
}

func (t *table[K, V, E]) grow(size int) {
	slots := make([]atomic.Pointer[V], size)
	for e := range t.all {
		put(slots, e.hash(), (*V)(e))
	}
	t.slots.Store(&slots)
}

func put[V any](slots []atomic.Pointer[V], hash uint64, v *V) {
	mask := uint64(len(slots) - 1)
	i := hash & mask
	for slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	slots[i].Store(v)
}

// all yields every entry, in no particular order.
func (t *table[K, V, E]) all(yield func(E) bool) {
	slots := t.slots.Load()
	if slots == nil {
		return
	}
	for i := range *slots {
		if e := (*slots)[i].Load(); e != nil && !yield(E(e)) {
			return
		}
	}
}
