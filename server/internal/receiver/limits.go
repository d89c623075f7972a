package receiver

import "time"

// Limits bound what clients can make the server do. Each has a counter that tells when it bites: see Counters.
type Limits struct {
	// RequestBytes bounds a request, unpacked.
	RequestBytes int64
	// InFlightBytes bounds the requests that are being received or wait for the sink, all together. What is over it is
	// told to come back after RetryAfter.
	InFlightBytes int64
	// WindowBytes bounds the window of zstd, which is the memory that a stream asks its reader for.
	WindowBytes uint64
	// HeaderBytes bounds the header of a request.
	HeaderBytes int
	// Streams bounds the requests at once on one connection of HTTP/2.
	Streams int
	// HeaderTime is how long a client may take for the header, RequestTime for the header and the body. A connection on
	// which nothing happens is closed after IdleTime.
	HeaderTime, RequestTime, IdleTime time.Duration
	// RetryAfter is when clients are told to come back.
	RetryAfter time.Duration
}

// DefaultLimits returns the limits that are documented.
func DefaultLimits() Limits {
	return Limits{
		RequestBytes: 64 << 20, InFlightBytes: 256 << 20, WindowBytes: 8 << 20, HeaderBytes: 64 << 10, Streams: 250,
		HeaderTime: 10 * time.Second, RequestTime: 30 * time.Second, IdleTime: 60 * time.Second, RetryAfter: time.Second,
	}
}
