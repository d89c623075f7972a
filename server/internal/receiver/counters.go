package receiver

import "sync/atomic"

// Counters tell what a Receiver has done. They only grow, except InFlightBytes.
type Counters struct {
	// Requests are those that were answered, by their outcome. Partial ones were taken, but for some spans or with a
	// warning; they are not in Accepted.
	Accepted, Partial, Malformed, Unsupported, TooLarge, Overloaded, TimedOut, CutOff, Failed atomic.Int64
	// Bytes are those of the requests that were handed to the sink, unpacked. Rejected are the spans and data points that
	// it did not take.
	Bytes, Rejected atomic.Int64
	// LargeHeaders are requests, also of other handlers that Server has, whose header was too large.
	LargeHeaders atomic.Int64
	// InFlightBytes are held by requests now.
	InFlightBytes atomic.Int64
}
