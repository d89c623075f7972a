package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		whole(-0.4):          "0",
		whole(1234.5):        "1235",
		decimals(0.005, 2):   "0.01",
		decimals(-0.001, 2):  "0.00",
		duration(0):          "0.00 ns",
		duration(9.994):      "9.99 ns",
		duration(9.996):      "10.0 ns",
		duration(-49.2):      "-49.2 ns",
		duration(999.4):      "999 ns",
		duration(999.6):      "1.00 µs",
		duration(999_600):    "1.00 ms",
		duration(2.5e9):      "2.50 s",
		bytes(-3):            "-3 B",
		bytes(1023):          "1023 B",
		bytes(4096):          "4.00 KiB",
		bytes(1 << 30):       "1024 MiB",
		percent(0.99451):     "99.5 %",
		spread(sample{1, 2}): "2 ± 1",
	} {
		require.Equal(t, want, got)
	}
}

func TestTargetIsMetUpToItsLimit(t *testing.T) {
	require.Equal(t, target{"x", "≤ 100 ns", "100 ns", true}, atMost("x", 100, 100, duration))
	require.Equal(t, target{"x", "≤ 100 ns", "101 ns", false}, atMost("x", 100, 101, duration))
}
