package core

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the tests: the package has none of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
