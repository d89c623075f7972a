// Package core aggregates the durations of spans and blocks into an exact profile: per call site
// (a [Block] of statistics) and per path through the call tree (a [Node]). It imports the standard
// library alone and serves the in-process profiler and the server alike.
//
// # Vocabulary
//
// A [Site] is where a span or block starts: track, name, kind and source location. A [Block] is the
// statistics of one site. A track is a named group of blocks, by default the instrumentation scope.
// A [Node] is a site under the chain of its parents, with the same statistics. A [Snapshot] is an
// immutable copy of everything at one moment.
//
// # Concurrency
//
// Every method of [Aggregator] may be called from any goroutine at any time. Recording is synchronous:
// there is no background goroutine and no queue. A Snapshot is never changed after it was returned, so
// it may be read by any number of goroutines; treat its exported fields as read-only.
//
// # Units
//
// Durations are nanoseconds in uint64, moments are nanoseconds since the Unix epoch in int64. Sums
// saturate instead of wrapping.
package core
