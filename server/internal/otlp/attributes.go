package otlp

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Texts reads attributes as text, for searches and what speeds them up: strings as they are; integers, floats and
// booleans as strconv prints them; bytes in base64; arrays and lists as JSON; nothing for an attribute without a value. It
// keeps memory between calls; the zero value is ready; one goroutine at a time may use it.
//
// The bytes given to visit are valid during the visit only. Malformed data end the reading: a Checker lets none pass.
type Texts struct{ buffer []byte }

// Span calls visit for every attribute of a Span message and of its events and links, in the order in which they come, until
// visit returns false.
func (t *Texts) Span(span []byte, visit func(key, text []byte) bool) {
	more := true
	for f := (fields{message: span}); more && f.next(); {
		switch f.tag {
		case 9<<3 | bytesType:
			more = t.attribute(f.value, visit)
		case 11<<3 | bytesType:
			more = t.attributes(f.value, 3, visit)
		case 13<<3 | bytesType:
			more = t.attributes(f.value, 4, visit)
		}
	}
}

// Resource does the same for the resource in Origin.Resource.
func (t *Texts) Resource(resource []byte, visit func(key, text []byte) bool) {
	more := true
	for f := (fields{message: resource}); more && f.next(); {
		if f.tag == 1<<3|bytesType {
			more = t.attributes(f.value, 1, visit)
		}
	}
}

// What the name and the version of an instrumentation scope are called where there are only attributes: OpenTelemetry's
// rules for formats other than OTLP.
var (
	scopeNameKey    = []byte("otel.scope.name")
	scopeVersionKey = []byte("otel.scope.version")
)

// Scope does the same for the instrumentation scope in Origin.Scope, whose name and version are visited as if they were
// attributes.
func (t *Texts) Scope(scope []byte, visit func(key, text []byte) bool) {
	more := true
	for f := (fields{message: scope}); more && f.next(); {
		if f.tag != 1<<3|bytesType {
			continue
		}
		for g := (fields{message: f.value}); more && g.next(); {
			switch {
			case g.tag == 1<<3|bytesType && len(g.value) > 0:
				more = visit(scopeNameKey, g.value)
			case g.tag == 2<<3|bytesType && len(g.value) > 0:
				more = visit(scopeVersionKey, g.value)
			case g.tag == 3<<3|bytesType:
				more = t.attribute(g.value, visit)
			}
		}
	}
}

// attributes reads those of a message that has them in the field with the number.
func (t *Texts) attributes(message []byte, number uint32, visit func(key, text []byte) bool) (more bool) {
	for f := (fields{message: message}); f.next(); {
		if f.tag == number<<3|bytesType && !t.attribute(f.value, visit) {
			return false
		}
	}
	return true
}

func (t *Texts) attribute(message []byte, visit func(key, text []byte) bool) (more bool) {
	key, value, err := keyValue(message)
	if err != nil {
		return false
	}
	// Most are short strings.
	if len(value) >= 2 && value[0] == 1<<3|bytesType && int(value[1]) == len(value)-2 && value[1] < 0x80 {
		return visit(key, value[2:])
	}
	v := readValue(value)
	switch v.tag {
	case 1<<3 | bytesType:
		return visit(key, v.content)
	case 5<<3 | bytesType, 6<<3 | bytesType:
		t.buffer = appendJSON(t.buffer[:0], v, 0)
	default:
		t.buffer = v.appendText(t.buffer[:0])
	}
	return visit(key, t.buffer)
}

// value is what an AnyValue message holds: tag is that of the field that is set, 0 if none is.
type value struct {
	tag     uint32
	n       uint64
	content []byte
}

// readValue returns the last of the fields that are set, which is the one that holds. Messages that come twice in a row
// are merged.
func readValue(message []byte) value {
	var v value
	for f := (fields{message: message}); f.next(); {
		switch f.tag {
		case 5<<3 | bytesType, 6<<3 | bytesType:
			if v.tag == f.tag {
				v.content = slices.Concat(v.content, f.value)
				continue
			}
			fallthrough
		case 1<<3 | bytesType, 2<<3 | varintType, 3<<3 | varintType, 4<<3 | fixed64Type, 7<<3 | bytesType:
			v = value{tag: f.tag, n: f.n, content: f.value}
		}
	}
	return v
}

// appendText appends a value that is neither a string nor an array nor a list.
func (v value) appendText(to []byte) []byte {
	switch v.tag {
	case 2<<3 | varintType:
		return strconv.AppendBool(to, v.n != 0)
	case 3<<3 | varintType:
		return strconv.AppendInt(to, int64(v.n), 10)
	case 4<<3 | fixed64Type:
		return strconv.AppendFloat(to, math.Float64frombits(v.n), 'g', -1, 64)
	case 7<<3 | bytesType:
		return base64.StdEncoding.AppendEncode(to, v.content)
	}
	return to
}

// appendJSON appends a value as JSON: null for none and for what is nested too deep.
func appendJSON(to []byte, v value, depth int) []byte {
	switch v.tag {
	case 1<<3 | bytesType:
		// An error says that something was not UTF-8: it has been replaced.
		to, _ = jsontext.AppendQuote(to, v.content)
		return to
	case 4<<3 | fixed64Type:
		if f := math.Float64frombits(v.n); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(v.appendText(append(to, '"')), '"')
		}
	case 7<<3 | bytesType:
		return append(v.appendText(append(to, '"')), '"')
	case 5<<3 | bytesType:
		return appendElements(to, v.content, '[', ']', depth)
	case 6<<3 | bytesType:
		return appendElements(to, v.content, '{', '}', depth)
	case 0:
		return append(to, "null"...)
	}
	return v.appendText(to)
}

func appendElements(to, message []byte, open, end byte, depth int) []byte {
	if depth >= DefaultLimits().Depth {
		return append(to, "null"...)
	}
	to = append(to, open)
	first := true
	for f := (fields{message: message}); f.next(); {
		if f.tag != 1<<3|bytesType {
			continue
		}
		if !first {
			to = append(to, ',')
		}
		first = false
		element := f.value
		if open == '{' {
			var key []byte
			key, element, _ = keyValue(element)
			to, _ = jsontext.AppendQuote(to, key)
			to = append(to, ':')
		}
		to = appendJSON(to, readValue(element), depth+1)
	}
	return append(to, end)
}
