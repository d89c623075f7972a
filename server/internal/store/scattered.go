package store

import "github.com/stichotrope/stichotrope-go/core"

// Filed says how a part of a trace was counted when it was filed.
type Filed struct {
	// Uncounted are the spans that no block counts: they were received before, or stand for something in a profile.
	Uncounted Bits
	// Withheld: its spans are in no call tree, since the parent of some is in no part that was there. Who completes traces
	// puts them there.
	Withheld bool
}

// Scattered is a trace that was filed in several parts, or in one that is withheld.
type Scattered struct {
	ID    core.TraceID
	Parts []Part
}

// Part is a part of a trace as it is counted now.
type Part struct {
	// Spans are those that count, in the order in which they were filed.
	Spans    []Span
	Withheld bool
	// Joined: it is counted as one trace with the other parts that are.
	Joined bool
}

// Completer returns the profiles of traces as they are counted now, and as they are counted when all parts of a trace are one.
// Blocks have the same counts, totals, extremes and histograms in both.
type Completer func(origins []Origin, traces []Scattered) (before, after []Profile, err error)
