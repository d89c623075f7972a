package input

import "google.golang.org/protobuf/encoding/protowire"

// signal is what a message of OTLP holds.
type signal int

const (
	unknown signal = iota
	traces
	metrics
)

// signalOf tells traces and metrics apart. Both are lists of resources with lists of scopes with lists of records, under the
// same field numbers; a span begins with its trace id of 16 bytes, a metric with its name. What holds neither counts as
// traces.
func signalOf(message []byte) signal {
	resource, ok := first(message, 1)
	if !ok {
		return unknown
	}
	scope, ok := first(resource, 2)
	if !ok {
		return traces
	}
	record, ok := first(scope, 2)
	if !ok {
		return traces
	}
	// A span has its ids in the fields 1 and 2 and its times in 7 and 8; a metric has its name and description there, and its
	// data in one of the fields 5 to 11, as a message.
	id, named := first(record, 1)
	spanID, _ := first(record, 2)
	if has(record, 7) || has(record, 8) || len(id) == 16 && len(spanID) == 8 {
		return traces
	}
	if named {
		return metrics
	}
	return unknown
}

// first returns the first field of bytes with a number; ok is false if there is none or the message is malformed before it.
func first(message []byte, want protowire.Number) (value []byte, ok bool) {
	return find(message, want, protowire.BytesType)
}

// has reports whether there is a field of 64 bits with a number.
func has(message []byte, want protowire.Number) bool {
	_, ok := find(message, want, protowire.Fixed64Type)
	return ok
}

func find(message []byte, want protowire.Number, as protowire.Type) (value []byte, ok bool) {
	for len(message) > 0 {
		number, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, false
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, typ, message); n < 0 {
			return nil, false
		}
		if number == want && typ == as {
			if typ == protowire.BytesType {
				value, _ = protowire.ConsumeBytes(message)
				return value, true
			}
			return message[:n], true
		}
		message = message[n:]
	}
	return nil, false
}
