//go:build !race

package otelprof_test

const raceEnabled = false
