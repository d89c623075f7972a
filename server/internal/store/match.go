package store

import (
	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

// Matcher tells which spans match a query. One goroutine at a time may use it.
type Matcher struct {
	query *Query
	// attributes are those of the query but "error"; failed is what that asks for, if asked is set.
	attributes    []Attribute
	asked, failed bool
	impossible    bool
	// found says which attributes the span at hand has; base is found as the origin alone answers it.
	found, base []bool
	origin      *Origin
	span        otlp.Span
	texts       otlp.Texts
}

// NewMatcher returns the matcher of a query.
func NewMatcher(q *Query) *Matcher {
	m := &Matcher{query: q}
	for _, a := range q.Attributes {
		if a.Key != "error" || a.Value != "true" && a.Value != "false" {
			m.attributes = append(m.attributes, a)
			continue
		}
		m.impossible = m.impossible || m.asked && m.failed != (a.Value == "true")
		m.asked, m.failed = true, a.Value == "true"
	}
	m.found, m.base = make([]bool, len(m.attributes)), make([]bool, len(m.attributes))
	return m
}

// Attributes are those that the matcher looks for among the attributes of a span and of its origin.
func (m *Matcher) Attributes() []Attribute { return m.attributes }

// Failed tells whether the query asks for the status, and whether for an error.
func (m *Matcher) Failed() (asked, failed bool) { return m.asked, m.failed }

// Match reports whether the Span message with its origin matches, and when the span started. What cannot be read does
// not match. For the same *Origin as in the last call, the origin is taken to be the same.
func (m *Matcher) Match(o *Origin, raw []byte) (start int64, ok bool) {
	q := m.query
	if m.impossible || q.Service != "" && o.Service != q.Service {
		return 0, false
	}
	if err := m.span.Read(raw); err != nil {
		return 0, false
	}
	s := &m.span
	start = Moment(s.Start)
	if !q.MatchesSpan(s.Name, s.Kind, start, s.Duration()) || m.asked && s.Failed != m.failed {
		return start, false
	}
	return start, m.hasAttributes(o, raw)
}

// MatchesSpan reports whether the query asks for spans of this name, kind and times; see MatchesTimes.
func (q *Query) MatchesSpan(name []byte, kind core.Kind, start, duration int64) bool {
	return (q.Operation == "" || q.Operation == string(name)) && (q.Kind == core.KindUnspecified || q.Kind == kind) &&
		q.MatchesTimes(start, duration)
}

// MatchesTimes reports whether the query asks for spans of this start in ns since the Unix epoch, and duration in ns. One that
// ends before it starts has the duration 0.
func (q *Query) MatchesTimes(start, duration int64) bool {
	duration = max(duration, 0)
	return q.Start.Contains(start) && duration >= int64(q.MinDuration) && (q.MaxDuration == 0 || duration <= int64(q.MaxDuration))
}

func (m *Matcher) hasAttributes(o *Origin, raw []byte) bool {
	if len(m.attributes) == 0 {
		return true
	}
	if m.origin != o {
		m.origin = o
		clear(m.base)
		look := m.look(m.base)
		m.texts.Resource(o.Resource, look)
		m.texts.Scope(o.Scope, look)
	}
	copy(m.found, m.base)
	if all(m.found) {
		return true
	}
	m.texts.Span(raw, m.look(m.found))
	return all(m.found)
}

// look returns a visitor that notes which attributes there are.
func (m *Matcher) look(found []bool) func(key, value []byte) bool {
	return func(key, value []byte) bool {
		for i := range m.attributes {
			if a := &m.attributes[i]; a.Key == string(key) && a.Value == string(value) {
				found[i] = true
			}
		}
		return true
	}
}

func all(found []bool) bool {
	for _, f := range found {
		if !f {
			return false
		}
	}
	return true
}
