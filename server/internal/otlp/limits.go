package otlp

// Limits bound what a span and what it comes from may hold. What is over a limit is left out or cut, and the client is
// warned; see Checker.
type Limits struct {
	// Depth is how deep arrays and lists may be nested in the value of an attribute.
	Depth int
	// Attributes bounds those of a resource, a scope, a span, an event and a link each; Events and Links those of a span.
	Attributes, Events, Links int
	// NameBytes bounds the names of spans, events, scopes and attributes, ValueBytes the values of attributes and all
	// other text.
	NameBytes, ValueBytes int
}

// DefaultLimits returns the limits that are documented.
func DefaultLimits() Limits {
	return Limits{Depth: 64, Attributes: 1024, Events: 1024, Links: 1024, NameBytes: 1 << 10, ValueBytes: 64 << 10}
}
