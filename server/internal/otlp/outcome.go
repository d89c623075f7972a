package otlp

import "errors"

// Result is what a client is told about a request that was taken: the partial success of OTLP.
type Result struct {
	// Rejected is how many spans, or data points, were not taken.
	Rejected int
	// Message says why, or warns of something although nothing was rejected. Empty if all is well.
	Message string
}

// What is wrong with a request that is not taken at all; clients are told by the matching status. Errors wrap one of
// these; any other is an internal error.
var (
	// ErrMalformed: to send it again would not help.
	ErrMalformed = errors.New("malformed request")
	// ErrTooLarge: to send it again would not help.
	ErrTooLarge = errors.New("request too large")
	// ErrOverloaded: it should be sent again, later.
	ErrOverloaded = errors.New("overloaded")
)
