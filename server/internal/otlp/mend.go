package otlp

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// mender writes a request anew without what a Checker found wrong. The request must be well-formed.
type mender struct {
	limits Limits
	// rejected are the numbers of the spans to leave out, in ascending order; span is the number of the next span.
	rejected []int
	span     int
	count    func(reason string)
	// flatten makes text of attributes that are nested too deep, instead of leaving them out.
	flatten bool
}

func (m *mender) mend(request []byte) []byte {
	out, _ := m.message(make([]byte, 0, len(request)), request, tracesData, 0)
	return out
}

// message appends the mended content of a message. The reason, if not empty, says why the attribute that the message
// belongs to must be left out; then the content is not complete.
func (m *mender) message(to, message []byte, t *messageType, depth int) (out []byte, reason string) {
	var counts, dropped [rules]int
	for f := (fields{message: message}); f.next(); {
		field := t.field(f.tag >> 3)
		if field == nil {
			to = append(to, f.raw()...)
			continue
		}
		counts[field.rule]++
		if m.tooMany(field.rule, counts[field.rule]) {
			m.count(DroppedTooMany)
			dropped[field.rule]++
			continue
		}
		if field.message == spanType && m.isRejected() {
			continue
		}
		start := len(to)
		to, reason = m.field(to, &f, field, depth)
		if reason != "" && field.rule != attributes {
			return to, reason
		}
		if reason == DroppedTooDeep && m.flatten {
			to = flattened(to[:start], &f, field)
		} else if reason != "" {
			to = to[:start]
			m.count(reason)
			dropped[attributes]++
		}
	}
	for rule, n := range dropped {
		if n > 0 {
			to = appendDropped(to, message, t, rule, n)
		}
	}
	return to, ""
}

// field appends one field, mended; see message for the reason.
func (m *mender) field(to []byte, f *fields, field *fieldType, depth int) (out []byte, reason string) {
	value := f.value
	switch field.rule {
	case noRule:
		return append(to, f.raw()...), ""
	case isName:
		if field.name == "key" && len(value) > m.limits.NameBytes {
			return to, DroppedTooLong
		}
		return appendBytes(to, field.number, m.text(value, m.limits.NameBytes, CutName)), ""
	case isText:
		return appendBytes(to, field.number, m.text(value, m.limits.ValueBytes, CutValue)), ""
	case isBytes:
		if len(value) > m.limits.ValueBytes {
			m.count(CutValue)
			value = value[:m.limits.ValueBytes]
		}
		return appendBytes(to, field.number, value), ""
	case isNested:
		if depth++; depth > m.limits.Depth {
			return to, DroppedTooDeep
		}
		if len(value) > m.limits.ValueBytes {
			return to, DroppedTooLong
		}
	}
	start := len(to)
	if to, reason = m.message(to, value, field.message, depth); reason != "" {
		return to, reason
	}
	return closeMessage(to, start, field.number), ""
}

// flattened appends an attribute whose value is text: that of Texts.
func flattened(to []byte, f *fields, field *fieldType) []byte {
	start := len(to)
	var t Texts
	t.attribute(f.value, func(key, text []byte) bool {
		to = appendBytes(appendBytes(to, 1, key), 2, appendBytes(nil, 1, text))
		return true
	})
	return closeMessage(to, start, field.number)
}

// text returns valid UTF-8 of at most max bytes.
func (m *mender) text(s []byte, max int, cut string) []byte {
	if !utf8.Valid(s) {
		m.count(MendedText)
		s = bytes.ToValidUTF8(s, []byte("\uFFFD"))
	}
	if len(s) <= max {
		return s
	}
	m.count(cut)
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// tooMany reports whether the nth field with the rule is over the limit.
func (m *mender) tooMany(r rule, n int) bool {
	switch r {
	case attributes:
		return n > m.limits.Attributes
	case events:
		return n > m.limits.Events
	case links:
		return n > m.limits.Links
	}
	return false
}

// isRejected reports whether the next span must be left out.
func (m *mender) isRejected() bool {
	m.span++
	if len(m.rejected) == 0 || m.rejected[0] != m.span-1 {
		return false
	}
	m.rejected = m.rejected[1:]
	return true
}

// appendDropped appends the number of what was left out, added to what the message says already. The last field of a
// number is the one that holds.
func appendDropped(to, message []byte, t *messageType, r, n int) []byte {
	var number uint32
	for _, field := range t.fields {
		if field != nil && int(field.rule) == r {
			number = field.dropped
		}
	}
	var was uint64
	for f := (fields{message: message}); f.next(); {
		if f.tag == number<<3|varintType {
			was = f.n
		}
	}
	to = binary.AppendUvarint(to, uint64(number<<3|varintType))
	return binary.AppendUvarint(to, min(uint64(uint32(was))+uint64(n), 1<<32-1))
}
