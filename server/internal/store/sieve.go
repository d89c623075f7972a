package store

import (
	"bytes"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Sieve tells quickly which spans cannot match a query, by parts of them that many spans have in common. One goroutine at a
// time may use it.
type Sieve struct {
	attribute *Attribute
	name      []byte
	texts     otlp.Texts
}

// Sieve returns one that looks for an attribute or for the name of the query, nil if it asks for neither.
func (m *Matcher) Sieve() *Sieve {
	switch {
	case len(m.attributes) > 0:
		return &Sieve{attribute: &m.attributes[0]}
	case m.query.Operation != "":
		return &Sieve{name: []byte(m.query.Operation)}
	}
	return nil
}

// Origin reports whether spans of the origin may match, whatever fields they have.
func (s *Sieve) Origin(o *Origin) (has bool) {
	if s.attribute != nil {
		s.texts.Resource(o.Resource, s.find(&has))
		s.texts.Scope(o.Scope, s.find(&has))
	}
	return has
}

// Field reports whether a span with this field may match; so may one with several fields that are a part of the message. A
// span cannot match if neither its origin nor any of its fields may.
func (s *Sieve) Field(field []byte) (has bool) {
	if s.attribute == nil {
		return bytes.Contains(field, s.name)
	}
	s.texts.Span(field, s.find(&has))
	return has
}

// find returns a visitor that notes whether the attribute is there.
func (s *Sieve) find(has *bool) func(key, value []byte) bool {
	return func(key, value []byte) bool {
		*has = *has || s.attribute.Key == string(key) && s.attribute.Value == string(value)
		return !*has
	}
}
