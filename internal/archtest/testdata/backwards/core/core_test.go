package core_test

import (
	_ "testing"

	_ "example.test/assert"
	_ "example.test/mock"
)
