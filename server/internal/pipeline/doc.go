// Package pipeline turns requests into profiles and stored traces. A span is
//
//  1. read and checked by [Pipeline.Ingest], and made durable in the store's log;
//  2. pending, until its trace seems complete: the root is there and nothing came for Config.TraceGrace, or nothing came for
//     Config.TraceIdle, or memory is short;
//  3. filed with its trace: the trace is assembled, counted in the profiles of the minutes in which its spans ended, and
//     put into the open segment;
//  4. committed with the segment, which takes it out of the log.
//
// [Live] answers queries over all of these at once: every span that was acknowledged is in the answer exactly once,
// wherever it is.
//
// # Exactly once
//
// The log is the truth until a segment is committed. A segment holds spans, profiles and the parts of the log that they
// came from, and is committed as a whole or not at all; what was in no segment when a process ended is read from the
// log when the next one starts. A failing store loses nothing: commits are tried again, and as long as memory is short
// new requests are refused with otlp.ErrOverloaded.
//
// # Late spans and duplicates
//
// A span that comes after its trace was filed forms a new part of the trace. It is exact in its block; in the call tree
// it is an orphan. A span that was received twice, as happens when a client has not seen the answer, is stored twice but
// counted once, as long as the pipeline remembers the first one: Config.Remember spans back, and not across a restart.
// The same span means the same ids, times, site and status, and the same length.
//
// # Concurrency
//
// Ingest and all of Live may be called concurrently. Two goroutines work behind them: one files traces, one commits
// segments. Locks are taken in the order gate, cut, shard; cut is never held during input or output.
package pipeline
