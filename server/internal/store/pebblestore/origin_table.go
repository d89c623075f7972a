package pebblestore

import (
	"encoding/binary"
	"fmt"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// originTable numbers the origins that a block uses.
type originTable struct {
	used []usedOrigin
	// numbers are, by index in the segment, the number plus one.
	numbers []int
}

type usedOrigin struct {
	store.Origin
	// hashes are those of its attributes for the filter; chunk is the last one that they were noted for.
	hashes []uint64
	chunk  int
}

func (t *originTable) reset() {
	t.used = t.used[:0]
	clear(t.numbers)
}

// add returns the number of the segment's origin with the index n.
func (t *originTable) add(n int, origins []store.Origin, texts *otlp.Texts) int {
	if len(t.numbers) < len(origins) {
		t.numbers = append(t.numbers, make([]int, len(origins)-len(t.numbers))...)
	}
	if t.numbers[n] == 0 {
		u := usedOrigin{Origin: origins[n], chunk: -1}
		note := func(key, text []byte) bool {
			u.hashes = append(u.hashes, attributeHash(key, text))
			return true
		}
		texts.Resource(u.Resource, note)
		texts.Scope(u.Scope, note)
		t.used = append(t.used, u)
		t.numbers[n] = len(t.used)
	}
	return t.numbers[n] - 1
}

// append appends the table in its stored form: the service, the resource and the scope of each origin.
func (t *originTable) append(b []byte) []byte {
	for i := range t.used {
		o := &t.used[i]
		b = appendString(b, o.Service)
		b = append(binary.AppendUvarint(b, uint64(len(o.Resource))), o.Resource...)
		b = append(binary.AppendUvarint(b, uint64(len(o.Scope))), o.Scope...)
	}
	return b
}

// parseOrigins reads what append wrote. It keeps b.
func parseOrigins(b []byte) ([]store.Origin, error) {
	r := indexReader{rest: b}
	var origins []store.Origin
	for len(r.rest) > 0 {
		origins = append(origins, store.Origin{Service: r.text(), Resource: r.bytes(), Scope: r.bytes()})
	}
	if r.bad {
		return nil, fmt.Errorf("%w: origins", store.ErrDamaged)
	}
	return origins, nil
}
