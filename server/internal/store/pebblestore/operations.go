package pebblestore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Services implements store.Reader.
func (s *Store) Services(ctx context.Context) ([]string, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	names := map[string]struct{}{}
	for _, b := range s.blocks.list() {
		for _, name := range b.services {
			names[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// Operations implements store.Reader. What cannot be read is left out, counted, and reported to the logger.
func (s *Store) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	t := &s.blocks
	t.mu.RLock()
	blocks, version := t.all, t.version
	known, ok := t.operations[service]
	ok = ok && t.operationsVersion == version
	t.mu.RUnlock()
	if ok {
		return slices.Clone(known), nil
	}
	all := map[store.Operation]struct{}{}
	for _, b := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if service != "" && !slices.Contains(b.services, service) {
			continue
		}
		x, err := s.blockIndex(b.block)
		if errors.Is(err, store.ErrDamaged) {
			s.report("the operations of a block cannot be read", err, "block", b.block)
		} else if err != nil {
			return nil, err
		}
		if x == nil {
			continue
		}
		for _, o := range x.operations {
			if service == "" || o.Service == service {
				all[o] = struct{}{}
			}
		}
	}
	operations := slices.SortedFunc(maps.Keys(all), store.Operation.Compare)
	t.keepOperations(service, operations, version)
	return slices.Clone(operations), nil
}

func (t *blockTable) keepOperations(service string, operations []store.Operation, version uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.operations == nil || t.operationsVersion != version {
		t.operations, t.operationsVersion = make(map[string][]store.Operation), version
	}
	t.operations[service] = operations
}
