// Package input reads what people have: OTLP traces and metrics as JSON, lines of JSON or protobuf, as the Collector's file
// exporter and curl write them, and saved snapshots; each also compressed by gzip or zstd. What it is, is told from its first
// bytes, never from a name.
package input
