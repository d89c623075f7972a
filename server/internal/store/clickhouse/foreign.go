package clickhouse

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/core"
)

// foreignColumns are what a span is made of that a Collector wrote.
const foreignColumns = "Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes, " +
	"ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage, " +
	"`Events.Timestamp`, `Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`, `Links.TraceState`, `Links.Attributes`"

// foreignSpan is a row that a Collector wrote. All its attributes are text there, and so they stay.
type foreignSpan struct {
	timestamp                                       time.Time
	trace, span, parent, state, name, kind, service string
	resource                                        map[string]string
	scopeName, scopeVersion                         string
	attributes                                      map[string]string
	duration                                        uint64
	status, message                                 string
	eventTime                                       []time.Time
	eventName                                       []string
	eventAttributes                                 []map[string]string
	linkTrace, linkSpan, linkState                  []string
	linkAttributes                                  []map[string]string
}

// collectForeign reads the spans that a Collector wrote.
func (s *Store) collectForeign(ctx context.Context, c *collection, condition string) error {
	rows, err := s.conn.Query(ctx, "SELECT "+foreignColumns+" FROM otel_traces WHERE "+condition+" AND OtelprofSpan = '' ORDER BY Timestamp, SpanId")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var f foreignSpan
		if err := rows.Scan(&f.timestamp, &f.trace, &f.span, &f.parent, &f.state, &f.name, &f.kind, &f.service, &f.resource,
			&f.scopeName, &f.scopeVersion, &f.attributes, &f.duration, &f.status, &f.message,
			&f.eventTime, &f.eventName, &f.eventAttributes, &f.linkTrace, &f.linkSpan, &f.linkState, &f.linkAttributes); err != nil {
			return explain(err)
		}
		id, err := traceID(f.trace)
		if err != nil {
			return err
		}
		c.add(id, f.origin(), f.encode(id))
	}
	return explain(rows.Err())
}

// origin returns the messages of the resource and of the scope.
func (f *foreignSpan) origin() originKey {
	scope := appendText(appendText(nil, 1, f.scopeName), 2, f.scopeVersion)
	return originKey{string(appendField(nil, 1, appendAttributes(nil, 1, f.resource))), string(appendField(nil, 1, scope)), f.service}
}

// encode returns the Span message. An id that is none is left at zeros.
func (f *foreignSpan) encode(trace core.TraceID) []byte {
	h := head[string]{trace: trace, state: f.state, name: f.name, kind: kindNumber(f.kind), start: uint64(f.timestamp.UnixNano())}
	h.end = h.start + f.duration
	readID(h.span[:], f.span)
	readID(h.parent[:], f.parent)
	b := appendAttributes(h.append(nil), 9, f.attributes)
	for i := range f.eventName {
		event := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), uint64(f.eventTime[i].UnixNano()))
		b = appendField(b, 11, appendAttributes(appendText(event, 2, f.eventName[i]), 3, f.eventAttributes[i]))
	}
	for i := range f.linkTrace {
		link := appendID(appendID(nil, 1, f.linkTrace[i]), 2, f.linkSpan[i])
		b = appendField(b, 13, appendAttributes(appendText(link, 3, f.linkState[i]), 4, f.linkAttributes[i]))
	}
	status := appendText(nil, 2, f.message)
	if code := max(slices.Index(statuses[:], f.status), 0); code > 0 {
		status = protowire.AppendVarint(protowire.AppendTag(status, 3, protowire.VarintType), uint64(code))
	}
	if len(status) > 0 {
		b = appendField(b, 15, status)
	}
	return b
}

func appendID(b []byte, number protowire.Number, text string) []byte {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) == 0 {
		return b
	}
	return appendField(b, number, id)
}

func appendText(b []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return appendField(b, number, text)
}

func appendAttributes(b []byte, number protowire.Number, attributes map[string]string) []byte {
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		b = appendAttribute(b, number, key, attributes[key], stringTag)
	}
	return b
}
