// Package otlp reads trace requests of OTLP by walking their bytes on the wire: no message is built, no field is copied,
// nothing is allocated for a span. What it yields are views into the request, valid as long as its bytes are.
//
// The encoding is protobuf (protobuf.dev/programming-guides/encoding); the field numbers are those of
// opentelemetry/proto/trace/v1/trace.proto, version 1.11. Unknown fields are skipped, but stay in the Raw bytes.
package otlp
