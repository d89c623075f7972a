package pebblestore

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// blockIndex tells what to expect in the chunks of a block.
type blockIndex struct {
	operations []store.Operation
	chunks     []chunkIndex
}

// chunkIndex describes a chunk.
type chunkIndex struct {
	spans int
	// minStart and maxStart are when its spans started, in ns since the Unix epoch.
	minStart, maxStart int64
	operations         []chunkOperation
}

// chunkOperation tells that a chunk has spans of an operation.
type chunkOperation struct {
	operation int32 // index of blockIndex.operations
	// longest is about how long its longest span is, see roundUp.
	longest uint16
	// failed and fine tell whether there are spans with an error, and without.
	failed, fine bool
}

// roundUp maps a duration in ns to a number that is ascending with it: 5 bits of precision, rounded up.
func roundUp(d int64) uint16 {
	if d < 32 {
		return uint16(max(d, 0))
	}
	shift := bits.Len64(uint64(d)) - 5
	mantissa := (uint64(d) + 1<<shift - 1) >> shift // 16 to 32
	return uint16(uint64(shift)<<4 + mantissa)
}

// matches reports whether the chunk may have spans of the operation that the query asks for. wanted tells which operations
// the query is satisfied with.
func (c *chunkIndex) matches(q *store.Query, m *store.Matcher, wanted []bool) bool {
	if !q.Start.Overlaps(c.minStart, c.maxStart) {
		return false
	}
	shortest := roundUp(int64(q.MinDuration))
	asked, failed := m.Failed()
	for _, o := range c.operations {
		if wanted[o.operation] && o.longest >= shortest && (!asked || failed && o.failed || !failed && o.fine) {
			return true
		}
	}
	return false
}

// wanted tells which operations a query asks for, and whether any.
func (x *blockIndex) wanted(q *store.Query) (wanted []bool, any bool) {
	wanted = make([]bool, len(x.operations))
	for i := range x.operations {
		o := &x.operations[i]
		wanted[i] = (q.Service == "" || q.Service == o.Service) && (q.Operation == "" || q.Operation == o.Name) &&
			(q.Kind == core.KindUnspecified || q.Kind == o.Kind)
		any = any || wanted[i]
	}
	return wanted, any
}

// append appends the index in its stored form.
func (x *blockIndex) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(x.operations)))
	for _, o := range x.operations {
		b = appendString(appendString(b, o.Service), o.Name)
		b = append(b, byte(o.Kind))
	}
	b = binary.AppendUvarint(b, uint64(len(x.chunks)))
	for i := range x.chunks {
		c := &x.chunks[i]
		b = binary.AppendUvarint(b, uint64(c.spans))
		b = binary.AppendVarint(b, c.minStart)
		b = binary.AppendUvarint(b, uint64(c.maxStart-c.minStart))
		b = binary.AppendUvarint(b, uint64(len(c.operations)))
		before := int32(-1)
		for _, o := range c.operations {
			b = binary.AppendUvarint(b, uint64(o.operation-before-1))
			before = o.operation
			b = binary.AppendUvarint(b, uint64(o.longest)<<2|flag(o.failed)<<1|flag(o.fine))
		}
	}
	return b
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseBlockIndex reads what append wrote.
func parseBlockIndex(b []byte) (*blockIndex, error) {
	r := indexReader{rest: b}
	x := &blockIndex{operations: make([]store.Operation, r.count(3))}
	for i := range x.operations {
		x.operations[i] = store.Operation{Service: r.text(), Name: r.text(), Kind: core.Kind(r.byte())}
	}
	x.chunks = make([]chunkIndex, r.count(4))
	for i := range x.chunks {
		c := &x.chunks[i]
		c.spans = int(r.number(math.MaxInt32))
		c.minStart = r.signed()
		c.maxStart = c.minStart + int64(r.number(math.MaxUint64))
		c.operations = make([]chunkOperation, r.count(2))
		before := int64(-1)
		for j := range c.operations {
			o := &c.operations[j]
			before += int64(r.number(math.MaxInt32)) + 1
			if before >= int64(len(x.operations)) {
				r.bad = true
				break
			}
			o.operation = int32(before)
			bits := r.number(math.MaxUint16<<2 | 3)
			o.longest, o.failed, o.fine = uint16(bits>>2), bits&2 != 0, bits&1 != 0
		}
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: index", store.ErrDamaged)
	}
	return x, nil
}

// indexReader reads the parts of an index; what it returns after an error means nothing.
type indexReader struct {
	rest []byte
	bad  bool
}

func (r *indexReader) number(limit uint64) uint64 {
	n, w := binary.Uvarint(r.rest)
	if w <= 0 || n > limit {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

func (r *indexReader) signed() int64 {
	n, w := binary.Varint(r.rest)
	if w <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

// count reads the number of things that take at least size bytes each: no more than there can be.
func (r *indexReader) count(size int) int { return int(r.number(uint64(len(r.rest) / size))) }

func (r *indexReader) text() string {
	b := r.bytes()
	return string(b)
}

func (r *indexReader) bytes() []byte {
	n := r.number(uint64(len(r.rest)))
	if r.bad || n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *indexReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}
