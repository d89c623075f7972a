package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormatDuration(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0", 1: "1 ns", 1.5: "1.50 ns", 999: "999 ns", 999.4: "999 ns", 999.5: "1.00 µs", 1000: "1.00 µs", 9994: "9.99 µs", 9996: "10.0 µs",
		99940: "99.9 µs", 99960: "100 µs", 999_499: "999 µs", 999_500: "1.00 ms", 1e9: "1.00 s", 60e9: "60.0 s", 3600e9: "3600 s", 0.4: "0.40 ns",
		math.MaxUint64: "18446744074 s",
	} {
		require.Equal(t, want, formatDuration(ns))
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1: "1 B", 999: "999 B", 1024: "1.00 KiB", 1 << 20: "1.00 MiB", 1.5 * (1 << 30): "1.50 GiB", 1 << 50: "1024 TiB",
	} {
		require.Equal(t, want, formatBytes(n))
	}
}

func TestFormatShare(t *testing.T) {
	require.Equal(t, "-", formatShare(0, 0))
	require.Equal(t, "33.3%", formatShare(1, 3))
}
