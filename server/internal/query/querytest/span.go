package querytest

import (
	"encoding/binary"
	"slices"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stichotrope/stichotrope-go/core"
)

// Epoch is when the spans of the data set start: a whole minute.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Span is a span of the data set. Start and End are relative to Epoch.
type Span struct {
	Trace      core.TraceID
	ID, Parent core.SpanID
	Site       core.Site
	Start, End time.Duration
	Failed     bool
	// Attributes are the span's, Resource, Scope, Event and Link those of what is around it and in it.
	Attributes, Resource, Scope, Event, Link []*commonpb.KeyValue
	// Weight is how many spans this one stands for by its tracestate; 0 is 1.
	Weight uint64

	// Self and Critical are computed by Measure.
	Self, Critical time.Duration
}

// Duration is End-Start, never negative.
func (s *Span) Duration() time.Duration { return max(0, s.End-s.Start) }

// Minute is the Unix minute in which the span ended.
func (s *Span) Minute() int64 { return Epoch.Add(s.End).Unix() / 60 }

// TraceID and SpanID make ids from small numbers.
func TraceID(n uint64) (id core.TraceID) {
	id[0] = 0xa1
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// SpanID makes an id from a small number.
func SpanID(n uint64) (id core.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// Text makes an attribute.
func Text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// Int makes an attribute.
func Int(key string, value int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}}
}

// Proto returns the span as the message that is sent.
func (s *Span) Proto() *tracepb.Span {
	p := &tracepb.Span{
		TraceId: s.Trace[:], SpanId: s.ID[:], Name: s.Site.Name, Kind: tracepb.Span_SpanKind(s.Site.Kind),
		StartTimeUnixNano: uint64(Epoch.Add(s.Start).UnixNano()), EndTimeUnixNano: uint64(Epoch.Add(s.End).UnixNano()),
		Attributes: slices.Clone(s.Attributes), Flags: 1, Status: &tracepb.Status{},
	}
	if s.Parent != (core.SpanID{}) {
		p.ParentSpanId = s.Parent[:]
	}
	if s.Failed {
		p.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "it failed"}
	}
	if s.Site.Function != "" {
		p.Attributes = append(p.Attributes, Text("code.function.name", s.Site.Function),
			Text("code.file.path", s.Site.File), Int("code.line.number", int64(s.Site.Line)))
	}
	if s.Event != nil {
		p.Events = []*tracepb.Span_Event{{Name: "event", TimeUnixNano: p.StartTimeUnixNano + 1, Attributes: s.Event}}
	}
	if s.Link != nil {
		other, span := TraceID(999), SpanID(999)
		p.Links = []*tracepb.Span_Link{{TraceId: other[:], SpanId: span[:], Attributes: s.Link}}
	}
	return p
}

// Measure fills in Self and Critical of the spans of one trace, by definition: self time nanosecond range by nanosecond
// range, the critical path from its end backwards.
func Measure(spans []Span) {
	children := map[core.SpanID][]*Span{}
	known := map[core.SpanID]bool{}
	for i := range spans {
		known[spans[i].ID] = true
	}
	var roots []*Span
	for i := range spans {
		s := &spans[i]
		if known[s.Parent] {
			children[s.Parent] = append(children[s.Parent], s)
		} else {
			roots = append(roots, s)
		}
	}
	for i := range spans {
		spans[i].Self = selfTime(&spans[i], children[spans[i].ID])
	}
	for _, root := range roots {
		critical(root, root.Start, root.End, children)
	}
}

func selfTime(s *Span, children []*Span) time.Duration {
	cuts := []time.Duration{s.Start, s.End}
	for _, c := range children {
		cuts = append(cuts, min(max(c.Start, s.Start), s.End), min(max(c.End, s.Start), s.End))
	}
	slices.Sort(cuts)
	var self time.Duration
	for i := 1; i < len(cuts); i++ {
		from, to := cuts[i-1], cuts[i]
		if !slices.ContainsFunc(children, func(c *Span) bool { return c.Start <= from && to <= c.End }) {
			self += to - from
		}
	}
	return self
}

// critical walks back from the end: the child that ended last was waited for, and before its start the next one.
func critical(s *Span, from, to time.Duration, children map[core.SpanID][]*Span) {
	at := to
	for at > from {
		var last *Span
		for _, c := range children[s.ID] {
			if c.Start < at && min(c.End, at) > from && (last == nil || min(c.End, at) > min(last.End, at)) {
				last = c
			}
		}
		if last == nil {
			break
		}
		end, start := min(last.End, at), max(last.Start, from)
		s.Critical += at - end
		critical(last, start, end, children)
		at = start
	}
	s.Critical += max(0, at-from)
}
