package receiver

import (
	"errors"
	"fmt"
	"time"
)

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

// Validate says which limits make no sense.
func (l *Limits) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(l.RequestBytes >= 1<<10 && l.RequestBytes <= 1<<31, "a request may have %d bytes, want 1 KiB to 2 GiB", l.RequestBytes)
	check(l.InFlightBytes >= 2*l.RequestBytes, "requests may have %d bytes together, want at least twice the %d of one", l.InFlightBytes, l.RequestBytes)
	check(l.HeaderBytes >= 1<<10 && l.HeaderBytes <= 1<<24, "a header may have %d bytes, want 1 KiB to 16 MiB", l.HeaderBytes)
	check(l.Streams > 0 && l.Streams <= 1<<16, "a connection may have %d streams, want 1 to 2^16", l.Streams)
	check(l.HeaderTime > 0 && l.RequestTime > 0 && l.IdleTime > 0, "the times for headers, requests and idle connections must be positive")
	return errors.Join(errs...)
}

// DefaultLimits returns the limits that are documented.
func DefaultLimits() Limits {
	return Limits{
		RequestBytes: 64 << 20, InFlightBytes: 256 << 20, WindowBytes: 8 << 20, HeaderBytes: 64 << 10, Streams: 250,
		HeaderTime: 10 * time.Second, RequestTime: 30 * time.Second, IdleTime: 60 * time.Second, RetryAfter: time.Second,
	}
}
