//go:build race

package otelprof_test

// raceEnabled: the race detector makes everything some ten times slower and allocate more.
const raceEnabled = true
