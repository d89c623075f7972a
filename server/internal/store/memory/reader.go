package memory

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// look returns the segments, which never change.
func (s *Store) look(ctx context.Context) ([]*segment, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.segments), s.ready(ctx)
}

// Traces implements store.Reader.
func (s *Store) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	segments, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	spans := make(map[core.TraceID][]store.Span, len(ids))
	for _, id := range ids {
		spans[id] = nil
	}
	found := &store.Found{}
	for _, g := range segments {
		if !within.Overlaps(g.start, g.end) {
			continue
		}
		first := len(found.Origins)
		found.Origins = append(found.Origins, g.origins...)
		for _, t := range g.traces {
			if _, ok := spans[t.ID]; !ok {
				continue
			}
			for _, sp := range t.Spans {
				spans[t.ID] = append(spans[t.ID], store.Span{Origin: first + sp.Origin, Raw: sp.Raw})
			}
		}
	}
	for _, id := range ids {
		if len(spans[id]) > 0 {
			found.Traces = append(found.Traces, store.Trace{ID: id, Spans: spans[id]})
			delete(spans, id)
		}
	}
	return found, nil
}

// Search implements store.Reader.
func (s *Store) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	segments, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	matcher, hits := store.NewMatcher(q), store.NewHits(q.Limit)
	for _, g := range segments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, t := range g.traces {
			for _, sp := range t.Spans {
				if start, ok := matcher.Match(&g.origins[sp.Origin], sp.Raw); ok {
					hits.Add(t.ID, start)
				}
			}
		}
	}
	return hits.All(), nil
}

// operations calls f for every span.
func (s *Store) operations(ctx context.Context, f func(service string, span *otlp.Span)) error {
	segments, err := s.look(ctx)
	if err != nil {
		return err
	}
	var read otlp.Span
	for _, g := range segments {
		for _, t := range g.traces {
			for _, sp := range t.Spans {
				if err := read.Read(sp.Raw); err != nil {
					return err
				}
				f(g.origins[sp.Origin].Service, &read)
			}
		}
	}
	return nil
}

// Services implements store.Reader.
func (s *Store) Services(ctx context.Context) ([]string, error) {
	names := map[string]struct{}{}
	err := s.operations(ctx, func(service string, _ *otlp.Span) { names[service] = struct{}{} })
	return slices.Sorted(maps.Keys(names)), err
}

// Operations implements store.Reader.
func (s *Store) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	all := map[store.Operation]struct{}{}
	err := s.operations(ctx, func(of string, span *otlp.Span) {
		if service == "" || service == of {
			all[store.Operation{Service: of, Name: string(span.Name), Kind: span.Kind}] = struct{}{}
		}
	})
	return slices.SortedFunc(maps.Keys(all), store.Operation.Compare), err
}

// Profile implements store.Reader.
func (s *Store) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	var parts []*core.Snapshot
	err := s.Profiles(ctx, within, 1, func(_ int64, p *core.Snapshot) error {
		parts = append(parts, p)
		return nil
	})
	return core.Merge(parts...), err
}

// Profiles implements store.Reader.
func (s *Store) Profiles(ctx context.Context, within store.Range, step int, f func(minute int64, p *core.Snapshot) error) error {
	s.mu.RLock()
	err := s.ready(ctx)
	groups := map[int64][]*core.Snapshot{}
	from, until := within.Minutes()
	for minute, p := range s.profiles {
		if minute >= from && minute < until {
			first := store.FloorStep(minute, step)
			groups[first] = append(groups[first], p)
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	for _, first := range slices.Sorted(maps.Keys(groups)) {
		if err := f(first, core.Merge(groups[first]...)); err != nil {
			return err
		}
	}
	return nil
}

// Size implements store.Reader.
func (s *Store) Size(ctx context.Context) (store.Size, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return store.Size{}, err
	}
	size := store.Size{Bytes: s.bytes, LogEntries: int64(len(s.log))}
	start, end := int64(math.MaxInt64), int64(math.MinInt64)
	for _, g := range s.segments {
		size.Spans += g.spans
		size.Traces += int64(len(g.traces))
		start, end = min(start, g.start), max(end, g.end)
	}
	if size.Spans > 0 {
		size.Oldest, size.Newest = time.Unix(0, start), time.Unix(0, end)
	}
	return size, nil
}

// SaveSnapshot implements store.Snapshots.
func (s *Store) SaveSnapshot(ctx context.Context, name string, p *core.Snapshot) error {
	if err := store.CheckSnapshotName(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.saved[name] = saved{s.options.Now(), p}
	return nil
}

// LoadSnapshot implements store.Snapshots.
func (s *Store) LoadSnapshot(ctx context.Context, name string) (*core.Snapshot, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if v, ok := s.saved[name]; ok {
		return v.snapshot, nil
	}
	return nil, store.ErrNotFound
}

// ListSnapshots implements store.Snapshots.
func (s *Store) ListSnapshots(ctx context.Context) ([]store.SavedSnapshot, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	list := make([]store.SavedSnapshot, 0, len(s.saved))
	for name, v := range s.saved {
		list = append(list, store.Describe(name, v.at, v.snapshot))
	}
	slices.SortFunc(list, func(a, b store.SavedSnapshot) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// DeleteSnapshot implements store.Snapshots.
func (s *Store) DeleteSnapshot(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if _, ok := s.saved[name]; !ok {
		return store.ErrNotFound
	}
	delete(s.saved, name)
	return nil
}
