package otelprof_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the tests: a profiler has none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
