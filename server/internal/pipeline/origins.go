package pipeline

import (
	"bytes"
	"hash/maphash"
	"sync"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// origins interns where spans come from: a client sends the same resource and scope with every request. It forgets all
// when there are too many; spans keep theirs.
type origins struct {
	mu   sync.RWMutex
	seed maphash.Seed
	all  map[uint64]*origin
}

const maxOrigins = 4096

// of returns the origin that is kept beyond the visit.
func (t *origins) of(o *otlp.Origin) *origin {
	t.mu.RLock()
	if t.all == nil {
		t.mu.RUnlock()
		return t.add(o)
	}
	found := t.all[t.hash(o)]
	t.mu.RUnlock()
	if found != nil && found.is(o) {
		return found
	}
	return t.add(o)
}

func (t *origins) hash(o *otlp.Origin) uint64 {
	return mix(maphash.Bytes(t.seed, o.Resource), maphash.Bytes(t.seed, o.Scope))
}

func (x *origin) is(o *otlp.Origin) bool {
	return bytes.Equal(x.Resource, o.Resource) && bytes.Equal(x.Scope, o.Scope)
}

func (t *origins) add(o *otlp.Origin) *origin {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all, t.seed = make(map[uint64]*origin), maphash.MakeSeed()
	}
	h := t.hash(o)
	if found := t.all[h]; found != nil && found.is(o) {
		return found
	}
	if len(t.all) >= maxOrigins {
		clear(t.all)
	}
	x := &origin{Origin: store.Origin{
		Resource: bytes.Clone(o.Resource), Scope: bytes.Clone(o.Scope), Service: string(o.Service),
	}}
	t.all[h] = x
	return x
}
