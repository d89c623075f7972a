package otlp

import (
	"encoding/binary"
	"fmt"
)

// The wire types of protobuf.
const (
	varintType   = 0
	fixed64Type  = 1
	bytesType    = 2
	groupType    = 3
	endGroupType = 4
	fixed32Type  = 5
)

// maxGroups is how deep groups may be nested. OTLP has none: they can only be unknown fields, which are skipped.
const maxGroups = 64

// fields goes through the fields of a message. It never reads outside of it, and never believes a length that the
// message does not have.
//
//	for f := (fields{message: m}); f.next(); {
//		switch f.tag {
//		case 1<<3 | bytesType: // field 1
type fields struct {
	message []byte
	// start is where the current field begins, end is where the next one does.
	start, end int
	// tag is the field's number<<3 | wire type.
	tag uint32
	// n is the value of a number, value that of a field of bytes.
	n     uint64
	value []byte
	// err says what is malformed, after next has returned false.
	err error
}

// raw returns the current field with its tag and length.
func (f *fields) raw() []byte { return f.message[f.start:f.end] }

// next reads a field. It returns false at the end and for a malformed field.
func (f *fields) next() bool {
	m, i := f.message, f.end
	if i >= len(m) {
		return false
	}
	f.start = i
	tag := uint64(m[i])
	i++
	if tag >= 0x80 {
		if tag, i = uvarint(m, i-1); i < 0 {
			return f.fail("a tag is not a varint")
		}
	}
	if tag>>3 == 0 || tag>>3 >= 1<<29 {
		return f.fail("a field has a number out of range")
	}
	f.tag = uint32(tag)
	switch tag & 7 {
	case bytesType:
		if i >= len(m) {
			return f.fail("the message is cut off")
		}
		n := uint64(m[i])
		i++
		if n >= 0x80 {
			if n, i = uvarint(m, i-1); i < 0 {
				return f.fail("a length is not a varint")
			}
		}
		if n > uint64(len(m)-i) {
			return f.fail("a field is longer than its message")
		}
		f.end = i + int(n)
		f.value = m[i:f.end:f.end]
		return true
	case varintType:
		if f.n, f.end = uvarint(m, i); f.end < 0 {
			return f.fail("a number is not a varint")
		}
		return true
	case fixed64Type:
		if len(m)-i < 8 {
			return f.fail("the message is cut off")
		}
		f.n, f.end = binary.LittleEndian.Uint64(m[i:]), i+8
		return true
	case fixed32Type:
		if len(m)-i < 4 {
			return f.fail("the message is cut off")
		}
		f.n, f.end = uint64(binary.LittleEndian.Uint32(m[i:])), i+4
		return true
	case groupType:
		return f.skipGroup(i)
	}
	return f.fail("wire type %d has no meaning here", tag&7)
}

// skipGroup skips a group whose content begins at i: all fields up to the end tag with the same number.
func (f *fields) skipGroup(i int) bool {
	var open [maxGroups]uint32
	open[0] = f.tag
	inner := fields{message: f.message, end: i}
	for depth := 1; depth > 0; {
		if tag, next := uvarint(inner.message, inner.end); next >= 0 && tag&7 >= groupType && tag&7 <= endGroupType && tag>>3 < 1<<29 {
			inner.end = next
			switch {
			case tag&7 == endGroupType && tag == uint64(open[depth-1]+endGroupType-groupType):
				depth--
			case tag&7 == endGroupType:
				return f.fail("a group ends that has not begun")
			case depth == maxGroups:
				return f.fail("more than %d groups are nested", maxGroups)
			default:
				open[depth] = uint32(tag)
				depth++
			}
			continue
		}
		if !inner.next() {
			if inner.err == nil {
				return f.fail("a group has no end")
			}
			f.err = inner.err
			return false
		}
	}
	f.end, f.value = inner.end, nil
	return true
}

func (f *fields) fail(format string, args ...any) bool {
	f.err = fmt.Errorf("%w: malformed protobuf: %s", ErrMalformed, fmt.Sprintf(format, args...))
	f.end = len(f.message)
	return false
}

// uvarint reads a varint at i and returns where it ends; -1 if there is none.
func uvarint(m []byte, i int) (n uint64, end int) {
	if i < len(m) && m[i] < 0x80 {
		return uint64(m[i]), i + 1
	}
	for shift := 0; shift < 70 && i < len(m); shift += 7 {
		b := m[i]
		i++
		if shift == 63 && b > 1 {
			return 0, -1
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, i
		}
	}
	return 0, -1
}

// appendBytes appends a field of bytes.
func appendBytes(to []byte, number uint32, value []byte) []byte {
	to = binary.AppendUvarint(to, uint64(number<<3|bytesType))
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

// closeMessage makes what follows start in to, the content of a message, a field of bytes.
func closeMessage(to []byte, start int, number uint32) []byte {
	var head [2 * binary.MaxVarintLen64]byte
	h := binary.AppendUvarint(head[:0], uint64(number<<3|bytesType))
	h = binary.AppendUvarint(h, uint64(len(to)-start))
	size := len(to) - start
	to = append(to, h...)
	copy(to[start+len(h):], to[start:start+size])
	copy(to[start:], h)
	return to
}
