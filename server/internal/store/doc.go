// Package store keeps spans and profiles. [Store] is the one interface between the pipeline, which receives and assembles,
// the queries, and the engines; storetest is the suite that every engine passes.
//
// # How spans come to rest
//
// A request is acknowledged when [Store.Append] has made it durable in the log. The pipeline then assembles its spans to
// traces in memory. When enough traces are complete, it hands them over as a [Segment], with the profile of exactly these
// spans, and with the entries of the log, or the parts of entries, that they came from. [Store.Commit] does all of it at
// once or nothing: after a crash, what is in no segment is replayed from the log, and nothing is counted twice.
//
// # Concurrency
//
// All methods may be called concurrently, except that there is one Commit at a time, and that Replay comes before
// everything else.
package store
