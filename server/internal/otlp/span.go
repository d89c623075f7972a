package otlp

import "github.com/stichotrope/stichotrope-go/core"

// Origin is where spans come from: a resource and an instrumentation scope.
type Origin struct {
	// Resource is the ResourceSpans message without its scope_spans, Scope the ScopeSpans message without its spans:
	// with them, and the spans' Raw, a request can be put together again with nothing missing, unknown fields
	// included. They are valid during the visit only.
	Resource, Scope []byte
	// Service is the resource's service.name, ScopeName and ScopeVersion are those of the scope; empty if not there.
	Service, ScopeName, ScopeVersion []byte
	// Number counts the origins of a walk, from 0.
	Number int
}

// Span is a view of one span.
type Span struct {
	Origin *Origin
	// Raw is the Span message as it was received.
	Raw []byte

	Trace core.TraceID
	// Span is the span's id, Parent that of its parent: all zeros for a root.
	Span, Parent core.SpanID
	TraceState   []byte
	Name         []byte
	Kind         core.Kind
	// Start and End are in nanoseconds since the Unix epoch, as sent.
	Start, End uint64
	// Flags are those of the W3C trace context in the low 8 bits, and in bits 8 and 9 whether the parent is remote.
	Flags uint32
	// Failed says that the status is an error.
	Failed bool
	// Function, File and Line are the call site from the code.* attributes, the deprecated ones included.
	Function, File []byte
	Line           int
	// Bad says why the span must be rejected; empty for a good one.
	Bad string
}

// Sampled reports whether the span carries the sampled flag.
func (s *Span) Sampled() bool { return s.Flags&1 != 0 }

// Duration returns End-Start in nanoseconds, at most 2^63-1; negative if the span ends before it starts.
func (s *Span) Duration() int64 {
	if s.End >= s.Start {
		return int64(min(s.End-s.Start, 1<<63-1))
	}
	return -int64(min(s.Start-s.End, 1<<63-1))
}
