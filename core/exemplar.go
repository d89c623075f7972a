package core

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
)

// TraceID and SpanID identify a span as in OpenTelemetry. All zeros mean "none". Their text form is lower-case
// hexadecimal.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// String returns the ID in hexadecimal.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the ID in hexadecimal.
func (id TraceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads 32 hexadecimal digits of any case.
func (id *TraceID) UnmarshalText(text []byte) error { return decodeID(id[:], text) }

// String returns the ID in hexadecimal.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the ID in hexadecimal.
func (id SpanID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads 16 hexadecimal digits of any case.
func (id *SpanID) UnmarshalText(text []byte) error { return decodeID(id[:], text) }

func decodeID(id, text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("id of %d characters, want %d hexadecimal digits", len(text), hex.EncodedLen(len(id)))
	}
	_, err := hex.Decode(id, text)
	return err
}

// Exemplar points at one notable span. The zero value means that there is none.
type Exemplar struct {
	Trace TraceID
	Span  SpanID
	// Duration of that span in nanoseconds.
	Duration uint64
	// Time is when that span ended, in nanoseconds since the Unix epoch.
	Time int64
	// Sampled says whether the span carried the sampled flag, so that a tracing backend can be expected to have it.
	Sampled bool
}

// IsZero reports whether there is no exemplar.
func (e Exemplar) IsZero() bool { return e.Trace == TraceID{} && e.Span == SpanID{} }

// compareIDs breaks ties in a way that does not depend on the order of merging.
func (e Exemplar) compareIDs(o Exemplar) int {
	sampled := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(
		bytes.Compare(e.Trace[:], o.Trace[:]),
		bytes.Compare(e.Span[:], o.Span[:]),
		cmp.Compare(sampled(e.Sampled), sampled(o.Sampled)),
	)
}

func slower(a, b Exemplar) Exemplar {
	if a.IsZero() || !b.IsZero() && cmp.Or(cmp.Compare(a.Duration, b.Duration), cmp.Compare(a.Time, b.Time), a.compareIDs(b)) < 0 {
		return b
	}
	return a
}

func later(a, b Exemplar) Exemplar {
	if a.IsZero() || !b.IsZero() && cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Duration, b.Duration), a.compareIDs(b)) < 0 {
		return b
	}
	return a
}
