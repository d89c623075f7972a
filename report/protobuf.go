package report

import (
	"encoding/binary"
	"io"
)

// protoMessage is the wire form of a protocol buffer message, built field by field. It writes what profile.proto
// needs: varints, length-delimited fields, packed varints. As in proto3, a field with the value 0 or "" is left out.
type protoMessage []byte

const (
	wireVarint = 0
	wireBytes  = 2
)

func (m *protoMessage) tag(field, wireType int) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|uint64(wireType))
}

// varint writes an int64, uint64 or bool field. A negative number is written in ten bytes, as int64 is.
func (m *protoMessage) varint(field int, v int64) {
	if v == 0 {
		return
	}
	m.tag(field, wireVarint)
	*m = binary.AppendUvarint(*m, uint64(v))
}

// bytes writes a field of type message, string or bytes, even if it is empty: an element of a repeated field.
func (m *protoMessage) bytes(field int, b []byte) {
	m.tag(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(b)))
	*m = append(*m, b...)
}

// packed writes a repeated field of numbers.
func (m *protoMessage) packed(field int, vs []int64) {
	var b []byte
	for _, v := range vs {
		b = binary.AppendUvarint(b, uint64(v))
	}
	m.bytes(field, b)
}

// flush appends the fields so far to w and starts over, so that a long message need not be in memory as a whole.
func (m *protoMessage) flush(w io.Writer) error {
	_, err := w.Write(*m)
	*m = (*m)[:0]
	return err
}
