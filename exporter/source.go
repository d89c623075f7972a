package exporter

import "github.com/stichotrope/stichotrope-go/core"

// Source is where an exporter takes the profile from: an otelprof.Profiler, or anything else that has one.
type Source interface {
	// Snapshot returns a copy of the whole profile as it is now. Exporters call it from one goroutine at a time.
	// A nil snapshot counts as an empty one.
	Snapshot() *core.Snapshot
}
