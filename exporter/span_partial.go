package exporter

import "reflect"

// rejectedSpans returns how many spans the backend turned down, if that is all that err says: OTLP's partial success,
// which is a mere warning when the number is 0. Taking it for a failed export would count spans as lost that arrived.
//
// The OTLP clients return it as a type of an internal package, so that it can be told by its fields only. Should
// they change, the batch counts as failed as with any other error.
func rejectedSpans(err error) (n uint64, ok bool) {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			rejected, partial := rejectedSpans(part)
			if !partial {
				return 0, false
			}
			n, ok = n+rejected, true
		}
		return n, ok
	case interface{ Unwrap() error }:
		return rejectedSpans(e.Unwrap())
	}
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Struct {
		return 0, false
	}
	items, kind := v.FieldByName("RejectedItems"), v.FieldByName("RejectedKind")
	if items.Kind() != reflect.Int64 || kind.Kind() != reflect.String || kind.String() != "spans" {
		return 0, false
	}
	return uint64(max(items.Int(), 0)), true
}
