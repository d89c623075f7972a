package store

import (
	"context"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Reader answers questions about what was committed. What is on its way to a segment is the pipeline's to know.
type Reader interface {
	// Traces returns the spans of traces, in the order of ids, without those that are not there. Spans that were received
	// twice are there twice. within narrows the search; the zero Range is all time.
	Traces(ctx context.Context, ids []core.TraceID, within Range) (*Found, error)
	// Search returns the ids of the traces that match, those with the latest start first.
	Search(ctx context.Context, q *Query) ([]core.TraceID, error)
	// Services returns the names of the services that have spans, ascending.
	Services(ctx context.Context) ([]string, error)
	// Operations returns the names and kinds of the spans of a service, ascending; of all services for "".
	Operations(ctx context.Context, service string) ([]Operation, error)
	// Profile returns the merged statistics of the spans that ended in the minutes which within touches.
	Profile(ctx context.Context, within Range) (*core.Snapshot, error)
	// Profiles calls f for the minutes that within touches, in ascending order, with step minutes merged into one;
	// minutes without spans are left out.
	Profiles(ctx context.Context, within Range, step int, f func(minute int64, s *core.Snapshot) error) error
	// Size tells how much there is.
	Size(ctx context.Context) (Size, error)
}

// Range is a period of time: From inclusive, To exclusive; a zero end is open.
type Range struct{ From, To time.Time }

// Contains reports whether the moment, in ns since the Unix epoch, is in the range.
func (r Range) Contains(nanos int64) bool {
	return (r.From.IsZero() || nanos >= r.From.UnixNano()) && (r.To.IsZero() || nanos < r.To.UnixNano())
}

// Found is the result of Reader.Traces.
type Found struct {
	Origins []Origin
	Traces  []Trace
}

// Operation is a span's name with its kind.
type Operation struct {
	Service, Name string
	Kind          core.Kind
}

// Query selects traces: those with a span that matches everything in it.
type Query struct {
	// Service, Operation and Kind select spans; empty for any.
	Service, Operation string
	Kind               core.Kind
	// Start is when the span started.
	Start Range
	// MinDuration and MaxDuration bound the span's duration; 0 is no bound.
	MinDuration, MaxDuration time.Duration
	// Attributes must all be there, as text: on the span, its resource, scope, events or links. The key "error" with
	// "true" asks for the status.
	Attributes []Attribute
	// Limit is how many traces to return at most.
	Limit int
}

// Attribute is a key with its value as text: integers, floats and booleans as Go prints them.
type Attribute struct{ Key, Value string }

// Size is how much a store holds.
type Size struct {
	Spans, Traces, Bytes int64
	// Oldest and Newest are the earliest start and the latest end of a span; zero if there is none.
	Oldest, Newest time.Time
	// LogEntries are the requests that are in no segment yet.
	LogEntries int64
}
