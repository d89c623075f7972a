package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Limits of searches.
const (
	DefaultTraces = 20
	MaxTraces     = 1500
	// batch is how many traces are in memory at once.
	batch = 50
)

// Search returns the ids of the traces that match, those with the latest start first.
func (e *Engine) Search(ctx context.Context, q *store.Query) ([]core.TraceID, error) {
	if q.MaxDuration > 0 && q.MaxDuration < q.MinDuration {
		return nil, Invalidf("swap them", "the longest duration %v is below the shortest %v", q.MaxDuration, q.MinDuration)
	}
	hits, err := e.store.Search(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("search traces: %w", err)
	}
	return store.IDs(hits), nil
}

// Traces calls f with the spans of the traces, some traces at a time, in the order of ids. It leaves out the ids of traces
// that are not there. within narrows the search; the zero Range is all time.
func (e *Engine) Traces(ctx context.Context, ids []core.TraceID, within store.Range, f func(origins []store.Origin, t store.Trace) error) error {
	for some := range slices.Chunk(ids, batch) {
		found, err := e.store.Traces(ctx, some, within)
		if err != nil {
			return fmt.Errorf("read traces: %w", err)
		}
		for _, t := range found.Traces {
			if err := f(found.Origins, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// Summary is a trace in a few words.
type Summary struct {
	ID core.TraceID
	// RootService and RootName are those of the root that starts first; if there is none, of the span that does.
	RootService, RootName string
	Start, End            time.Time
	// Spans counts the spans, and Errors those of them that failed; duplicates count once. Orphans are those whose parent is
	// not in the trace.
	Spans, Errors, Orphans int
	// Services are in ascending order of name.
	Services []ServiceSummary
}

// ServiceSummary counts the spans of a service in a trace.
type ServiceSummary struct {
	Name          string
	Spans, Errors int
}

// Duration is from the first start to the last end.
func (s *Summary) Duration() time.Duration { return s.End.Sub(s.Start) }

// Summaries returns the summaries of traces, in the order of ids.
func (e *Engine) Summaries(ctx context.Context, ids []core.TraceID, within store.Range) ([]Summary, error) {
	out := make([]Summary, 0, len(ids))
	err := e.Traces(ctx, ids, within, func(origins []store.Origin, t store.Trace) error {
		s, err := Summarize(origins, t)
		out = append(out, s)
		return err
	})
	return out, err
}

// Summarize returns the summary of a trace.
func Summarize(origins []store.Origin, t store.Trace) (Summary, error) {
	out := Summary{ID: t.ID}
	deduplicated := Deduplicate(t.Spans)
	spans := make([]otlp.Span, len(deduplicated))
	ids := make(map[core.SpanID]bool, len(spans))
	services := map[string]*ServiceSummary{}
	first, last := uint64(math.MaxUint64), uint64(0)
	root := 0
	for i, raw := range deduplicated {
		s := &spans[i]
		if err := s.Read(raw.Raw); err != nil {
			return out, fmt.Errorf("read a span of trace %v: %w", t.ID, err)
		}
		ids[s.Span] = true
		first, last = min(first, s.Start), max(last, s.Start, s.End)
		if above(s, &spans[root]) {
			root = i
		}
		name := origins[raw.Origin].Service
		if services[name] == nil {
			services[name] = &ServiceSummary{Name: name}
		}
		services[name].Spans++
		if s.Failed {
			services[name].Errors++
			out.Errors++
		}
	}
	if len(spans) > 0 {
		out.RootService, out.RootName = origins[deduplicated[root].Origin].Service, string(spans[root].Name)
		out.Start, out.End, out.Spans = moment(first), moment(last), len(spans)
	}
	for i := range spans {
		if p := spans[i].Parent; p != (core.SpanID{}) && !ids[p] {
			out.Orphans++
		}
	}
	for _, s := range services {
		out.Services = append(out.Services, *s)
	}
	slices.SortFunc(out.Services, func(a, b ServiceSummary) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// above reports whether a rather stands for the trace than b: a root before others, then what starts first.
func above(a, b *otlp.Span) bool {
	rootA, rootB := a.Parent == core.SpanID{}, b.Parent == core.SpanID{}
	if rootA != rootB {
		return rootA
	}
	return a.Start < b.Start
}

// moment returns a time of OTLP; what lies after the year 2262 is put there.
func moment(nanos uint64) time.Time { return time.Unix(0, int64(min(nanos, 1<<63-1))).UTC() }
