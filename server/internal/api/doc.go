// Package api serves what a profile and its traces tell as JSON over HTTP, under /api/v1/. openapi.yaml describes it all; the
// tests check every answer against it.
//
// # Conventions
//
// Durations are integers or fractions of nanoseconds in members that end with _ns; moments are text in RFC 3339, ids are
// hexadecimal text. Arrays are never null. since and until are times or durations before now; every answer about a period
// says which one it covers, because statistics are kept by the minute.
//
// # Numbers and JavaScript
//
// Integers are JSON numbers with all their digits. JavaScript keeps numbers as float64: it rounds those above 2^53, which is
// a sum of 104 days in ns, to 53 bits, an error of one part in 10^16, and that is safe for all that can be done with a
// figure. It would not be for ids and for moments, of which differences matter, and these are text for that reason; the
// starts of a trace's spans are offsets from the start of the trace.
//
// # Errors
//
// An error is {"error": {"code", "message", "hint"}}: code is one of invalid (400), forbidden (403), not_found (404),
// too_large (422), internal (500), busy (503) and timeout (504); hint says what to do.
package api
