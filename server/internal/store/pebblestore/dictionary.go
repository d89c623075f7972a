package pebblestore

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// dictionary numbers the fields of a chunk's spans, so that a field that comes again is written as a number.
type dictionary struct {
	// slots is an open hash table of the numbers, plus one; its size is a power of two.
	slots  []uint32
	hashes []uint64
	// starts are where the fields begin in literals, and where the last one ends.
	starts   []uint32
	ends     []uint32
	literals *[]byte
}

func (d *dictionary) reset(literals *[]byte) {
	if d.slots == nil {
		d.slots = make([]uint32, 1<<12)
	}
	clear(d.slots)
	d.hashes, d.starts, d.ends = d.hashes[:0], d.starts[:0], d.ends[:0]
	d.literals = literals
}

// field returns the field with the number.
func (d *dictionary) field(n int) []byte { return (*d.literals)[d.starts[n]:d.ends[n]] }

// find returns the number of a field and whether it had one before; if not, it is appended to literals.
func (d *dictionary) find(field []byte) (number int, known bool) {
	h := xxhash.Sum64(field)
	mask := uint64(len(d.slots) - 1)
	i := h & mask
	for ; d.slots[i] != 0; i = (i + 1) & mask {
		n := d.slots[i] - 1
		if d.hashes[n] == h && bytes.Equal(d.field(int(n)), field) {
			return int(n), true
		}
	}
	number = len(d.hashes)
	d.slots[i] = uint32(number + 1)
	d.hashes = append(d.hashes, h)
	d.starts = append(d.starts, uint32(len(*d.literals)))
	*d.literals = append(*d.literals, field...)
	d.ends = append(d.ends, uint32(len(*d.literals)))
	if 2*len(d.hashes) > len(d.slots) {
		d.grow()
	}
	return number, false
}

func (d *dictionary) grow() {
	d.slots = make([]uint32, 2*len(d.slots))
	mask := uint64(len(d.slots) - 1)
	for n, h := range d.hashes {
		i := h & mask
		for d.slots[i] != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = uint32(n + 1)
	}
}
