package store

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message.
type field struct {
	number protowire.Number
	typ    protowire.Type
	// value is what stands behind the tag; without the length, if it has one.
	value []byte
}

// nextField returns the first field of a message and what follows it.
func nextField(message []byte) (f field, rest []byte, err error) {
	number, typ, tag := protowire.ConsumeTag(message)
	if tag < 0 {
		return f, nil, fmt.Errorf("malformed protobuf: %w", protowire.ParseError(tag))
	}
	n := protowire.ConsumeFieldValue(number, typ, message[tag:])
	if n < 0 {
		return f, nil, fmt.Errorf("malformed protobuf: field %d: %w", number, protowire.ParseError(n))
	}
	value := message[tag : tag+n]
	if typ == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	return field{number, typ, value}, message[tag+n:], nil
}
