package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
)

// Store keeps spans and profiles.
type Store interface {
	// Append makes a request durable and returns its number in the log; numbers ascend. The entry is a request whose spans
	// the pipeline has checked, packed as it likes. Concurrent calls share one sync to disk.
	//
	// The error is ErrFull when there is no room on the disk or in the budget: nothing is stored then, and the client
	// should try again later.
	Append(ctx context.Context, entry []byte) (seq uint64, err error)
	// Replay calls f for every entry of the log in order that has spans which are in no segment: those whose bit in
	// consumed is not set. consumed is empty if none is. Neither may be used when f has returned. A store on
	// disk reports an error of f that wraps ErrDamaged, and goes on with the next entry; any other ends it.
	Replay(ctx context.Context, f func(seq uint64, entry []byte, consumed Bits) error) error
	// Commit stores a segment, all of it or nothing, and durably. What it refers to may be reused when it returns.
	Commit(ctx context.Context, s *Segment) error
	Reader
	Snapshots
	// Retain forgets what ended before the time, and then the oldest until at most maxBytes are used; 0 is no limit. It
	// frees the disk. It goes by whole segments, or large parts of them: what is newer is never forgotten with what is
	// older, the reverse may happen. Profiles go by minutes, the log stays.
	Retain(ctx context.Context, before time.Time, maxBytes int64) error
	// Close stops the store. Whatever is durable stays so without it.
	Close() error
}

// Errors that callers tell apart.
var (
	// ErrFull: there is no room. The client should try again later.
	ErrFull = errors.New("the store is full")
	// ErrAway: what has the data does not answer. What was appended is safe; the query should be tried again later.
	ErrAway = errors.New("does not answer")
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: some of what was asked for cannot be read any more. What can be read is returned beside the error.
	ErrDamaged = errors.New("some of the data is damaged")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
)

// Segment is what the pipeline hands over at once.
type Segment struct {
	// Origins are the different sources of the spans; see otlp.Origin.
	Origins []Origin
	// Traces are whole traces, as far as they are known. Late spans make a trace come again in another segment.
	Traces []Trace
	// Profiles are the statistics of exactly these spans, by the minute in which they ended.
	Profiles []Profile
	// Consumed tells which parts of the log are in the segment, in ascending order of Seq.
	Consumed []Consumed
}

// Validate returns an error if the segment does not fit together.
func (s *Segment) Validate() error {
	for i := range s.Traces {
		for _, sp := range s.Traces[i].Spans {
			if sp.Origin < 0 || sp.Origin >= len(s.Origins) {
				return fmt.Errorf("segment: trace %s has a span of origin %d of %d", s.Traces[i].ID, sp.Origin, len(s.Origins))
			}
		}
	}
	for i := range s.Profiles {
		if s.Profiles[i].Snapshot == nil {
			return fmt.Errorf("segment: the profile of minute %d is missing", s.Profiles[i].Minute)
		}
	}
	return nil
}

// Origin is where spans come from: what is common to them. The bytes are those of otlp.Origin.
type Origin struct {
	Resource, Scope []byte
	Service         string
}

// Trace is the spans of one trace.
type Trace struct {
	ID    core.TraceID
	Spans []Span
	// Filed matters in segments alone.
	Filed
}

// Span is one span of a trace, as it was received.
type Span struct {
	// Origin is the index of the span's origin: in Segment.Origins, or in what a Reader returns beside the traces.
	Origin int
	// Raw is the Span message of OTLP.
	Raw []byte
}

// Consumed is a log entry of which spans are in a segment.
type Consumed struct {
	Seq uint64
	// All: now all of its spans are in segments, and the entry may be forgotten. Otherwise Spans has a bit for each
	// span of the request, in order, that is in this or in an earlier segment.
	All   bool
	Spans Bits
}

// Bits is a set of small numbers.
type Bits []byte

// Has reports whether i is in the set.
func (b Bits) Has(i int) bool { return i>>3 < len(b) && b[i>>3]>>(i&7)&1 != 0 }

// Set adds i.
func (b *Bits) Set(i int) {
	for len(*b) <= i>>3 {
		*b = append(*b, 0)
	}
	(*b)[i>>3] |= 1 << (i & 7)
}

// Profile is the statistics of the spans that ended in one minute.
type Profile struct {
	// Minute is the time in Unix minutes. The profile of a minute is the merger of all that were committed for it.
	Minute   int64
	Snapshot *core.Snapshot
}
