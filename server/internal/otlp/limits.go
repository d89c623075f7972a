package otlp

import (
	"errors"
	"fmt"
)

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

// maxDepth is how deep values may be allowed to be nested: whoever reads them calls itself for each level.
const maxDepth = 1000

// Validate says which limits make no sense.
func (l *Limits) Validate() error {
	var errs []error
	if l.Depth < 1 || l.Depth > maxDepth {
		errs = append(errs, fmt.Errorf("attributes may be nested %d deep, want 1 to %d", l.Depth, maxDepth))
	}
	if l.Attributes < 1 || l.Events < 1 || l.Links < 1 {
		errs = append(errs, errors.New("the numbers of attributes, events and links must be positive"))
	}
	if l.NameBytes < 1 || l.ValueBytes < 1 {
		errs = append(errs, errors.New("the lengths of names and values must be positive"))
	}
	return errors.Join(errs...)
}
