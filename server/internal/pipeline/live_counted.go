package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// What follows answers from the profile, for a pipeline that keeps statistics only.

func (l *Live) countedServices(ctx context.Context) ([]string, error) {
	s, err := l.Profile(ctx, store.Range{})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(s.Blocks))
	for i := range s.Blocks { // in the order of services
		names = append(names, s.Blocks[i].Site.Service)
	}
	return slices.Compact(names), nil
}

func (l *Live) countedOperations(ctx context.Context, service string) ([]store.Operation, error) {
	s, err := l.Profile(ctx, store.Range{})
	if err != nil {
		return nil, err
	}
	all := []store.Operation{}
	for i := range s.Blocks {
		if site := &s.Blocks[i].Site; service == "" || service == site.Service {
			all = append(all, store.Operation{Service: site.Service, Name: site.Name, Kind: site.Kind})
		}
	}
	slices.SortFunc(all, store.Operation.Compare)
	return slices.Compact(all), nil
}

func (l *Live) countedSize(ctx context.Context) (size store.Size, err error) {
	s, err := l.Profile(ctx, store.Range{})
	if err != nil {
		return size, err
	}
	if all := s.Total(); all.Count > 0 {
		size.Spans, size.Oldest, size.Newest = int64(all.Count), time.Unix(0, all.First), time.Unix(0, all.Last)
	}
	return size, nil
}
