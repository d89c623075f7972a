package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Store is what an Engine reads, and where it saves snapshots.
type Store interface {
	store.Reader
	store.Snapshots
}

// Engine answers questions.
type Engine struct {
	store   Store
	now     func() time.Time
	maxSkew time.Duration
}

// Options are how an Engine works. The zero value is valid.
type Options struct {
	// Now is the clock; nil for the real one.
	Now func() time.Time
	// MaxSkew is by how much the clocks of services may differ, as where traces are assembled: see assembly.Assembler. It has
	// an influence on self times and critical paths in a Trace.
	MaxSkew time.Duration
}

// New returns an Engine that reads the store.
func New(s Store, o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Engine{store: s, now: o.Now, maxSkew: o.MaxSkew}
}

// Now returns the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.now() }

// Size tells how much there is.
func (e *Engine) Size(ctx context.Context) (store.Size, error) { return e.store.Size(ctx) }

// Profile returns the statistics of the spans that ended in the range, which grows to whole minutes, of the sites that keep
// says; nil keeps all. Start and End of the snapshot are the ends of that period; an open end is where the spans end.
func (e *Engine) Profile(ctx context.Context, within store.Range, keep func(core.Site) bool) (*core.Snapshot, error) {
	within = WholeMinutes(within)
	s, err := e.store.Profile(ctx, within)
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	if keep != nil {
		s = Select(s, keep)
	}
	return covering(s, within), nil
}

// covering returns the snapshot with the period that was asked for. The rates of a profile refer to it.
func covering(s *core.Snapshot, within store.Range) *core.Snapshot {
	c := *s
	if !within.From.IsZero() {
		c.Start = within.From.UTC()
	}
	if !within.To.IsZero() {
		c.End = within.To.UTC()
	}
	if c.Start.IsZero() || c.End.IsZero() || c.End.Before(c.Start) {
		c.Start, c.End = time.Time{}, time.Time{}
	}
	return &c
}

// Service returns what keeps the sites of a service; nil, which keeps all, for "".
func Service(name string) func(core.Site) bool {
	if name == "" {
		return nil
	}
	return func(s core.Site) bool { return s.Service == name }
}

// Error is a failure that the asker can do something about.
type Error struct {
	// Kind tells what sort of failure it is.
	Kind ErrorKind
	// Message says what is wrong, Hint what to do.
	Message, Hint string
}

// ErrorKind is a sort of failure.
type ErrorKind uint8

// The sorts of failure.
const (
	// Invalid: the question makes no sense.
	Invalid ErrorKind = iota
	// NotFound: there is no such thing.
	NotFound
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Invalidf returns an Error of the kind Invalid.
func Invalidf(hint, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// NotFoundf returns an Error of the kind NotFound.
func NotFoundf(hint, format string, args ...any) *Error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// notFound turns store.ErrNotFound into an Error.
func notFound(err error, hint string) error {
	if errors.Is(err, store.ErrNotFound) {
		return &Error{Kind: NotFound, Message: err.Error(), Hint: hint}
	}
	return err
}
