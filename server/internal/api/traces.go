package api

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/assembly"
	"github.com/stichotrope/stichotrope-go/server/internal/query"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

type searchAnswer struct {
	Period period    `json:"period"`
	Traces []summary `json:"traces"`
}

type summary struct {
	TraceID     core.TraceID     `json:"trace_id"`
	RootService string           `json:"root_service"`
	RootName    string           `json:"root_name"`
	Start       *string          `json:"start"`
	DurationNS  int64            `json:"duration_ns"`
	Spans       int              `json:"spans"`
	Errors      int              `json:"errors"`
	Orphans     int              `json:"orphans"`
	Services    []serviceSummary `json:"services"`
}

type serviceSummary struct {
	Name   string `json:"name"`
	Spans  int    `json:"spans"`
	Errors int    `json:"errors"`
}

func (h *Handler) search(ctx context.Context, r *request) (any, error) {
	q := &store.Query{
		Service: r.text("service"), Operation: r.text("name"), Kind: r.kind("kind"), Start: r.period(""),
		MinDuration: r.duration("min_duration"), MaxDuration: r.duration("max_duration"),
		Limit: r.number("limit", query.DefaultTraces, query.MaxTraces),
	}
	for _, text := range r.texts("attribute") {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			r.keep(query.Invalidf("write key=value", "attribute: %s has no key or no value", strconv.Quote(text)))
		}
		q.Attributes = append(q.Attributes, store.Attribute{Key: key, Value: value})
	}
	if r.flag("errors") {
		q.Attributes = append(q.Attributes, store.Attribute{Key: "error", Value: "true"})
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	ids, err := h.Engine.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	all, err := h.Engine.Summaries(ctx, ids, store.Range{})
	if err != nil {
		return nil, err
	}
	a := searchAnswer{newPeriod(&core.Snapshot{Start: q.Start.From, End: q.Start.To}), make([]summary, len(all))}
	for i, s := range all {
		a.Traces[i] = summary{s.ID, s.RootService, s.RootName, moment(s.Start), int64(s.Duration()), s.Spans, s.Errors, s.Orphans,
			[]serviceSummary{}}
		for _, p := range s.Services {
			a.Traces[i].Services = append(a.Traces[i].Services, serviceSummary{p.Name, p.Spans, p.Errors})
		}
	}
	return a, nil
}

type traceAnswer struct {
	TraceID    core.TraceID `json:"trace_id"`
	Start      *string      `json:"start"`
	DurationNS int64        `json:"duration_ns"`
	// Duplicates is how many spans were received again and are left out.
	Duplicates int `json:"duplicates"`
	// Bare: attributes, events and links of the spans are left out.
	Bare bool `json:"bare"`
	// Ranked is the period among whose spans the ranks are.
	Ranked  period   `json:"ranked"`
	Origins []origin `json:"origins"`
	// Spans are in depth-first order.
	Spans []span `json:"spans"`
}

type origin struct {
	Service           string      `json:"service"`
	Attributes        []attribute `json:"attributes"`
	ScopeName         string      `json:"scope_name"`
	ScopeVersion      string      `json:"scope_version"`
	ScopeAttributes   []attribute `json:"scope_attributes"`
	DroppedAttributes uint32      `json:"dropped_attributes"`
}

// span is a span of a trace. start_ns is its distance from the start of the trace; parent is an index in the list of spans or
// -1, parent_span_id what was received.
type span struct {
	SpanID       core.SpanID `json:"span_id"`
	ParentSpanID core.SpanID `json:"parent_span_id"`
	Parent       int         `json:"parent"`
	Depth        int         `json:"depth"`
	Children     int         `json:"children"`
	Origin       int         `json:"origin"`
	Block        string      `json:"block"`
	Service      string      `json:"service"`
	Track        string      `json:"track"`
	Name         string      `json:"name"`
	Kind         core.Kind   `json:"kind"`
	Start        *string     `json:"start"`
	StartNS      int64       `json:"start_ns"`
	DurationNS   uint64      `json:"duration_ns"`
	SelfNS       uint64      `json:"self_ns"`
	CriticalNS   uint64      `json:"critical_ns"`
	Status       string      `json:"status"`
	Message      string      `json:"status_message"`
	TraceState   string      `json:"trace_state"`
	Flags        uint32      `json:"flags"`
	Orphan       bool        `json:"orphan"`
	Cut          bool        `json:"cut"`
	Moved        bool        `json:"moved"`
	Backward     bool        `json:"backward"`
	Rank         *rank       `json:"rank"`
	Attributes   []attribute `json:"attributes"`
	Events       []event     `json:"events"`
	Links        []link      `json:"links"`
	Dropped      dropped     `json:"dropped"`
}

// rank is the place of a span in its block: fraction is which part of the of spans was shorter.
type rank struct {
	Fraction float64 `json:"fraction"`
	Of       uint64  `json:"of"`
}

type event struct {
	Name       string      `json:"name"`
	StartNS    int64       `json:"start_ns"`
	Attributes []attribute `json:"attributes"`
}

type link struct {
	TraceID    core.TraceID `json:"trace_id"`
	SpanID     core.SpanID  `json:"span_id"`
	TraceState string       `json:"trace_state"`
	Attributes []attribute  `json:"attributes"`
}

type dropped struct {
	Attributes uint32 `json:"attributes"`
	Events     uint32 `json:"events"`
	Links      uint32 `json:"links"`
}

// attribute has its value as text: numbers in decimal, bytes in base64, arrays and maps in JSON.
type attribute struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (h *Handler) trace(ctx context.Context, r *request) (any, error) {
	id, only := r.traceID(), r.text("span")
	auto := r.text("bare") == "auto"
	bare := !auto && r.flag("bare")
	var among store.Range
	if r.text("since") != "" || r.text("until") != "" {
		among = r.period("")
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	t, err := h.Engine.Trace(ctx, id, among)
	if err != nil {
		return nil, err
	}
	a := traceAnswer{
		TraceID: t.ID, Start: moment(t.Start), DurationNS: int64(t.End.Sub(t.Start)), Duplicates: t.Duplicates,
		Ranked: newPeriod(t.Profile), Origins: make([]origin, len(t.Origins)), Spans: make([]span, len(t.Spans)),
	}
	for i, o := range t.Origins {
		a.Origins[i] = origin{o.Service, newAttributes(o.Resource), o.Scope.Name(), o.Scope.Version(),
			newAttributes(o.Scope.Attributes()), o.Scope.DroppedAttributesCount()}
	}
	if only != "" {
		i := slices.IndexFunc(t.Spans, func(s query.Span) bool { return core.SpanID(s.SpanID()).String() == only })
		if i < 0 {
			return nil, query.NotFoundf("take the id from the trace", "there is no span %s in the trace", strconv.Quote(only))
		}
		t.Spans = t.Spans[i : i+1]
		t.Spans[0].Parent, a.Spans = -1, a.Spans[:1]
	}
	a.Bare = bare || auto && !fits(t.Spans, h.MaxBytes)
	for i := range t.Spans {
		a.Spans[i] = newSpan(&t.Spans[i], t.Start)
		if !a.Bare {
			a.Spans[i].detail(&t.Spans[i], t.Start)
		}
	}
	return a, nil
}

// What an answer needs about for a span, and for each attribute, event or link beside its texts, in bytes.
const (
	bareSpan  = 800
	perDetail = 64
)

// fits reports whether an answer of so many bytes will have room for the spans with all details. It looks at no more of them
// than it must, and rather says that it will not.
func fits(spans []query.Span, most int) bool {
	size := len(spans) * bareSpan
	add := func(m pcommon.Map) {
		for key, v := range m.All() {
			size += perDetail + len(key)
			if v.Type() == pcommon.ValueTypeStr {
				size += len(v.Str())
			}
		}
	}
	for i := range spans {
		s := &spans[i]
		add(s.Attributes())
		for _, e := range s.Events().All() {
			size += perDetail + len(e.Name())
			add(e.Attributes())
		}
		for _, l := range s.Links().All() {
			size += 2 * perDetail
			add(l.Attributes())
		}
		if size > most {
			return false
		}
	}
	return true
}

func newSpan(s *query.Span, start time.Time) span {
	out := span{
		SpanID: core.SpanID(s.SpanID()), ParentSpanID: core.SpanID(s.ParentSpanID()), Parent: s.Parent, Depth: s.Depth,
		Children: s.Children, Origin: s.Origin, Block: query.BlockID(s.Site), Service: s.Site.Service, Track: s.Site.Track,
		Name: s.Site.Name, Kind: s.Site.Kind, Start: momentOf(int64(s.StartTimestamp())), StartNS: since(s.StartTimestamp(), start),
		DurationNS: s.Nanos, SelfNS: s.Self, CriticalNS: s.Critical, Status: strings.ToLower(s.Status().Code().String()),
		Message: s.Status().Message(), TraceState: s.TraceState().AsRaw(), Flags: s.Flags(),
		Orphan: s.Odd.Has(assembly.Orphan), Cut: s.Odd.Has(assembly.Cut), Moved: s.Odd.Has(assembly.Moved), Backward: s.Odd.Has(assembly.Backward),
		Attributes: []attribute{}, Events: []event{}, Links: []link{},
		Dropped: dropped{s.DroppedAttributesCount(), s.DroppedEventsCount(), s.DroppedLinksCount()},
	}
	if s.Of > 0 {
		out.Rank = &rank{s.Rank, s.Of}
	}
	return out
}

// detail adds what most of the answer's bytes are for.
func (out *span) detail(s *query.Span, start time.Time) {
	out.Attributes, out.Events, out.Links = newAttributes(s.Attributes()), make([]event, s.Events().Len()), make([]link, s.Links().Len())
	for i := range out.Events {
		e := s.Events().At(i)
		out.Events[i] = event{e.Name(), since(e.Timestamp(), start), newAttributes(e.Attributes())}
	}
	for i := range out.Links {
		l := s.Links().At(i)
		out.Links[i] = link{core.TraceID(l.TraceID()), core.SpanID(l.SpanID()), l.TraceState().AsRaw(), newAttributes(l.Attributes())}
	}
}

func since(t pcommon.Timestamp, start time.Time) int64 { return int64(t) - start.UnixNano() }

func newAttributes(m pcommon.Map) []attribute {
	out := make([]attribute, 0, m.Len())
	for key, v := range m.All() {
		a := attribute{Key: key, Type: strings.ToLower(v.Type().String()), Value: v.AsString()}
		switch v.Type() {
		case pcommon.ValueTypeStr:
			a.Type = "string"
		case pcommon.ValueTypeSlice:
			a.Type = "array"
		case pcommon.ValueTypeBytes:
			a.Value = base64.StdEncoding.EncodeToString(v.Bytes().AsRaw())
		}
		out = append(out, a)
	}
	return out
}
