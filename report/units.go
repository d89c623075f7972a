package report

import (
	"math"
	"strconv"
)

// formatDuration writes nanoseconds with three significant digits in the largest unit of ns, µs, ms and s that
// keeps the figure at 1 or more.
func formatDuration(ns float64) string {
	if ns == 0 {
		return "0"
	}
	units := [...]string{"ns", "µs", "ms", "s"}
	return scale(ns, 1000, units[:])
}

// formatBytes writes a number of bytes with three significant digits in B, KiB, MiB, GiB or TiB.
func formatBytes(n float64) string {
	if n == 0 {
		return "0"
	}
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	return scale(n, 1024, units[:])
}

// scale divides v by factor until it shows as less than 1000, or the units are used up. The bound is 999.5 and
// not 1000, because that is where three digits round up to 1000. A whole number of
// the first unit is written without decimals.
func scale(v, factor float64, units []string) string {
	first, whole := units[0], v == math.Trunc(v)
	for v >= 999.5 && len(units) > 1 {
		v /= factor
		units = units[1:]
	}
	decimals := 0
	switch {
	case whole && units[0] == first:
	case v < 9.995:
		decimals = 2
	case v < 99.95:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + " " + units[0]
}

// formatShare writes part/whole in per cent with one decimal, "-" if the whole is nothing.
func formatShare(part, whole float64) string {
	if whole <= 0 {
		return "-"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 1, 64) + "%"
}

func formatCount(n uint64) string { return strconv.FormatUint(n, 10) }
