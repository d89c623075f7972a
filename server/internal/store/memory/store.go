package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Options of a store; the zero value is usable.
type Options struct {
	// MaxBytes is how much the log and the spans may use together; what is over it is refused with store.ErrFull. 0 is no
	// limit.
	MaxBytes int64
	// Now is the clock for the time at which snapshots are saved; nil for time.Now.
	Now func() time.Time
}

// Store is a store.Store in memory.
type Store struct {
	options Options

	mu       sync.RWMutex
	closed   bool
	seq      uint64
	log      []entry // ascending
	segments []*segment
	profiles map[int64]*core.Snapshot
	saved    map[string]saved
	bytes    int64 // of log and segments
}

var _ store.Store = (*Store)(nil)

type entry struct {
	seq      uint64
	request  []byte
	consumed store.Bits
}

type segment struct {
	origins    []store.Origin
	traces     []store.Trace
	start, end int64 // of the spans, in ns since the Unix epoch
	spans      int64
	bytes      int64
}

type saved struct {
	at       time.Time
	snapshot *core.Snapshot
}

// New returns an empty store.
func New(options Options) *Store {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Store{options: options, profiles: map[int64]*core.Snapshot{}, saved: map[string]saved{}}
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, request []byte) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if limit := s.options.MaxBytes; limit > 0 && s.bytes+int64(len(request)) > limit {
		return 0, fmt.Errorf("%w: %d of %d bytes are used", store.ErrFull, s.bytes, limit)
	}
	s.seq++
	s.log = append(s.log, entry{seq: s.seq, request: bytes.Clone(request)})
	s.bytes += int64(len(request))
	return s.seq, nil
}

// Replay implements store.Store.
func (s *Store) Replay(ctx context.Context, f func(seq uint64, request []byte, consumed store.Bits) error) error {
	s.mu.RLock()
	err := s.ready(ctx)
	log := slices.Clone(s.log)
	s.mu.RUnlock()
	for i := 0; i < len(log) && err == nil; i++ {
		err = f(log[i].seq, log[i].request, slices.Clone(log[i].consumed))
	}
	return err
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, g *store.Segment) error {
	if err := g.Validate(); err != nil {
		return err
	}
	kept, err := keep(g)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if kept.spans > 0 {
		s.segments = append(s.segments, kept)
		s.bytes += kept.bytes
	}
	for _, p := range g.Profiles {
		s.profiles[p.Minute] = core.Merge(s.profiles[p.Minute], p.Snapshot)
	}
	for _, c := range g.Consumed {
		s.consume(c)
	}
	return nil
}

func (s *Store) consume(c store.Consumed) {
	i, ok := slices.BinarySearchFunc(s.log, c.Seq, func(e entry, seq uint64) int {
		return int(min(max(int64(e.seq-seq), -1), 1))
	})
	switch {
	case !ok:
	case c.All:
		s.bytes -= int64(len(s.log[i].request))
		s.log = slices.Delete(s.log, i, i+1)
	default:
		s.log[i].consumed = slices.Clone(c.Spans)
	}
}

// keep copies what a segment refers to.
func keep(g *store.Segment) (*segment, error) {
	kept := &segment{start: math.MaxInt64, end: math.MinInt64}
	for _, o := range g.Origins {
		kept.origins = append(kept.origins, store.Origin{
			Resource: bytes.Clone(o.Resource), Scope: bytes.Clone(o.Scope), Service: o.Service,
		})
		kept.bytes += int64(len(o.Resource) + len(o.Scope))
	}
	for _, t := range g.Traces {
		if len(t.Spans) == 0 {
			continue
		}
		c := store.Trace{ID: t.ID, Spans: make([]store.Span, len(t.Spans))}
		for i, sp := range t.Spans {
			var read otlp.Span
			if err := read.Read(sp.Raw); err != nil {
				return nil, fmt.Errorf("segment: trace %s: %w", t.ID, err)
			}
			start, end := store.Moment(read.Start), store.Moment(read.End)
			kept.start, kept.end = min(kept.start, start), max(kept.end, start, end)
			c.Spans[i] = store.Span{Origin: sp.Origin, Raw: bytes.Clone(sp.Raw)}
			kept.bytes += int64(len(sp.Raw))
		}
		kept.traces = append(kept.traces, c)
		kept.spans += int64(len(c.Spans))
	}
	return kept, nil
}

// Retain implements store.Store.
func (s *Store) Retain(ctx context.Context, before time.Time, maxBytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	cut := int64(math.MinInt64)
	if !before.IsZero() {
		cut = store.Nanos(before)
	}
	oldest := slices.SortedStableFunc(slices.Values(s.segments), func(a, b *segment) int { return int(min(max(a.end-b.end, -1), 1)) })
	for _, g := range oldest {
		if g.end >= cut && (maxBytes <= 0 || s.bytes <= maxBytes) {
			break
		}
		cut = max(cut, g.end)
		s.bytes -= g.bytes
		s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == g })
	}
	if cut > math.MinInt64 {
		until := store.FloorMinute(cut)
		maps.DeleteFunc(s.profiles, func(minute int64, _ *core.Snapshot) bool { return minute < until })
	}
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.closed = true
	return nil
}

// ready returns why nothing can be done.
func (s *Store) ready(ctx context.Context) error {
	if s.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}
