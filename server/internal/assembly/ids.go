package assembly

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/stichotrope/stichotrope-go/core"
)

// idTable finds spans by their ids: open addressing, linear probing, at most half full. A slot holds an index and one.
type idTable struct {
	slots []int32
	shift int
	// seed makes the slots of ids unforeseeable, so that nobody can send ids that meet in one slot.
	seed uint64
}

// reset empties the table and makes room for n spans.
func (t *idTable) reset(n int) {
	if t.seed == 0 {
		t.seed = rand.Uint64() | 1
	}
	size := 1 << bits.Len(uint(max(2*n, 8)-1))
	if size > cap(t.slots) {
		t.slots = make([]int32, size)
	} else {
		t.slots = t.slots[:size]
		clear(t.slots)
	}
	t.shift = 64 - bits.TrailingZeros(uint(size))
}

func (t *idTable) slot(id core.SpanID) int {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(id[:])^t.seed, t.seed)
	return int((hi ^ lo) * 0x9E3779B97F4A7C15 >> t.shift)
}

// add adds span i, and reports whether the same span is there already. Of different spans with one id, the one that was
// added first is found; the others have slots that their sums lead to, so that any number of them does not cost more.
func (t *idTable) add(spans []Span, i int32) (duplicate bool) {
	s := &spans[i]
	mask := len(t.slots) - 1
	for k := t.slot(s.ID); ; k = (k + 1) & mask {
		at := t.slots[k] - 1
		if at < 0 {
			t.slots[k] = i + 1
			return false
		}
		if spans[at].ID == s.ID {
			if spans[at].Sum == s.Sum {
				return true
			}
			break
		}
	}
	var other core.SpanID
	binary.LittleEndian.PutUint64(other[:], binary.LittleEndian.Uint64(s.ID[:])+bits.RotateLeft64(s.Sum, 32))
	for k := t.slot(other); ; k = (k + 1) & mask {
		at := t.slots[k] - 1
		if at < 0 {
			t.slots[k] = i + 1
			return false
		}
		if spans[at].ID == s.ID && spans[at].Sum == s.Sum {
			return true
		}
	}
}

// find returns the index of the span with the id, -1 if there is none.
func (t *idTable) find(spans []Span, id core.SpanID) int32 {
	for k := t.slot(id); ; k = (k + 1) & (len(t.slots) - 1) {
		at := t.slots[k] - 1
		if at < 0 || spans[at].ID == id {
			return at
		}
	}
}
