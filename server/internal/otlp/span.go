package otlp

import (
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
)

// Origin is where spans come from: a resource and an instrumentation scope.
type Origin struct {
	// Resource is the ResourceSpans message without its scope_spans, Scope the ScopeSpans message without its spans:
	// with them, and the spans' Raw, a request can be put together again with nothing missing, unknown fields
	// included. They are valid during the visit only.
	Resource, Scope []byte
	// Service is the resource's service.name, followed by SplitMark and the values of the attributes in Walker.Split, as far
	// as they are there and are texts, with commas between them. ScopeName and ScopeVersion are those of the scope; empty if not there.
	Service, ScopeName, ScopeVersion []byte
	// Number counts the origins of a walk, from 0.
	Number int
}

// Span is a view of one span.
type Span struct {
	Origin *Origin
	// Raw is the Span message as it was received, At where it begins in the request that is walked.
	Raw []byte
	At  int

	Trace core.TraceID
	// Span is the span's id, Parent that of its parent: all zeros for a root.
	Span, Parent core.SpanID
	TraceState   []byte
	Name         []byte
	// Kind is unspecified for numbers that this version does not know.
	Kind core.Kind
	// Start and End are in nanoseconds since the Unix epoch, as sent.
	Start, End uint64
	// Flags are those of the W3C trace context in the low 8 bits, and in bits 8 and 9 whether the parent is remote.
	Flags uint32
	// Failed says that the status is an error.
	Failed bool
	// Function, File and Line are the call site from the code.* attributes, the deprecated ones included.
	Function, File []byte
	Line           int
	// Profile says that the span stands for something in a profile, and did not happen: it has the attribute otelprof.role.
	Profile bool
	// Bad says why the span must be rejected; empty for a good one.
	Bad string
}

// Why a span must be rejected: Span.Bad.
const (
	BadTraceID  = "trace_id is missing or does not have 16 bytes, not all zero"
	BadSpanID   = "span_id is missing or does not have 8 bytes, not all zero"
	BadParentID = "parent_span_id does not have 8 bytes"
)

// Sampled reports whether the span carries the sampled flag.
func (s *Span) Sampled() bool { return s.Flags&1 != 0 }

// Duration returns End-Start in nanoseconds, at most 2^63-1; negative if the span ends before it starts.
func (s *Span) Duration() int64 {
	if s.End >= s.Start {
		return int64(min(s.End-s.Start, 1<<63-1))
	}
	return -int64(min(s.Start-s.End, 1<<63-1))
}

// Read reads a Span message, such as was the Raw of another Span. It sets all fields but Origin.
func (s *Span) Read(message []byte) error {
	*s = Span{Raw: message}
	var ids spanIDs
	var old deprecated
	f := fields{message: message}
	for f.next() {
		switch f.tag {
		case 9<<3 | bytesType:
			if err := s.attribute(f.value, &old); err != nil {
				return err
			}
		case 15<<3 | bytesType:
			if err := s.status(f.value); err != nil {
				return err
			}
		default:
			if s.single(f.tag, f.value, f.n, &ids) {
				continue
			}
			if err := spanType.wrongType(f.tag); err != nil {
				return err
			}
		}
	}
	s.setIDs(&ids)
	if old.found {
		s.fallBack(&old)
	}
	return f.err
}

// spanIDs are the ids of a message, of any length.
type spanIDs struct{ trace, span, parent []byte }

// single reads a field that is a single value, and reports whether it was one.
func (s *Span) single(tag uint32, value []byte, n uint64, ids *spanIDs) bool {
	switch tag {
	case 1<<3 | bytesType:
		ids.trace = value
	case 2<<3 | bytesType:
		ids.span = value
	case 3<<3 | bytesType:
		s.TraceState = value
	case 4<<3 | bytesType:
		ids.parent = value
	case 5<<3 | bytesType:
		s.Name = value
	case 6<<3 | varintType:
		s.Kind = core.KindUnspecified
		if n <= uint64(core.KindConsumer) {
			s.Kind = core.Kind(n)
		}
	case 7<<3 | fixed64Type:
		s.Start = n
	case 8<<3 | fixed64Type:
		s.End = n
	case 16<<3 | fixed32Type:
		s.Flags = uint32(n)
	default:
		return false
	}
	return true
}

func (s *Span) setIDs(ids *spanIDs) {
	trace, span, parent := ids.trace, ids.span, ids.parent
	if len(trace) == len(s.Trace) {
		s.Trace = core.TraceID(trace)
	}
	if len(span) == len(s.Span) {
		s.Span = core.SpanID(span)
	}
	if len(parent) == len(s.Parent) {
		s.Parent = core.SpanID(parent)
	}
	switch {
	case s.Trace == core.TraceID{}:
		s.Bad = BadTraceID
	case s.Span == core.SpanID{}:
		s.Bad = BadSpanID
	case len(parent) != 0 && len(parent) != len(s.Parent):
		s.Bad = BadParentID
	}
}

func (s *Span) status(message []byte) error {
	f := fields{message: message}
	for f.next() {
		if f.tag == 3<<3|varintType {
			s.Failed = f.n == 2
		}
	}
	return f.err
}

// deprecated are the attributes that preceded those of the call site.
type deprecated struct {
	found                     bool
	namespace, function, file []byte
	line                      int
}

// profileRole is on every span of a profile that package exporter makes, and on no other.
const profileRole = "otelprof.role"

// attribute reads a KeyValue message, if it is of the call site.
func (s *Span) attribute(message []byte, old *deprecated) error {
	key, value, err := keyValue(message)
	if err == nil && string(key) == profileRole {
		s.Profile = true
	}
	if err != nil || len(key) < 6 || string(key[:5]) != "code." {
		return err
	}
	text, n, err := anyValue(value)
	switch string(key) {
	case "code.function.name":
		s.Function = text
	case "code.file.path":
		s.File = text
	case "code.line.number":
		s.Line = line(n)
	case "code.function":
		old.function, old.found = text, true
	case "code.namespace":
		old.namespace, old.found = text, true
	case "code.filepath":
		old.file, old.found = text, true
	case "code.lineno":
		old.line, old.found = line(n), true
	}
	return err
}

// line returns n if it can be the number of a line, and 0 if not.
func line(n int64) int {
	if n < 0 || n > 1<<31-1 {
		return 0
	}
	return int(n)
}

// fallBack takes the deprecated attributes for those that are not there.
func (s *Span) fallBack(old *deprecated) {
	if len(s.Function) == 0 && len(old.function) > 0 {
		s.Function = old.function
		if len(old.namespace) > 0 {
			s.Function = slices.Concat(old.namespace, []byte("."), old.function)
		}
	}
	if len(s.File) == 0 {
		s.File = old.file
	}
	if s.Line == 0 {
		s.Line = old.line
	}
}

// keyValue returns the key and the AnyValue message of a KeyValue message.
func keyValue(message []byte) (key, value []byte, err error) {
	// Nearly all look like this: the key, then the value, both shorter than 128 bytes, and nothing else.
	if len(message) >= 4 && message[0] == 1<<3|bytesType {
		if k := 2 + int(message[1]); k+2 <= len(message) && message[1] < 0x80 && message[k] == 2<<3|bytesType &&
			int(message[k+1]) == len(message)-k-2 && message[k+1] < 0x80 {
			return message[2:k:k], message[k+2:], nil
		}
	}
	f := fields{message: message}
	found := false
	for f.next() {
		switch f.tag {
		case 1<<3 | bytesType:
			key = f.value
		case 2<<3 | bytesType:
			// A message that comes twice is to be merged, and that is to read one after the other.
			if found {
				value = slices.Concat(value, f.value)
			} else {
				value, found = f.value, true
			}
		}
	}
	return key, value, f.err
}

// anyValue returns the text or the integer of an AnyValue message.
func anyValue(message []byte) (text []byte, n int64, err error) {
	f := fields{message: message}
	for f.next() {
		switch f.tag {
		case 1<<3 | bytesType:
			text, n = f.value, 0
		case 3<<3 | varintType:
			text, n = nil, int64(f.n)
		case 2<<3 | varintType, 4<<3 | fixed64Type, 5<<3 | bytesType, 6<<3 | bytesType, 7<<3 | bytesType:
			text, n = nil, 0
		}
	}
	return text, n, f.err
}
