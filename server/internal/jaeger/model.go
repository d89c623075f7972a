package jaeger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The older JSON of Jaeger's query service, which its user interface and Grafana read.
type (
	envelope struct {
		Data   any             `json:"data"`
		Total  int             `json:"total"`
		Limit  int             `json:"limit"`
		Offset int             `json:"offset"`
		Errors []envelopeError `json:"errors"`
	}
	envelopeError struct {
		Code    int    `json:"code,omitempty"`
		Msg     string `json:"msg"`
		TraceID string `json:"traceID,omitempty"`
	}
	uiTrace struct {
		TraceID   string               `json:"traceID"`
		Spans     []uiSpan             `json:"spans"`
		Processes map[string]uiProcess `json:"processes"`
		Warnings  []string             `json:"warnings"`
	}
	// uiSpan has its times in microseconds.
	uiSpan struct {
		TraceID       string        `json:"traceID"`
		SpanID        string        `json:"spanID"`
		Flags         uint32        `json:"flags,omitempty"`
		OperationName string        `json:"operationName"`
		References    []uiReference `json:"references"`
		StartTime     uint64        `json:"startTime"`
		Duration      uint64        `json:"duration"`
		Tags          []uiTag       `json:"tags"`
		Logs          []uiLog       `json:"logs"`
		ProcessID     string        `json:"processID"`
		Warnings      []string      `json:"warnings"`
	}
	uiReference struct {
		RefType string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	}
	uiProcess struct {
		ServiceName string  `json:"serviceName"`
		Tags        []uiTag `json:"tags"`
	}
	uiLog struct {
		Timestamp uint64  `json:"timestamp"`
		Fields    []uiTag `json:"fields"`
	}
	uiTag struct {
		Key   string `json:"key"`
		Type  string `json:"type"`
		Value any    `json:"value"`
	}
)

const (
	childOf     = "CHILD_OF"
	followsFrom = "FOLLOWS_FROM"
)

// uiTraceOf converts the spans of one trace.
func uiTraceOf(t ptrace.Traces) uiTrace {
	out := uiTrace{Spans: []uiSpan{}, Processes: map[string]uiProcess{}}
	known := map[string]string{}
	for _, rs := range t.ResourceSpans().All() {
		id := out.process(processOf(rs.Resource()), known)
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				span := uiSpanOf(s, ss.Scope())
				span.ProcessID = id
				out.TraceID = span.TraceID
				out.Spans = append(out.Spans, span)
			}
		}
	}
	return out
}

// process returns the id of a process, a new one if there is none that is equal. known has the ids, by all that is in it.
func (t *uiTrace) process(p uiProcess, known map[string]string) string {
	key := fmt.Sprintf("%q", p) // the values are texts, numbers and booleans
	id, found := known[key]
	if !found {
		id = "p" + strconv.Itoa(len(known)+1)
		known[key], t.Processes[id] = id, p
	}
	return id
}

func processOf(r pcommon.Resource) uiProcess {
	p := uiProcess{ServiceName: "OTLPResourceNoServiceName", Tags: []uiTag{}}
	for key, v := range r.Attributes().All() {
		if key == "service.name" {
			p.ServiceName = v.AsString()
			continue
		}
		p.Tags = append(p.Tags, tagOf(key, v))
	}
	return p
}

func uiSpanOf(s ptrace.Span, scope pcommon.InstrumentationScope) uiSpan {
	start, end := uint64(s.StartTimestamp()), uint64(s.EndTimestamp())
	out := uiSpan{
		TraceID: traceText(s.TraceID()), SpanID: spanText(s.SpanID()), OperationName: s.Name(), References: referencesOf(s),
		StartTime: start / 1000, Duration: (max(start, end) - start) / 1000, Tags: tagsOf(s, scope), Logs: []uiLog{},
	}
	for _, e := range s.Events().All() {
		log := uiLog{Timestamp: uint64(e.Timestamp()) / 1000, Fields: []uiTag{}}
		if _, has := e.Attributes().Get("event"); e.Name() != "" && !has {
			log.Fields = append(log.Fields, textTag("event", e.Name()))
		}
		for key, v := range e.Attributes().All() {
			log.Fields = append(log.Fields, tagOf(key, v))
		}
		out.Logs = append(out.Logs, log)
	}
	return out
}

// referencesOf has the parent first. A link to the parent only says what kind of reference that is.
func referencesOf(s ptrace.Span) []uiReference {
	refs := []uiReference{}
	hasParent := !s.ParentSpanID().IsEmpty()
	if hasParent {
		refs = append(refs, uiReference{childOf, traceText(s.TraceID()), spanText(s.ParentSpanID())})
	}
	for _, l := range s.Links().All() {
		kind := followsFrom
		if v, ok := l.Attributes().Get("opentracing.ref_type"); ok && v.AsString() == "child_of" {
			kind = childOf
		}
		if hasParent && l.TraceID() == s.TraceID() && l.SpanID() == s.ParentSpanID() {
			refs[0].RefType = kind
			continue
		}
		refs = append(refs, uiReference{kind, traceText(l.TraceID()), spanText(l.SpanID())})
	}
	return refs
}

// tagsOf has the scope first, then the span's attributes, then what else of the span has no place in Jaeger's model.
func tagsOf(s ptrace.Span, scope pcommon.InstrumentationScope) []uiTag {
	tags := []uiTag{}
	if scope.Name() != "" {
		tags = append(tags, textTag("otel.scope.name", scope.Name()))
	}
	if scope.Version() != "" {
		tags = append(tags, textTag("otel.scope.version", scope.Version()))
	}
	for key, v := range s.Attributes().All() {
		tags = append(tags, tagOf(key, v))
	}
	if kind := kindName(kindOf(s.Kind())); kind != "" {
		tags = append(tags, textTag("span.kind", kind))
	}
	switch s.Status().Code() {
	case ptrace.StatusCodeError:
		tags = append(tags, textTag("otel.status_code", "ERROR"), uiTag{"error", "bool", true})
	case ptrace.StatusCodeOk:
		tags = append(tags, textTag("otel.status_code", "OK"))
	}
	if m := s.Status().Message(); m != "" {
		tags = append(tags, textTag("otel.status_description", m))
	}
	if state := s.TraceState().AsRaw(); state != "" {
		tags = append(tags, textTag("w3c.tracestate", state))
	}
	return tags
}

func textTag(key, value string) uiTag { return uiTag{key, "string", value} }

// maxSafe is the largest integer that JavaScript keeps exactly. Jaeger writes larger ones as text.
const maxSafe = 1<<53 - 1

func tagOf(key string, v pcommon.Value) uiTag {
	switch v.Type() {
	case pcommon.ValueTypeBool:
		return uiTag{key, "bool", v.Bool()}
	case pcommon.ValueTypeInt:
		if n := v.Int(); n > maxSafe || n < -maxSafe {
			return uiTag{key, "int64", strconv.FormatInt(n, 10)}
		}
		return uiTag{key, "int64", v.Int()}
	case pcommon.ValueTypeDouble:
		if d := v.Double(); math.IsNaN(d) || math.IsInf(d, 0) { // not in JSON
			return uiTag{key, "float64", strconv.FormatFloat(d, 'g', -1, 64)}
		}
		return uiTag{key, "float64", v.Double()}
	case pcommon.ValueTypeBytes:
		return uiTag{key, "binary", v.AsString()} // base64
	}
	return textTag(key, v.AsString())
}

// traceText writes ids of 64 bits, which older programs make, in 16 digits, as Jaeger does.
func traceText(id pcommon.TraceID) string {
	if binary.BigEndian.Uint64(id[:8]) == 0 {
		return hex.EncodeToString(id[8:])
	}
	return hex.EncodeToString(id[:])
}

func spanText(id pcommon.SpanID) string { return hex.EncodeToString(id[:]) }
