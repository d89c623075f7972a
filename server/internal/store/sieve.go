package store

import (
	"bytes"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Sieve tells quickly which spans cannot match a query, by parts of them that many spans have in common. One goroutine at a
// time may use it.
type Sieve struct {
	attribute *Attribute
	// needle are bytes that a field has if it is what the query asks for: the attribute's key, or else the name.
	needle []byte
	texts  otlp.Texts
	find   func(key, value []byte) bool
	found  bool
}

// Sieve returns one that looks for an attribute or for the name of the query, nil if it asks for neither.
func (m *Matcher) Sieve() *Sieve {
	switch {
	case len(m.attributes) > 0:
		return newSieve(m.attributes[0])
	case m.query.Operation != "":
		return &Sieve{needle: []byte(m.query.Operation)}
	}
	return nil
}

func newSieve(a Attribute) *Sieve {
	s := &Sieve{attribute: &a, needle: []byte(a.Key)}
	s.find = func(key, value []byte) bool {
		s.found = s.found || a.Key == string(key) && a.Value == string(value)
		return !s.found
	}
	return s
}

// Origin reports whether spans of the origin may match, whatever fields they have.
func (s *Sieve) Origin(o *Origin) bool {
	s.found = false
	if s.attribute != nil {
		s.texts.Resource(o.Resource, s.find)
		s.texts.Scope(o.Scope, s.find)
	}
	return s.found
}

// Field reports whether a span with this field may match; so may one with several fields that are a part of the message. A
// span cannot match if neither its origin nor any of its fields may.
func (s *Sieve) Field(field []byte) bool {
	if key, ok := usualKey(field); ok && (s.attribute == nil || string(key) != s.attribute.Key) {
		return false
	}
	if !bytes.Contains(field, s.needle) {
		return false
	}
	if s.attribute == nil {
		return true
	}
	s.found = false
	s.texts.Span(field, s.find)
	return s.found
}

// usualKey returns the key of an attribute that is alone, with the key first and each length in one byte: nearly all are.
func usualKey(field []byte) (key []byte, ok bool) {
	// tag, length, (1 key) tag, length, key, (2 value) tag, length, value
	if len(field) < 6 || field[0] != 9<<3|2 || field[1] >= 0x80 || int(field[1]) != len(field)-2 || field[2] != 1<<3|2 {
		return nil, false
	}
	end := 4 + int(field[3])
	if field[3] >= 0x80 || end+2 > len(field) || field[end] != 2<<3|2 || int(field[end+1]) != len(field)-end-2 {
		return nil, false
	}
	return field[4:end], true
}
