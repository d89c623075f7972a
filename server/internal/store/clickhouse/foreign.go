package clickhouse

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
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
		c.add(id, f.origin(), f.encode())
	}
	return explain(rows.Err())
}

// origin returns the messages of the resource and of the scope.
func (f *foreignSpan) origin() originKey {
	var resource, scope []byte
	for _, key := range slices.Sorted(maps.Keys(f.resource)) {
		resource = appendAttribute(resource, 1, key, f.resource[key])
	}
	if f.scopeName != "" {
		scope = protowire.AppendString(protowire.AppendTag(scope, 1, protowire.BytesType), f.scopeName)
	}
	if f.scopeVersion != "" {
		scope = protowire.AppendString(protowire.AppendTag(scope, 2, protowire.BytesType), f.scopeVersion)
	}
	return originKey{string(appendMessage(nil, 1, resource)), string(appendMessage(nil, 1, scope)), f.service}
}

// encode returns the Span message.
func (f *foreignSpan) encode() []byte {
	start := uint64(f.timestamp.UnixNano())
	b := appendID(appendID(nil, 1, f.trace), 2, f.span)
	b = appendText(b, 3, f.state)
	b = appendID(b, 4, f.parent)
	b = appendText(b, 5, f.name)
	if kind := max(slices.Index(kinds[:], f.kind), 0); kind > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 6, protowire.VarintType), uint64(kind))
	}
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), start)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), start+f.duration)
	b = appendAttributes(b, 9, f.attributes)
	for i := range f.eventName {
		event := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), uint64(f.eventTime[i].UnixNano()))
		event = appendAttributes(appendText(event, 2, f.eventName[i]), 3, f.eventAttributes[i])
		b = appendMessage(b, 11, event)
	}
	for i := range f.linkTrace {
		link := appendID(appendID(nil, 1, f.linkTrace[i]), 2, f.linkSpan[i])
		b = appendMessage(b, 13, appendAttributes(appendText(link, 3, f.linkState[i]), 4, f.linkAttributes[i]))
	}
	status := appendText(nil, 2, f.message)
	if code := max(slices.Index(statuses[:], f.status), 0); code > 0 {
		status = protowire.AppendVarint(protowire.AppendTag(status, 3, protowire.VarintType), uint64(code))
	}
	if len(status) > 0 {
		b = appendMessage(b, 15, status)
	}
	return b
}

func appendID(b []byte, field protowire.Number, text string) []byte {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) == 0 {
		return b
	}
	return appendMessage(b, field, id)
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendAttributes(b []byte, field protowire.Number, attributes map[string]string) []byte {
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		b = appendAttribute(b, field, key, attributes[key])
	}
	return b
}

func appendAttribute(b []byte, field protowire.Number, key, value string) []byte {
	kv := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	text := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), value)
	return appendMessage(b, field, appendMessage(kv, 2, text))
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}
