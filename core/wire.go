package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// This file is the part of the protobuf wire format that snapshots need: https://protobuf.dev/programming-guides/encoding/.

// The wire types.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// The append functions write a field, or nothing if the value is the default that a reader assumes without it.

func appendTag(b []byte, field, wireType int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(wireType))
}

func appendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireVarint), v)
}

// appendSint writes a sint32 or sint64.
func appendSint(b []byte, field int, v int64) []byte {
	return appendUint(b, field, uint64(v)<<1^uint64(v>>63))
}

func appendFixed64(b []byte, field int, v int64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, field, wireFixed64), uint64(v))
}

func appendBytes[T string | []byte](b []byte, field int, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return appendElement(b, field, v)
}

// appendElement writes an element of a repeated field, which may be empty.
func appendElement[T string | []byte](b []byte, field int, v T) []byte {
	b = binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(v)))
	return append(b, v...)
}

// wireField is one field of a message as it was read.
type wireField struct {
	number, wireType int
	number64         uint64 // the value of a varint or of a number of fixed size
	data             []byte // the value of everything else
}

// eachField calls f for every field of a message. Fields that f does not know it ignores.
func eachField(message []byte, f func(wireField) error) error {
	for len(message) > 0 {
		field, rest, err := nextField(message)
		if err != nil {
			return err
		}
		if err := f(field); err != nil {
			return err
		}
		message = rest
	}
	return nil
}

var errTruncated = errors.New("truncated")

func nextField(b []byte) (f wireField, rest []byte, err error) {
	tag, b, err := nextVarint(b)
	if err != nil {
		return f, nil, fmt.Errorf("field tag: %w", err)
	}
	if tag>>3 == 0 || tag > math.MaxUint32 {
		return f, nil, fmt.Errorf("field tag: number %d", tag>>3)
	}
	f.number, f.wireType = int(tag>>3), int(tag&7)
	switch f.wireType {
	case wireVarint:
		f.number64, b, err = nextVarint(b)
	case wireFixed64:
		if len(b) < 8 {
			err = errTruncated
			break
		}
		f.number64, b = binary.LittleEndian.Uint64(b), b[8:]
	case wireFixed32:
		if len(b) < 4 {
			err = errTruncated
			break
		}
		f.number64, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
	case wireBytes:
		var n uint64
		if n, b, err = nextVarint(b); err == nil && n > uint64(len(b)) {
			err = errTruncated
		}
		if err == nil {
			f.data, b = b[:n], b[n:]
		}
	default:
		err = fmt.Errorf("wire type %d is not supported", f.wireType)
	}
	if err != nil {
		return f, nil, fmt.Errorf("field %d: %w", f.number, err)
	}
	return f, b, nil
}

func nextVarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, errTruncated
	case n < 0:
		return 0, nil, errors.New("a varint of more than 64 bits")
	}
	return v, b[n:], nil
}

// is returns an error unless the field has the wire type that its number stands for.
func (f wireField) is(wireType int) error {
	if f.wireType != wireType {
		return fmt.Errorf("field %d: wire type %d, want %d", f.number, f.wireType, wireType)
	}
	return nil
}

// uint reads an unsigned number up to limit into v.
func (f wireField) uint(v *uint64, limit uint64) error {
	if err := f.is(wireVarint); err != nil {
		return err
	}
	if f.number64 > limit {
		return fmt.Errorf("field %d: %d is more than %d", f.number, f.number64, limit)
	}
	*v = f.number64
	return nil
}

// sint reads a sint32 or sint64 into v.
func (f wireField) sint(v *int64) error {
	*v = int64(f.number64>>1) ^ -int64(f.number64&1)
	return f.is(wireVarint)
}

// fixed64 reads an sfixed64 into v.
func (f wireField) fixed64(v *int64) error {
	*v = int64(f.number64)
	return f.is(wireFixed64)
}

// bytes reads text or a message.
func (f wireField) bytes() ([]byte, error) { return f.data, f.is(wireBytes) }

// eachUint calls do for every number of a repeated field, packed or not.
func (f wireField) eachUint(do func(uint64) error) error {
	if f.wireType == wireVarint {
		return do(f.number64)
	}
	b, err := f.bytes()
	for err == nil && len(b) > 0 {
		var v uint64
		if v, b, err = nextVarint(b); err == nil {
			err = do(v)
		}
	}
	if err != nil {
		return fmt.Errorf("field %d: %w", f.number, err)
	}
	return nil
}
