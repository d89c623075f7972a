package querytest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Store is a store.Reader and store.Snapshots over spans in memory. Every answer looks at every span.
type Store struct {
	spans    []Span
	profiles map[int64]*core.Snapshot
	mu       sync.Mutex
	saved    map[string]saved
	added    int64
	// Err, if set, is the answer to everything.
	Err error
}

type saved struct {
	at       time.Time
	snapshot *core.Snapshot
}

// New returns a store with the spans, and the second span of the trace Duplicated twice.
func New(spans []Span) *Store {
	s := &Store{profiles: map[int64]*core.Snapshot{}, saved: map[string]saved{}}
	aggregators := map[int64]*core.Aggregator{}
	for _, trace := range Traces(spans) {
		for _, minute := range minutes(trace) {
			if aggregators[minute] == nil {
				aggregators[minute], _ = core.New(core.Config{Name: "otelprof"})
			}
			record(aggregators[minute], trace, minute)
		}
		s.spans = append(s.spans, trace...)
		if trace[0].Trace == TraceID(Duplicated) {
			s.spans = append(s.spans, trace[1])
		}
	}
	for minute, a := range aggregators {
		snapshot := *a.Snapshot()
		snapshot.Start = time.Unix(minute*60, 0).UTC()
		snapshot.End = snapshot.Start.Add(time.Minute)
		s.profiles[minute] = &snapshot
	}
	return s
}

// Traces returns the spans grouped by trace, in the order in which the traces come first.
func Traces(spans []Span) [][]Span {
	var order []core.TraceID
	traces := map[core.TraceID][]Span{}
	for _, s := range spans {
		if traces[s.Trace] == nil {
			order = append(order, s.Trace)
		}
		traces[s.Trace] = append(traces[s.Trace], s)
	}
	out := make([][]Span, len(order))
	for i, id := range order {
		out[i] = traces[id]
	}
	return out
}

func minutes(trace []Span) []int64 {
	set := map[int64]bool{}
	for i := range trace {
		set[trace[i].Minute()] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// record counts the spans of a trace that ended in the minute. Parents must stand before children.
func record(a *core.Aggregator, trace []Span, minute int64) {
	index := map[core.SpanID]int32{}
	spans := make([]core.TraceSpan, len(trace))
	for i := range trace {
		t := &trace[i]
		parent, ok := index[t.Parent]
		if !ok {
			parent = -1
		}
		spans[i] = core.TraceSpan{
			Label: a.Label(t.Site), Start: Epoch.Add(t.Start).UnixNano(), Duration: int64(t.Duration()), Self: uint64(t.Self),
			Critical: uint64(t.Critical), Parent: parent, Span: t.ID, Failed: t.Failed, Sampled: true, PathOnly: t.Minute() != minute,
		}
		if t.Weight > 1 {
			spans[i].Unsampled = (t.Weight - 1) * 1024
		}
		index[t.ID] = int32(i)
	}
	a.RecordTrace(trace[0].Trace, spans)
}

// Traces implements store.Reader.
func (s *Store) Traces(ctx context.Context, ids []core.TraceID, within store.Range) (*store.Found, error) {
	found := &store.Found{}
	if err := cmp.Or(s.Err, ctx.Err()); err != nil {
		return nil, err
	}
	for _, id := range ids {
		trace := store.Trace{ID: id}
		for i := range s.spans {
			if s.spans[i].Trace == id {
				raw, _ := proto.Marshal(s.spans[i].Proto())
				trace.Spans = append(trace.Spans, store.Span{Origin: origin(found, &s.spans[i]), Raw: raw})
			}
		}
		if trace.Spans != nil {
			found.Traces = append(found.Traces, trace)
		}
	}
	return found, nil
}

// origin returns the index of the span's origin, which it adds if it is new.
func origin(found *store.Found, s *Span) int {
	resource := &resourcepb.Resource{Attributes: append(slices.Clone(s.Resource), Text("service.name", s.Site.Service))}
	r, _ := proto.Marshal(&tracepb.ResourceSpans{Resource: resource, SchemaUrl: "https://example.test/resource"})
	c, _ := proto.Marshal(&tracepb.ScopeSpans{
		Scope: &commonpb.InstrumentationScope{Name: s.Site.Track, Version: "v1", Attributes: s.Scope}})
	at := slices.IndexFunc(found.Origins, func(o store.Origin) bool { return bytes.Equal(o.Resource, r) && bytes.Equal(o.Scope, c) })
	if at < 0 {
		at = len(found.Origins)
		found.Origins = append(found.Origins, store.Origin{Resource: r, Scope: c, Service: s.Site.Service})
	}
	return at
}

// Matches says whether a span is what the query looks for.
func Matches(s *Span, q *store.Query) bool {
	return (q.Service == "" || q.Service == s.Site.Service) && (q.Operation == "" || q.Operation == s.Site.Name) &&
		(q.Kind == 0 || q.Kind == s.Site.Kind) && q.Start.Contains(Epoch.Add(s.Start).UnixNano()) &&
		s.Duration() >= q.MinDuration && (q.MaxDuration == 0 || s.Duration() <= q.MaxDuration) &&
		!slices.ContainsFunc(q.Attributes, func(a store.Attribute) bool { return !has(s, a) })
}

func has(s *Span, a store.Attribute) bool {
	if a.Key == "error" {
		return strconv.FormatBool(s.Failed) == a.Value
	}
	if a.Key == "service.name" {
		return s.Site.Service == a.Value
	}
	scope := []*commonpb.KeyValue{Text("otel.scope.name", s.Site.Track), Text("otel.scope.version", "v1")}
	for _, list := range [][]*commonpb.KeyValue{s.Proto().Attributes, s.Resource, s.Scope, s.Event, s.Link, scope} {
		for _, kv := range list {
			text := kv.Value.GetStringValue()
			if _, ok := kv.Value.Value.(*commonpb.AnyValue_IntValue); ok {
				text = fmt.Sprint(kv.Value.GetIntValue())
			}
			if kv.Key == a.Key && text == a.Value {
				return true
			}
		}
	}
	return false
}

// Search implements store.Reader.
func (s *Store) Search(ctx context.Context, q *store.Query) ([]store.Hit, error) {
	if err := cmp.Or(s.Err, ctx.Err()); err != nil {
		return nil, err
	}
	found := map[core.TraceID]int64{}
	for i := range s.spans {
		if sp := &s.spans[i]; Matches(sp, q) {
			found[sp.Trace] = max(found[sp.Trace], int64(sp.Start))
		}
	}
	hits := make([]store.Hit, 0, len(found))
	for id, start := range found {
		hits = append(hits, store.Hit{Trace: id, Start: start})
	}
	slices.SortFunc(hits, store.Hit.Compare)
	if q.Limit > 0 && len(hits) > q.Limit {
		hits = hits[:q.Limit]
	}
	return hits, nil
}

// Services implements store.Reader.
func (s *Store) Services(context.Context) ([]string, error) {
	set := map[string]bool{}
	for i := range s.spans {
		set[s.spans[i].Site.Service] = true
	}
	return slices.Sorted(maps.Keys(set)), s.Err
}

// Operations implements store.Reader.
func (s *Store) Operations(_ context.Context, service string) ([]store.Operation, error) {
	set := map[store.Operation]bool{}
	for i := range s.spans {
		if site := s.spans[i].Site; service == "" || site.Service == service {
			set[store.Operation{Service: site.Service, Name: site.Name, Kind: site.Kind}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b store.Operation) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	}), s.Err
}

// Profile implements store.Reader.
func (s *Store) Profile(ctx context.Context, within store.Range) (*core.Snapshot, error) {
	all := []*core.Snapshot{}
	err := s.Profiles(ctx, within, 1, func(_ int64, p *core.Snapshot) error {
		all = append(all, p)
		return nil
	})
	return core.Merge(all...), err
}

// Profiles implements store.Reader.
func (s *Store) Profiles(ctx context.Context, within store.Range, step int, f func(int64, *core.Snapshot) error) error {
	if err := cmp.Or(s.Err, ctx.Err()); err != nil {
		return err
	}
	steps := map[int64]*core.Snapshot{}
	for minute, p := range s.profiles {
		from := time.Unix(minute*60, 0)
		if (within.From.IsZero() || from.Add(time.Minute).After(within.From)) && (within.To.IsZero() || from.Before(within.To)) {
			at := minute - minute%int64(step)
			steps[at] = core.Merge(steps[at], p)
		}
	}
	for _, minute := range slices.Sorted(maps.Keys(steps)) {
		if err := f(minute, steps[minute]); err != nil {
			return err
		}
	}
	return nil
}

// Size implements store.Reader.
func (s *Store) Size(context.Context) (store.Size, error) {
	size := store.Size{Traces: int64(len(Traces(s.spans))), Bytes: 12345, LogEntries: 1}
	for i := range s.spans {
		start, end := Epoch.Add(s.spans[i].Start), Epoch.Add(s.spans[i].End)
		if i == 0 || start.Before(size.Oldest) {
			size.Oldest = start
		}
		if end.After(size.Newest) {
			size.Newest = end
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size.Spans = int64(len(s.spans)) + s.added
	return size, s.Err
}

// Grow makes Size tell of more spans.
func (s *Store) Grow(spans int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added += spans
}

// SaveSnapshot implements store.Snapshots.
func (s *Store) SaveSnapshot(_ context.Context, name string, snapshot *core.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[name] = saved{Epoch, snapshot}
	return s.Err
}

// LoadSnapshot implements store.Snapshots.
func (s *Store) LoadSnapshot(_ context.Context, name string) (*core.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.saved[name]; ok {
		return x.snapshot, s.Err
	}
	return nil, fmt.Errorf("snapshot %q: %w", name, store.ErrNotFound)
}

// ListSnapshots implements store.Snapshots.
func (s *Store) ListSnapshots(context.Context) ([]store.SavedSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []store.SavedSnapshot
	for _, name := range slices.Sorted(maps.Keys(s.saved)) {
		x := s.saved[name]
		list = append(list, store.SavedSnapshot{
			Name: name, Saved: x.at, Start: x.snapshot.Start, End: x.snapshot.End, Spans: x.snapshot.Counters.Spans})
	}
	return list, s.Err
}

// DeleteSnapshot implements store.Snapshots.
func (s *Store) DeleteSnapshot(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.saved[name]; !ok {
		return fmt.Errorf("snapshot %q: %w", name, store.ErrNotFound)
	}
	delete(s.saved, name)
	return s.Err
}

// Segment returns everything as it would be handed to another store.
func (s *Store) Segment() *store.Segment {
	ids := make([]core.TraceID, 0, Minutes*PerMinute)
	for _, trace := range Traces(s.spans) {
		ids = append(ids, trace[0].Trace)
	}
	found, err := s.Traces(context.Background(), ids, store.Range{})
	if err != nil {
		panic(err) // there is only s.Err
	}
	g := &store.Segment{Origins: found.Origins, Traces: found.Traces}
	for _, minute := range slices.Sorted(maps.Keys(s.profiles)) {
		g.Profiles = append(g.Profiles, store.Profile{Minute: minute, Snapshot: s.profiles[minute]})
	}
	return g
}
