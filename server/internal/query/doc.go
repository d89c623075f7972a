// Package query answers questions about what a store holds: statistics of blocks over any time, their call tree and
// history, the critical path, traces, calls between services, and how two profiles differ. It computes; how answers look
// in JSON or in Jaeger's formats is the business of the packages api and jaeger.
//
// # Time
//
// A question is about a period, a [store.Range]. Statistics are kept by the minute in which spans ended, so a period
// grows to whole minutes for them, and every answer says which period it covers. Traces and searches are exact.
//
// # Errors
//
// What the asker can do something about is an [*Error]; everything else is a failure of the store or the context's
// error.
//
// # Concurrency
//
// An [Engine] keeps nothing between questions and may be used by any number of goroutines.
package query
