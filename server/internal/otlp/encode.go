package otlp

import (
	"bytes"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Part is spans of one origin; see Origin.
type Part struct {
	Resource, Scope []byte
	// Spans are Span messages: Span.Raw.
	Spans [][]byte
}

// AppendTraces appends a TracesData message of the parts: what an ExportTraceServiceRequest is as well. Neighbours with the
// same resource share it, and if they have the same scope too, they share that.
func AppendTraces(to []byte, parts []Part) []byte {
	for len(parts) > 0 {
		start := len(to)
		resource := parts[0].Resource
		to = append(to, resource...)
		for len(parts) > 0 && bytes.Equal(parts[0].Resource, resource) {
			scope, inner := parts[0].Scope, len(to)
			to = append(to, scope...)
			for len(parts) > 0 && bytes.Equal(parts[0].Resource, resource) && bytes.Equal(parts[0].Scope, scope) {
				for _, span := range parts[0].Spans {
					to = appendBytes(to, 2, span)
				}
				parts = parts[1:]
			}
			to = closeMessage(to, inner, 2)
		}
		to = closeMessage(to, start, 1)
	}
	return to
}

// readable is how deep values may be nested that the Collector's library reads: it takes 100 messages in each other, of which a level
// has up to three.
const readable = 24

// Decode reads a TracesData message that a Checker has let pass, after making it Readable.
func Decode(message []byte) (ptrace.Traces, error) {
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message)
	if err != nil {
		traces, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(Readable(message))
	}
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("reading traces: %w", err)
	}
	return traces, nil
}

// Readable returns a TracesData message that others can read, which is nearly always the same: attributes that are nested deeper
// than the Collector's library reads, which Jaeger has too, become text, as Texts has it.
func Readable(message []byte) []byte {
	c := Checker{Limits: Limits{readable, math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt}}
	if err := c.scan(message, tracesData, 0); err != nil || !c.dirty {
		return message
	}
	m := mender{limits: c.Limits, count: func(string) {}, flatten: true}
	return m.mend(message)
}

// TracesToJSON translates a TracesData message to OTLP/JSON: {"resourceSpans":[…]}. Unknown fields are not in it. The message
// must be one that a Checker has let pass: others may be nested deeper than can be read.
func TracesToJSON(message []byte) ([]byte, error) {
	traces, err := Decode(message)
	if err != nil {
		return nil, err
	}
	out, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return nil, fmt.Errorf("writing traces as JSON: %w", err)
	}
	return out, nil
}
