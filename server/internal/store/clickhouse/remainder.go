package clickhouse

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// A span that is read must be the span that was received, and nearly all of its message is in the columns of its row anyway.
// OtelprofSpan has what else it takes to make the message again, byte for byte: the remainder.
//
// That is the message itself, if it does not begin as [head] has it; else
//
//	a zero byte, with which no message begins
//	a byte for each of the first attributes, those that are made again: the tag of the field of its AnyValue that is set
//	a zero byte
//	what follows in the message

// inColumns is the first byte of a remainder that is not the whole message, and the one after the tags.
const inColumns = 0

// text is what columns are made of, and what is read of them.
type text interface{ []byte | string }

// head is what a Span message begins with if its fields are in the order of their numbers, as all libraries write them, and
// those left out that are zero.
type head[T text] struct {
	trace        core.TraceID
	span, parent core.SpanID
	state, name  T
	kind         uint64
	start, end   uint64
}

func (h *head[T]) append(b []byte) []byte {
	b = appendField(b, 1, h.trace[:])
	b = appendField(b, 2, h.span[:])
	if len(h.state) > 0 {
		b = appendField(b, 3, h.state)
	}
	if h.parent != (core.SpanID{}) {
		b = appendField(b, 4, h.parent[:])
	}
	if len(h.name) > 0 {
		b = appendField(b, 5, h.name)
	}
	if h.kind > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 6, protowire.VarintType), h.kind)
	}
	if h.start > 0 {
		b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), h.start)
	}
	if h.end > 0 {
		b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), h.end)
	}
	return b
}

func appendField[T text](b []byte, number protowire.Number, value T) []byte {
	b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(len(value)))
	return append(b, value...)
}

// The tags of the fields of an AnyValue that can be made from a text.
const (
	stringTag = 1<<3 | byte(protowire.BytesType)
	boolTag   = 2<<3 | byte(protowire.VarintType)
	intTag    = 3<<3 | byte(protowire.VarintType)
	doubleTag = 4<<3 | byte(protowire.Fixed64Type)
)

// appendAttribute appends an attribute as the field with the number. If the text is not one of the tag's type, it becomes a string.
func appendAttribute[T text](b []byte, number protowire.Number, key, value T, tag byte) []byte {
	var scratch [1 + binaryMax]byte
	typed := appendValue(scratch[:0], value, tag)
	size := len(typed)
	if size == 0 {
		size = 1 + protowire.SizeBytes(len(value))
	}
	b = protowire.AppendTag(b, number, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(2+protowire.SizeBytes(len(key))+protowire.SizeBytes(size)))
	b = appendField(b, 1, key)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.BytesType), uint64(size))
	if len(typed) == 0 {
		return appendField(b, 1, value)
	}
	return append(b, typed...)
}

// binaryMax is the most that a number takes.
const binaryMax = 10

// appendValue appends the AnyValue for what is not a string, and nothing for what is one.
func appendValue[T text](b []byte, value T, tag byte) []byte {
	switch tag {
	case boolTag:
		if s := string(value); s == "true" || s == "false" {
			return append(b, tag, byte(len("false")-len(s)))
		}
	case intTag:
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return protowire.AppendVarint(append(b, tag), uint64(n))
		}
	case doubleTag:
		if n, err := strconv.ParseFloat(string(value), 64); err == nil {
			return protowire.AppendFixed64(append(b, tag), math.Float64bits(n))
		}
	}
	return b
}

// valueTag returns the tag of the field that is set in the AnyValue of the attribute that a part of a Span message begins with;
// anything if it does not begin with one.
func valueTag(message []byte) byte {
	_, n := field(message)
	message = message[n:]
	key, n := field(message)
	message = message[min(n+key, len(message)):]
	_, n = field(message)
	if message = message[n:]; len(message) == 0 {
		return 0
	}
	return message[0]
}

// field returns how long the content of the field is that a message begins with, and where it begins: both 0 if there is none.
func field(message []byte) (size, at int) {
	if len(message) == 0 {
		return 0, 0
	}
	n, k := protowire.ConsumeVarint(message[1:])
	if k < 0 || n > uint64(len(message)) {
		return 0, 0
	}
	return int(n), 1 + k
}

// appendRemainder appends the remainder of a message that s has read, of a span of the trace. It is found by making again what
// is left out, so that it can be made again. scratch is memory to do that in.
func appendRemainder(b, message []byte, trace core.TraceID, s *otlp.Columns, scratch *[]byte) []byte {
	start := uint64(store.Moment(s.Start))
	h := head[[]byte]{
		trace: trace, span: s.Span.Span, parent: s.Parent, state: s.TraceState, name: s.Name,
		kind: uint64(s.Kind), start: start, end: start + uint64(max(s.Duration(), 0)),
	}
	*scratch = h.append((*scratch)[:0])
	rest, ok := bytes.CutPrefix(message, *scratch)
	if !ok {
		return append(b, message...)
	}
	b = append(b, inColumns)
	for i := range s.Attributes {
		a, tag := &s.Attributes[i], valueTag(rest)
		*scratch = appendAttribute((*scratch)[:0], 9, a.Key, a.Value, tag)
		after, ok := bytes.CutPrefix(rest, *scratch)
		if !ok {
			break
		}
		b, rest = append(b, tag), after
	}
	return append(append(b, inColumns), rest...)
}

// spanRow is what of a row of otel_traces makes a span.
type spanRow struct {
	trace, span, parent, state, name, kind string
	start                                  int64
	duration                               uint64
	keys, values                           []string // of the attributes
	remainder                              string
	originKey
}

// spanRowColumns are the columns of a spanRow.
const spanRowColumns = "TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), Duration, " +
	"mapKeys(SpanAttributes), mapValues(SpanAttributes), OtelprofSpan, OtelprofResource, OtelprofScope, ServiceName"

// fields are where they are scanned to.
func (r *spanRow) fields() []any {
	return []any{
		&r.trace, &r.span, &r.parent, &r.state, &r.name, &r.kind, &r.start, &r.duration,
		&r.keys, &r.values, &r.remainder, &r.resource, &r.scope, &r.service,
	}
}

// message returns the Span message that the row was made of. Who changed columns since finds the change in it.
func (r *spanRow) message(trace core.TraceID) ([]byte, error) {
	if len(r.remainder) == 0 || r.remainder[0] != inColumns {
		return []byte(r.remainder), nil
	}
	h := head[string]{
		trace: trace, state: r.state, name: r.name, kind: kindNumber(r.kind),
		start: uint64(r.start), end: uint64(r.start) + r.duration,
	}
	tags, rest, ok := strings.Cut(r.remainder[1:], "\x00")
	if !ok || !readID(h.span[:], r.span) || r.parent != "" && !readID(h.parent[:], r.parent) {
		return nil, fmt.Errorf("%w: span %q of trace %s in ClickHouse", store.ErrDamaged, r.span, trace)
	}
	b := h.append(make([]byte, 0, len(r.name)+len(rest)+64*(2+len(r.keys))))
	for i := range min(len(tags), len(r.keys)) {
		b = appendAttribute(b, 9, r.keys[i], r.values[i], tags[i])
	}
	return append(b, rest...), nil
}

// kindNumber returns the number of OTLP of a kind in the table, that of an unspecified one for others.
func kindNumber(text string) uint64 { return uint64(max(slices.Index(kinds[:], text), 0)) }

// readID reads an id in hexadecimal. It leaves zeros if the text is none.
func readID(id []byte, text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == len(id) && copy(id, b) > 0
}
