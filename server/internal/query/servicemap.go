package query

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Services returns the names of all services with spans, ascending.
func (e *Engine) Services(ctx context.Context) ([]string, error) {
	names, err := e.store.Services(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the services: %w", err)
	}
	return names, nil
}

// Operations returns the names and kinds of the spans of a service, ascending; of all services for "".
func (e *Engine) Operations(ctx context.Context, service string) ([]store.Operation, error) {
	operations, err := e.store.Operations(ctx, service)
	if err != nil {
		return nil, fmt.Errorf("read the operations: %w", err)
	}
	return operations, nil
}

// ServiceMap is the services of a period and the calls between them.
type ServiceMap struct {
	Profile *core.Snapshot
	// Services are in ascending order of name, Calls of caller and callee.
	Services []ServiceStats
	Calls    []CallStats
}

// ServiceStats are the statistics of a service.
type ServiceStats struct {
	Name string
	// Requests are the spans by which the service was entered: roots, and those below a span of another service.
	Requests core.Stats
	// Spans, Errors, Self and Critical are sums over all spans of the service; the times are in ns.
	Spans, Errors, Self, Critical uint64
	// Operations is how many different sites there are.
	Operations int
}

// CallStats are the statistics of the calls of one service by another: of the spans of Callee right below one of Caller.
type CallStats struct {
	Caller, Callee string
	Stats          core.Stats
}

// ServiceMap returns the services of a period and the calls between them.
func (e *Engine) ServiceMap(ctx context.Context, within store.Range) (*ServiceMap, error) {
	p, err := e.Profile(ctx, within, nil)
	if err != nil {
		return nil, err
	}
	services := map[string]*ServiceStats{}
	for i := range p.Blocks {
		b := &p.Blocks[i]
		s := services[b.Site.Service]
		if s == nil {
			s = &ServiceStats{Name: b.Site.Service}
			services[s.Name] = s
		}
		s.Spans, s.Errors = s.Spans+b.Stats.Count, s.Errors+b.Stats.Errors
		s.Self, s.Critical = add(s.Self, b.Stats.Self), add(s.Critical, b.Stats.Critical)
		s.Operations++
	}
	type pair struct{ caller, callee string }
	calls := map[pair]core.Stats{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		callee := p.Site(*n).Service
		if n.Parent >= 0 {
			caller := p.Site(p.Nodes[n.Parent]).Service
			if caller == callee {
				continue
			}
			calls[pair{caller, callee}] = calls[pair{caller, callee}].Merge(n.Stats)
		}
		services[callee].Requests = services[callee].Requests.Merge(n.Stats)
	}
	m := &ServiceMap{Profile: p}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		m.Services = append(m.Services, *services[name])
	}
	for k, stats := range calls {
		if stats.Count > 0 {
			m.Calls = append(m.Calls, CallStats{k.caller, k.callee, stats})
		}
	}
	slices.SortFunc(m.Calls, func(a, b CallStats) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Callee, b.Callee))
	})
	return m, nil
}

// add adds and stays at the largest number instead of wrapping.
func add(a, b uint64) uint64 {
	if a+b < a {
		return 1<<64 - 1
	}
	return a + b
}
