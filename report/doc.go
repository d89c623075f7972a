// Package report writes a [core.Snapshot] in the formats that people and other tools read: a terminal table and
// call tree, an HTML page with a flame graph, CSV, JSON, folded stacks, pprof, and Prometheus or OpenMetrics text.
//
// Every format is one function Xxx(w, snapshot, XxxOptions), and the zero value of its options is a good default.
// [Formats] and [Lookup] give the formats by name, for flags and URLs.
//
// # What the figures mean
//
// Total is the time of a site's spans from start to end. The time of a nested span is in the total of every span
// around it too, so totals of different sites must not be added up. Self is the part of the total that no local
// child covers; self times may be added up, and shares ("self%") are shares of their sum.
//
// Observations whose place in the call tree is not settled, because a span around them is still open, are in the
// blocks but not in the nodes of a snapshot; without a call tree (otelprof.WithCallTree) all of them are. The formats that
// show the tree (tree, HTML, folded stacks, pprof) file them under one root named "(pending)", so that nothing is missing
// from their sums.
//
// # Errors and concurrency
//
// Every function may be called from any goroutine and reads the snapshot only. The snapshot must not be nil;
// an empty one gives a valid, empty report. An error is either a bad option, found before anything is written,
// or the error of the writer, wrapped; in the latter case part of the report may have been written.
//
// # Untrusted names
//
// Names of spans, tracks, functions and files are whatever a program put there. Each format escapes what has a
// meaning in it or on the screen it ends up on: see [Table] for terminals, [CSV] for spreadsheets, [Folded] for
// separators. JSON and Prometheus carry every valid name unchanged, and replace invalid UTF-8 by U+FFFD.
package report
