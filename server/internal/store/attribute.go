package store

import (
	"encoding/base64"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that lead to attributes.
const (
	spanAttributes     = 9
	spanEvents         = 11
	spanLinks          = 13
	eventAttributes    = 3
	linkAttributes     = 4
	resourceMessage    = 1 // in ResourceSpans
	resourceAttributes = 1
	scopeMessage       = 1 // in ScopeSpans
	scopeAttributes    = 3
)

// SpanAttributes calls f for the attributes of a span and of its events and links, with their values as text; see
// [AttributeText]. It ends early when f returns false. Key and value are valid during the call only.
func SpanAttributes(span []byte, f func(key, value []byte) bool) error {
	v := attributeVisitor{f: f}
	return v.span(span)
}

// OriginAttributes does the same for the attributes of a resource and of a scope.
func OriginAttributes(o *Origin, f func(key, value []byte) bool) error {
	v := attributeVisitor{f: f}
	if err := v.nested(o.Resource, resourceMessage, resourceAttributes); err != nil {
		return err
	}
	return v.nested(o.Scope, scopeMessage, scopeAttributes)
}

type attributeVisitor struct {
	f       func(key, value []byte) bool
	done    bool
	scratch []byte
}

func (v *attributeVisitor) span(message []byte) error {
	for len(message) > 0 && !v.done {
		fd, rest, err := nextField(message)
		if err != nil {
			return err
		}
		message = rest
		if fd.typ != protowire.BytesType {
			continue
		}
		switch fd.number {
		case spanAttributes:
			err = v.visit(fd.value)
		case spanEvents:
			err = v.attributes(fd.value, eventAttributes)
		case spanLinks:
			err = v.attributes(fd.value, linkAttributes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nested visits the attributes in the messages that the field outer holds.
func (v *attributeVisitor) nested(message []byte, outer, inner protowire.Number) error {
	for len(message) > 0 && !v.done {
		fd, rest, err := nextField(message)
		if err != nil {
			return err
		}
		if fd.number == outer && fd.typ == protowire.BytesType {
			if err := v.attributes(fd.value, inner); err != nil {
				return err
			}
		}
		message = rest
	}
	return nil
}

// attributes visits the KeyValue messages in the field with the number.
func (v *attributeVisitor) attributes(message []byte, number protowire.Number) error {
	for len(message) > 0 && !v.done {
		fd, rest, err := nextField(message)
		if err != nil {
			return err
		}
		if fd.number == number && fd.typ == protowire.BytesType {
			if err := v.visit(fd.value); err != nil {
				return err
			}
		}
		message = rest
	}
	return nil
}

func (v *attributeVisitor) visit(keyValue []byte) error {
	key, value, err := AttributeText(keyValue, v.scratch)
	if err != nil {
		return err
	}
	if value != nil && !v.f(key, value) {
		v.done = true
	}
	return nil
}

// AttributeText reads a KeyValue message: the key, and the value as it is searched for. A text is itself, integers, floats
// and booleans are as Go prints them, bytes are in base64. Arrays and maps cannot be searched for, as little as what has
// no value: then the value is nil. Both are views of the message, or of scratch, which needs 64 bytes or is made.
func AttributeText(keyValue, scratch []byte) (key, value []byte, err error) {
	var message []byte
	has := false
	for len(keyValue) > 0 {
		fd, rest, err := nextField(keyValue)
		if err != nil {
			return nil, nil, err
		}
		if fd.typ == protowire.BytesType {
			switch fd.number {
			case 1:
				key = fd.value
			case 2:
				message, has = fd.value, true
			}
		}
		keyValue = rest
	}
	if !has {
		return key, nil, nil
	}
	value, err = valueText(message, scratch)
	return key, value, err
}

// valueText reads an AnyValue message.
func valueText(message, scratch []byte) (text []byte, err error) {
	for len(message) > 0 {
		fd, rest, err := nextField(message)
		if err != nil {
			return nil, err
		}
		message = rest
		switch {
		case fd.number == 1 && fd.typ == protowire.BytesType:
			text = fd.value
		case fd.number == 2 && fd.typ == protowire.VarintType:
			n, _ := protowire.ConsumeVarint(fd.value)
			text = strconv.AppendBool(scratch[:0], n != 0)
		case fd.number == 3 && fd.typ == protowire.VarintType:
			n, _ := protowire.ConsumeVarint(fd.value)
			text = strconv.AppendInt(scratch[:0], int64(n), 10)
		case fd.number == 4 && fd.typ == protowire.Fixed64Type:
			n, _ := protowire.ConsumeFixed64(fd.value)
			text = strconv.AppendFloat(scratch[:0], math.Float64frombits(n), 'g', -1, 64)
		case fd.number == 7 && fd.typ == protowire.BytesType:
			text = base64.StdEncoding.AppendEncode(scratch[:0], fd.value)
		case fd.number >= 1 && fd.number <= 7:
			text = nil
		}
	}
	return text, nil
}
