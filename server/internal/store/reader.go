package store

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Reader answers questions about what was committed. What is on its way to a segment is the pipeline's to know.
type Reader interface {
	// Traces returns the spans of traces, in the order of ids, without those that are not there. Spans that were received
	// twice are there twice, an id that is asked for twice is not. The spans of a trace are in the order in which they
	// were committed. within says when they ran, which narrows the search: spans that did not run then may be missing.
	// The zero Range is all time.
	Traces(ctx context.Context, ids []core.TraceID, within Range) (*Found, error)
	// Search returns the traces that match, those first of which the latest matching span started last; by id
	// where these started together.
	Search(ctx context.Context, q *Query) ([]Hit, error)
	// Services returns the names of the services that have spans, ascending.
	Services(ctx context.Context) ([]string, error)
	// Operations returns the names and kinds of the spans of a service, ascending; of all services for "".
	Operations(ctx context.Context, service string) ([]Operation, error)
	// Profile returns the merged statistics of the spans that ended in the minutes which within touches.
	Profile(ctx context.Context, within Range) (*core.Snapshot, error)
	// Profiles calls f for the minutes that within touches, in ascending order, with step minutes merged into one: those
	// from the multiple of step on that f is told. Minutes without spans are left out. An error of f ends it.
	Profiles(ctx context.Context, within Range, step int, f func(minute int64, s *core.Snapshot) error) error
	// Size tells how much there is.
	Size(ctx context.Context) (Size, error)
}

// Range is a period of time: From inclusive, To exclusive; a zero end is open.
type Range struct{ From, To time.Time }

// Contains reports whether the moment, in ns since the Unix epoch, is in the range.
func (r Range) Contains(nanos int64) bool {
	return (r.From.IsZero() || nanos >= Nanos(r.From)) && (r.To.IsZero() || nanos < Nanos(r.To))
}

// Nanos returns a time in ns since the Unix epoch, the nearest that there is for times before 1678 and after 2262.
func Nanos(t time.Time) int64 {
	switch seconds := t.Unix(); {
	case seconds < math.MinInt64/int64(time.Second):
		return math.MinInt64
	case seconds >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Minutes returns the Unix minutes that the range touches: from the first until before the second.
func (r Range) Minutes() (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	if !r.From.IsZero() {
		from = FloorMinute(Nanos(r.From))
	}
	if !r.To.IsZero() {
		until = FloorMinute(Nanos(r.To)-1) + 1
	}
	return from, max(from, until)
}

// FloorMinute returns the Unix minute of a moment in ns since the Unix epoch.
func FloorMinute(nanos int64) int64 { return floorDiv(nanos, int64(time.Minute)) }

// FloorStep returns the first of the step minutes that a minute is merged with; see [Reader.Profiles]. A step below 1
// counts as 1.
func FloorStep(minute int64, step int) int64 {
	n := int64(max(step, 1))
	return floorDiv(minute, n) * n
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Moment returns a time as OTLP has it, cut at the last one that time.Time can be made of with time.Unix(0, n).
func Moment(nanos uint64) int64 { return int64(min(nanos, math.MaxInt64)) }

// Overlaps reports whether something that ran from start to end, both in ns since the Unix epoch and inclusive, ran in the
// range.
func (r Range) Overlaps(start, end int64) bool {
	return (r.From.IsZero() || end >= Nanos(r.From)) && (r.To.IsZero() || start < Nanos(r.To))
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

// Compare orders operations by service, name and kind.
func (o Operation) Compare(p Operation) int {
	return cmp.Or(strings.Compare(o.Service, p.Service), strings.Compare(o.Name, p.Name), cmp.Compare(o.Kind, p.Kind))
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
	// Attributes must all be there, as text: on the span, its resource, scope, events or links; see otlp.Texts. The key
	// "error" with "true" or "false" asks for the status.
	Attributes []Attribute
	// Limit is how many traces to return at most; 0 is no limit.
	Limit int
}

// Attribute is a key with its value as text: integers, floats and booleans as Go prints them.
type Attribute struct{ Key, Value string }

// Size is how much a store holds.
type Size struct {
	// Spans are all that were committed and not forgotten. A trace that came in several segments counts as several.
	Spans, Traces int64
	// Bytes are those used on the disk, or in memory where that is the store.
	Bytes int64
	// Oldest and Newest are the earliest start and the latest end of a span; zero if there is none.
	Oldest, Newest time.Time
	// LogEntries are the requests that are in no segment yet.
	LogEntries int64
	// Completed is the time before which all parts of traces that had arrived at some node are counted as one. Zero where
	// that is not known, or parts stay as they are.
	Completed time.Time
}
